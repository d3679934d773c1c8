//! Writing what was planned, never over a file that is there, and taking it away again.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::mark;
use super::plan::Planned;
use crate::error::{Error, Result};
use crate::paths::PROJECT_DIR;
use crate::secure_fs::accepted;
use crate::{paths, secure_fs, trust};

/// What becomes of one planned file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is missing and will be written.
    New,
    /// It is there as ig wrote it.
    Same,
    /// It is there, and it is the user's.
    Yours,
}

/// What would become of `planned` in the project at `root`.
pub fn fate(root: &Path, planned: &Planned) -> Fate {
    match secure_fs::metadata(&target(root, planned)) {
        Err(_) => Fate::New,
        Ok(_) => match secure_fs::text(&target(root, planned), secure_fs::SMALL) {
            Ok(text) if mark::is_untouched(&text) => Fate::Same,
            _ => Fate::Yours,
        },
    }
}

fn target(root: &Path, planned: &Planned) -> PathBuf {
    root.join(PROJECT_DIR).join(&planned.path)
}

/// Writes `planned` as a new file, and trusts it when it is one that needs trust.
pub fn write(root: &Path, planned: &Planned) -> Result<()> {
    let path = target(root, planned);
    let dir = path.parent().unwrap_or(root);
    secure_fs::dir(dir).map_err(|e| Error::io("make", dir, &e))?;
    let mut file = secure_fs::create_new(&path).map_err(|e| Error::io("write", &path, &e))?;
    file.write_all(planned.text.as_bytes()).map_err(|e| Error::io("write", &path, &e))?;
    if planned.name.is_some() { trust::grant(&path) } else { Ok(()) }
}

/// Refuses a project whose folders are links: what is written here must stay here.
pub fn check_folders(root: &Path) -> Result<()> {
    let base = root.join(PROJECT_DIR);
    for dir in [base.clone(), base.join("profiles"), base.join("templates")] {
        match fs::symlink_metadata(&dir) {
            Ok(_) if accepted::target(&dir).is_some() => {}
            Ok(meta) if !meta.is_dir() => {
                return Err(Error::new(format!("`{}` is no folder", paths::display(&dir)))
                    .next("move it away and run `ig init` again"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The files that `ig init` wrote in the project at `root` and nobody changed. The `.gitignore`
/// counts only when nothing else would stay: it keeps the rest out of git.
pub fn removable(root: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = trust::of_project(root);
    files.retain(|file| is_ours(file));
    let ignore = root.join(PROJECT_DIR).join(".gitignore");
    if is_ours(&ignore) && nothing_else(root, &files) {
        files.push(ignore);
    }
    files
}

fn is_ours(file: &Path) -> bool {
    secure_fs::text(file, secure_fs::SMALL).is_ok_and(|text| mark::is_untouched(&text))
}

fn nothing_else(root: &Path, files: &[PathBuf]) -> bool {
    let base = root.join(PROJECT_DIR);
    let entries = |dir: &Path| -> Vec<PathBuf> {
        fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let shared = [base.join("profiles"), base.join("templates")];
    let stays = |path: &PathBuf| !files.contains(path) && !path.ends_with(".gitignore");
    let mut rest = entries(&base).into_iter().filter(|path| !shared.contains(path));
    let mut below = shared.iter().flat_map(|dir| entries(dir));
    !rest.any(|path| stays(&path)) && !below.any(|path| stays(&path))
}

/// Removes `files` and the folders that become empty, and forgets that they were trusted.
pub fn remove(root: &Path, files: &[PathBuf]) -> Result<()> {
    for file in files {
        trust::forget(file)?;
        secure_fs::remove_file(file).map_err(|e| Error::io("remove", file, &e))?;
    }
    let base = root.join(PROJECT_DIR);
    for dir in [base.join("profiles"), base.join("templates"), base] {
        match secure_fs::remove_empty_dir(&dir) {
            Err(error) if is_trouble(&error) => return Err(Error::io("remove", &dir, &error)),
            _ => {}
        }
    }
    Ok(())
}

fn is_trouble(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty)
}

/// The path of a planned file for people.
pub fn shown(planned: &Planned) -> String {
    format!("{PROJECT_DIR}/{}", planned.path)
}
