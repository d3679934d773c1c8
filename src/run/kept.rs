//! What else a record remembers of the moment its command started: the script as it was, and the
//! state of the work tree. The command runs already, and nothing here is waited for.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::record::{Folder, scripts};
use crate::secure_fs::made;
use crate::{autostart, git, secure_fs, stop};

/// Keeps the script's text by its hash, once for all runs of it.
pub(crate) fn script(folder: &Folder, sha256: &str, text: &[u8]) {
    let path = scripts::path(folder, sha256);
    // Whatever stands there already stays: readers look whether it is what its name says.
    if text.len() > scripts::LARGEST || secure_fs::metadata(&path).is_ok() {
        return;
    }
    let Some(dir) = path.parent() else { return };
    let made = secure_fs::is_dir(dir) || make(dir).is_ok();
    if made && secure_fs::replace(&path, text).is_ok() {
        let _ = made::note(&path);
    }
}

fn make(dir: &Path) -> std::io::Result<()> {
    secure_fs::dir(dir)?;
    secure_fs::replace(&dir.join(".gitignore"), b"*\n")?;
    made::note(dir)
}

/// Has a helper write into the record's folder what can be told of the work tree; none outside of one.
pub(crate) fn ask_git(folder: &Folder, cwd: &Path) -> Option<Child> {
    if !git::may_be_in_one(cwd) {
        return None;
    }
    let answer = secure_fs::append(&folder.file(scripts::GIT)).ok()?;
    let mut helper = Command::new(autostart::find("ig-agent")?);
    stop::as_helper(&mut helper)
        .arg("look-at-git")
        .current_dir(cwd)
        .stdin(Stdio::null())
        .stdout(answer)
        .stderr(Stdio::null())
        .spawn()
        .ok()
}

/// Old runs are looked for no more often than this.
const PAUSE: Duration = Duration::from_mins(1);

/// Lets `ig prune` drop runs that are too many or too old; nobody waits for it. Where nobody ever
/// looked, there is nothing to drop yet.
pub(crate) fn prune(folder: &Folder) -> Option<Child> {
    let runs = folder.path().parent()?;
    let stamp = runs.join(scripts::PRUNED);
    let Ok(last) = secure_fs::metadata(&stamp).and_then(|meta| meta.modified()) else {
        let _ = secure_fs::append(&stamp);
        return None;
    };
    if last.elapsed().is_ok_and(|passed| passed < PAUSE) {
        return None;
    }
    autostart::helper("prune", runs)?.current_dir("/").spawn().ok()
}
