//! The end of a unit's output as text: harmless, bounded, without secrets.

use std::collections::VecDeque;

use super::Row;
use super::mask::{Mask, Masks};
use crate::prune;
use crate::record::Folder;
use crate::record::gap::size;
use crate::record::index::Stream;
use crate::record::output::{Line, Reader};

/// The last lines of the unit in `folder` that fit into `limit` bytes; of a longer one its end. The
/// second value tells whether there are more before them.
pub fn tail(folder: &Folder, limit: usize) -> (String, bool) {
    if let Some(words) = prune::instead_of_output(folder) {
        return (format!("... {words} ...\n"), false);
    }
    let mut reader = Reader::open(folder.path(), None);
    reader.close();
    let mut reader = reader.last_bytes(u64::try_from(limit).unwrap_or(u64::MAX));
    let mut masks = Masks::new(Mask::of(folder));
    let mut lines = VecDeque::new();
    let mut size = 0;
    let mut cut = false;
    loop {
        let batch = reader.lines();
        let last = batch.is_empty();
        for line in if last { reader.rest() } else { batch } {
            cut |= lines.is_empty() && line.number > 1;
            let text = clamped(shown(&mut masks, line), limit) + "\n";
            size += text.len();
            lines.push_back(text);
            while size > limit && lines.len() > 1 {
                size -= lines.pop_front().map_or(0, |text: String| text.len());
                cut = true;
            }
        }
        if last {
            return (lines.into_iter().collect(), cut);
        }
    }
}

/// Which last lines are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Last {
    /// Of this stream only.
    pub only: Option<Stream>,
    /// So many.
    pub count: usize,
    /// At most so many bytes of each.
    pub most: usize,
    /// One that has no end yet counts.
    pub unfinished: bool,
}

/// The last lines of the unit in `folder`.
pub fn last_lines(folder: &Folder, last: Last) -> Vec<String> {
    let mut reader = Reader::from_tail(folder.path(), last.only, last.count);
    let mut masks = Masks::new(Mask::of(folder));
    let mut lines = Vec::new();
    loop {
        let batch = reader.lines();
        let is_end = batch.is_empty();
        let batch = match (is_end, last.unfinished) {
            (false, _) => batch,
            (true, true) => reader.rest(),
            (true, false) => Vec::new(),
        };
        let told = batch.into_iter().filter(|line| line.gap.is_none());
        lines.extend(told.map(|line| clamped(shown(&mut masks, line), last.most)));
        if is_end {
            return lines;
        }
    }
}

fn shown(masks: &mut Masks, line: Line) -> String {
    let mask = masks.at(line.number, line.stream.word(), &line.bytes);
    mask.line(Row::from(line).text()).into_owned()
}

/// The end of `text`, with a word on how much is left out before it; all of it when it fits.
fn clamped(text: String, most: usize) -> String {
    let Some(over) = text.len().checked_sub(most).filter(|over| *over > 0) else { return text };
    let start = (over..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let left_out = size(u64::try_from(start).unwrap_or(u64::MAX));
    format!("[... {left_out} left out] {}", &text[start..])
}
