//! Asking a person, on their terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use super::store::{self, Subject};
use crate::error::{Error, Result};
use crate::{neutral, paths};

/// What stands in the way of asking, as advice; none when a person can answer.
pub(super) fn obstacle() -> Option<&'static str> {
    if paths::ai_client().is_some() {
        return Some(
            "have the user run `ig trust` in a terminal of their own, outside the AI client",
        );
    }
    let seen = io::stdin().is_terminal() && io::stderr().is_terminal();
    (!seen).then_some("ig trust, in a terminal")
}

/// Shows the files whole and asks for a yes.
pub(super) fn yes(unknown: &[Subject]) -> Result<bool> {
    let mut text = String::new();
    for subject in unknown {
        text.push_str(&shown(subject));
    }
    let one = unknown.len() == 1;
    let (which, say) = if one { ("this file", "says") } else { ("these files", "say") };
    let question = format!("{text}ig can run what {which} {say}. Trust {which}? [y/N] ");
    let failed = |e: io::Error| Error::new(format!("cannot ask on the terminal: {e}"));
    io::stderr().write_all(question.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn shown(subject: &Subject) -> String {
    let name = neutral::line(&paths::display(&subject.path));
    let state = if store::knew(subject) { " (changed since you trusted it)" } else { "" };
    let content = neutral::exact(&String::from_utf8_lossy(&subject.content));
    format!("{name}{state}\n  | {}\n\n", content.trim_end().replace('\n', "\n  | "))
}
