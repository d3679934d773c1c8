//! What was granted: one small file per grant, named by the hash of path, NUL and content, holding
//! the path. It lies in the user's state folder and never counts from inside a repository.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::granted::key;
use crate::error::{Error, Result};
use crate::paths::{self, PROJECT_DIR};
use crate::{neutral, secure_fs};

/// Bytes of a file that can be trusted: what is longer nobody reads before saying yes.
const SIZE_LIMIT: u64 = 256 * 1024;

/// A file as it was read once: what is shown, asked about and granted is the same bytes.
#[derive(Debug)]
pub(super) struct Subject {
    /// Without symbolic links and `..`.
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
    /// The repository it lies in, which the store must not lie in.
    repository: Option<PathBuf>,
}

/// One grant: a path, for one content.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The file, as it was found.
    pub path: PathBuf,
    /// When.
    pub at: SystemTime,
    file: PathBuf,
}

impl Subject {
    /// Reads `file`; refuses what is no plain file, is too long, or leads out of its project.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let refuse = |what: &str| Err(Error::new(what).at(neutral::line(&paths::display(file))));
        let path = fs::canonicalize(file).map_err(|e| Error::io("read", file, &e))?;
        let root = project_of(file);
        if root.as_ref().is_some_and(|root| !path.starts_with(root)) {
            return refuse("a file of this project leads out of it");
        }
        if !path.is_file() {
            return refuse("only a plain file can be trusted");
        }
        let read = match &root {
            Some(root) => secure_fs::input_of(root, &path, SIZE_LIMIT),
            None => secure_fs::input(&path, SIZE_LIMIT),
        };
        let content = match read {
            Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                return refuse("a file this long cannot be trusted: nobody reads 262 kB");
            }
            other => other.map_err(|e| Error::io("read", &path, &e))?,
        };
        Ok(Self { path, content, repository: root.as_deref().map(repository) })
    }

    fn key(&self) -> String {
        key(&self.path, &self.content)
    }
}

/// The project whose `.idlergear/` holds `file`, by the name it was called by.
fn project_of(file: &Path) -> Option<PathBuf> {
    let file = std::path::absolute(file).ok()?;
    let base = file.ancestors().find(|dir| dir.file_name() == Some(OsStr::new(PROJECT_DIR)))?;
    fs::canonicalize(base.parent()?).ok()
}

/// The git work tree around `root`, else `root`. Not HOME: people keep that in git too.
fn repository(root: &Path) -> PathBuf {
    let home = paths::home().and_then(|home| fs::canonicalize(home).ok());
    let found = root
        .ancestors()
        .filter(|dir| *dir != Path::new("/") && Some(*dir) != home.as_deref())
        .find(|dir| dir.join(".git").exists());
    found.unwrap_or(root).to_path_buf()
}

/// The store's folder, once it is known that no repository and no other user can write there.
fn folder(subject: &Subject) -> Result<PathBuf> {
    outside(subject.repository.as_ref())
}

/// The same for what is granted to the project at `root` as a whole.
pub(super) fn folder_for(root: &Path) -> Result<PathBuf> {
    let root = fs::canonicalize(root).map_err(|e| Error::io("find", root, &e))?;
    outside(Some(&repository(&root)))
}

fn outside(repository: Option<&PathBuf>) -> Result<PathBuf> {
    let dir = paths::trust_dir();
    let real = dir.ancestors().find_map(|dir| fs::canonicalize(dir).ok());
    let inside = |repository: &PathBuf| real.as_ref().is_some_and(|r| r.starts_with(repository));
    if repository.is_some_and(inside) {
        return Err(Error::new("trust cannot be kept inside the repository it is about")
            .at(neutral::line(&dir.display().to_string()))
            .next("point XDG_STATE_HOME elsewhere, or unset it"));
    }
    if dir.exists() {
        secure_fs::check_owned(&dir)
            .map_err(|e| e.next("make it a folder of your own, mode 0700"))?;
    }
    Ok(dir)
}

/// Whether `subject` is granted as it stands.
pub(super) fn holds(subject: &Subject) -> Result<bool> {
    Ok(secure_fs::exists(&folder(subject)?.join(subject.key())))
}

/// Whether its path was granted once, with whatever content.
pub(super) fn knew(subject: &Subject) -> bool {
    all().iter().any(|grant| grant.path == subject.path)
}

/// Grants `subject`. Earlier grants for its path stay: a change of branch and back asks once.
pub(super) fn add(subject: &Subject) -> Result<()> {
    let dir = folder(subject)?;
    secure_fs::dir(&dir).map_err(|e| Error::io("make", &dir, &e))?;
    let file = dir.join(subject.key());
    secure_fs::replace(&file, subject.path.as_os_str().as_bytes())
        .map_err(|e| Error::io("write", &file, &e))
}

/// Takes back every grant for a file below `root`.
pub(super) fn remove_below(root: &Path) -> Result<usize> {
    let grants = granted(root);
    grants.iter().try_for_each(remove)?;
    Ok(grants.len())
}

/// Takes back every grant for the path of `subject`.
pub(super) fn remove_of(subject: &Subject) -> Result<()> {
    all().iter().filter(|grant| grant.path == subject.path).try_for_each(remove)
}

fn remove(grant: &Grant) -> Result<()> {
    secure_fs::remove_file(&grant.file).map_err(|e| Error::io("remove", &grant.file, &e))
}

/// The grants for files of the project at `root`, sorted by path.
pub fn granted(root: &Path) -> Vec<Grant> {
    let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf()).join(PROJECT_DIR);
    let mut grants = all();
    grants.retain(|grant| grant.path.starts_with(&root));
    grants.sort_by(|a, b| a.path.cmp(&b.path));
    grants
}

fn all() -> Vec<Grant> {
    let dir = paths::trust_dir();
    let names = secure_fs::list(&dir).unwrap_or_default();
    names.iter().filter_map(|name| read(&dir.join(name))).collect()
}

fn read(file: &Path) -> Option<Grant> {
    let path = PathBuf::from(OsStr::from_bytes(&secure_fs::read(file, secure_fs::SMALL).ok()?));
    let at = secure_fs::metadata(file).and_then(|meta| meta.modified()).ok()?;
    path.is_absolute().then(|| Grant { path, at, file: file.to_path_buf() })
}
