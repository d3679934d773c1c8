//! What can be asked of a script, and who asked: a flag, a profile, or the template.
//!
//! Layers are merged here and nowhere else. Single values: the first layer that has one wins. Lists
//! and maps: all layers add up, and for the same package or variable the first layer wins.

use std::fmt;

use super::quote;
use crate::error::Result;

/// Who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// A profile, by the path of its file.
    Profile(String),
    /// A template, by its name.
    Template(String),
    /// Nobody: ig's own default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Profile(path) => write!(f, "profile {path}"),
            Self::Template(name) => write!(f, "template {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<T> {
    /// The value.
    pub value: T,
    /// Who said so.
    pub origin: Origin,
}

/// The value of an exported variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// Just this text.
    Literal(String),
    /// Text in which `${NAME}` stands for that variable when the script runs.
    Expand(String),
}

impl EnvValue {
    /// As the right side of an assignment.
    pub fn quoted(&self) -> Result<String> {
        match self {
            Self::Literal(text) => quote::quote(text),
            Self::Expand(text) => quote::expand(text),
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Expand(text) => text,
        }
    }
}

/// A template's variable: text, number or switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Var {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Switch(bool),
}

impl fmt::Display for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Switch(on) => on.fmt(f),
        }
    }
}

/// What one layer asks for; what it leaves open is none or empty.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the fields are the options of `ig gen`, word for word")]
pub struct Options {
    pub command: Option<String>,
    pub venv: Option<String>,
    pub requirements: Vec<String>,
    pub env: Vec<(String, EnvValue)>,
    pub vars: Vec<(String, Var)>,
    pub stream_logs: Option<bool>,
    pub register: Option<bool>,
    pub agent_name: Option<String>,
    pub agent_type: Option<String>,
    pub port: Option<u16>,
    pub ready: Option<String>,
}

/// One layer: who asks, and for what.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Who.
    pub origin: Origin,
    /// What.
    pub options: Options,
}

/// All layers merged; every value remembers who said so.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are those of `Options`")]
pub struct Settled {
    pub command: Option<Said<String>>,
    pub venv: Option<Said<String>>,
    pub requirements: Vec<Said<String>>,
    pub env: Vec<(String, Said<EnvValue>)>,
    pub vars: Vec<(String, Said<Var>)>,
    pub stream_logs: Said<bool>,
    pub register: Said<bool>,
    pub agent_name: Said<String>,
    pub agent_type: Said<String>,
    pub port: Option<Said<u16>>,
    pub ready: Option<Said<String>>,
}

/// Merges `layers`, the strongest first. `name` is the script's, and the agent's unless said.
pub fn settle(layers: &[Layer], name: &str) -> Settled {
    Settled {
        command: first(layers, |o| o.command.clone()),
        venv: first(layers, |o| o.venv.clone()),
        requirements: requirements(layers),
        env: by_name(layers, |o| &o.env),
        vars: by_name(layers, |o| &o.vars),
        stream_logs: first(layers, |o| o.stream_logs).unwrap_or_else(|| default(false)),
        register: first(layers, |o| o.register).unwrap_or_else(|| default(true)),
        agent_name: first(layers, |o| o.agent_name.clone())
            .unwrap_or_else(|| default(name.to_owned())),
        agent_type: first(layers, |o| o.agent_type.clone())
            .unwrap_or_else(|| default("dev-script".to_owned())),
        port: first(layers, |o| o.port),
        ready: first(layers, |o| o.ready.clone()),
    }
}

fn default<T>(value: T) -> Said<T> {
    Said { value, origin: Origin::Default }
}

fn first<T>(layers: &[Layer], get: impl Fn(&Options) -> Option<T>) -> Option<Said<T>> {
    layers.iter().find_map(|layer| {
        get(&layer.options).map(|value| Said { value, origin: layer.origin.clone() })
    })
}

/// The weakest layer's first, as the template's author ordered them; a name keeps its place and
/// takes the strongest layer's value.
fn by_name<T: Clone>(
    layers: &[Layer],
    get: impl Fn(&Options) -> &Vec<(String, T)>,
) -> Vec<(String, Said<T>)> {
    let mut merged: Vec<(String, Said<T>)> = Vec::new();
    for layer in layers.iter().rev() {
        for (name, value) in get(&layer.options) {
            let value = Said { value: value.clone(), origin: layer.origin.clone() };
            match merged.iter_mut().find(|(known, _)| known == name) {
                Some((_, slot)) => *slot = value,
                None => merged.push((name.clone(), value)),
            }
        }
    }
    merged
}

/// The weakest layer's first; a package that a stronger layer names too (`django==4.2`) is that
/// layer's alone.
fn requirements(layers: &[Layer]) -> Vec<Said<String>> {
    let mut merged: Vec<Said<String>> = Vec::new();
    for layer in layers.iter().rev() {
        for text in &layer.options.requirements {
            let same = |known: &Said<String>| {
                known.value == *text
                    || (known.origin != layer.origin && package(&known.value) == package(text))
            };
            merged.retain(|known| !same(known));
            merged.push(Said { value: text.clone(), origin: layer.origin.clone() });
        }
    }
    merged
}

/// `uvicorn` for `Uvicorn[standard]>=0.30`; a file or an address is only ever itself.
fn package(requirement: &str) -> String {
    if is_file(requirement) || requirement.contains('/') {
        return requirement.to_owned();
    }
    let name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let end = requirement.find(|c| !name(c)).unwrap_or(requirement.len());
    requirement[..end].to_lowercase().replace(['_', '.'], "-")
}

/// A requirements file, which pip takes after `-r`.
pub fn is_file(requirement: &str) -> bool {
    let text = std::path::Path::new(requirement);
    text.extension().is_some_and(|ext| ext == "txt") && !requirement.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(origin: Origin, requirements: &[&str], env: &[(&str, &str)]) -> Layer {
        let text = |text: &str| EnvValue::Literal(text.to_owned());
        let options = Options {
            requirements: requirements.iter().map(ToString::to_string).collect(),
            env: env.iter().map(|(k, v)| ((*k).to_owned(), text(v))).collect(),
            ..Options::default()
        };
        Layer { origin, options }
    }

    #[test]
    fn the_stronger_layer_wins_and_lists_add_up() {
        let strong = layer(Origin::Flag, &["Django==4.2", "rich"], &[("B", "2"), ("C", "3")]);
        let weak = layer(Origin::Default, &["django", "ruff"], &[("A", "1"), ("B", "1")]);
        let settled = settle(&[strong, weak], "x");
        let list: Vec<_> = settled.requirements.iter().map(|r| r.value.as_str()).collect();
        assert_eq!(list, ["ruff", "Django==4.2", "rich"]);
        let env: Vec<_> =
            settled.env.iter().map(|(k, v)| format!("{k}={}", v.value.text())).collect();
        assert_eq!(env, ["A=1", "B=2", "C=3"]);
        assert_eq!(settled.agent_name.value, "x");
    }
}
