//! Signals on their way: whose answer they are in, until it is known that they arrived.
//!
//! Nobody else gets them meanwhile. What becomes of an answer is told by its [`Guard`], which the
//! connection holds: taken, or broken when it is dropped without that word. All of this may be lost
//! with the daemon: then the signals are still in the queue, and are told again.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// How long somebody may hold signals that another asks for too.
const PATIENCE: Duration = Duration::from_mins(1);

/// What became of a lease.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// Its signals were told.
    Taken(u64),
    /// Its connection broke.
    Broken(u64),
}

/// Tells what becomes of one lease.
#[derive(Debug)]
pub(super) struct Guard {
    lease: u64,
    fates: mpsc::UnboundedSender<Fate>,
    taken: bool,
}

impl Guard {
    /// The answer arrived.
    pub(super) fn taken(mut self) {
        self.taken = true;
        let _ = self.fates.send(Fate::Taken(self.lease));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.taken {
            let _ = self.fates.send(Fate::Broken(self.lease));
        }
    }
}

/// Signals in one answer.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) session: String,
    pub(super) seqs: Vec<u64>,
    since: Instant,
}

/// All signals that are on their way.
#[derive(Debug)]
pub(super) struct Leases {
    out: HashMap<u64, Lease>,
    next: u64,
    fates: mpsc::UnboundedSender<Fate>,
}

impl Leases {
    /// Fates arrive on the second value, one for each lease.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Fate>) {
        let (fates, told) = mpsc::unbounded_channel();
        (Self { out: HashMap::new(), next: 0, fates }, told)
    }

    /// These are on their way to `session` from now on.
    pub(super) fn give(&mut self, session: &str, seqs: Vec<u64>) -> Guard {
        self.next += 1;
        let lease = Lease { session: session.to_owned(), seqs, since: Instant::now() };
        self.out.insert(self.next, lease);
        Guard { lease: self.next, fates: self.fates.clone(), taken: false }
    }

    /// What is on its way to `session`, and not for too long.
    pub(super) fn out_for(&self, session: &str) -> HashSet<u64> {
        let leases = self.out.values().filter(|lease| lease.session == session);
        let fresh = leases.filter(|lease| lease.since.elapsed() < PATIENCE);
        fresh.flat_map(|lease| lease.seqs.iter().copied()).collect()
    }

    /// `session` said that it was told these.
    pub(super) fn acknowledge(&mut self, session: &str, seqs: &[u64]) {
        let told: HashSet<&u64> = seqs.iter().collect();
        for lease in self.out.values_mut().filter(|lease| lease.session == session) {
            lease.seqs.retain(|seq| !told.contains(seq));
        }
        self.out.retain(|_, lease| !lease.seqs.is_empty());
    }

    /// What was on its way to `other` is on its way to `session`, which it is now.
    pub(super) fn rename(&mut self, other: &str, session: &str) {
        for lease in self.out.values_mut().filter(|lease| lease.session == other) {
            session.clone_into(&mut lease.session);
        }
    }

    /// Nothing is on its way to `session` any more.
    pub(super) fn give_back(&mut self, session: &str) {
        self.out.retain(|_, lease| lease.session != session);
    }

    /// A lease is over; what was still in it.
    pub(super) fn end(&mut self, lease: u64) -> Option<Lease> {
        self.out.remove(&lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_is_out_until_its_guard_has_spoken() {
        let (mut leases, mut fates) = Leases::new();
        let guard = leases.give("s", vec![1, 2, 3]);
        assert_eq!(leases.out_for("s").len(), 3);
        assert!(leases.out_for("t").is_empty());
        leases.acknowledge("t", &[1]);
        leases.acknowledge("s", &[1]);
        assert_eq!(leases.out_for("s").len(), 2);
        drop(guard);
        let Ok(Fate::Broken(lease)) = fates.try_recv() else { panic!("no word of it") };
        assert_eq!(leases.end(lease).unwrap().seqs, [2, 3]);
        leases.give("s", vec![4]).taken();
        assert!(matches!(fates.try_recv(), Ok(Fate::Taken(_))));
        assert!(fates.try_recv().is_err(), "one word each");
    }

    #[test]
    fn what_is_held_for_too_long_is_anybodys() {
        let (mut leases, _fates) = Leases::new();
        let _guard = leases.give("s", vec![1]);
        for lease in leases.out.values_mut() {
            lease.since -= PATIENCE;
        }
        assert!(leases.out_for("s").is_empty());
        let _second = leases.give("s", vec![1]);
        leases.acknowledge("s", &[1]);
        assert!(leases.out.is_empty(), "told is told, whoever says so");
    }
}
