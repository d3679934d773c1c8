//! `end.json`: how a unit's process ended, as the kernel told whoever held a handle on it.
//!
//! The daemon writes it, once, for a unit whose end no runner could write: the record itself has
//! another writer. It counts for more than what a script said of itself, which is only what it meant
//! to do: bash runs the EXIT trap of a script that TERM ends, too, with a `$?` that does not tell.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::Folder;
use crate::os::Identity;
use crate::secure_fs;
use crate::time;
use crate::wire::read::{Fields, json, object};
use crate::wire::unit::{EndSource, Status, Unit};

/// The name of the file.
const FILE: &str = "end.json";

/// What the kernel told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelWord {
    process: Identity,
    exit_code: Option<i32>,
    signal: Option<i32>,
    /// Somebody had asked for the end of the unit.
    asked: bool,
    at: String,
}

impl KernelWord {
    /// `process` has just ended so.
    pub fn new(process: Identity, how: ExitStatus, asked: bool) -> Self {
        let (exit_code, signal) = (how.code(), how.signal());
        Self { process, exit_code, signal, asked, at: time::now() }
    }

    /// Keeps it in `folder`. What is there stays: an end is final.
    pub fn keep(&self, folder: &Folder) -> io::Result<()> {
        let path = folder.file(FILE);
        if secure_fs::exists(&path) {
            return Ok(());
        }
        let text = object(vec![
            ("process", serde_json::to_value(&self.process).map_err(io::Error::other)?),
            ("exit_code", self.exit_code.into()),
            ("signal", self.signal.into()),
            ("asked", self.asked.into()),
            ("at", self.at.as_str().into()),
        ]);
        secure_fs::replace(&path, text.to_string().as_bytes())
    }

    fn read(folder: &Folder) -> Option<Self> {
        let text = secure_fs::read(&folder.file(FILE), secure_fs::SMALL).ok()?;
        let mut fields = Fields::of(json(&text).ok()?);
        Some(Self {
            process: fields.identity("process")?,
            exit_code: fields.number("exit_code"),
            signal: fields.number("signal"),
            asked: fields.flag("asked"),
            at: fields.text("at")?,
        })
    }

    /// Tells it in `unit`, if it is about its process, and what its runner told is not known.
    pub fn apply(&self, unit: &mut Unit) {
        let is_open = !unit.status.is_terminal() || is_unconfirmed(unit);
        if !is_open || unit.process.as_ref() != Some(&self.process) {
            return;
        }
        (unit.exit_code, unit.signal) = (self.exit_code, self.signal);
        unit.status = Status::of_end(self.exit_code, self.signal);
        if self.asked {
            unit.status = Status::Killed;
        }
        unit.end = Some(EndSource::Kernel);
        unit.ended_at.get_or_insert_with(|| self.at.clone());
    }
}

/// Whether `unit` ended without a witness: the kernel may still tell more.
fn is_unconfirmed(unit: &Unit) -> bool {
    matches!(unit.end, Some(EndSource::Itself | EndSource::Unknown))
}

/// Tells in `unit` what the kernel told of its end, when that is known.
pub(super) fn apply(folder: &Folder, unit: &mut Unit) {
    if unit.process.is_none() || (unit.status.is_terminal() && !is_unconfirmed(unit)) {
        return;
    }
    if let Some(word) = KernelWord::read(folder) {
        word.apply(unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::unit::Kind;

    fn process() -> Identity {
        Identity { pid: 7, start: 8, boot: "b".to_owned() }
    }

    fn unit() -> Unit {
        let mut unit = Unit::new(Kind::LocalBash, "x");
        unit.status = Status::Running;
        unit.process = Some(process());
        unit
    }

    fn told(mut unit: Unit, word: &KernelWord) -> (Status, Option<EndSource>, Option<i32>) {
        word.apply(&mut unit);
        (unit.status, unit.end, unit.signal)
    }

    #[test]
    fn the_kernel_counts_for_more_than_the_script_and_less_than_the_runner() {
        let word = KernelWord::new(process(), ExitStatus::from_raw(15), false);
        let killed = (Status::Killed, Some(EndSource::Kernel), Some(15));
        assert_eq!(told(unit(), &word), killed);
        for (end, counts) in [
            (Some(EndSource::Itself), true),
            (Some(EndSource::Unknown), true),
            (Some(EndSource::Runner), false),
            (None, false),
        ] {
            let unit = Unit { status: Status::Completed, end, exit_code: Some(0), ..unit() };
            let expected = if counts { killed } else { (Status::Completed, end, None) };
            assert_eq!(told(unit, &word), expected, "{end:?}");
        }
        let other = Identity { start: 9, ..process() };
        let of_another = Unit { process: Some(other), ..unit() };
        assert_eq!(told(of_another, &word), (Status::Running, None, None));
    }

    #[test]
    fn an_end_that_was_asked_for_is_no_failure() {
        let word = KernelWord::new(process(), ExitStatus::from_raw(3 << 8), true);
        assert_eq!(told(unit(), &word), (Status::Killed, Some(EndSource::Kernel), None));
    }

    #[test]
    fn it_reads_back_and_is_final() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path());
        let word = KernelWord::new(process(), ExitStatus::from_raw(9), false);
        word.keep(&folder).unwrap();
        KernelWord::new(process(), ExitStatus::from_raw(0), false).keep(&folder).unwrap();
        assert_eq!(KernelWord::read(&folder), Some(word));
    }
}
