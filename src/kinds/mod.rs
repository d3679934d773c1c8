//! Kinds of units: what each tells beyond what every unit tells. One file per kind.
//!
//! A new kind is a file here and a line in [`of`]; the queue, the listings and the methods stay as
//! they are.

mod local_agent;
mod local_bash;
mod lsp;
mod monitor;
mod reserved;

use serde_json::{Map, Value, json};

use crate::logs::text::{self, Last};
use crate::record::Folder;
use crate::record::index::Stream;
use crate::record::output::Reader;
use crate::wire::unit::{Kind, Unit};

/// Bytes of output in what is asked for.
pub(crate) const ROOM: usize = 64 << 10;

/// Bytes of output in a signal: many of them wait, and the log has the rest.
pub(crate) const SIGNAL_ROOM: usize = 4 << 10;

/// Bytes of one of the last lines.
const LINE_ROOM: usize = 4 << 10;

/// The largest snapshot, bytes of JSON. Of a larger one the long fields go.
const SNAPSHOT_LIMIT: usize = 96 << 10;

/// A unit and where to look for more.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) unit: &'a Unit,
    /// Its folder; none for an agent that lives on the wire only.
    pub(super) folder: Option<&'a Folder>,
    /// Lines that it was heard to write, while it is a live monitor.
    pub(super) events: Option<u64>,
}

/// What a kind tells of its units.
trait Model {
    /// What only this kind has, with at most `room` bytes of output in it.
    fn metadata(&self, seen: &Seen<'_>, room: usize) -> Map<String, Value>;

    /// The unit's output for people.
    fn output(&self, seen: &Seen<'_>) -> String {
        seen.tail(ROOM)
    }
}

/// Fills in what the kind of `unit`, whose record is in `folder`, tells.
pub(crate) fn tell(unit: &mut Unit, folder: &Folder, room: usize) {
    *unit = Seen { unit, folder: Some(folder), events: None }.unit(room);
}

fn of(kind: Kind) -> &'static dyn Model {
    match kind {
        Kind::LocalBash => &local_bash::LocalBash,
        Kind::LocalAgent => &local_agent::LocalAgent,
        Kind::Monitor => &monitor::Monitor,
        Kind::Lsp => &lsp::Lsp,
        Kind::RemoteAgent | Kind::InProcessTeammate | Kind::LocalWorkflow | Kind::Dream => {
            &reserved::Reserved
        }
    }
}

impl Seen<'_> {
    /// The unit with what its kind tells, by value: nothing that happens later changes it.
    pub(super) fn unit(&self, room: usize) -> Unit {
        let mut unit = self.unit.clone();
        unit.metadata.extend(of(unit.kind).metadata(self, room));
        unit
    }

    /// The same as it goes into a signal.
    pub(super) fn snapshot(&self) -> String {
        let mut unit = self.unit(SIGNAL_ROOM);
        let text = json!(unit).to_string();
        if text.len() <= SNAPSHOT_LIMIT {
            return text;
        }
        unit.metadata = Map::new();
        unit.argv = Vec::new();
        unit.command = cut(&unit.command, SIGNAL_ROOM);
        unit.description = cut(&unit.description, SIGNAL_ROOM);
        json!(unit).to_string()
    }

    /// The unit's output for people, at most 64 KiB and a little.
    pub(super) fn output(&self) -> String {
        of(self.unit.kind).output(self)
    }

    /// The end of its log.
    fn tail(&self, room: usize) -> String {
        self.folder.map(|folder| text::tail(folder, room).0).unwrap_or_default()
    }

    fn stdout(&self) -> Stream {
        if self.unit.logs.output.is_some() { Stream::Output } else { Stream::Stdout }
    }

    /// Lines that it wrote, as its files tell: nobody heard them.
    pub(super) fn line_count(&self) -> u64 {
        let is_over = self.unit.status.is_terminal();
        self.folder.map_or(0, |folder| Reader::lines_in(folder.path(), self.stdout(), is_over))
    }

    /// The last `count` lines of its standard output, at most `room` bytes of them.
    pub(super) fn last_lines(&self, count: usize, room: usize) -> Vec<String> {
        let Some(folder) = self.folder else { return Vec::new() };
        let unfinished = self.unit.status.is_terminal();
        let last =
            Last { only: Some(self.stdout()), count, most: LINE_ROOM.min(room / 2), unfinished };
        let texts = text::last_lines(folder, last);
        let mut left = room;
        let fits = |text: &String| {
            left = left.saturating_sub(text.len() + 1);
            left > 0
        };
        let mut lines: Vec<String> = texts.into_iter().rev().take_while(fits).collect();
        lines.reverse();
        lines
    }
}

/// At most the first `limit` bytes of `text`.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// An object of JSON as the fields it has.
fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
