//! Links in the place of a project's own folders: who accepts them, and where that is kept.

use std::io::{self, BufRead, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::ask;
use super::store;
use crate::error::{Error, Result};
use crate::paths::PROJECT_DIR;
use crate::secure_fs::{self, accepted};
use crate::{neutral, paths};

/// What may be a link when a person accepts it.
const FOLDERS: [&str; 3] = ["", "runs", "scripts"];

/// Asks, on a terminal, about each link that stands for a folder of the project at `root` and that was
/// not accepted yet. An error when there is one and nobody to ask, or the answer is no.
pub fn accept_links(root: &Path) -> Result<()> {
    let base = root.join(PROJECT_DIR);
    for name in FOLDERS {
        // Joining nothing would leave a slash behind, and follow the link.
        let link = if name.is_empty() { base.clone() } else { base.join(name) };
        if let Some(target) = accepted::leads_to(&link)
            && accepted::target(&link).is_none()
        {
            accept(root, &link, &target)?;
        }
    }
    Ok(())
}

fn accept(root: &Path, link: &Path, target: &Path) -> Result<()> {
    let [shown, to] = [paths::display(link), target.display().to_string()];
    let what = format!("`{}` is a link to `{}`", neutral::line(&shown), neutral::line(&to));
    if let Some(obstacle) = ask::obstacle() {
        return Err(Error::new(what).next(obstacle));
    }
    let failed = |e: io::Error| Error::new(format!("cannot ask on the terminal: {e}"));
    let question = format!("{what}.\nUse it? ig would read, write and delete there. [y/N] ");
    io::stderr().write_all(question.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Err(Error::new(what).next("put a folder in its place, or ig trust to use it"));
    }
    let dir = store::folder_for(root)?;
    secure_fs::dir(&dir).map_err(|e| Error::io("make", &dir, &e))?;
    let file = dir.join(accepted::key(link, target));
    // As a grant for the link's own path: `ig trust --revoke` takes it back with the others.
    let path = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let path = path.join(link.strip_prefix(root).unwrap_or(link));
    secure_fs::replace(&file, path.as_os_str().as_bytes())
        .map_err(|e| Error::io("write", &file, &e))
}
