//! What is refused before anything is rendered: names that leave the folder, values that no script
//! can hold or that would be taken for ig's own marks.

use super::Request;
use super::options::{Origin, Settled};
use super::{env, keep};
use crate::error::{Error, Result};
use crate::suggest;

/// The longest value: what Linux takes as one argument.
const VALUE: usize = 131_072;
/// The longest script.
const SCRIPT: usize = 1 << 20;
/// The longest name, so that it fits every file system with its ending.
const NAME: usize = 100;

/// Refuses a script name that is no plain file name.
pub fn check_name(name: &str) -> Result<()> {
    let shown = name.escape_debug();
    let why = if name.is_empty() {
        "is empty".to_owned()
    } else if name.contains('/') {
        format!("`{shown}` has a slash")
    } else if name.starts_with(['-', '.']) {
        format!("`{shown}` starts with `-` or `.`")
    } else if !name.chars().all(super::quote::is_visible) {
        format!("`{shown}` has a control character")
    } else if name.len() > NAME {
        format!("has {} bytes, {NAME} at most", name.len())
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("the script's name {why}"))
        .next("a plain name, and `-o PATH` for another folder"))
}

/// Refuses values that cannot be written down safely, and variables that the template lacks.
pub fn check(request: &Request, settled: &Settled) -> Result<()> {
    check_name(&request.name)?;
    for (name, said) in &settled.env {
        env::check(name)?;
        check_value(name, said.value.text())?;
    }
    for (name, said) in &settled.vars {
        known_var(request, name, &said.origin)?;
        check_value(name, &said.value.to_string())?;
    }
    for said in &settled.requirements {
        check_value("requirements", &said.value)?;
        not_empty("a requirement", &said.value)?;
    }
    check_value("venv", settled.venv.as_ref().map_or("", |said| &said.value))?;
    check_value("command", settled.command.as_ref().map_or("", |said| &said.value))?;
    if let Some(command) = &settled.command {
        not_empty("the command", &command.value)?;
    }
    for said in [&settled.agent_name, &settled.agent_type] {
        check_agent(&said.value)?;
    }
    Ok(())
}

fn check_value(name: &str, value: &str) -> Result<()> {
    let why = if value.contains('\0') {
        "holds a NUL byte, which no shell variable can".to_owned()
    } else if value.len() > VALUE {
        format!("has {} bytes, {VALUE} at most", value.len())
    } else if keep::has_mark(value) {
        "has a line that starts with `# ig:`, which marks ig's own lines".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("the value of `{name}` {why}")))
}

fn not_empty(what: &str, value: &str) -> Result<()> {
    match value.trim().is_empty() {
        true => Err(Error::usage(format!("{what} is empty"))),
        false => Ok(()),
    }
}

/// An agent's name is a word that others type.
fn check_agent(text: &str) -> Result<()> {
    let bad = text.trim().is_empty()
        || text.starts_with('-')
        || text.len() > NAME
        || !text.chars().all(super::quote::is_visible);
    match bad {
        true => Err(Error::usage(format!(
            "`{}` cannot be an agent's name or type",
            text.escape_debug()
        ))
        .next("a short text on one line, not starting with `-`")),
        false => Ok(()),
    }
}

fn known_var(request: &Request, name: &str, origin: &Origin) -> Result<()> {
    let vars = &request.found.template.meta.vars;
    let known = || vars.iter().map(|(name, _, _)| name.as_str());
    if known().any(|known| known == name) {
        return Ok(());
    }
    let template = &request.found.template.name;
    let error = Error::new(format!("the template `{template}` has no variable `{name}`"));
    let error = match origin {
        Origin::Profile(path) => error.at(path),
        _ => error,
    };
    Err(match vars.is_empty() {
        true => error.next("take it out; this template has none"),
        false => error.next(suggest::advice(name, known())),
    })
}

/// Refuses a script beyond all reason.
pub fn check_script(text: &str) -> Result<()> {
    match text.len() > SCRIPT {
        true => Err(Error::usage(format!("the script has {} bytes, {SCRIPT} at most", text.len()))),
        false => Ok(()),
    }
}
