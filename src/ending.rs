//! How a unit ended, told to people and to shells: the code, the cause, its last words.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::{Error, exit};
use crate::neutral;
use crate::record::pieces::newest;
use crate::wire::unit::{Logs, Unit};

/// How many last lines tell why a unit died.
const LAST_LINES: usize = 5;

/// The code a shell would show for the unit's end: its own, or 128 and the signal.
pub fn code(unit: &Unit) -> u8 {
    let small = |number: Option<i32>| number.and_then(|number| u8::try_from(number).ok());
    match (small(unit.signal), small(unit.exit_code)) {
        (Some(signal), _) => exit::SIGNAL_BASE.saturating_add(signal),
        (None, Some(code)) => code,
        (None, None) => exit::FAILED,
    }
}

/// `exit code 3`, `signal 9`, or `killed` when nobody could see it.
pub fn words(code: Option<i32>, signal: Option<i32>) -> String {
    match (signal, code) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "killed".to_owned(),
    }
}

/// ` (over its memory limit)`, when that is what the kernel killed it for.
#[cfg(feature = "full")]
pub fn over_limit(unit: &serde_json::Value) -> &'static str {
    let kills = unit["metadata"]["limits"]["oom_kills"].as_u64();
    let killed = unit["signal"] == 9 || unit["exit_code"] == 137;
    if killed && kills.is_some() { " (over its memory limit)" } else { "" }
}

/// It ended before something that somebody waited for: why, and its last lines.
pub fn early(unit: &Unit, before: &str) -> Error {
    let cause = words(unit.exit_code, unit.signal);
    let mut problem = format!("`{}` ({}) ended before it {before}: {cause}", unit.name, unit.id);
    problem.push_str(&last_lines(&unit.logs));
    Error::new(problem).next(format!("ig logs {}", unit.id))
}

/// The end of what it printed, each line after a bar, made harmless: this goes to a terminal or to an
/// agent.
pub fn last_lines(logs: &Logs) -> String {
    let files = [&logs.stderr, &logs.output, &logs.stdout];
    let filled = files.into_iter().flatten().map(|path| tail(path)).find(|text| !text.is_empty());
    let text = filled.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let mut shown = String::new();
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        shown.push_str("\n  | ");
        shown.push_str(&neutral::line(line));
    }
    shown
}

fn tail(path: &Path) -> String {
    let Ok(file) = std::fs::File::open(newest(path).0) else { return String::new() };
    let mut file = &file;
    let length = file.metadata().map_or(0, |meta| meta.len());
    let mut bytes = Vec::new();
    let _ = file.seek(SeekFrom::Start(length.saturating_sub(2048)));
    let _ = file.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}
