//! Settings: what each is called, what it is when nobody says, and where it is said.
//!
//! ```text
//! flag > environment > .idlergear/config.toml > $XDG_CONFIG_HOME/idlergear/config.toml > default
//! ```
//!
//! A project's file counts once it is trusted, and never for what picks programs. The runner reads
//! the files itself, line by line ([`line`]): a TOML parser would be a sixth of `ig-agent`. `check`
//! is the strict half of it: it refuses what the runner would not understand the same way.

#[cfg(feature = "full")]
pub mod check;
pub mod line;

use std::path::{Path, PathBuf};

use crate::{paths, secure_fs, trust};

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// `table.key`.
    pub name: &'static str,
    /// The variable that sets it too.
    pub variable: &'static str,
    /// What it is when nobody says.
    pub default: &'static str,
    /// Whether a project may set it: not what picks programs.
    pub by_project: bool,
}

const fn key(name: &'static str, variable: &'static str, default: &'static str) -> Key {
    Key { name, variable, default, by_project: true }
}

/// Bytes of output that one run keeps, and as events a quarter of that beside them. 256 MiB is a day of
/// a chatty server, and grep reads it in a tenth of a second; 0 is no bound.
pub const MAX_RUN_BYTES: Key =
    key("logs.max_run_bytes", "IDLERGEAR_LOGS_MAX_RUN_BYTES", "268435456");
/// Bytes of those that are kept from the beginning, where a run says what it is and the first error
/// stands; half of the whole at most.
pub const HEAD_BYTES: Key = key("logs.head_bytes", "IDLERGEAR_LOGS_HEAD_BYTES", "67108864");
/// Bytes of all runs of a project together: 16 full logs, or years of usual ones. The oldest go first.
pub const MAX_PROJECT_BYTES: Key =
    key("logs.max_project_bytes", "IDLERGEAR_LOGS_MAX_PROJECT_BYTES", "4294967296");
/// Runs of a project: a listing of so many is still shown at once.
pub const MAX_RUNS: Key = key("logs.max_runs", "IDLERGEAR_LOGS_MAX_RUNS", "1000");
/// Days that an ended run is kept: what nobody looked at in a month nobody misses.
pub const MAX_AGE_DAYS: Key = key("logs.max_age_days", "IDLERGEAR_LOGS_MAX_AGE_DAYS", "30");
/// Bytes of the disk that logs leave free, or 2 % of it where that is less; 0 is no floor.
pub const MIN_FREE_BYTES: Key =
    key("logs.min_free_bytes", "IDLERGEAR_LOGS_MIN_FREE_BYTES", "536870912");
/// The shell that runs a command given as one string. It picks a program: from the user's own file.
pub const SHELL_PATH: Key =
    Key { by_project: false, ..key("processes.execution.shell_path", "IDLERGEAR_SHELL", "bash") };
/// Lines around the output of `ig run`: `auto` (when stderr is a terminal), `always`, `never`.
pub const BANNER: Key = key("run.banner", "IDLERGEAR_BANNER", "auto");

/// Whether secrets are masked where logs are shown. Showing them moves data: the user's own choice.
pub const MASK: Key = Key { by_project: false, ..key("logs.mask", "IDLERGEAR_LOGS_MASK", "true") };
/// Values that are always masked, with white space between them.
pub const SECRETS: Key =
    Key { by_project: false, ..key("logs.secrets", "IDLERGEAR_LOGS_SECRETS", "") };
/// Whether ends that are told show up on the desktop. The desk is the user's, not a project's.
pub const DESKTOP: Key =
    Key { by_project: false, ..key("alerts.desktop", "IDLERGEAR_ALERTS_DESKTOP", "false") };
/// Whether they ring in the terminal from which the unit was started.
pub const BELL: Key =
    Key { by_project: false, ..key("alerts.bell", "IDLERGEAR_ALERTS_BELL", "false") };

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A variable.
    Environment,
    /// The project's file.
    Project,
    /// The user's file.
    User,
}

/// What the files say.
#[derive(Debug, Default)]
pub struct Files {
    project: Option<String>,
    user: Option<String>,
}

/// The project's file.
pub fn project_file(project: &Path) -> PathBuf {
    project.join(paths::PROJECT_DIR).join("config.toml")
}

/// The user's file.
pub fn user_file() -> Option<PathBuf> {
    paths::user_config_dir().map(|dir| dir.join("config.toml"))
}

impl Files {
    /// The files that count in `project`: its own only as it was trusted.
    pub fn read(project: Option<&Path>) -> Self {
        let trusted = project.and_then(|root| trust::read(&project_file(root), root));
        let user = user_file().and_then(|file| secure_fs::input(&file, secure_fs::SMALL).ok());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        Self { project: trusted.and_then(text), user: user.and_then(text) }
    }

    /// Who set `key`, and to what; none when nobody did.
    pub fn find(&self, key: &Key) -> Option<(String, Origin)> {
        if let Some(value) = paths::var(key.variable) {
            return Some((value, Origin::Environment));
        }
        let said =
            |text: &Option<String>| line::find(text.as_deref()?, key.name).map(str::to_owned);
        let project = said(&self.project).filter(|_| key.by_project);
        let user = || said(&self.user).map(|value| (value, Origin::User));
        project.map(|value| (value, Origin::Project)).or_else(user)
    }

    /// The value of `key`, whoever set it.
    pub fn value(&self, key: &Key) -> String {
        self.find(key).map_or_else(|| key.default.to_owned(), |(value, _)| value)
    }

    /// The same as a number; what is none counts as not set.
    pub fn number(&self, key: &Key) -> u64 {
        let number = |text: &str| line::number(text);
        number(&self.value(key)).or_else(|| number(key.default)).unwrap_or_default()
    }

    /// The same as a switch: a variable may be `1` and `0` too.
    #[cfg(feature = "full")]
    pub fn is_on(&self, key: &Key) -> bool {
        !matches!(self.value(key).as_str(), "false" | "0" | "no" | "off")
    }
}

/// Bounds of one run's log, bytes; 0 is none.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How much is kept in all.
    pub max_run_bytes: u64,
    /// How much of that from the beginning.
    pub head_bytes: u64,
    /// How much of the disk stays free.
    pub min_free_bytes: u64,
}

impl Bounds {
    /// Bounds smaller than this would be less than the pieces that output comes in.
    pub const LEAST: u64 = 1 << 20;

    /// What counts in `project`.
    pub fn of(project: Option<&Path>) -> Self {
        let files = Files::read(project);
        let most = files.number(&MAX_RUN_BYTES);
        Self {
            max_run_bytes: if most == 0 { 0 } else { most.max(Self::LEAST) },
            head_bytes: files.number(&HEAD_BYTES),
            min_free_bytes: files.number(&MIN_FREE_BYTES),
        }
    }
}

/// The shell that runs a command given as one string.
pub fn shell() -> String {
    Files::read(None).value(&SHELL_PATH)
}
