//! Where scripts are kept by their hash, and where what is known of the work tree is.

use std::path::PathBuf;

use super::Folder;
use crate::wire::unit::Git;
use crate::{git, secure_fs};

/// The largest script that is kept, bytes.
pub const LARGEST: usize = 1 << 20;

/// The most bytes that an answer may have.
const ANSWER: u64 = 4096;

/// What [`git::answer`] said when the command started; in the unit's folder.
pub const GIT: &str = "git";

/// When old runs were looked for last, and what was dropped then; in the folder of all runs.
pub const PRUNED: &str = ".pruned";

/// Whether `text` is what a script is called by.
pub fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Where the script with this hash is kept, for units whose folder is beside `folder`.
pub fn path(folder: &Folder, sha256: &str) -> PathBuf {
    let runs = folder.path().parent().unwrap_or(folder.path());
    runs.with_file_name("scripts").join(sha256)
}

/// The script with this hash, if it was kept and is still what it was.
pub fn read(folder: &Folder, sha256: &str) -> Option<Vec<u8>> {
    let most = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    let text = secure_fs::read(&path(folder, sha256), most).ok();
    text.filter(|text| crate::hash::sha256(text) == sha256)
}

/// What was told of the work tree, if it was yet.
pub fn git(folder: &Folder) -> Option<Git> {
    git::parse(&secure_fs::text(&folder.file(GIT), ANSWER).ok()?)
}
