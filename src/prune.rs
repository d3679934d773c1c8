//! Drops the oldest ended runs of a project when they are too many, too old or too large together.
//!
//! Never a live one, whose events are kept within their bound, though: of a script without a runner
//! nobody else may do that. A run whose end nobody was told of yet (its link in `live/` still stands,
//! because no daemon was there) loses its output only, for a day: then it goes too. Two at once are no
//! matter: one of them finds the other's lock and leaves. What went is noted where the next listing
//! tells it.
//!
//! Only what ig itself made on this machine counts and goes ([`crate::secure_fs::made`]), whatever lies
//! beside it: a repository may bring folders that look like runs.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

use crate::config::{self, Files, MAX_AGE_DAYS, MAX_PROJECT_BYTES, MAX_RUNS};
use crate::error::{Error, Result};
use crate::id::UnitId;
use crate::paths::{self, PROJECT_DIR};
use crate::record::events::share::Share;
use crate::record::events::trim::trim_fully;
use crate::record::{Folder, scripts};
use crate::secure_fs::made;
use crate::wire::unit::Unit;
use crate::{os, secure_fs, stop, time};

/// A folder without a record may be about to get one.
const UNBORN: Duration = Duration::from_hours(1);

/// How long an end may wait for somebody who is told of it.
const PATIENCE: Duration = Duration::from_hours(24);

/// Runs without their output that wait for that, in one project, at most.
const MOST_WAITING: usize = 1000;

/// Links of ended runs at most, of all projects: beyond it the oldest go, told of or not.
const MOST_LINKS: usize = 10_000;

/// The file in a run's folder that says that its output was dropped before its end was told.
const DROPPED: &str = "dropped";

/// What stands in the place of the output of the run in `folder`, if that was dropped.
pub fn instead_of_output(folder: &Folder) -> Option<&'static str> {
    let text = "its output was dropped: the runs of its project were too many, too old or too large \
                together (`ig config` shows the bounds)";
    secure_fs::exists(&folder.file(DROPPED)).then_some(text)
}

/// What may stay.
struct Bounds {
    bytes: u64,
    runs: u64,
    age: Option<Duration>,
}

/// One run that may go.
struct Run {
    dir: PathBuf,
    /// When it ended.
    at: SystemTime,
    bytes: u64,
}

/// What was found in the folder of all runs.
#[derive(Default)]
struct Found {
    /// Ended, oldest first.
    ended: Vec<Run>,
    /// Ended, oldest first, and without their output: no runs that count.
    waiting: Vec<Run>,
    runs: u64,
    bytes: u64,
}

