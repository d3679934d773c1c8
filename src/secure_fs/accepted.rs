//! Links in a project that a person accepted, on a terminal: its `.idlergear`, or the `runs` or
//! `scripts` in it. Kept with what else is trusted, by path and target: a link that leads elsewhere
//! than it did is asked about again.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use crate::hash::sha256;
use crate::neutral;
use crate::paths::{self, PROJECT_DIR};

/// Where the link at `path` leads in the end, if that was accepted.
pub fn target(path: &Path) -> Option<PathBuf> {
    let target = leads_to(path)?;
    let store = paths::trust_dir();
    // What a repository could write grants nothing.
    if path.parent().is_some_and(|dir| store.starts_with(dir)) {
        return None;
    }
    super::exists(&store.join(key(path, &target))).then_some(target)
}

/// Whether the project at `root` has a `.idlergear` of its own, or one that was accepted; told once when
/// it has not.
pub fn counts(root: &Path) -> bool {
    static TOLD: Once = Once::new();
    let base = root.join(PROJECT_DIR);
    let Some(leads_to) = leads_to(&base) else { return true };
    let is_accepted = target(&base).is_some();
    if !is_accepted {
        TOLD.call_once(|| {
            let shown = |path: &Path| neutral::line(&path.display().to_string());
            eprintln!(
                "ig: `{}` is a link to `{}`, so this is no project (ig trust, to accept it)",
                shown(&base),
                shown(&leads_to)
            );
        });
    }
    is_accepted
}

/// Where the link at `path` leads in the end, accepted or not; none when it is no link to a folder.
pub fn leads_to(path: &Path) -> Option<PathBuf> {
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    if is_link { path.canonicalize().ok().filter(|target| target.is_dir()) } else { None }
}

/// The name of what says so, in the folder of all that is trusted.
pub fn key(path: &Path, target: &Path) -> String {
    let real = path.parent().and_then(|dir| dir.canonicalize().ok());
    let name = path.file_name().unwrap_or_default();
    let path = real.map_or_else(|| path.to_path_buf(), |dir| dir.join(name));
    let parts = [path.as_os_str().as_bytes(), b"\0leads to\0", target.as_os_str().as_bytes()];
    sha256(&parts.concat())
}
