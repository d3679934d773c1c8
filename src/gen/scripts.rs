//! The generated scripts of a project, found by their headers.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::header::Header;
use crate::secure_fs;

/// How deep a script may lie, how much of a file its header may take, and how many files are
/// looked at: a project with a data set in it must not stop `ig gen --check`.
const DEPTH: usize = 6;
const HEAD: u64 = 256 * 1024;
const FILES: usize = 50_000;

/// Folders that hold other people's files.
const STRANGERS: [&str; 8] =
    ["node_modules", "venv", "target", "__pycache__", "site-packages", "vendor", "dist", "build"];

/// All generated scripts below `root`, sorted.
pub fn find(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(root, DEPTH, &mut FILES.clone(), &mut found);
    found.sort();
    found
}

fn walk(dir: &Path, depth: usize, budget: &mut usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let Some(left) = budget.checked_sub(1) else { return };
        *budget = left;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kind.is_dir()
            && depth > 0
            && !name.starts_with('.')
            && !STRANGERS.contains(&name.as_ref())
        {
            walk(&entry.path(), depth - 1, budget, found);
        } else if kind.is_file() && may_be_script(&entry, &name) && is_generated(&entry.path()) {
            found.push(entry.path());
        }
    }
}

fn may_be_script(entry: &fs::DirEntry, name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ext| ext == "sh")
        || entry.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}

fn is_generated(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = secure_fs::open_input(path).and_then(|mut file| {
        let mut start = [0; 2];
        file.read_exact(&mut start)?;
        if &start == b"#!" {
            head.extend(start);
            file.take(HEAD).read_to_end(&mut head)?;
        }
        Ok(())
    });
    read.is_ok() && Header::read(&String::from_utf8_lossy(&head)).is_some()
}