/// Drops what is too much in `runs`; unless somebody else is at it.
pub fn prune(runs: &Path) -> Result<()> {
    let path = runs.join(scripts::PRUNED);
    let mut stamp = secure_fs::append(&path).map_err(|e| Error::io("open", &path, &e))?;
    if flock(&stamp, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    let (bounds, share) = Bounds::of(runs);
    trim_events(runs, share);
    let mut found = find(runs);
    let told = drop_told(std::mem::take(&mut found.waiting));
    let old = drop_oldest(found, &bounds);
    let gone = (told.0 + old.0, told.1 + old.1);
    drop_scripts(runs);
    drop_links();
    made::tidy();
    note(runs, &mut stamp, &gone);
    Ok(())
}

impl Bounds {
    fn of(runs: &Path) -> (Self, Option<Share>) {
        let base = runs.parent().filter(|base| base.file_name().is_some_and(|n| n == PROJECT_DIR));
        let project = base.and_then(Path::parent);
        let files = Files::read(project);
        let most = |number: u64| if number == 0 { u64::MAX } else { number };
        let days = files.number(&MAX_AGE_DAYS);
        let bounds = Self {
            bytes: most(files.number(&MAX_PROJECT_BYTES)),
            runs: most(files.number(&MAX_RUNS)),
            age: (days > 0).then(|| Duration::from_secs(days.saturating_mul(86_400))),
        };
        (bounds, Share::of(&config::Bounds::of(project)))
    }
}

/// What scripts logged themselves, of live runs too: nobody else may look after those without a runner.
fn trim_events(runs: &Path, share: Option<Share>) {
    let Some(share) = share else { return };
    for dir in folders(runs) {
        let _ = trim_fully(&dir, &share);
    }
}

fn find(runs: &Path) -> Found {
    let mut found = Found::default();
    for dir in folders(runs) {
        let (bytes, is_stripped) = (size(&dir), secure_fs::exists(&dir.join(DROPPED)));
        let run = ended_at(&dir).map(|at| Run { dir, at, bytes });
        if is_stripped {
            found.waiting.extend(run);
            continue;
        }
        found.runs += 1;
        found.bytes += bytes;
        found.ended.extend(run);
    }
    found.ended.sort_by_key(|run| run.at);
    found.waiting.sort_by_key(|run| run.at);
    found
}

/// Every run in `runs`, whoever made it.
fn all(runs: &Path) -> Vec<PathBuf> {
    let names = secure_fs::list(runs).unwrap_or_default();
    let is_run = |name: &OsStr| name.to_str().and_then(UnitId::parse).is_some();
    names.iter().filter(|name| is_run(name)).map(|name| runs.join(name)).collect()
}

/// Those that ig made here.
fn folders(runs: &Path) -> Vec<PathBuf> {
    all(runs).into_iter().filter(|dir| made::is(dir)).collect()
}

fn size(dir: &Path) -> u64 {
    let names = secure_fs::list(dir).unwrap_or_default();
    let files = names.iter().filter_map(|name| secure_fs::metadata(&dir.join(name)).ok());
    files.map(|meta| meta.len()).sum()
}

/// When the run in `dir` ended; none while anybody of it lives.
fn ended_at(dir: &Path) -> Option<SystemTime> {
    let folder = Folder::at(dir);
    if !secure_fs::exists(&folder.file("run.json")) {
        // Not yet, or what was left when it was dropped.
        let made = secure_fs::metadata(dir).and_then(|meta| meta.modified()).ok()?;
        return made.elapsed().is_ok_and(|age| age > UNBORN).then_some(made);
    }
    let Ok(unit) = folder.observe() else {
        // Damaged: as old as its file.
        let record = secure_fs::metadata(&folder.file("run.json"));
        return record.and_then(|meta| meta.modified()).ok();
    };
    if !unit.status.is_terminal() || lives(&unit) {
        return None;
    }
    time::parse(unit.ended_at.as_deref().unwrap_or(&unit.started_at))
}

fn lives(unit: &Unit) -> bool {
    let processes = [&unit.process, &unit.runner, &unit.keeper];
    processes.into_iter().flatten().any(os::Identity::is_alive)
}

/// Drops the oldest until all bounds hold; returns how much went.
fn drop_oldest(mut found: Found, bounds: &Bounds) -> (u64, u64) {
    let mut gone = (0, 0);
    for run in std::mem::take(&mut found.ended) {
        let age = SystemTime::now().duration_since(run.at).unwrap_or_default();
        let is_old = bounds.age.is_some_and(|most| age > most);
        if !is_old && found.runs <= bounds.runs && found.bytes <= bounds.bytes {
            break;
        }
        let is_waiting = is_untold(&run);
        let went = if is_waiting { strip(&run.dir) } else { remove(&run.dir) };
        if went {
            found.runs -= 1;
            found.bytes -= run.bytes;
            let left = if is_waiting { size(&run.dir) } else { 0 };
            let count = u64::from(!is_waiting);
            gone = (gone.0 + count, gone.1 + run.bytes.saturating_sub(left));
        }
    }
    gone
}

/// Whether a daemon that comes back soon has the end of `run` still to tell.
fn is_untold(run: &Run) -> bool {
    let age = SystemTime::now().duration_since(run.at).unwrap_or_default();
    age < PATIENCE && link_of(&run.dir).is_some()
}

/// The link by which a daemon finds the run in `dir`.
fn link_of(dir: &Path) -> Option<PathBuf> {
    let link = paths::live_dir().join(dir.file_name()?);
    secure_fs::read_link(&link).is_ok_and(|target| target == dir).then_some(link)
}

/// Drops the output of the run in `dir`. What its end is told by stays: the record, who asked for it,
/// and what it said of itself, unless that is a long log.
fn strip(dir: &Path) -> bool {
    const WORDS: u64 = 64 << 10;
    let Ok(Some(run)) = made::Folder::open(dir) else { return false };
    // First of all, so that nobody takes what is missing for never written.
    if secure_fs::append(&dir.join(DROPPED)).is_err() {
        return false;
    }
    let stays = |name: &str, bytes: u64| match name {
        "run.json" | stop::REQUESTED | DROPPED => true,
        "events.log" => bytes <= WORDS,
        _ => false,
    };
    let bytes = |name: &OsStr| secure_fs::metadata(&dir.join(name)).map_or(0, |meta| meta.len());
    let goes = |name: &OsStr| !name.to_str().is_some_and(|text| stays(text, bytes(name)));
    run.remove_files(goes).is_ok()
}

/// Drops what is left of runs whose end was told meanwhile, or waited for too long, or that are too
/// many; returns how much went.
fn drop_told(waiting: Vec<Run>) -> (u64, u64) {
    let spare = waiting.len().saturating_sub(MOST_WAITING);
    let is_done = |(index, run): &(usize, Run)| *index < spare || !is_untold(run);
    let done = waiting.into_iter().enumerate().filter(is_done);
    let gone = done.filter(|(_, run)| remove(&run.dir));
    gone.fold((0, 0), |(runs, bytes), (_, run)| (runs + 1, bytes + run.bytes))
}

/// Where no daemon ever comes, links would add up: those that lead nowhere go, and the oldest of
/// ended runs when there are too many.
fn drop_links() {
    let made = |link: &Path| secure_fs::metadata(link).and_then(|meta| meta.modified()).ok();
    let mut links: Vec<_> =
        all(&paths::live_dir()).into_iter().map(|link| (made(&link), link)).collect();
    let target = |link: &Path| secure_fs::read_link(link);
    let is_lost = |dir: PathBuf| {
        secure_fs::metadata(&dir).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    links.retain(|(_, link)| {
        !(target(link).is_ok_and(is_lost) && secure_fs::remove_file(link).is_ok())
    });
    links.sort();
    let spare = links.len().saturating_sub(MOST_LINKS);
    let ended = |link: &Path| target(link).is_ok_and(|dir| ended_at(&dir).is_some());
    for (_, link) in links.into_iter().take(spare).filter(|(_, link)| ended(link)) {
        let _ = secure_fs::remove_file(&link);
    }
}

/// Removes the run in `dir`, with its link; false when it stays, or is none that ig made.
pub fn remove(dir: &Path) -> bool {
    let Ok(Some(run)) = made::Folder::open(dir) else { return false };
    if let Ok(unit) = Folder::at(dir).load() {
        stop::cgroup::remove(&unit);
    }
    if let Some(link) = link_of(dir) {
        let _ = secure_fs::remove_file(&link);
    }
    run.remove().is_ok()
}

/// Drops kept scripts that no record names. A run that begins meanwhile has written its record before
/// it looks for its script: so they are set aside, and what is named now comes back.
pub fn drop_scripts(runs: &Path) {
    let dir = runs.with_file_name("scripts");
    let used = hashes(runs);
    let mut aside = Vec::new();
    for name in secure_fs::list(&dir).unwrap_or_default() {
        let Some(name) = name.to_str().map(str::to_owned) else { continue };
        let hash = name.strip_prefix('-').unwrap_or(&name).to_owned();
        let unused = scripts::is_hash(&hash) && !used.contains(&hash);
        let path = dir.join(&name);
        let is_ours = || made::is_called(&path, &hash);
        if unused && is_ours() && secure_fs::rename(&path, &dir.join(format!("-{hash}"))).is_ok() {
            aside.push(hash);
        }
    }
    let used = if aside.is_empty() { used } else { hashes(runs) };
    for hash in aside {
        let path = dir.join(format!("-{hash}"));
        let _ = if used.contains(&hash) {
            secure_fs::rename(&path, &dir.join(hash)).map(|()| true)
        } else {
            made::remove_file(&path, &hash)
        };
    }
}

/// How many runs in `runs` ig did not make here: they came with the project, or from another machine.
pub fn strangers(runs: &Path) -> usize {
    let has_record = |dir: &PathBuf| secure_fs::exists(&dir.join("run.json"));
    all(runs).into_iter().filter(|dir| !made::is(dir)).filter(has_record).count()
}

/// The scripts of all records that are there.
fn hashes(runs: &Path) -> HashSet<String> {
    let units = all(runs).into_iter().filter_map(|dir| Folder::at(dir).load().ok());
    units.map(|unit| unit.script.sha256).collect()
}

/// Adds to the tally, and says that it was done now.
fn note(runs: &Path, stamp: &mut File, gone: &(u64, u64)) {
    let before = dropped(runs);
    let text = json!({"runs": before.0 + gone.0, "bytes": before.1 + gone.1}).to_string();
    let _ = stamp.set_len(0).and_then(|()| stamp.write_all(text.as_bytes()));
}

fn tally(text: &[u8]) -> Option<(u64, u64)> {
    let value: Value = serde_json::from_slice(text).ok()?;
    Some((value.get("runs")?.as_u64()?, value.get("bytes")?.as_u64()?))
}

/// Runs and bytes that were dropped from `runs` so far.
pub fn dropped(runs: &Path) -> (u64, u64) {
    let mut text = Vec::new();
    let file = secure_fs::open(&runs.join(scripts::PRUNED));
    let read = file.and_then(|file| file.take(4096).read_to_end(&mut text));
    read.ok().and_then(|_| tally(&text)).unwrap_or_default()
}
