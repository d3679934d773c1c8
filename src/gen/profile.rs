//! Profiles: TOML files that say what a project's script is made of.
//!
//! Reads one file into [`Options`]; a key that is unknown or of the wrong kind is an error with file
//! and line. Which profile, and what it extends, is the catalog's.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::env;
use super::options::{EnvValue, Options, Var};
use super::quote;
use crate::error::{Error, Result};
use crate::{paths, suggest};

/// Every key that a profile may have.
const KEYS: [&str; 13] = [
    "about",
    "template",
    "command",
    "venv",
    "requirements",
    "env",
    "stream_logs",
    "register",
    "agent",
    "ready",
    "port",
    "vars",
    "extends",
];

/// One profile file, read.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// One line on what it is for.
    pub about: Option<String>,
    /// The template it fills in.
    pub template: Option<String>,
    /// The profile it builds on.
    pub extends: Option<String>,
    /// What it sets itself.
    pub options: Options,
    /// Where it sets the template's variables: name, file and line.
    pub var_places: Vec<(String, String)>,
}

/// Reads the text of the profile at `path`.
pub fn parse(text: &str, path: &Path) -> Result<Profile> {
    let file = File { text, path };
    let table = DeTable::parse(text).map_err(|e| {
        file.error(format!("not TOML: {}", e.message()), e.span().map_or(0, |s| s.start))
    })?;
    let mut profile = Profile::default();
    for (key, value) in table.get_ref() {
        file.key(&mut profile, key, value)?;
    }
    Ok(profile)
}

/// A key's value with its place in the file.
type Entry<'a> = Spanned<DeValue<'a>>;

/// The file being read, for the line in its errors.
struct File<'a> {
    text: &'a str,
    path: &'a Path,
}

impl File<'_> {
    fn key(
        &self,
        profile: &mut Profile,
        key: &Spanned<impl AsRef<str>>,
        value: &Entry,
    ) -> Result<()> {
        let options = &mut profile.options;
        match key.get_ref().as_ref() {
            "about" => profile.about = Some(self.text(value, "about")?),
            "template" => profile.template = Some(self.text(value, "template")?),
            "extends" => profile.extends = Some(self.text(value, "extends")?),
            "command" => options.command = Some(self.command(value)?),
            "venv" => options.venv = Some(self.text(value, "venv")?),
            "requirements" => options.requirements = self.list(value, "requirements")?,
            "env" => options.env = self.env(value)?,
            "vars" => {
                options.vars = self.vars(value)?;
                let places = self.pairs(value, "vars")?.into_iter();
                profile.var_places = places.map(|(name, at, _)| (name, self.place(at))).collect();
            }
            "stream_logs" => options.stream_logs = Some(self.switch(value, "stream_logs")?),
            "register" => options.register = Some(self.switch(value, "register")?),
            "ready" => options.ready = Some(self.text(value, "ready")?),
            "port" => options.port = Some(self.port(value)?),
            "agent" => self.agent(options, value)?,
            unknown => return Err(self.unknown(unknown, &KEYS, key.span().start)),
        }
        Ok(())
    }

    fn error(&self, what: impl Into<String>, offset: usize) -> Error {
        Error::new(what).at(self.place(offset))
    }

    fn place(&self, offset: usize) -> String {
        let before = self.text.as_bytes().iter().take(offset);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        format!("{}:{line}", paths::display(self.path))
    }

    fn unknown(&self, key: &str, known: &[&str], offset: usize) -> Error {
        let error = self.error(format!("profile key `{}` is unknown", key.escape_debug()), offset);
        error.next(suggest::advice(key, known.iter().copied()))
    }

    fn wrong(&self, key: &str, wanted: &str, value: &Entry) -> Error {
        let found = value.get_ref().type_str();
        self.error(format!("profile key `{key}` is {wanted}, not {found}"), value.span().start)
    }

    fn text(&self, value: &Entry, key: &str) -> Result<String> {
        value
            .get_ref()
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| self.wrong(key, "a string", value))
    }

    fn switch(&self, value: &Entry, key: &str) -> Result<bool> {
        value.get_ref().as_bool().ok_or_else(|| self.wrong(key, "true or false", value))
    }

    fn port(&self, value: &Entry) -> Result<u16> {
        let port = integer(value.get_ref()).and_then(|number| u16::try_from(number).ok());
        port.filter(|port| *port > 0)
            .ok_or_else(|| self.wrong("port", "a number from 1 to 65535", value))
    }

    fn list(&self, value: &Entry, key: &str) -> Result<Vec<String>> {
        let items = value.get_ref().as_array();
        let items = items.ok_or_else(|| self.wrong(key, "a list of strings", value))?;
        items.iter().map(|item| self.text(item, key)).collect()
    }

    /// A string is for the shell; a list is one program and its arguments.
    fn command(&self, value: &Entry) -> Result<String> {
        if value.get_ref().is_array() {
            return quote::command_line(&self.list(value, "command")?);
        }
        self.text(value, "command")
    }

    fn pairs<'v>(
        &self,
        value: &'v Entry,
        key: &str,
    ) -> Result<Vec<(String, usize, &'v Entry<'v>)>> {
        let table = value.get_ref().as_table().ok_or_else(|| self.wrong(key, "a table", value))?;
        let mut pairs: Vec<_> = table
            .iter()
            .map(|(name, value)| (name.get_ref().to_string(), name.span().start, value))
            .collect();
        pairs.sort_by_key(|(_, offset, _)| *offset);
        Ok(pairs)
    }

    fn env(&self, value: &Entry) -> Result<Vec<(String, EnvValue)>> {
        let mut env = Vec::new();
        for (name, offset, value) in self.pairs(value, "env")? {
            env::check(&name).map_err(|e| self.error(e.what(), offset))?;
            env.push((name.clone(), self.env_value(&name, value)?));
        }
        Ok(env)
    }

    /// Text is literal; `{ expand = "${HOME}/x" }` asks for expansion.
    fn env_value(&self, name: &str, value: &Entry) -> Result<EnvValue> {
        let key = format!("env.{name}");
        if value.get_ref().is_table() {
            let pairs = self.pairs(value, &key)?;
            return match pairs.as_slice() {
                [(word, _, text)] if word == "expand" => {
                    Ok(EnvValue::Expand(self.text(text, &key)?))
                }
                _ => Err(self.wrong(&key, "a string or `{ expand = \"...\" }`", value)),
            };
        }
        let scalar = scalar(value.get_ref()).ok_or_else(|| self.wrong(&key, "a string", value))?;
        Ok(EnvValue::Literal(scalar.to_string()))
    }

    fn vars(&self, value: &Entry) -> Result<Vec<(String, Var)>> {
        let pairs = self.pairs(value, "vars")?;
        let read = |(name, _, value): (String, usize, &Entry)| match scalar(value.get_ref()) {
            Some(var) => Ok((name, var)),
            None => Err(self.wrong(&format!("vars.{name}"), "a string, number or switch", value)),
        };
        pairs.into_iter().map(read).collect()
    }

    /// A string is the agent's name; a table has `name` and `type`.
    fn agent(&self, options: &mut Options, value: &Entry) -> Result<()> {
        if let Some(name) = value.get_ref().as_str() {
            options.agent_name = Some(name.to_owned());
            return Ok(());
        }
        for (key, offset, value) in self.pairs(value, "agent")? {
            match key.as_str() {
                "name" => options.agent_name = Some(self.text(value, "agent.name")?),
                "type" => options.agent_type = Some(self.text(value, "agent.type")?),
                _ => return Err(self.unknown(&key, &["name", "type"], offset)),
            }
        }
        Ok(())
    }
}

