//! Scripts from templates: values in, text out.
//!
//! [`generate`] is pure but for the catalog, which reads templates. Nothing here writes a file,
//! prints, or looks at flags; `cli::gen` does.

pub mod catalog;
pub mod engine;
pub mod env;
pub mod header;
pub mod keep;
pub mod limits;
pub mod meta;
pub mod options;
pub mod place;
pub mod profile;
pub mod quote;
pub mod scripts;

use std::sync::Arc;

use minijinja::Value;

use crate::error::Result;
use crate::shlib;
use catalog::{Catalog, Found, Level};
use header::{Header, Made};
use options::{Layer, Options, Origin, Settled, Var};

/// The names that every template gets; its own variables cannot be called so.
pub const RESERVED: [&str; 18] = [
    "about",
    "agent_name",
    "agent_type",
    "command",
    "env",
    "fixed",
    "library",
    "lints",
    "name",
    "port",
    "python",
    "register",
    "requirements",
    "root",
    "stream_logs",
    "template",
    "venv",
    "watched",
];

/// Everything that a script is made of.
#[derive(Debug, Clone)]
pub struct Request {
    /// The script's name.
    pub name: String,
    /// The template and the profiles' layers.
    pub found: Found,
    /// What the command line asks for.
    pub flags: Options,
    /// Whether the library goes inside.
    pub standalone: bool,
    /// The project's folder, seen from the script's: `..`.
    pub root: String,
    /// The words after `ig gen` that make the script again.
    pub args: Vec<String>,
}

/// A script, made.
#[derive(Debug, Clone)]
pub struct Script {
    /// Its text.
    pub text: String,
    /// Files of the project that took part and have to be trusted.
    pub project_files: Vec<std::path::PathBuf>,
}

impl Request {
    /// All layers merged.
    pub fn settle(&self) -> Settled {
        let template = &self.found.template;
        let mut layers = vec![Layer { origin: Origin::Flag, options: self.flags.clone() }];
        layers.extend(self.found.layers.iter().cloned());
        let origin = Origin::Template(template.name.clone());
        layers.push(Layer { origin, options: template.meta.options.clone() });
        options::settle(&layers, &self.name)
    }
}

/// Makes the script.
pub fn generate(request: &Request, catalog: &Catalog) -> Result<Script> {
    let settled = request.settle();
    limits::check(request, &settled)?;
    let values = values(request, &settled)?;
    let template = &request.found.template;
    let rendered = engine::render(&template.source, &values, parents(catalog, template))?;
    let header = Header { args: request.args.clone(), made: made(request, &rendered) };
    let text = header.attach(&rendered.text)?;
    limits::check_script(&text)?;
    let mut project_files = request.found.project_files.clone();
    for source in rendered.closure.iter().skip_while(|s| s.place == template.source.place) {
        let path = std::path::PathBuf::from(&source.place);
        let ours = catalog.project.as_deref().is_some_and(|dir| path.starts_with(dir));
        if ours && !project_files.contains(&path) {
            project_files.push(path);
        }
    }
    Ok(Script { text, project_files })
}

/// Finds the templates that `template` extends or includes; under its own name, the one it shadows.
fn parents(catalog: &Catalog, template: &catalog::Template) -> Arc<engine::Load> {
    let catalog = catalog.clone();
    let main = template.source.place.clone();
    let except = move |level: Level| (level != Level::BuiltIn).then(|| main.clone());
    let level = template.level;
    Arc::new(move |file| {
        let found = catalog.source(file, except(level).as_deref())?;
        Ok(found.map(|(_, source)| source))
    })
}

fn made(request: &Request, rendered: &engine::Rendered) -> Made {
    let texts = rendered.closure.iter().flat_map(|source| [source.file.as_str(), &source.text]);
    Made {
        template: request.found.template.name.clone(),
        closure: header::hash(texts),
        lib: shlib::api_level().to_owned(),
        root: request.root.clone(),
        body: String::new(),
    }
}

/// What the template sees.
fn values(request: &Request, settled: &Settled) -> Result<Vec<(String, Value)>> {
    let about = request.found.about.as_ref().unwrap_or(&request.found.template.meta.about);
    let requirements: Vec<&str> = settled.requirements.iter().map(|r| r.value.as_str()).collect();
    let port = port(request, settled);
    let command = settled.command.as_ref().map(|c| command(&c.value, &request.name)).transpose()?;
    let mut values: Vec<(String, Value)> =
        settled.vars.iter().map(|(name, var)| (name.clone(), var_value(&var.value))).collect();
    let mut add = |name: &str, value: Value| values.push((name.to_owned(), value));
    add("name", request.name.as_str().into());
    add("about", about.as_str().into());
    add("template", request.found.template.name.as_str().into());
    add("root", request.root.as_str().into());
    add("register", settled.register.value.into());
    add("stream_logs", settled.stream_logs.value.into());
    add("agent_name", settled.agent_name.value.as_str().into());
    add("agent_type", settled.agent_type.value.as_str().into());
    add("library", library(request.standalone));
    add("python", (!requirements.is_empty() || settled.venv.is_some()).into());
    add("venv", venv(settled)?);
    add("requirements", Value::from(pip_words(&requirements)));
    add("watched", Value::from(watched(&requirements)));
    add("env", exports(settled)?);
    add("port", port.map_or(Value::from(false), Value::from));
    add("fixed", settled.port.is_some().into());
    add("lints", lints(settled).into());
    add("command", command.map_or(Value::from(false), Value::from_safe_string));
    Ok(values)
}

