//! Who may use what: the check before every use, and who grants and takes back.

use std::path::{Path, PathBuf};

use super::ask;
use super::store::{self, Subject};
use crate::error::{Error, Result};
use crate::neutral;

/// Refuses files of a project that are not trusted as they stand now; on a terminal, shows them and
/// asks first.
pub fn check(files: &[PathBuf]) -> Result<()> {
    let unknown = untrusted(files)?;
    if unknown.is_empty() {
        return Ok(());
    }
    match ask::obstacle() {
        Some(obstacle) => Err(refusal(&unknown, obstacle)),
        None if ask::yes(&unknown)? => unknown.iter().try_for_each(store::add),
        None => Err(refusal(&unknown, "ig trust, once you have read them")),
    }
}

/// Trusts `file` as it stands now: for what ig itself wrote, and nothing else.
pub fn grant(file: &Path) -> Result<()> {
    store::add(&Subject::read(file)?)
}

/// Takes back every grant for the project at `root`; returns how many there were.
pub fn revoke(root: &Path) -> Result<usize> {
    store::remove_below(root)
}

/// Takes back every grant for `file`, before it is removed.
pub fn forget(file: &Path) -> Result<()> {
    store::remove_of(&Subject::read(file)?)
}

/// Why `file` can never be trusted as it stands now, if so.
pub fn refused(file: &Path) -> Option<Error> {
    Subject::read(file).err()
}

/// Whether `file` is trusted as it stands now.
pub fn is_trusted(file: &Path) -> Result<bool> {
    store::holds(&Subject::read(file)?)
}

fn untrusted(files: &[PathBuf]) -> Result<Vec<Subject>> {
    let mut unknown = Vec::new();
    for file in files {
        let subject = Subject::read(file)?;
        if !store::holds(&subject)? {
            unknown.push(subject);
        }
    }
    Ok(unknown)
}

fn refusal(unknown: &[Subject], next: &str) -> Error {
    let name = |subject: &Subject| neutral::line(&crate::paths::display(&subject.path));
    let place = unknown.iter().map(name).collect::<Vec<_>>().join(", ");
    let what = match unknown {
        [one] if store::knew(one) => "a file of this project has changed since you trusted it",
        [_] => "a file of this project is not trusted yet",
        _ => "some files of this project are not trusted yet",
    };
    Error::new(what).at(place).next(next)
}
