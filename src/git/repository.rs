//! Finding a repository, and reading which commit its work tree stands on. All of it by ourselves.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::secure_fs;

/// The most bytes of a file that holds one name or one id.
const SHORT: u64 = 4096;

/// The most bytes of all refs in one file: some 400,000 of them.
const PACKED: u64 = 32 << 20;

/// A ref may name another; so often.
const DEPTH: usize = 5;

/// Refs of which each work tree has its own.
const OWN_REFS: [&[u8]; 3] = [b"refs/bisect/", b"refs/worktree/", b"refs/rewritten/"];

/// A work tree and where its repository is.
#[derive(Debug)]
pub(super) struct Repository {
    /// The top folder of the work tree.
    pub(super) root: PathBuf,
    /// What belongs to this work tree: `HEAD` and the index.
    pub(super) folder: PathBuf,
    /// What all work trees of the repository share: refs, objects, configuration.
    pub(super) common: PathBuf,
}

/// What `HEAD` stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A commit, by its id.
    Commit(String),
    /// A branch without a commit yet.
    Unborn,
}

impl Head {
    /// The commit, if there is one.
    pub(super) fn commit(self) -> Option<String> {
        match self {
            Self::Commit(id) => Some(id),
            Self::Unborn => None,
        }
    }
}

impl Repository {
    /// The repository whose work tree `dir` lies in: the nearest `.git`. None where that, or the
    /// folder it is in, belongs to another user.
    pub(super) fn around(dir: &Path) -> Option<Self> {
        let (root, entry) = dir
            .ancestors()
            .map(|dir| (dir, dir.join(".git")))
            .find(|(_, entry)| entry.symlink_metadata().is_ok() && is_repository(entry))?;
        let folder = folder(root, &entry)?;
        let common = common(&folder)?;
        let owned = is_ours(root) && is_ours(&entry) && is_ours(&folder) && is_ours(&common);
        owned.then(|| Self { root: root.to_path_buf(), folder, common })
    }

    /// What the work tree stands on; none where that cannot be told.
    pub(super) fn head(&self) -> Option<Head> {
        // Refs in tables: only git reads those, and only with the repository's configuration.
        if self.common.join("reftable").symlink_metadata().is_ok() {
            return None;
        }
        let mut name = b"HEAD".to_vec();
        for _ in 0..DEPTH {
            let Some(text) = self.value(&name) else { return self.packed(&name) };
            match text.strip_prefix(b"ref:") {
                Some(next) => name = next.trim_ascii().to_vec(),
                None => return is_id(&text).then(|| Head::Commit(lossless(&text))),
            }
            if !is_ref(&name) {
                return None;
            }
        }
        None
    }

    /// What the file of the ref `name` holds.
    fn value(&self, name: &[u8]) -> Option<Vec<u8>> {
        let own = name == b"HEAD" || OWN_REFS.iter().any(|start| name.starts_with(start));
        let base = if own { &self.folder } else { &self.common };
        let text = read(&base.join(OsStr::from_bytes(name)), SHORT)?;
        Some(text.trim_ascii().to_vec())
    }

    /// The ref `name` among the packed ones. One that is nowhere is a branch without a commit.
    fn packed(&self, name: &[u8]) -> Option<Head> {
        if name == b"HEAD" {
            return None;
        }
        let path = self.common.join("packed-refs");
        if path.symlink_metadata().is_err() {
            return Some(Head::Unborn);
        }
        let text = read(&path, PACKED)?;
        let id = text.split(|byte| *byte == b'\n').find_map(|line| {
            let (id, rest) = line.split_at_checked(line.iter().position(|byte| *byte == b' ')?)?;
            (rest[1..].trim_ascii_end() == name && is_id(id)).then(|| lossless(id))
        });
        Some(id.map_or(Head::Unborn, Head::Commit))
    }
}

