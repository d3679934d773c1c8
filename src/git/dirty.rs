//! Whether tracked files have changed, by git, which is given the index and the objects and nothing
//! else of the repository. See the module's own words for the rule.

use std::env;
use std::ffi::OsString;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::repository::{Head, Repository};
use super::settings;
use crate::{paths, secure_fs};

/// How long git may take for all of it; a work tree so large is not known then.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most bytes that one entry of an answer may have: a path and a few marks.
const ENTRY: usize = 64 << 10;

/// What no commit holds, by both kinds of id; git knows these without having them.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// Paths for which some filter is asked for. It would not be run, so the answer would be wrong.
const FILTERED: [&str; 4] = ["ls-files", "-z", "--", ":(exclude,attr:!filter)"];

/// Whether tracked files differ from `head`; none where that cannot be told.
pub(super) fn is_dirty(repository: &Repository, head: &Head) -> Option<bool> {
    let tree = match head {
        Head::Commit(id) => id.as_str(),
        Head::Unborn => EMPTY_TREE,
    };
    let git = Git::new(repository, tree.len())?;
    if git.says(FILTERED, |_| true)? {
        return None;
    }
    let staged = ["diff-index", "--cached", "--name-only", "--no-renames", "--no-ext-diff"];
    let staged = staged.into_iter().chain(["--ignore-submodules=all", "-z", tree, "--"]);
    Some(git.says(staged, |_| true)? || git.says(CHANGED, is_changed)?)
}

/// What our own folder has no commit for, every file, and in the second letter whether the work tree
/// differs. No other command that compares contents does without a lock on the index.
const CHANGED: [&str; 6] = [
    "status",
    "--porcelain",
    "-z",
    "--untracked-files=no",
    "--no-renames",
    "--ignore-submodules=all",
];

fn is_changed(entry: &[u8]) -> bool {
    entry.get(1) != Some(&b' ')
}

/// Git, ready to be asked about one repository.
struct Git<'a> {
    repository: &'a Repository,
    program: PathBuf,
    path: OsString,
    /// The folder of ours that git takes for the repository's.
    folder: PathBuf,
    settings: Vec<String>,
    until: Instant,
}

impl<'a> Git<'a> {
    fn new(repository: &'a Repository, id_length: usize) -> Option<Self> {
        let settings = settings::of(repository)?;
        let index = repository.folder.join("index");
        // Git would wait for ever for whoever writes into a pipe.
        if index.symlink_metadata().is_ok() && !index.is_file() {
            return None;
        }
        let (program, path) = program(&repository.root)?;
        let folder = own_folder(id_length).ok()?;
        let until = Instant::now() + PATIENCE;
        Some(Self { repository, program, path, folder, settings, until })
    }

    /// Whether git's answer to `words` has an entry that counts.
    fn says<'w>(
        &self,
        words: impl IntoIterator<Item = &'w str>,
        counts: fn(&[u8]) -> bool,
    ) -> Option<bool> {
        let mut child = self.command().args(words).spawn().ok()?;
        let found = child.stdout.take().and_then(|stdout| self.find(stdout, counts));
        if found != Some(false) {
            let _ = child.kill();
        }
        let ended_well = child.wait().is_ok_and(|status| status.success());
        found.filter(|found| *found || ended_well)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args([
            "--no-pager",
            "-c",
            "safe.bareRepository=explicit",
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.untrackedCache=false",
        ]);
        for setting in &self.settings {
            command.arg("-c").arg(setting);
        }
        command
            .current_dir(&self.repository.root)
            .env_clear()
            .env("PATH", &self.path)
            .env("LC_ALL", "C")
            .env("GIT_DIR", &self.folder)
            .env("GIT_WORK_TREE", &self.repository.root)
            .env("GIT_INDEX_FILE", self.repository.folder.join("index"))
            .env("GIT_OBJECT_DIRECTORY", self.repository.common.join("objects"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_ALLOW_PROTOCOL", "")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    /// Whether an entry of an answer counts; none when git takes too long.
    fn find(&self, mut stdout: ChildStdout, counts: fn(&[u8]) -> bool) -> Option<bool> {
        let mut text = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).ok()?;
            let ready = poll(&mut [PollFd::new(&stdout.as_fd(), PollFlags::IN)], Some(&left));
            if ready.ok()? == 0 || text.len() > ENTRY {
                return None;
            }
            match stdout.read(&mut piece).ok()? {
                0 => return Some(false),
                length => text.extend_from_slice(&piece[..length]),
            }
            while let Some(end) = text.iter().position(|byte| *byte == 0) {
                if counts(&text[..end]) {
                    return Some(true);
                }
                text.drain(..=end);
            }
        }
    }
}

/// Git and the PATH it may have: nothing of the work tree, and nothing that depends on the folder it
/// is run in.
fn program(root: &Path) -> Option<(PathBuf, OsString)> {
    let real = root.canonicalize().ok()?;
    let all = env::var_os("PATH")?;
    let is_elsewhere = |dir: &PathBuf| {
        dir.is_absolute() && dir.canonicalize().is_ok_and(|dir| !dir.starts_with(&real))
    };
    let dirs: Vec<PathBuf> = env::split_paths(&all).filter(is_elsewhere).collect();
    let git = dirs.iter().map(|dir| dir.join("git")).find(|path| path.is_file())?;
    Some((git, env::join_paths(dirs).ok()?))
}

/// A folder that git takes for a repository's and that holds nothing but our own configuration; one
/// for each kind of id.
fn own_folder(id_length: usize) -> std::io::Result<PathBuf> {
    let (name, config) = if id_length == 64 {
        let config = "[core]\n\trepositoryformatversion = 1\n\tbare = false\n\
                      [extensions]\n\tobjectFormat = sha256\n";
        ("sha256", config)
    } else {
        ("sha1", "[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
    };
    let folder = paths::state_dir().join("git").join(name);
    secure_fs::dir(&folder.join("objects"))?;
    secure_fs::dir(&folder.join("refs"))?;
    for (file, text) in [("config", config), ("HEAD", "ref: refs/heads/none\n")] {
        let path = folder.join(file);
        if secure_fs::text(&path, secure_fs::SMALL).ok().as_deref() != Some(text) {
            secure_fs::replace(&path, text.as_bytes())?;
        }
    }
    Ok(folder)
}
