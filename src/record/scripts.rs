//! Where scripts are kept by their hash, and where git's answer is.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use super::Folder;
use crate::wire::unit::Git;

/// The largest script that is kept, bytes.
pub const LARGEST: usize = 1 << 20;

/// How much of git's answer is looked at: one line of changes is enough.
const ANSWER: u64 = 4096;

/// What `git status --porcelain=v2 --branch` said when the command started; in the unit's folder.
pub const GIT: &str = "git";

/// When old runs were looked for last, and what was dropped then; in the folder of all runs.
pub const PRUNED: &str = ".pruned";

/// Where the script with this hash is kept, for units whose folder is beside `folder`.
pub fn path(folder: &Folder, sha256: &str) -> PathBuf {
    let runs = folder.path().parent().unwrap_or(folder.path());
    runs.with_file_name("scripts").join(sha256)
}

/// What git answered, if it has. The commit comes first; every line that is no header is a change.
pub fn git(folder: &Folder) -> Option<Git> {
    let file = File::open(folder.file(GIT)).ok()?;
    let mut bytes = Vec::new();
    file.take(ANSWER).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let commit = text.lines().find_map(|line| line.strip_prefix("# branch.oid "))?;
    let dirty = text.lines().any(|line| !line.starts_with('#'));
    // A repository without a commit says `(initial)`.
    let commit = (!commit.starts_with('(')).then(|| commit.to_owned());
    Some(Git { commit, dirty: Some(dirty) })
}
