//! What units that have ended left behind: it was started with the id of a unit whose record says that
//! it has ended, or is in the cgroup made for that unit; and it is no live unit's.

use std::path::PathBuf;

use super::look::Look;
use super::spared::Why;
use crate::os::{self, Identity};
use crate::paths;
use crate::record::{Folder, scope};
use crate::wire::unit::Unit;

/// A process that outlived its unit.
#[derive(Debug)]
pub struct Leftover {
    /// Which.
    pub process: Identity,
    /// The unit, which has ended.
    pub unit: Unit,
    /// Why it may not be ended.
    pub spared: Option<Why>,
}

/// Everything that units of this project, or of all, left behind.
pub fn leftovers(everywhere: bool) -> Vec<Leftover> {
    let look = Look::now(None);
    let mut found: Vec<Leftover> = Vec::new();
    for unit in ended(&look, everywhere) {
        for process in look.processes(&unit) {
            if !found.iter().any(|known| known.process == process) {
                let spared = look.spares(process.pid);
                found.push(Leftover { process, unit: unit.clone(), spared });
            }
        }
    }
    found.sort_by_key(|leftover| leftover.process.pid);
    found
}

/// Units that have ended and of which something may be left.
fn ended(look: &Look, everywhere: bool) -> Vec<Unit> {
    let here = paths::current_project();
    let mut units: Vec<Unit> = Vec::new();
    for (pid, id) in look.marks() {
        if units.iter().any(|unit| unit.id.as_str() == id) {
            continue;
        }
        let project = os::variable(*pid, "IDLERGEAR_PROJECT").map(PathBuf::from);
        if !everywhere && project != here {
            continue;
        }
        let folder = Folder::of(id, project.as_deref());
        let unit = folder.and_then(|folder| folder.observe().ok());
        units.extend(unit.filter(|unit| unit.status.is_terminal() && unit.id.as_str() == id));
    }
    let recorded = if everywhere { scope::everywhere() } else { scope::here() };
    let confined = recorded.into_iter().filter(|unit| {
        unit.status.is_terminal()
            && !units.iter().any(|known| known.id == unit.id)
            && !super::cgroup::pids_in(unit).is_empty()
    });
    let confined: Vec<Unit> = confined.collect();
    units.extend(confined);
    units
}
