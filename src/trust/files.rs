//! The files of a project that need trust before ig acts on them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::paths::PROJECT_DIR;

/// How deep below `templates/` ig looks, and how many files it considers: a repository is foreign.
const DEPTH: usize = 4;
const MOST: usize = 500;

/// Profiles, templates and settings of the project at `root`, sorted.
pub fn of_project(root: &Path) -> Vec<PathBuf> {
    let base = root.join(PROJECT_DIR);
    let mut found = Vec::new();
    collect(&base.join("profiles"), 0, &mut found);
    collect(&base.join("templates"), DEPTH, &mut found);
    found.retain(|path| is_file(path));
    found.sort();
    let settings = base.join("config.toml");
    if is_file(&settings) {
        found.insert(0, settings);
    }
    found
}

/// A link counts too: where it leads is for the check.
fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) || path.is_file()
}

fn collect(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if found.len() >= MOST {
            return;
        }
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        } else if depth > 0 {
            collect(&entry.path(), depth - 1, found);
        }
    }
}
