//! The end of a unit's output as one text: harmless, bounded, without secrets.

use super::Row;
use super::mask::{Mask, Masks};
use crate::prune;
use crate::record::Folder;
use crate::record::output::Reader;

/// The last lines of the unit in `folder` that fit into `limit` bytes. The second value tells
/// whether there are more before them.
pub fn tail(folder: &Folder, limit: usize) -> (String, bool) {
    if let Some(words) = prune::instead_of_output(folder) {
        return (format!("... {words} ...\n"), false);
    }
    let mut reader = Reader::open(folder.path(), None);
    reader.close();
    let mut reader = reader.last_bytes(u64::try_from(limit).unwrap_or(u64::MAX));
    let mut masks = Masks::new(Mask::of(folder));
    let mut lines = std::collections::VecDeque::new();
    let mut size = 0;
    let mut cut = false;
    loop {
        let batch = reader.lines();
        let last = batch.is_empty();
        for line in if last { reader.rest() } else { batch } {
            cut |= lines.is_empty() && line.number > 1;
            let mask = masks.at(line.number, line.stream.word(), &line.bytes);
            let text = mask.line(Row::from(line).text()).into_owned() + "\n";
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
