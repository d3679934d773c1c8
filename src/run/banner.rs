//! The lines around a run's output: what a person pastes into a conversation, and an agent can
//! look up. Pure text.

use std::time::Duration;

use crate::wire::unit::Unit;
use crate::{ending, neutral, time};

/// Columns of every rule.
const WIDTH: usize = 62;

/// Whether there is a daemon that could pass the output on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It answers.
    Served,
    /// It is being started.
    Coming,
    /// There is none, and none is to be started.
    Nobody,
    /// It is not to be told.
    Untold,
}

impl News {
    fn words(self) -> &'static str {
        match self {
            Self::Served => "Logs:   streaming to daemon\n",
            Self::Coming => "Logs:   streaming to daemon, which is being started\n",
            Self::Nobody => "Logs:   kept here, not streamed: no daemon is running\n",
            Self::Untold => "Logs:   kept here, not streamed: the daemon is not told\n",
        }
    }
}

/// Before the command starts; `news` is who hears its output besides.
pub fn header(unit: &Unit, news: News) -> String {
    let hash = short_hash(unit);
    let script = unit.script.path.as_ref().map(|path| path.display().to_string());
    let what = match &script {
        Some(path) => format!("Script: {} (hash: {hash})", neutral::line(path)),
        None => format!("Run:    {} (hash: {hash})", neutral::line(&unit.command)),
    };
    let logs = if unit.stream_logs { news.words() } else { "" };
    format!(
        "{}\nID:     run_{}\n{what}\nTime:   {}\n{logs}Token:  {}\n{}\n",
        rule("IDLERGEAR RUN"),
        unit.id,
        time::local_of(&unit.started_at),
        token(unit),
        "═".repeat(WIDTH),
    )
}

/// After it has ended.
pub fn footer(unit: &Unit) -> String {
    let length = time::human(Duration::from_millis(unit.duration_ms.unwrap_or_default()));
    let end = match (unit.exit_code, unit.signal) {
        (Some(code), _) => format!("Exit: {code}"),
        (None, Some(signal)) => format!("Signal: {}", ending::signal(signal)),
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
