//! The one question that the light half asks: what a project's settings say, if that is granted.
//!
//! Asks nobody and explains nothing; `rules` does. What is called by another path than it was granted
//! under does not count, which spares the search for the right one.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::hash::sha256;
use crate::{paths, secure_fs};

/// What `file` of the project at `root` says, when it is trusted as it stands now.
pub fn read(file: &Path, root: &Path) -> Option<Vec<u8>> {
    let content = secure_fs::input_of(root, file, secure_fs::SMALL).ok()?;
    let store = paths::trust_dir();
    if store.starts_with(root) || secure_fs::check_owned(&store).is_err() {
        return None;
    }
    secure_fs::exists(&store.join(key(file, &content))).then_some(content)
}

/// The name of the grant for `content` at `path`.
pub(super) fn key(path: &Path, content: &[u8]) -> String {
    let text = [path.as_os_str().as_bytes(), &[0], content].concat();
    sha256(&text)
}
