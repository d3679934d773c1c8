//! What lies in a project, read within bounds: the only part of detection that touches the disk.
//!
//! A project may be a hostile clone: nothing is followed out of it, nothing that is no plain file
//! is opened, and names and contents are data for [`super::detect`], never code.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, DirEntry, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// How deep below the root to look, entries in all and per folder, files read and bytes of each.
const DEPTH: usize = 2;
const MOST_ENTRIES: usize = 5000;
const MOST_IN_FOLDER: usize = 1000;
const MOST_READ: usize = 64;
const MOST_BYTES: u64 = 64 * 1024;

/// Folders that hold other people's files.
const SKIPPED: [&str; 7] =
    ["node_modules", "__pycache__", "site-packages", "target", "dist", "build", "vendor"];

/// Files whose contents decide.
const READ: [&str; 15] = [
    "manage.py",
    "app.py",
    "wsgi.py",
    "asgi.py",
    "main.py",
    "api.py",
    "server.py",
    "__init__.py",
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    "pytest.ini",
    "Pipfile",
    "package.json",
    "requirements.txt",
];

/// The files of a project by their path below its root, `/` between folders.
#[derive(Debug, Default)]
pub struct Survey {
    files: BTreeMap<String, String>,
    venvs: Vec<String>,
}

impl Survey {
    /// Looks around in `root`.
    pub fn of(root: &Path) -> Self {
        let mut survey = Self::default();
        let mut seen = 0;
        let mut read = 0;
        let mut folders = VecDeque::from([(root.to_path_buf(), String::new(), 0)]);
        while let Some((dir, prefix, depth)) = folders.pop_front() {
            for (name, entry) in entries(&dir, MOST_IN_FOLDER.min(MOST_ENTRIES - seen)) {
                seen += 1;
                let path = format!("{prefix}{name}");
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_file() {
                    let wanted = READ.contains(&name.as_str()) && read < MOST_READ;
                    read += usize::from(wanted);
                    let text = if wanted { text_of(&entry.path()) } else { String::new() };
                    survey.files.insert(path, text);
                } else if kind.is_dir() && is_file(&entry.path().join("pyvenv.cfg")) {
                    survey.venvs.push(path);
                } else if kind.is_dir() && depth < DEPTH && is_own(&name) {
                    folders.push_back((entry.path(), format!("{path}/"), depth + 1));
                }
            }
        }
        survey
    }

    /// A project with exactly these files, for trying out detection.
    pub fn with(files: &[(&str, &str)], venvs: &[&str]) -> Self {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self {
            files: files.iter().map(owned).collect(),
            venvs: venvs.iter().map(ToString::to_string).collect(),
        }
    }

    /// Every file, those near the root first.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let mut paths: Vec<&str> = self.files.keys().map(String::as_str).collect();
        paths.sort_by_key(|path| (path.matches('/').count(), *path));
        paths.into_iter()
    }

    /// Whether there is a file at `path`.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// What the file at `path` says; nothing when it was not read.
    pub fn text(&self, path: &str) -> &str {
        self.files.get(path).map_or("", String::as_str)
    }

    /// The Python environments at the root, the usual name first.
    pub fn venv(&self) -> Option<&str> {
        let here = |name: &&str| self.venvs.iter().any(|venv| venv == name);
        [".venv", "venv", "env"].into_iter().find(here)
    }
}

/// At most `most` entries of `dir` with readable names, sorted.
fn entries(dir: &Path, most: usize) -> Vec<(String, DirEntry)> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let named = |entry: DirEntry| Some((entry.file_name().into_string().ok()?, entry));
    let mut entries: Vec<_> = entries.flatten().take(most).filter_map(named).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries
}

fn is_own(name: &str) -> bool {
    !name.starts_with('.') && !SKIPPED.contains(&name)
}

fn is_file(path: &PathBuf) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

/// The beginning of a plain file; never waits, not even if it was swapped for a pipe just now.
fn text_of(path: &Path) -> String {
    let careful = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let flags = i32::try_from(careful).unwrap_or(0);
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else {
        return String::new();
    };
    let mut bytes = Vec::new();
    let _ = file.take(MOST_BYTES).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
