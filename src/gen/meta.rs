//! The head of a template: `#%# key: value` lines that say what it is and what it needs.
//!
//! Read before rendering, for listings and for the template's own layer of options.

use super::engine::Source;
use super::env;
use super::options::{EnvValue, Options, Var};
use super::quote;
use crate::error::{Error, Result};
use crate::suggest;

const KEYS: [&str; 8] = ["about", "command", "env", "name", "port", "ready", "requirements", "var"];

/// What the head says.
#[derive(Debug, Clone, Default)]
pub struct Meta {
    /// One line on what the template is for.
    pub about: String,
    /// Whether it has no command of its own, so that one has to be given.
    pub needs_command: bool,
    /// The first port to try; with it the template is a server's.
    pub port: Option<u16>,
    /// Variables, their defaults, and what they are for.
    pub vars: Vec<(String, Var, String)>,
    /// Default requirements, environment and readiness, and the variables again.
    pub options: Options,
}

/// Reads the leading `#%#` lines; an empty one ends what is read, and prose may follow.
pub fn parse(source: &Source) -> Result<Meta> {
    let mut meta = Meta::default();
    let head = source.text.lines().enumerate();
    let head = head.map_while(|(index, line)| Some((index, line.strip_prefix("#%#")?)));
    for (index, line) in head.take_while(|(_, line)| !line.trim().is_empty()) {
        let Some((key, value)) = line.split_once(':') else { continue };
        set(&mut meta, key.trim(), value.trim())
            .map_err(|error| error.at(format!("{}:{}", source.place, index + 1)))?;
    }
    meta.options.vars = meta.vars.iter().map(|(n, v, _)| (n.clone(), v.clone())).collect();
    Ok(meta)
}

fn set(meta: &mut Meta, key: &str, value: &str) -> Result<()> {
    match key {
        "name" => {}
        "command" if value == "required" => meta.needs_command = true,
        "command" => {
            return Err(Error::new("`command` is `required` or left out")
                .next("write the command itself into the block `command`"));
        }
        "about" => value.clone_into(&mut meta.about),
        "requirements" => meta.options.requirements = words(value)?,
        "env" => {
            let (name, value) = env::pair(value)?;
            env::check(&name)?;
            meta.options.env.push((name, EnvValue::Literal(value)));
        }
        "port" => meta.port = Some(port(value)?),
        "ready" => meta.options.ready = Some(value.to_owned()),
        "var" => meta.vars.push(var(value)?),
        _ => {
            return Err(Error::new(format!("template key `{key}` is unknown"))
                .next(suggest::advice(key, KEYS)));
        }
    }
    Ok(())
}

fn words(value: &str) -> Result<Vec<String>> {
    let list = || value.split_whitespace().map(str::to_owned).collect();
    if value.contains(['\'', '"', '\\']) {
        return quote::split(value).ok_or_else(|| Error::new("`requirements` is no list of words"));
    }
    Ok(list())
}

fn port(value: &str) -> Result<u16> {
    let port = value.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| Error::new(format!("`port` is a number from 1 to 65535, not `{value}`")))
}

/// `NAME = DEFAULT -- what it is for`.
fn var(line: &str) -> Result<(String, Var, String)> {
    let (text, about) = line.split_once(" -- ").unwrap_or((line, ""));
    let (name, default) = text.split_once('=').unwrap_or((text, ""));
    let name = name.trim();
    if !env::is_name(name) {
        return Err(Error::new(format!("`{name}` is no name for a variable")));
    }
    if super::RESERVED.contains(&name) {
        return Err(Error::new(format!("`{name}` is a name that every template gets from ig"))
            .next("another name"));
    }
    Ok((name.to_owned(), value(default.trim()), about.trim().to_owned()))
}

/// A word is text, digits are a number, `true` and `false` are switches.
fn value(text: &str) -> Var {
    match text {
        "true" => Var::Switch(true),
        "false" => Var::Switch(false),
        _ => text.parse().map_or_else(|_| Var::Text(text.to_owned()), Var::Number),
    }
}

impl Meta {
    /// Refuses a variable that the template does not have.
    pub fn check_var(&self, name: &str) -> Result<()> {
        let known = || self.vars.iter().map(|(name, _, _)| name.as_str());
        if known().any(|known| known == name) {
            return Ok(());
        }
        let shown = name.escape_debug();
        let error = Error::usage(format!("the template has no variable `{shown}`"));
        if self.vars.is_empty() {
            return Err(error.next("leave it out, or use `-e` for the environment"));
        }
        Err(error.next(suggest::advice(name, known())))
    }

    /// `text` as a value for the variable `name`, of the kind its default has.
    pub fn var(&self, name: &str, text: &str) -> Result<Var> {
        self.check_var(name)?;
        let default = self.vars.iter().find(|(known, _, _)| known == name).map(|(_, var, _)| var);
        let wrong =
            |kind: &str| Error::usage(format!("`{name}` is {kind}, not `{}`", text.escape_debug()));
        match default {
            Some(Var::Number(_)) => text.parse().map(Var::Number).map_err(|_| wrong("a number")),
            Some(Var::Switch(_)) => {
                text.parse().map(Var::Switch).map_err(|_| wrong("true or false"))
            }
            _ => Ok(Var::Text(text.to_owned())),
        }
    }
}
