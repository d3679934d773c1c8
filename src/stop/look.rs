//! One look at everything that a decision needs: all processes, units of their own, and who is never
//! signalled. Taken once for however many units.

use std::cell::OnceCell;
use std::rc::Rc;

use super::others::{self, Others};
use super::spared::Around;
use crate::os::{self, Identity, Processes};
use crate::wire::unit::Unit;

/// The mark in the environment of what a unit started.
pub(super) const MARK: &str = "IDLERGEAR_RUN_ID";

/// How things stood at one moment.
#[derive(Debug)]
pub struct Look {
    pub(super) processes: Processes,
    pub(super) others: Others,
    pub(super) around: Around,
    asker: Option<u32>,
    /// Units whose runner does not tell by its name that it is one.
    recorded: Rc<[Unit]>,
    /// Read only where it is needed: it means opening a file of each process. By pid.
    marks: OnceCell<Vec<(u32, String)>>,
}

impl Look {
    /// Looks now; what is around the process `asker` is spared like what is around us.
    pub fn now(asker: Option<u32>) -> Self {
        let processes = Processes::now();
        let recorded = others::recorded(&processes).into();
        Self::at(processes, recorded, asker)
    }

    /// Looks again. What is started meanwhile tells by its name that it is a unit.
    pub(super) fn again(&self) -> Self {
        Self::at(Processes::now(), self.recorded.clone(), self.asker)
    }

    fn at(processes: Processes, recorded: Rc<[Unit]>, asker: Option<u32>) -> Self {
        let others = Others::at(&processes, &recorded);
        let around = Around::at(&processes, asker);
        Self { processes, others, around, asker, recorded, marks: OnceCell::new() }
    }

    /// Pid and unit of everybody who bears a unit's mark.
    pub(super) fn marks(&self) -> &[(u32, String)] {
        self.marks.get_or_init(|| {
            let living = self.processes.all().iter().filter(|process| !process.zombie);
            let pids: Vec<u32> = living.map(|process| process.pid).collect();
            let marks = os::marks(&pids, MARK);
            pids.into_iter().zip(marks).filter_map(|(pid, mark)| Some((pid, mark?))).collect()
        })
    }

    /// Everybody who bears the mark `id`.
    pub(super) fn marked(&self, id: &str) -> impl Iterator<Item = u32> {
        let is_its = move |(_, mark): &&(u32, String)| mark == id;
        self.marks().iter().filter(is_its).map(|(pid, _)| *pid)
    }

    /// All processes that are `unit`'s, but its runner and ourselves; of one that has ended, those
    /// that it left behind.
    pub fn processes(&self, unit: &Unit) -> Vec<Identity> {
        let own = std::process::id();
        let mut found = self.family(unit);
        found.retain(|pid| *pid != own);
        self.processes.living(&found)
    }
}
