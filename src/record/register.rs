//! A script that registers itself: a record without captured output.
//!
//! Nobody owns its output, so nobody can write its end but itself (`unregister`). When it dies
//! without a word, readers see from its process that it was killed.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{Folder, seals};
use crate::error::Result;
use crate::os::Identity;
use crate::paths;
use crate::terminal::Terminal;
use crate::time;
use crate::wire::unit::{EndSource, Kind, Status, Unit};

/// What a script says of itself when it registers.
#[derive(Debug, Default)]
pub struct Registration {
    /// The name people use.
    pub name: String,
    /// Such as `dev-script`.
    pub agent_type: String,
    /// Whatever it wants known.
    pub metadata: Map<String, Value>,
    /// The process whose end is the unit's end.
    pub pid: u32,
    /// That process may be stopped, with what descends from it.
    pub offer: bool,
}

/// Makes the record and links it where the daemon looks. The second value is a warning.
pub fn register(registration: Registration) -> Result<(Unit, Folder, Option<crate::error::Error>)> {
    let mut unit = Unit::new(Kind::LocalBash, &registration.name);
    describe_caller(&mut unit);
    unit.agent_type = registration.agent_type;
    unit.metadata = registration.metadata;
    unit.pid = Some(registration.pid);
    unit.process = Identity::of(registration.pid);
    unit.offered = registration.offer;
    unit.status = Status::Running;
    let (folder, warning) = Folder::create(&mut unit)?;
    seals::keep(&folder);
    let linked = folder
        .link_live(&unit.id)
        .map_err(|e| crate::error::Error::io("link", paths::live_dir(), &e));
    Ok((unit, folder, warning.or(linked.err())))
}

/// Writes the end of a unit that registered itself: with `exit_code` when its process is about to end
/// so, which the kernel may belie (see [`super::end`]).
pub fn unregister(folder: &Folder, exit_code: Option<i32>) -> Result<Unit> {
    let mut unit = folder.observe()?;
    if unit.ended_at.is_none() {
        unit.exit_code = exit_code.or(Some(0));
        if exit_code.is_none() {
            // It goes on without being a unit: how its process ends is no affair of ours.
            unit.process = None;
        }
        unit.end = Some(EndSource::Itself);
        unit.status = Status::of_end(unit.exit_code, None);
        if crate::stop::was_requested(folder) {
            unit.status = Status::Killed;
        }
        unit.ended_at = Some(time::now());
        let path = folder.file("run.json");
        folder.save(&unit).map_err(|e| crate::error::Error::io("write", path, &e))?;
    }
    Ok(unit)
}

/// Fills in what every unit tells of the process that starts it.
pub fn describe_caller(unit: &mut Unit) {
    unit.cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    unit.project = paths::current_project();
    unit.owner = paths::user();
    unit.session = paths::session();
    unit.parent = paths::var("IDLERGEAR_RUN_ID").and_then(|id| crate::id::UnitId::parse(&id));
    unit.agent_id = paths::var("IDLERGEAR_AGENT_ID");
    unit.host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    unit.terminal = Terminal::own();
    unit.env_names = env_names();
}

/// Sorted as they come in: one insertion is all the sorting there is.
fn env_names() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        names.insert(names.partition_point(|known| *known < name), name);
    }
    names
}
