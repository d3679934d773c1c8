//! One look at all processes, and what it tells: who lives, who descends from whom.
//!
//! A look is taken once and asked often: for hundreds of units it costs as much as for one.

use super::{Identity, Process, here};

/// All processes as they were at one moment.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    /// By pid.
    all: Vec<Process>,
    /// Parent and child, by parent.
    children: Vec<(u32, u32)>,
    boot: String,
}

impl Processes {
    /// Looks now.
    pub fn now() -> Self {
        Self::of(here::processes(), here::boot_id())
    }

    pub(super) fn of(mut all: Vec<Process>, boot: String) -> Self {
        all.sort_unstable_by_key(|process| process.pid);
        let mut children: Vec<(u32, u32)> = all.iter().map(|p| (p.parent, p.pid)).collect();
        children.sort_unstable();
        Self { all, children, boot }
    }

    /// The process that had `pid`, a zombie too.
    pub(crate) fn get(&self, pid: u32) -> Option<&Process> {
        let at = self.all.binary_search_by_key(&pid, |process| process.pid).ok()?;
        self.all.get(at)
    }

    pub(crate) fn all(&self) -> &[Process] {
        &self.all
    }

    /// The very process that `identity` names, unless it is gone or a zombie.
    pub(crate) fn find(&self, identity: &Identity) -> Option<&Process> {
        let process = self.get(identity.pid).filter(|process| !process.zombie)?;
        (process.start == identity.start && self.boot == identity.boot).then_some(process)
    }

    /// Whether it lived at that moment. A zombie does not.
    pub fn has(&self, identity: &Identity) -> bool {
        self.find(identity).is_some()
    }

    /// Whether the pid of `identity` was another's by then, or its boot is over.
    pub fn was_replaced(&self, identity: &Identity) -> bool {
        self.boot != identity.boot
            || self.get(identity.pid).is_some_and(|process| process.start != identity.start)
    }

    pub(crate) fn identity(&self, process: &Process) -> Identity {
        Identity { pid: process.pid, start: process.start, boot: self.boot.clone() }
    }

    fn children(&self, parent: u32) -> impl Iterator<Item = u32> {
        let from = self.children.partition_point(|(known, _)| *known < parent);
        self.children[from..].iter().take_while(move |(p, _)| *p == parent).map(|(_, child)| *child)
    }

    /// `roots` and all that descend from them, sorted.
    pub fn below(&self, roots: &[u32]) -> Vec<u32> {
        self.below_but(roots, &[])
    }

    /// `roots` and all that descend from them, but not `without`, which is sorted, and not what
    /// descends from that. Sorted.
    pub fn below_but(&self, roots: &[u32], without: &[u32]) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::new();
        let mut ahead = roots.to_vec();
        while let Some(pid) = ahead.pop() {
            if without.binary_search(&pid).is_ok() {
                continue;
            }
            if let Err(at) = found.binary_search(&pid) {
                found.insert(at, pid);
                ahead.extend(self.children(pid));
            }
        }
        found
    }

    /// `pid` and its ancestors, the nearest first.
    pub fn above(&self, pid: u32) -> Vec<u32> {
        let mut found = vec![pid];
        while let Some(process) = found.last().and_then(|pid| self.get(*pid)) {
            if process.parent == 0 || found.contains(&process.parent) {
                break;
            }
            found.push(process.parent);
        }
        found
    }

    /// Who is in a group or session that one of `leaders` leads or led.
    pub fn led_by(&self, leaders: &[u32]) -> Vec<u32> {
        let is_in = |p: &&Process| [p.group, p.session].iter().any(|id| leaders.contains(id));
        self.all.iter().filter(is_in).map(|process| process.pid).collect()
    }

    /// Those of `pids` that lived, without zombies.
    pub fn living(&self, pids: &[u32]) -> Vec<Identity> {
        let processes = pids.iter().filter_map(|pid| self.get(*pid));
        processes.filter(|process| !process.zombie).map(|p| self.identity(p)).collect()
    }

    /// `root` and its descendants, and whoever is in the group or session that `root` leads.
    ///
    /// Reparented processes are found by group and session, which they keep unless they leave on
    /// purpose.
    pub fn tree(&self, root: u32) -> Vec<Identity> {
        let mut roots = self.led_by(&[root]);
        roots.push(root);
        self.living(&self.below(&roots))
    }

    /// What `pids` used together.
    #[cfg(feature = "full")]
    pub fn usage(&self, pids: &[u32]) -> super::Usage {
        let used = pids.iter().filter_map(|pid| self.get(*pid)).map(here::usage);
        used.fold(super::Usage::default(), |sum, one| super::Usage {
            cpu_ms: sum.cpu_ms + one.cpu_ms,
            memory: sum.memory + one.memory,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32, session: u32) -> Process {
        Process {
            pid,
            parent,
            group: session,
            session,
            start: u64::from(pid),
            ..Process::default()
        }
    }

    fn family() -> Processes {
        let all = vec![
            process(9, 4, 9),
            process(1, 0, 1),
            process(2, 1, 2),
            process(3, 2, 2),
            process(4, 3, 4),
            process(7, 1, 2),
        ];
        Processes::of(all, "b".into())
    }

    #[test]
    fn descendants_and_ancestors_are_found() {
        let family = family();
        assert_eq!(family.below(&[2]), [2, 3, 4, 9]);
        assert_eq!(family.below_but(&[2], &[4]), [2, 3]);
        assert_eq!(family.above(9), [9, 4, 3, 2, 1]);
        assert_eq!(family.led_by(&[2]), [2, 3, 7]);
        let tree: Vec<u32> = family.tree(2).iter().map(|one| one.pid).collect();
        assert_eq!(tree, [2, 3, 4, 7, 9], "also who left, but for the session");
    }

    #[test]
    fn a_circle_ends() {
        let looped = Processes::of(vec![process(2, 3, 2), process(3, 2, 2)], "b".into());
        assert_eq!(looped.above(2), [2, 3]);
        assert_eq!(looped.below(&[2]), [2, 3]);
    }

    #[test]
    fn an_identity_is_pid_start_and_boot() {
        let family = family();
        let is = |pid, start, boot: &str| family.has(&Identity { pid, start, boot: boot.into() });
        assert_eq!(
            [is(2, 2, "b"), is(2, 3, "b"), is(2, 2, "c"), is(8, 8, "b")],
            [true, false, false, false]
        );
    }
}
