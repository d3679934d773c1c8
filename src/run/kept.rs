//! What else a record remembers of the moment its command started: the script as it was, and the
//! state of the work tree. The command runs already, and nothing here is waited for.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::private;
use crate::record::{Folder, scripts};

/// Keeps the script's text by its hash, once for all runs of it.
pub(crate) fn script(folder: &Folder, sha256: &str, text: &[u8]) {
    let path = scripts::path(folder, sha256);
    if text.len() > scripts::LARGEST || path.exists() {
        return;
    }
    let Some(dir) = path.parent() else { return };
    let made = dir.is_dir()
        || private::dir(dir).is_ok() && private::replace(&dir.join(".gitignore"), b"*\n").is_ok();
    if made {
        let _ = private::replace(&path, text);
    }
}

/// Lets git write what it knows into the record's folder; none outside of a work tree.
pub(crate) fn ask_git(folder: &Folder, cwd: &Path) -> Option<Child> {
    if !cwd.ancestors().any(|dir| dir.join(".git").exists()) {
        return None;
    }
    let answer = private::append(&folder.file(scripts::GIT)).ok()?;
    // No lock that would be in the user's way, no program of the repository's choice.
    Command::new("git")
        .args(["-c", "core.fsmonitor=false", "--no-optional-locks", "status"])
        .args(["--porcelain=v2", "--branch", "--untracked-files=no"])
        .current_dir(cwd)
        .stdin(Stdio::null())
        .stdout(answer)
        .stderr(Stdio::null())
        .spawn()
        .ok()
}