/// Whether `entry`, a `.git`, is a folder as repositories are, or a file; git goes on where it is
/// neither.
fn is_repository(entry: &Path) -> bool {
    entry.is_file() || entry.join("HEAD").symlink_metadata().is_ok()
}

/// The folder that `entry` is, or that it names.
fn folder(root: &Path, entry: &Path) -> Option<PathBuf> {
    if entry.is_dir() {
        return Some(entry.to_path_buf());
    }
    let text = read(entry, SHORT)?;
    let path = text.strip_prefix(b"gitdir:")?.trim_ascii();
    let folder = root.join(OsStr::from_bytes(path));
    folder.is_dir().then_some(folder)
}

/// The folder that the work trees of one repository share.
fn common(folder: &Path) -> Option<PathBuf> {
    let path = folder.join("commondir");
    if path.symlink_metadata().is_err() {
        return Some(folder.to_path_buf());
    }
    let text = read(&path, SHORT)?;
    let common = folder.join(OsStr::from_bytes(text.trim_ascii()));
    common.is_dir().then_some(common)
}

/// Reads a plain file of at most `most` bytes, without waiting for anything.
pub(super) fn read(path: &Path, most: u64) -> Option<Vec<u8>> {
    secure_fs::input(path, most).ok()
}

fn is_ours(path: &Path) -> bool {
    let ours = [0, rustix::process::geteuid().as_raw()];
    fs::symlink_metadata(path).is_ok_and(|meta| ours.contains(&meta.uid()))
        && fs::metadata(path).is_ok_and(|meta| ours.contains(&meta.uid()))
}

/// A name below `refs/` that leads nowhere else.
fn is_ref(name: &[u8]) -> bool {
    let mut parts = name.split(|byte| *byte == b'/');
    name.starts_with(b"refs/")
        && !name.contains(&0)
        && parts.all(|part| !part.is_empty() && !part.starts_with(b"."))
}

/// The id of a commit: SHA-1 or SHA-256 in hexadecimal digits.
pub(super) fn is_id(text: &[u8]) -> bool {
    [40, 64].contains(&text.len())
        && text.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
}

/// Only ever of ASCII.
fn lossless(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(head: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, Repository) {
        let dir = tempfile::tempdir().unwrap();
        let git = dir.path().join(".git");
        for (name, text) in files.iter().chain(&[("HEAD", head)]) {
            let path = git.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = Repository::around(&dir.path().join("a/b")).unwrap();
        (dir, found)
    }

    #[test]
    fn the_commit_is_read_from_files() {
        let (one, two) = ("1".repeat(40), "2".repeat(64));
        let loose = format!("{one}\n");
        let packed =
            format!("# pack-refs\n{one} refs/heads/other\n^{one}\n{two} refs/heads/main\n");
        for (head, files, expected) in [
            (format!("{one}\n"), vec![], Some(Head::Commit(one.clone()))),
            (
                "ref: refs/heads/main\n".into(),
                vec![("refs/heads/main", loose.as_str()), ("packed-refs", packed.as_str())],
                Some(Head::Commit(one.clone())),
            ),
            (
                "ref: refs/heads/main\n".into(),
                vec![("packed-refs", packed.as_str())],
                Some(Head::Commit(two.clone())),
            ),
            ("ref: refs/heads/main\n".into(), vec![], Some(Head::Unborn)),
            ("ref: ../../../secret\n".into(), vec![], None),
            ("ref: refs/../../../secret\n".into(), vec![], None),
            ("ref: refs/heads/.invalid\n".into(), vec![], None),
            ("ref: refs/heads/main\n".into(), vec![("reftable/tables.list", "")], None),
            ("root:x:0:0\n".into(), vec![], None),
            ("ref: refs/a".into(), vec![("refs/a", "ref: refs/a")], None),
        ] {
            let (_dir, repository) = repository(&head, &files);
            assert_eq!(repository.head(), expected, "{head}");
        }
    }
}
