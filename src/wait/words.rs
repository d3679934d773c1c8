//! Why a wait was in vain: the cause, and the last words of the unit.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::Spec;
use crate::error::Error;
use crate::logs::mask::Mask;
use crate::record::pieces::newest;
use crate::wire::unit::Unit;
use crate::{ending, neutral, os, port, record};

/// How many last lines tell why a unit died.
const LAST_LINES: usize = 5;

/// It ended before something that somebody waited for: why, and its last lines.
pub(super) fn early(unit: &Unit, before: &str) -> Error {
    let cause = ending::words(unit.exit_code, unit.signal);
    let mut problem = format!("`{}` ({}) ended before it {before}: {cause}", unit.name, unit.id);
    problem.push_str(&holder(unit));
    problem.push_str(&last_lines(unit));
    Error::new(problem).next(format!("ig logs {}", unit.id))
}

/// Who has the port that it was to listen on.
fn holder(unit: &Unit) -> String {
    let wanted = unit.terms.ready_when.as_deref().and_then(Spec::of_record);
    let Some(Spec::Port(Some(port))) = wanted else { return String::new() };
    let owner = os::port_owner(port).map(|owner| port::whose(&owner));
    owner.map(|owner| format!("; port {port} is held by {owner}")).unwrap_or_default()
}

/// The end of what it printed, each line after a bar, made harmless and without secrets: this goes to
/// a terminal or to an agent.
pub(super) fn last_lines(unit: &Unit) -> String {
    let logs = &unit.logs;
    let files = [&logs.stderr, &logs.output, &logs.stdout];
    let filled = files.into_iter().flatten().map(|path| tail(path)).find(|text| !text.is_empty());
    let text = filled.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let mut shown = String::new();
    let mut mask = Mask::of(&record::folder_of(unit));
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        shown.push_str("\n  | ");
        shown.push_str(&mask.line(neutral::line(line).into()));
    }
    shown
}

fn tail(path: &Path) -> String {
    let Ok(file) = crate::secure_fs::open(&newest(path).0) else { return String::new() };
    let mut file = &file;
    let length = file.metadata().map_or(0, |meta| meta.len());
    let mut bytes = Vec::new();
    let _ = file.seek(SeekFrom::Start(length.saturating_sub(2048)));
    let _ = file.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}
