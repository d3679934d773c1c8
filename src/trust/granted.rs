//! The one question that the light half asks: what a project's file says, if that is granted.
//!
//! Asks nobody and explains nothing; `store` and `ask` do.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::run::plan::hex;
use crate::{paths, private};

/// What `file` of the project at `root` says, when it is trusted as it stands now.
pub fn read(file: &Path, root: &Path) -> Option<Vec<u8>> {
    let path = fs::canonicalize(file).ok()?;
    let content = fs::read(&path).ok()?;
    let store = fs::canonicalize(paths::trust_dir()).ok()?;
    let inside = store.starts_with(repository(&fs::canonicalize(root).ok()?));
    if inside || private::check_owned(&store).is_err() {
        return None;
    }
    store.join(key(&path, &content)).is_file().then_some(content)
}

/// The name of the grant for `content` at `path`.
pub(super) fn key(path: &Path, content: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(path.as_os_str().as_bytes());
    hash.update([0]);
    hash.update(content);
    hex(&hash.finalize())
}

/// The git work tree around `root`, else `root`. Not HOME: people keep that in git too.
pub(super) fn repository(root: &Path) -> PathBuf {
    let home = paths::home().and_then(|home| fs::canonicalize(home).ok());
    let found = root
        .ancestors()
        .filter(|dir| *dir != Path::new("/") && Some(*dir) != home.as_deref())
        .find(|dir| dir.join(".git").exists());
    found.unwrap_or(root).to_path_buf()
}