fn integer(value: &DeValue) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn scalar(value: &DeValue) -> Option<Var> {
    let text = value.as_str().map(|text| Var::Text(text.to_owned()));
    text.or_else(|| value.as_bool().map(Var::Switch)).or_else(|| integer(value).map(Var::Number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Profile> {
        parse(text, Path::new("web.toml"))
    }

    #[test]
    fn reads_every_key() {
        let text = "about = 'x'\ntemplate = 'django-dev'\nextends = 'base'\ncommand = ['a b', 'c']\n\
            venv = '.v'\nrequirements = ['x']\nstream_logs = true\nregister = false\nready = 'port'\n\
            port = 8_000\n[agent]\nname = 'n'\ntype = 't'\n[env]\nA = 1\nB = { expand = '${HOME}' }\n\
            [vars]\nn = 3\ns = 'x'\nb = true\n";
        let profile = read(text).unwrap();
        assert_eq!(profile.options.command.as_deref(), Some("'a b' c"));
        assert_eq!(profile.options.port, Some(8000));
        assert_eq!(profile.options.env[1].1, EnvValue::Expand("${HOME}".into()));
        assert_eq!(profile.options.vars.len(), 3);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, what) in [
            ("a = 1\n", "`a` is unknown\n  at web.toml:1"),
            ("\nvenvv = 'x'\n", "`venvv` is unknown\n  at web.toml:2\n  try: `venv`"),
            ("port = 0\n", "web.toml:1"),
            ("port = 'x'\n", "`port` is a number from 1 to 65535, not string"),
            ("[env]\nUID = '1'\n", "belongs to bash; a script cannot set it\n  at web.toml:2"),
            ("[env]\nA = ['x']\n", "`env.A` is a string, not array\n  at web.toml:2"),
            ("x = = 2\n", "not TOML"),
            ("[agent]\nkind = 'x'\n", "web.toml:2"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
