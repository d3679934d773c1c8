//! What a template sees: every settled value in the form in which the script needs it.

use std::path::{Component, Path, PathBuf};

use minijinja::Value;

use super::options::{self, Settled, Var};
use super::{Request, env, quote};
use crate::error::Result;
use crate::shlib;

/// What the template sees.
pub(super) fn collect(request: &Request, settled: &Settled) -> Result<Vec<(String, Value)>> {
    let requirements: Vec<&str> = settled.requirements.iter().map(|r| r.value.as_str()).collect();
    let port = port(request, settled);
    let command = settled.command.as_ref().map(|c| command(&c.value, &request.name)).transpose()?;
    let mut values: Vec<(String, Value)> =
        settled.vars.iter().map(|(name, var)| (name.clone(), var_value(&var.value))).collect();
    let mut add = |name: &str, value: Value| values.push((name.to_owned(), value));
    add("name", request.name.as_str().into());
    add("about", about(request, settled).into());
    add("template", request.found.template.name.as_str().into());
    add("root", request.root.as_str().into());
    add("register", settled.register.value.into());
    add("stream_logs", settled.stream_logs.value.into());
    add("agent_name", settled.agent_name.value.as_str().into());
    add("agent_type", settled.agent_type.value.as_str().into());
    add("library", library(request.standalone));
    add("python", (!requirements.is_empty() || settled.venv.is_some()).into());
    add("venv", venv(settled)?);
    add("own_venv", is_own_venv(settled).into());
    add("requirements", Value::from(pip_words(&requirements)));
    add("watched", Value::from(watched(&requirements)));
    add("env", exports(settled)?);
    add("port", port.map_or(Value::from(false), Value::from));
    add("fixed", settled.port.is_some().into());
    add("lints", lints(settled).into());
    add("command", command.map_or(Value::from(false), Value::from_safe_string));
    Ok(values)
}

/// One line on what the script is for. A template that has no command of its own has no better
/// word than the command.
fn about(request: &Request, settled: &Settled) -> String {
    let meta = &request.found.template.meta;
    let command = settled.command.as_ref().filter(|_| meta.needs_command);
    match (&request.found.about, command) {
        (Some(about), _) => about.trim_end_matches('.').to_owned(),
        (None, Some(command)) => {
            let line = command.value.lines().next().unwrap_or_default();
            let more = if line.len() < command.value.len() { " ..." } else { "" };
            format!("runs `{line}`{more}")
        }
        (None, None) => meta.about.clone(),
    }
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
    if let Some(mut words) = quote::split(command) {
        if eats_options(words.iter().map(String::as_str)) {
            words.push("--".to_owned());
        }
        return quote::command_line(&words);
    }
    let last = command.rsplit(['&', '|', ';']).next().unwrap_or_default();
    let args = match takes_args(command) {
        true if eats_options(last.split_whitespace()) => " -- \"$@\"",
        true => " \"$@\"",
        false => "",
    };
    Ok(format!("bash -c {} {}", quote::quote(&format!("{command}{args}"))?, quote::word(name)?))
}

/// Whether a command takes options that follow it for its own: npm does, up to `--`.
fn eats_options<'a>(words: impl Iterator<Item = &'a str> + Clone) -> bool {
    const RUN: [&str; 8] = ["run", "run-script", "start", "stop", "restart", "test", "t", "tst"];
    let is_setting = |word: &&str| word.split_once('=').is_some_and(|(name, _)| env::is_name(name));
    let mut words = words.skip_while(is_setting);
    let is_npm = words.next().is_some_and(|word| Path::new(word).ends_with("npm"));
    is_npm && words.clone().any(|word| RUN.contains(&word)) && words.all(|word| word != "--")
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
    // As `pwd` says it: without what leads nowhere.
    let path: PathBuf =
        Path::new(&venv.value).components().filter(|c| *c != Component::CurDir).collect();
    let text = path.to_string_lossy();
    let text = text.as_ref();
    let safe = match (text.strip_prefix("~/"), text.starts_with('/')) {
        (Some(rest), _) => format!("$HOME/{}", quote::word(rest)?),
        (None, true) => quote::word(text)?,
        (None, false) => format!("$PWD/{}", quote::word(text)?),
    };
    Ok(Value::from_safe_string(safe))
}

/// Whether the virtual environment is the project's own, by its path: the script then insists that it
/// lies where that path says, with no link in between.
fn is_own_venv(settled: &Settled) -> bool {
    let Some(venv) = &settled.venv else { return true };
    !venv.value.starts_with(['/', '~']) && !Path::new(&venv.value).components().any(is_parent)
}

fn is_parent(part: Component) -> bool {
    part == Component::ParentDir
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
