//! Which processes are a unit's.
//!
//! While its runner lives, all that descends from it: orphans come to it. When it is gone, or was none
//! of that sort: what descends from the unit's own process, is in a group or session which that led,
//! or carries the unit's id in the environment it was started with. Never a unit of its own.

use std::path::PathBuf;

use super::adopt;
use super::cgroup;
use super::look::{Look, MARK};
use super::others::is_not_older;
use crate::os::{self, Identity, Process};
use crate::record::Folder;
use crate::wire::unit::Unit;

/// In the environment of a runner's own helpers: the runner's pid.
const HELPER: &str = "IDLERGEAR_HELPER_OF";

impl Look {
    /// The pids of all that is `unit`'s but its runner, sorted; whoever may be signalled is not asked
    /// here. Of a unit that has ended: what it left behind.
    pub(super) fn family(&self, unit: &Unit) -> Vec<u32> {
        let runner = unit.runner.as_ref().and_then(|runner| self.processes.find(runner));
        let runner = runner.filter(|runner| is_runner(runner, unit));
        let roots = self.roots(unit, runner);
        let anchor = runner.map(|runner| runner.pid);
        let anchor = anchor.or_else(|| Some(self.own_process(unit)?.pid));
        let loose = self.loose(unit, runner, &roots);
        let apart = self.apart(unit, anchor, &loose);
        let mut found = self.processes.below_but(&roots, &apart);
        found.retain(|pid| !self.is_part_of_runner(*pid, unit));
        found
    }

    /// Where the unit's trees begin.
    fn roots(&self, unit: &Unit, runner: Option<&Process>) -> Vec<u32> {
        let mut roots: Vec<u32> = cgroup::pids_in(unit);
        roots.extend(runner.map(|runner| runner.pid));
        if runner.is_none_or(|runner| runner.name != adopt::name(&unit.id)) {
            roots.extend(self.scattered(unit));
        }
        roots
    }

    /// What can be found of a unit whose orphans came to nobody we know.
    fn scattered(&self, unit: &Unit) -> Vec<u32> {
        let mut roots: Vec<u32> = self.marked(unit.id.as_str()).collect();
        if let Some(process) = &unit.process {
            roots.extend(self.processes.find(process).map(|process| process.pid));
            // Who registered himself may be in a group with others.
            if unit.runner.is_some() && !self.processes.was_replaced(process) {
                roots.extend(self.processes.led_by(&[process.pid]));
            }
        }
        roots
    }

    fn own_process(&self, unit: &Unit) -> Option<&Process> {
        self.processes.find(unit.process.as_ref()?)
    }

    /// Roots of trees that are not the unit's, wherever they hang, and all below them; sorted.
    fn apart(&self, unit: &Unit, anchor: Option<u32>, loose: &[u32]) -> Vec<u32> {
        // Units around this one are no units inside it.
        let above = anchor.map(|anchor| self.processes.above(anchor)).unwrap_or_default();
        let mut apart = self.others.inside(unit);
        apart.extend(self.others.orphans_inside(unit, self));
        apart.extend(loose.iter().filter(|pid| self.bears_another(**pid, unit)));
        apart.extend(self.around.daemon);
        let older = adopt::older(unit);
        apart.extend(older.iter().filter(|one| self.processes.has(one)).map(|one| one.pid));
        apart.extend(loose.iter().filter(|pid| is_helper(**pid)));
        apart.retain(|pid| !above.contains(pid));
        self.processes.below(&apart)
    }

    /// Roots, and children of the runner, that are not the unit's own process: an orphan, a helper, or
    /// what is found by a mark alone.
    fn loose(&self, unit: &Unit, runner: Option<&Process>, roots: &[u32]) -> Vec<u32> {
        let own = unit.process.as_ref().map(|process| process.pid);
        let runner = runner.map(|runner| runner.pid);
        let all = self.processes.all().iter();
        let children = all.filter(|process| Some(process.parent) == runner).map(|child| child.pid);
        let mut loose: Vec<u32> = roots.iter().copied().chain(children).collect();
        loose.retain(|pid| Some(*pid) != own && Some(*pid) != runner);
        loose
    }

    /// Whether `pid` was started by another unit, which lives though its runner is gone and which no
    /// link tells of.
    fn bears_another(&self, pid: u32, unit: &Unit) -> bool {
        let id = os::variable(pid, MARK).filter(|id| id != unit.id.as_str());
        let project = || os::variable(pid, "IDLERGEAR_PROJECT").map(PathBuf::from);
        let folder = id.and_then(|id| Folder::of(&id, project().as_deref()));
        let other = folder.and_then(|folder| folder.load().ok());
        other.is_some_and(|other| {
            !other.status.is_terminal()
                && other.runner.is_some()
                && is_not_older(&other, unit)
                && other.process.as_ref().is_some_and(|process| self.processes.has(process))
        })
    }

    /// The runner and its copies, such as the leader of a terminal's session, and who keeps the output
    /// in its place: they have to see the end. A runner that its command took the place of is the unit's own process.
    fn is_part_of_runner(&self, pid: u32, unit: &Unit) -> bool {
        let is = |one: &Option<Identity>| one.as_ref().is_some_and(|one| one.pid == pid);
        let name = adopt::name(&unit.id);
        let is_named = self.processes.get(pid).is_some_and(|process| process.name == name);
        is_named || [&unit.runner, &unit.keeper].into_iter().any(is) && !is(&unit.process)
    }
}

/// Whether a process that `unit`'s record calls its runner can be one: nobody else's is taken apart
/// because a record says so. What it is called is known on Linux alone.
pub(super) fn is_runner(process: &Process, unit: &Unit) -> bool {
    let name = process.name.as_str();
    process.pid > 1
        && (["", "ig", "ig-agent", "idlergear"].contains(&name)
            || name == adopt::name(&unit.id)
            || unit.process.as_ref().is_some_and(|own| own.pid == process.pid))
}

/// Whether the runner that started `pid` started it for itself: such ends by itself, or is ended by it.
pub(crate) fn is_helper(pid: u32) -> bool {
    let runner = os::parent(pid).map(|runner| runner.to_string());
    runner.is_some() && os::variable(pid, HELPER) == runner
}

/// What a runner gives its helpers, so that they are not taken for its unit's.
pub(crate) fn as_helper(command: &mut std::process::Command) -> &mut std::process::Command {
    command.env(HELPER, std::process::id().to_string())
}
