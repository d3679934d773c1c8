//! Why a wait was in vain: the cause, and the last words of the unit.

use super::Spec;
use crate::error::Error;
use crate::logs::text::{self, Last};
use crate::record::index::Stream;
use crate::wire::unit::Unit;
use crate::{ending, os, port, record};

/// How many last lines tell why a unit died.
const LAST_LINES: usize = 5;

/// Bytes of each at most.
const LINE_ROOM: usize = 1 << 10;

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
    let folder = record::folder_of(unit);
    let lines = [Stream::Stderr, Stream::Output, Stream::Stdout].into_iter().find_map(|stream| {
        let last =
            Last { only: Some(stream), count: LAST_LINES, most: LINE_ROOM, unfinished: true };
        let mut lines = text::last_lines(&folder, last);
        let end = lines.iter().rposition(|line| !line.trim().is_empty())? + 1;
        lines.truncate(end);
        Some(lines)
    });
    lines.unwrap_or_default().iter().flat_map(|line| ["\n  | ", line]).collect()
}
