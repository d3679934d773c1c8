//! TERM, then KILL after the grace, then another look: for many units at the same time.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::claim::Claim;
use super::look::Look;
use super::spared::{Left, Why};
use super::{LAST, adopt, cgroup, is_between};
use crate::id::UnitId;
use crate::os::{self, Identity, Processes};
use crate::record::{self, Folder};
use crate::wire::unit::Unit;

/// How often processes that turn up late are ended too.
const ROUNDS: usize = 8;

/// How often in a row nothing must be found: a process that executes another program at that very
/// moment shows no environment.
const SURE: usize = 2;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// One unit that is being ended.
pub(super) struct Job {
    unit: Unit,
    claim: Claim,
    folder: Folder,
    phase: Phase,
    /// All that were ever told to end.
    known: Vec<Identity>,
    spared: Vec<Left>,
    rounds: usize,
    quiet: usize,
}

enum Phase {
    /// To be looked for, not before then.
    Looking(Instant),
    /// They were sent the signal, and have until then.
    Ending {
        told: Vec<Identity>,
        with: Signal,
        until: Instant,
    },
    /// All are gone, as far as was found; the runner writes its record until then.
    Settling(Instant),
    Over,
}

impl Job {
    pub(super) fn new(unit: &Unit, claim: Claim) -> Self {
        Self {
            unit: unit.clone(),
            claim,
            folder: record::folder_of(unit),
            phase: Phase::Looking(Instant::now()),
            known: Vec::new(),
            spared: Vec::new(),
            rounds: 0,
            quiet: 0,
        }
    }

    /// Whether it is time to look at all processes for it.
    fn wants_look(&self, now: Instant) -> bool {
        matches!(&self.phase, Phase::Looking(at) if *at <= now)
    }

    /// Finds what is left and tells it to end.
    fn look(&mut self, look: &Look, grace: Duration) {
        self.unit = self.folder.load().unwrap_or_else(|_| self.unit.clone());
        self.rounds += 1;
        let found = self.find(look);
        if found.is_empty() && !is_between(&self.unit) {
            self.quiet += 1;
            let is_over = self.quiet >= SURE;
            self.phase = if is_over { Phase::Over } else { Phase::Looking(Instant::now() + PAUSE) };
            return;
        }
        self.quiet = 0;
        if self.rounds > ROUNDS {
            self.phase = Phase::Over;
            return;
        }
        self.known.extend(found.iter().cloned());
        tell(&found, Signal::TERM);
        self.phase =
            Phase::Ending { told: found, with: Signal::TERM, until: Instant::now() + grace };
    }

    /// What is the unit's, may be ended, and was not told to yet.
    fn find(&mut self, look: &Look) -> Vec<Identity> {
        let mut pids = look.family(&self.unit);
        let mut spared = Vec::new();
        let is_offer = self.claim == Claim::Offered;
        let named = |(pid, why): &(u32, Why)| {
            let process = look.processes.living(&[*pid]).pop()?;
            Some(Left { process, why: *why })
        };
        pids.retain(|pid| {
            let why = if is_offer { look.spares_offered(*pid) } else { look.spares(*pid) };
            spared.extend(why.filter(|_| !look.around.is_self(*pid)).map(|why| (*pid, why)));
            why.is_none()
        });
        self.spared = spared.iter().filter_map(named).collect();
        let shells: Vec<u32> =
            spared.iter().filter(|(_, why)| *why == Why::Shell).map(|(pid, _)| *pid).collect();
        let typed = look.processes.below(&shells);
        pids.retain(|pid| typed.binary_search(pid).is_err());
        let mut found = look.processes.living(&pids);
        found.retain(|process| !self.known.contains(process));
        found
    }

