//! Units of their own: what was started by ig inside a unit is no part of it.
//!
//! A runner that lives says by its name whose it is. One that does not (of an older version, on
//! another system, or killed) is known by the record of its unit, which is linked under `live/`.

use super::adopt;
use super::look::Look;
use crate::id::UnitId;
use crate::os::Processes;
use crate::record::Folder;
use crate::wire::unit::Unit;
use crate::{paths, secure_fs};

/// Units that are live, by what can be seen of them.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Which process is the root of which unit's tree, and when it started.
    roots: Vec<(UnitId, u32, u64)>,
    /// Units whose runner was killed while their own process lives.
    lost: Vec<Unit>,
}

impl Others {
    pub(super) fn at(processes: &Processes, recorded: &[Unit]) -> Self {
        let mut found = Self::default();
        for process in processes.all().iter().filter(|process| !process.zombie) {
            let id = adopt::kept_by(&process.name);
            found.roots.extend(id.map(|id| (id, process.pid, process.start)));
        }
        for unit in recorded {
            found.add(unit, processes);
        }
        found
    }

    fn add(&mut self, unit: &Unit, processes: &Processes) {
        let find = |identity| processes.find(identity);
        let runner = unit.runner.as_ref().and_then(find);
        if let Some(root) = runner.or_else(|| unit.process.as_ref().and_then(find)) {
            self.roots.push((unit.id.clone(), root.pid, root.start));
            if runner.is_none() {
                self.lost.push(unit.clone());
            }
        }
    }

    /// The roots of units that may be inside `unit`: those that are not older.
    pub(super) fn inside(&self, unit: &Unit) -> Vec<u32> {
        let since = since(unit);
        let may_be = |(id, _, start): &&(UnitId, u32, u64)| *id != unit.id && *start >= since;
        self.roots.iter().filter(may_be).map(|(_, pid, _)| *pid).collect()
    }

    /// Orphans of units inside `unit` whose runner is gone: they may have come to its own.
    pub(super) fn orphans_inside(&self, unit: &Unit, look: &Look) -> Vec<u32> {
        let inside = |lost: &&Unit| lost.id != unit.id && is_not_older(lost, unit);
        let mut found = Vec::new();
        for lost in self.lost.iter().filter(inside) {
            found.extend(look.marked(lost.id.as_str()));
            let process = lost.process.as_ref();
            if let Some(own) = process.filter(|own| !look.processes.was_replaced(own)) {
                found.extend(look.processes.led_by(&[own.pid]));
            }
        }
        found
    }
}

/// Whether `other` may have been started inside `unit`.
pub(super) fn is_not_older(other: &Unit, unit: &Unit) -> bool {
    since(other) >= since(unit)
}

/// When the kernel started what keeps `unit`: whatever is inside started later.
fn since(unit: &Unit) -> u64 {
    let first = unit.runner.as_ref().or(unit.process.as_ref());
    first.map_or(0, |first| first.start)
}

/// The records of units that may be live and whose runner does not say so itself. One that cannot be
/// read says nothing.
pub(super) fn recorded(processes: &Processes) -> Vec<Unit> {
    let kept = |id: &UnitId| {
        let name = adopt::name(id);
        processes.all().iter().any(|process| process.name == name)
    };
    let links = secure_fs::list(&paths::live_dir()).unwrap_or_default().into_iter();
    let ids = links.filter_map(|name| UnitId::parse(name.to_str()?));
    let folders = ids.filter(|id| !kept(id)).filter_map(|id| Folder::of(id.as_str(), None));
    let units = folders.filter_map(|folder| folder.load().ok());
    units.filter(|unit| unit.runner.is_some() && !unit.status.is_terminal()).collect()
}
