//! What is refused before anything is rendered: names that leave the folder, values that no script
//! can hold or that would be taken for ig's own marks.

use super::Request;
use super::options::Settled;
use super::{env, keep};
use crate::error::{Error, Result};

/// What Linux takes as one argument or one variable, its name, `=` and a final NUL counted in.
const VALUE: usize = 131_072;
/// The longest script.
pub const SCRIPT: usize = 1 << 20;
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
        known_var(request, name)?;
        check_value(name, &said.value.to_string())?;
    }
    for said in &settled.requirements {
        check_value("requirements", &said.value)?;
        not_empty("a requirement", &said.value)?;
        no_option("a requirement", &said.value, "options of pip go into a requirements file")?;
    }
    if let Some(venv) = &settled.venv {
        not_empty("the venv", &venv.value)?;
        no_option("the venv", &venv.value, "a path: ./-x")?;
    }
    check_value("venv", settled.venv.as_ref().map_or("", |said| &said.value))?;
    check_value("command", settled.command.as_ref().map_or("", |said| &said.value))?;
    match &settled.command {
        Some(command) => not_empty("the command", &command.value)?,
        None if request.found.template.meta.needs_command => {
            let template = &request.found.template.name;
            return Err(Error::usage(format!("the template `{template}` needs a command"))
                .next("--command \"CMD\", or `command` in the profile"));
        }
        None => {}
    }
    for said in [&settled.agent_name, &settled.agent_type] {
        check_agent(&said.value)?;
    }
    Ok(())
}

fn check_value(name: &str, value: &str) -> Result<()> {
    let why = if value.contains('\0') {
        "holds a NUL byte, which no shell variable can".to_owned()
    } else if name.len() + value.len() + 2 > VALUE {
        format!("has {} bytes, {} at most", value.len(), VALUE - name.len() - 2)
    } else if keep::has_mark(value) {
        "has a line that starts with `# ig:`, which marks ig's own lines".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("the value of `{name}` {why}")))
}

fn not_empty(what: &str, value: &str) -> Result<()> {
    if value.trim().is_empty() {
        return Err(Error::usage(format!("{what} is empty")));
    }
    Ok(())
}

/// What starts with `-` would be taken for an option further on.
fn no_option(what: &str, value: &str, next: &str) -> Result<()> {
    if value.starts_with('-') {
        let shown = value.escape_debug();
        return Err(Error::usage(format!("{what} cannot start with `-`: `{shown}`")).next(next));
    }
    Ok(())
}

/// An agent's name is a word that others type.
fn check_agent(text: &str) -> Result<()> {
    let bad = text.trim().is_empty()
        || text.starts_with('-')
        || text.len() > NAME
        || !text.chars().all(super::quote::is_visible);
    if bad {
        let shown = text.escape_debug();
        return Err(Error::usage(format!("`{shown}` cannot be an agent's name or type"))
            .next("a short text on one line, not starting with `-`"));
    }
    Ok(())
}

fn known_var(request: &Request, name: &str) -> Result<()> {
    let found = &request.found;
    let Err(error) = found.template.meta.check_var(name) else { return Ok(()) };
    let place = found.var_places.iter().find(|(known, _)| known == name);
    Err(match place {
        Some((_, place)) => error.at(place),
        None => error,
    })
}

/// Refuses a script beyond all reason.
pub fn check_script(text: &str) -> Result<()> {
    if text.len() > SCRIPT {
        let size = text.len();
        return Err(Error::usage(format!("the script has {size} bytes, {SCRIPT} at most")));
    }
    Ok(())
}