    /// Looks after those who were told.
    fn wait(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Ending { told, with, until } => {
                told.retain(Identity::is_alive);
                if told.is_empty() {
                    self.phase = Phase::Settling(now + LAST);
                } else if now >= *until && *with == Signal::TERM {
                    tell(told, Signal::KILL);
                    (*with, *until) = (Signal::KILL, now + LAST);
                } else if now >= *until {
                    self.phase = Phase::Looking(now);
                }
            }
            Phase::Settling(until) => {
                let is_late = now >= *until;
                if is_late || self.is_settled() {
                    self.phase = Phase::Looking(now);
                }
            }
            Phase::Looking(_) | Phase::Over => {}
        }
    }

    /// Nobody is there who has the end to tell, or it was told.
    fn is_settled(&self) -> bool {
        let tells = [&self.unit.runner, &self.unit.keeper];
        let lives = tells.into_iter().flatten().any(Identity::is_alive);
        !lives || self.folder.load().is_ok_and(|unit| unit.status.is_terminal())
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    fn left(mut self, look: &Look) -> Vec<Left> {
        if self.quiet < SURE {
            // All at once, which nothing can outrun.
            cgroup::kill(&self.unit, look);
        }
        self.known.retain(Identity::is_alive);
        cgroup::remove(&self.unit);
        let lives = self.known.into_iter().map(|process| Left { process, why: Why::Lives });
        self.spared.into_iter().chain(lives).collect()
    }
}

/// Ends all `jobs`; returns for each what could not be.
pub(super) fn run(mut jobs: Vec<Job>, grace: Duration, mut look: Look) -> Vec<Vec<Left>> {
    let mut is_fresh = true;
    while !jobs.iter().all(Job::is_over) {
        let now = Instant::now();
        if jobs.iter().any(|job| job.wants_look(now)) {
            if !std::mem::take(&mut is_fresh) {
                look = look.again();
            }
            for job in jobs.iter_mut().filter(|job| job.wants_look(now)) {
                job.look(&look, grace);
            }
        }
        for job in &mut jobs {
            job.wait(now);
        }
        // Where looking is dear, half of the time is left to those who are to end.
        std::thread::sleep(PAUSE.max(now.elapsed()));
    }
    jobs.into_iter().map(|job| job.left(&look)).collect()
}

/// Sends `signal` to exactly these. What is stopped would not hear of it, and goes on.
fn tell(processes: &[Identity], signal: Signal) {
    for process in processes {
        os::signal(process, signal);
        os::signal(process, Signal::CONT);
    }
}

/// Ends exactly these, as far as they may be signalled at all; returns what could not be ended.
pub fn end(processes: Vec<Identity>, grace: Duration) -> Vec<Left> {
    let look = Look::now(None);
    let mut spared = Vec::new();
    let mut ending = processes;
    ending.retain(|process| {
        let why = look.spares(process.pid);
        spared.extend(why.map(|why| Left { process: process.clone(), why }));
        why.is_none()
    });
    for (signal, limit) in [(Signal::TERM, grace), (Signal::KILL, LAST)] {
        ending.retain(Identity::is_alive);
        tell(&ending, signal);
        if super::wait(limit, || !ending.iter().any(Identity::is_alive)) {
            ending.clear();
        }
    }
    ending.retain(Identity::is_alive);
    let lives = ending.into_iter().map(|process| Left { process, why: Why::Lives });
    spared.into_iter().chain(lives).collect()
}

/// Ends what the unit `id`, whose runner we are and whose own process is gone, left behind: also what
/// is in the groups and sessions of `leaders`, where orphans do not come to us.
pub fn sweep(leaders: &[u32], id: &UnitId) -> Vec<Left> {
    let mut unit = Unit::new(crate::wire::unit::Kind::LocalBash, "");
    unit.id = id.clone();
    unit.runner = Identity::own();
    adopt::note_older(&mut unit);
    let look = Look::now(None);
    let mut left = look.processes(&unit);
    if !cfg!(target_os = "linux") {
        left.extend(Processes::now().living(&look.processes.led_by(leaders)));
        left.retain(|process| process.pid != std::process::id());
    }
    end(left, super::GRACE)
}