fn var_value(var: &Var) -> Value {
    match var {
        Var::Text(text) => text.as_str().into(),
        Var::Number(number) => (*number).into(),
        Var::Switch(on) => (*on).into(),
    }
}

/// What `exec` gets. A command that needs no shell is run as it is; any other is handed to bash
/// whole, with the script's arguments.
fn command(command: &str, name: &str) -> Result<String> {
    if let Some(words) = quote::split(command) {
        return quote::command_line(&words);
    }
    let args = if takes_args(command) { " \"$@\"" } else { "" };
    Ok(format!("bash -c {} {}", quote::quote(&format!("{command}{args}"))?, quote::word(name)?))
}

/// Whether arguments can simply be appended: not when the command places them itself, nor when it
/// ends in something that takes none.
fn takes_args(command: &str) -> bool {
    let places_them = ["$@", "$*", "${@", "${*", "$1", "${1"].iter().any(|p| command.contains(p));
    let last = command.split_whitespace().next_back().unwrap_or_default();
    let closes = ["fi", "done", "esac", "}"].contains(&last);
    let ends = command.ends_with(|c: char| ";&|()<>\\".contains(c) || c.is_whitespace());
    !places_them && !closes && !ends && !command.contains(['#', '\n']) && !command.contains("<<")
}

/// The first port to try, when the script needs one.
fn port(request: &Request, settled: &Settled) -> Option<u16> {
    let asked = settled.port.as_ref().map(|port| port.value);
    let uses_it = settled
        .command
        .as_ref()
        .is_none_or(|command| command.value.contains("$PORT") || command.value.contains("${PORT"));
    asked.or(request.found.template.meta.port.filter(|_| uses_it))
}

/// The library's text, for a script that carries it along.
fn library(standalone: bool) -> Value {
    if !standalone {
        return Value::from(false);
    }
    let text = shlib::TEXT.trim_end();
    let text = text.strip_prefix("# shellcheck shell=bash\n").unwrap_or(text);
    Value::from_safe_string(text.to_owned())
}

/// The virtual environment as the right side of an assignment, found from the project's folder.
fn venv(settled: &Settled) -> Result<Value> {
    let Some(venv) = &settled.venv else { return Ok(Value::from(false)) };
    let text = venv.value.trim_start_matches("./");
    let safe = match (text.strip_prefix("~/"), text.starts_with('/')) {
        (Some(rest), _) => format!("$HOME/{}", quote::word(rest)?),
        (None, true) => quote::word(text)?,
        (None, false) => format!("$PWD/{}", quote::word(text)?),
    };
    Ok(Value::from_safe_string(safe))
}

/// What pip is given: files go after `-r`.
fn pip_words(requirements: &[&str]) -> Vec<String> {
    let words = requirements.iter().flat_map(|text| {
        let option = options::is_file(text).then_some("-r");
        option.into_iter().chain([*text])
    });
    words.map(str::to_owned).collect()
}

/// Requirements files whose changes count, besides the project's `requirements*.txt`.
fn watched(requirements: &[&str]) -> Vec<String> {
    let usual = |text: &str| text.starts_with("requirements") && !text.contains('/');
    let files = requirements.iter().filter(|text| options::is_file(text) && !usual(text));
    files.map(ToString::to_string).collect()
}

/// `NAME='value'`, one for each exported variable.
fn exports(settled: &Settled) -> Result<Value> {
    let line = |(name, value): &(String, options::Said<options::EnvValue>)| {
        Ok(Value::from_safe_string(format!("{name}={}", value.value.quoted()?)))
    };
    settled.env.iter().map(line).collect::<Result<Vec<_>>>().map(Value::from)
}

/// What shellcheck would ask about values that look like code, to be told that they are not.
fn lints(settled: &Settled) -> String {
    let env = settled.env.iter().map(|(_, said)| said.value.text());
    let vars = settled.vars.iter().filter_map(|(_, said)| match &said.value {
        Var::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let single = [settled.command.as_ref(), settled.venv.as_ref()];
    let single = single.into_iter().flatten().chain(&settled.requirements);
    let values: Vec<&str> = env.chain(vars).chain(single.map(|said| said.value.as_str())).collect();
    let any = |looks: fn(&str) -> bool| values.iter().any(|value| looks(value));
    let found = [
        (any(|value| value.contains(['$', '`'])), "SC2016"),
        (any(|value| value.starts_with('~')), "SC2088"),
        (any(|value| value.contains('\\')), "SC1003"),
    ];
    let codes: Vec<&str> =
        found.iter().filter(|(found, _)| *found).map(|(_, code)| *code).collect();
    codes.join(",")
}
