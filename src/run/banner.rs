//! The lines around a run's output: what a person pastes into a conversation, and an agent can
//! look up. Pure text.

use std::time::Duration;

use crate::time;
use crate::wire::unit::Unit;

/// Columns of every rule.
const WIDTH: usize = 62;

/// Before the command starts.
pub fn header(unit: &Unit) -> String {
    let hash = short_hash(unit);
    let script = unit.script.path.as_ref().map(|path| path.display().to_string());
    let what = match &script {
        Some(path) => format!("Script: {} (hash: {hash})", one_line(path)),
        None => format!("Run:    {} (hash: {hash})", one_line(&unit.command)),
    };
    let logs = if unit.stream_logs { "Logs:   streaming to daemon\n" } else { "" };
    format!(
        "{}\nID:     run_{}\n{what}\nTime:   {}\n{logs}Token:  {}\n{}\n",
        rule("IDLERGEAR RUN"),
        unit.id,
        clock(&unit.started_at),
        token(unit),
        "═".repeat(WIDTH),
    )
}

/// After it has ended.
pub fn footer(unit: &Unit) -> String {
    let length = time::human(Duration::from_millis(unit.duration_ms.unwrap_or_default()));
    let end = match (unit.exit_code, unit.signal) {
        (Some(code), _) => format!("Exit: {code}"),
        (None, Some(signal)) => format!("Signal: {signal}"),
        (None, None) => "Exit: unknown".to_owned(),
    };
    format!(
        "{}\n{end} | Duration: {length} | {}\n{}\n",
        rule("COMPLETE"),
        token(unit),
        "═".repeat(WIDTH)
    )
}

/// What to paste: `ig:b3k9x0a1z@a1b2c3d4`.
pub fn token(unit: &Unit) -> String {
    format!("ig:{}@{}", unit.id, short_hash(unit))
}

fn short_hash(unit: &Unit) -> &str {
    unit.script.sha256.get(..8).unwrap_or_default()
}

fn rule(title: &str) -> String {
    let start = format!("═══ {title} ");
    let rest = WIDTH.saturating_sub(start.chars().count());
    start + &"═".repeat(rest)
}

/// `2026-01-11 04:30:00`, in UTC as in the record.
fn clock(at: &str) -> String {
    at.get(..19).unwrap_or(at).replace('T', " ")
}

/// A name with a newline must not forge a line of ours.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
