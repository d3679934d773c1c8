//! The durable record of a unit: one folder with `run.json`, its output and its events.
//!
//! Files are the truth: everything here works without a daemon. The runner writes output and
//! `run.json`; whoever logs appends to `events.log`; everybody else reads. What people ask of a live unit stands in small files of
//! its own: `stop`, `alerts`.

#[cfg(feature = "full")]
pub mod alerts;
mod chunks;
pub mod end;
pub mod events;
pub mod gap;
pub mod index;
pub mod lookup;
#[cfg(feature = "full")]
pub mod now;
pub mod output;
pub(crate) mod pieces;
pub mod register;
pub mod scope;
pub mod scripts;
pub mod seals;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::id::UnitId;
use crate::wire::read;
#[cfg(feature = "full")]
use crate::wire::unit::Kind;
use crate::wire::unit::{EndSource, Status, Unit};
use crate::{paths, secure_fs};

/// Bytes of a record at most: it holds no output.
const LARGEST: u64 = secure_fs::SMALL;

/// A unit's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the record of `unit`: in its project, or where the user's own state lives when the
    /// project cannot be written to. Returns what could not be done as a warning.
    pub fn create(unit: &mut Unit) -> Result<(Self, Option<Error>)> {
        let wanted = paths::runs_dir(unit.project.as_deref()).join(unit.id.as_str());
        // A project that is not there is not made up.
        let there = unit.project.as_ref().is_none_or(|root| root.is_dir());
        let made =
            if there { Self::begin(&wanted, unit) } else { Err(io::ErrorKind::NotFound.into()) };
        match made {
            Ok(folder) => Ok((folder, None)),
            Err(cause) => {
                let warning = not_made(&wanted, &cause);
                let second = paths::runs_dir(None).join(unit.id.as_str());
                let folder =
                    Self::begin(&second, unit).map_err(|e| Error::io("make", &second, &e))?;
                let place = format!("its record is in {}", second.display());
                Ok((folder, Some(warning.at(place))))
            }
        }
    }

    /// A new folder at `path` with what there is to say of `unit`; on a full disk, neither.
    fn begin(path: &Path, unit: &mut Unit) -> io::Result<Self> {
        make(path)?;
        let folder = Self(path.to_path_buf());
        unit.logs.events = Some(folder.events());
        let saved = folder.save(unit);
        if saved.is_err() {
            let _ = secure_fs::remove_empty_dir(path);
        }
        saved.map(|()| folder)
    }

    /// The folder at `path`, whatever is in it.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder of the unit `id`: in `project`, in the user's state, or wherever its live link leads.
    pub fn of(id: &str, project: Option<&Path>) -> Option<Self> {
        let id = UnitId::parse(id)?;
        let runs = [project, None].map(|root| paths::runs_dir(root).join(id.as_str()));
        let live = Self::linked(&id).map(|folder| folder.0);
        runs.into_iter().chain(live).find(|dir| secure_fs::is_dir(dir)).map(Self)
    }

    /// The folder that the live link of `id` leads to, whatever stands there now.
    pub fn linked(id: &UnitId) -> Option<Self> {
        let target = secure_fs::read_link(&paths::live_dir().join(id.as_str())).ok()?;
        let is_its = target.is_absolute() && target.file_name() == Some(id.as_str().as_ref());
        is_its.then_some(Self(target))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file called `name` in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What the script logged.
    pub fn events(&self) -> PathBuf {
        self.file("events.log")
    }

    /// Replaces `run.json` in one step. Where no second file has room, it is written over: how a
    /// command ended is known, whatever it filled the disk with.
    pub fn save(&self, unit: &Unit) -> io::Result<()> {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        let path = self.file("run.json");
        let saved = secure_fs::replace(&path, json(unit)?.as_bytes());
        match saved.map_err(|error| (error.kind(), error)) {
            Err((StorageFull | QuotaExceeded, _)) => {
                secure_fs::write_over(&path, &serde_json::to_vec(unit).map_err(io::Error::other)?)
            }
            other => other.map_err(|(_, error)| error),
        }
    }

    /// The record as it was written last.
    pub fn load(&self) -> Result<Unit> {
        let path = self.file("run.json");
        let text = secure_fs::read(&path, LARGEST).map_err(|e| Error::io("read", &path, &e))?;
        let mut unit = read::json(&text)
            .and_then(Unit::try_from)
            .and_then(|unit| self.check(unit))
            .map_err(|e| Error::new(format!("the record is damaged: {e}")).at(path.display()))?;
        self.take_in(&mut unit);
        end::apply(self, &mut unit);
        #[cfg(feature = "full")]
        if let Some(alerts) = alerts::chosen(self) {
            unit.terms.alerts = alerts;
        }
        Ok(unit)
    }

    /// A record is read as if a stranger wrote it: it may have come with a repository.
    fn check(&self, mut unit: Unit) -> Result<Unit, String> {
        if self.id().is_some_and(|id| id != unit.id) {
            return Err(format!("it is that of {}", unit.id));
        }
        if !scripts::is_hash(&unit.script.sha256) {
            unit.script.sha256.clear();
        }
        // Whoever is in it may be ended with the unit: so it counts only where ig wrote it.
        if let Some(limits) = unit.metadata.get_mut("limits").and_then(Value::as_object_mut)
            && limits.contains_key("cgroup")
            && !secure_fs::made::is(&self.0)
        {
            limits.remove("cgroup");
        }
        Ok(unit)
    }

    fn id(&self) -> Option<UnitId> {
        self.0.file_name().and_then(|name| UnitId::parse(name.to_str()?))
    }

    /// The logs are beside the record, wherever its project was moved since, and called as ig calls
    /// them, whatever the record says.
    pub(crate) fn take_in(&self, unit: &mut Unit) {
        let logs = &mut unit.logs;
        for (log, name) in [
            (&mut logs.output, "output.log"),
            (&mut logs.stdout, "stdout.log"),
            (&mut logs.stderr, "stderr.log"),
            (&mut logs.events, "events.log"),
        ] {
            *log = log.is_some().then(|| self.0.join(name));
        }
    }

    /// What can be told of a run whose record cannot be read: none when it has no record at all.
    #[cfg(feature = "full")]
    fn damaged(&self, why: &Error) -> Option<Unit> {
        let record = secure_fs::metadata(&self.file("run.json")).ok()?;
        let id = self.id()?;
        let kind = Kind::ALL.into_iter().find(|kind| id.as_str().starts_with(kind.letter()));
        let mut unit = Unit::new(kind?, id.as_str());
        unit.id = id;
        unit.status = Status::Unknown;
        unit.end = Some(EndSource::Unknown);
        unit.started_at =
            record.modified().map_or_else(|_| crate::time::now(), crate::time::rfc3339);
        unit.ended_at = Some(unit.started_at.clone());
        why.what().clone_into(&mut unit.description);
        let there = |name: &str| {
            let path = self.file(name);
            secure_fs::exists(&path).then_some(path)
        };
        unit.logs.output = there("output.log");
        unit.logs.stdout = there("stdout.log");
        unit.logs.stderr = there("stderr.log");
        unit.logs.events = Some(self.events());
        Some(unit)
    }

    /// The unit as it stands now; where its record is damaged, what can be told without it.
    #[cfg(feature = "full")]
    pub fn observe_any(&self) -> Result<Unit> {
        self.observe().or_else(|error| self.damaged(&error).ok_or(error))
    }

    /// `ig-agent` does without.
    #[cfg(not(feature = "full"))]
    pub(crate) fn observe_any(&self) -> Result<Unit> {
        self.observe()
    }

    /// The unit as it stands now: the record, its process, and what the script said of itself.
    pub fn observe(&self) -> Result<Unit> {
        let mut unit = self.load()?;
        let mut lives = unit.status.is_terminal() || is_alive(&unit);
        if !lives {
            // Looked at after the processes: the last thing a runner does is to write it.
            unit = self.load()?;
            lives = unit.status.is_terminal();
        }
        events::apply(&self.events(), &mut unit);
        note_lost_runner(&mut unit);
        if !lives {
            unit.status = Status::Killed;
            unit.end = Some(EndSource::Unknown);
            unit.ended_at.get_or_insert_with(|| self.last_sign_of_life());
        }
        Ok(unit)
    }

    /// When its files were last written: the best guess at the end of a unit nobody could record.
    fn last_sign_of_life(&self) -> String {
        let modified = |path: PathBuf| secure_fs::metadata(&path).and_then(|m| m.modified()).ok();
        let names = ["run.json", "events.log", "output.log", "stdout.log", "stderr.log"];
        let latest = names.iter().filter_map(|name| modified(self.file(name))).max();
        latest.map_or_else(crate::time::now, crate::time::rfc3339)
    }

    /// Links the folder under `live/`, where the daemon finds it, now or after its return.
    pub fn link_live(&self, id: &UnitId) -> io::Result<()> {
        let dir = paths::live_dir();
        secure_fs::dir(&dir)?;
        let link = dir.join(id.as_str());
        if secure_fs::read_link(&link).is_ok_and(|target| target != self.0) {
            // It was elsewhere before.
            secure_fs::remove_file(&link)?;
        }
        match secure_fs::link(&self.0, &link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }
}

/// `unit` as JSON for people and programs: the contents of `run.json`.
pub fn json(unit: &Unit) -> io::Result<String> {
    let text = serde_json::to_string_pretty(unit).map_err(io::Error::other)?;
    Ok(text + "\n")
}

/// A new folder. The folder of all runs keeps itself out of git, also where `ig init` never was.
fn make(dir: &Path) -> io::Result<()> {
    let runs = dir.parent().unwrap_or(dir);
    if !secure_fs::is_dir(runs) {
        secure_fs::dir(runs)?;
        secure_fs::replace(&runs.join(".gitignore"), b"*\n")?;
    }
    secure_fs::new_dir(dir)?;
    // What is not noted as made here is never deleted either: no reason not to run.
    let _ = secure_fs::made::note(dir);
    Ok(())
}

/// The mark in a unit's metadata that its runner was killed.
pub const RUNNER_LOST: &str = "runner_lost";

/// Marks `unit`, whose end nobody has told, when its runner is gone.
pub fn note_lost_runner(unit: &mut Unit) {
    let is_open = !unit.status.is_terminal() && !unit.metadata.contains_key("by_hand");
    let runner = unit.runner.as_ref().filter(|_| is_open);
    if runner.is_some_and(|runner| !runner.is_alive()) {
        unit.metadata.insert(RUNNER_LOST.to_owned(), true.into());
    }
}

/// Why there is no folder at `wanted`: the folder of all runs may be a link that nobody accepted.
fn not_made(wanted: &Path, cause: &io::Error) -> Error {
    let runs = wanted.parent().unwrap_or(wanted);
    if !runs.is_symlink() {
        return Error::io("make", wanted, cause);
    }
    let what = format!("`{}` is a link that nobody has accepted", runs.display());
    Error::new(what).next("ig trust, at a terminal, or replace it by a folder")
}

/// Whether the unit's own process lives, or its runner, which has the end to tell or a new start
/// ahead, or who has to tell it in place of a runner that was killed; or it is a run by hand, which
/// needs no process to be there.
pub fn is_alive(unit: &Unit) -> bool {
    let processes = [&unit.process, &unit.runner, &unit.keeper];
    processes.into_iter().flatten().any(crate::os::Identity::is_alive) || waits_for_a_hand(unit)
}

/// How a run by hand (`ig run register`) is marked in its metadata: with the boot it belongs to.
pub const BY_HAND: &str = "by_hand";

/// Whether it is a run whose steps are done by hand. Between them no process of it need be alive, and
/// the shell that registered it says nothing: an agent's lives for one command. So it is there until
/// somebody completes it, or the machine is started anew.
pub fn waits_for_a_hand(unit: &Unit) -> bool {
    let boot = unit.metadata.get(BY_HAND).and_then(serde_json::Value::as_str);
    boot.is_some_and(|boot| !unit.status.is_terminal() && boot == crate::os::boot())
}

fn is_id(name: &std::ffi::OsStr) -> bool {
    name.to_str().and_then(UnitId::parse).is_some()
}

/// Every unit in `dir`, a folder of records or of links to them, as it stands now.
pub fn list(dir: &Path) -> Vec<Unit> {
    let mut units = Vec::new();
    let Ok(names) = secure_fs::list(dir) else { return units };
    for name in names.iter().filter(|name| is_id(name)) {
        units.extend(Folder::at(dir.join(name)).observe_any());
    }
    units
}

/// By start, then by id, so that listings never jump about.
pub fn sort(units: &mut [Unit]) {
    units.sort_by(|a, b| (&a.started_at, &a.id).cmp(&(&b.started_at, &b.id)));
}

/// Where a unit's folder is: its logs know, else its project does.
pub fn folder_of(unit: &Unit) -> Folder {
    let named = unit.logs.events.as_deref().and_then(Path::parent);
    named.map_or_else(
        || Folder(paths::runs_dir(unit.project.as_deref()).join(unit.id.as_str())),
        Folder::at,
    )
}
