//! Rings at the person's own desk: a notification on the desktop and the bell of the terminal, each
//! only where the user's settings ask for it.
//!
//! After the signal is queued, by a thread of its own: the daemon leaves word of an end and goes on.
//! What comes within a moment is shown together, and what comes while something is shown waits, as
//! numbers: so neither a hundred ends nor a desktop that hangs cost more than one would.

mod desktop;
mod text;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::journal::note;
use crate::config::{self, Files};
use crate::terminal::Terminal;
use crate::wire::unit::Unit;
use text::{Count, Notice};

/// How long ends are gathered before they are shown.
const GATHER: Duration = Duration::from_millis(300);

/// How long nothing more is shown after that.
const PAUSE: Duration = Duration::from_secs(1);

/// So many ends are shown one by one; more are counted.
const SINGLY: usize = 3;

/// Terminals whose bells ring together at most.
const TERMINALS: usize = 16;

/// Ends that were not shown yet, in bounded room.
#[derive(Debug, Default)]
struct Batch {
    count: Count,
    first: Vec<Notice>,
    terminals: Vec<Terminal>,
}

impl Batch {
    fn add(&mut self, unit: &Unit) {
        self.count.add(unit.status);
        if self.first.len() < SINGLY {
            self.first.push(Notice::of(unit));
        }
        let new = unit.terminal.as_ref().filter(|terminal| !self.terminals.contains(terminal));
        if self.terminals.len() < TERMINALS {
            self.terminals.extend(new.cloned());
        }
    }

    /// What the desktop shows of it.
    fn notices(&self) -> Vec<Notice> {
        if self.count.all() > self.first.len() {
            return vec![self.count.notice(&self.first)];
        }
        self.first.clone()
    }
}

/// The daemon's end of it.
#[derive(Debug, Default)]
pub(super) struct Ringer {
    shared: Arc<Shared>,
    runs: bool,
}

#[derive(Debug, Default)]
struct Shared {
    batch: Mutex<Batch>,
    more: Condvar,
}

impl Shared {
    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something ended.
    fn wait(&self) {
        let nothing = |batch: &mut Batch| batch.count.all() == 0;
        drop(self.more.wait_while(self.batch(), nothing));
    }
}

impl Ringer {
    /// Leaves word that `unit` has ended.
    pub(super) fn tell(&mut self, unit: &Unit) {
        self.shared.batch().add(unit);
        self.shared.more.notify_one();
        if !self.runs {
            let shared = self.shared.clone();
            let ringing = thread::Builder::new().name("ring".to_owned());
            self.runs = ringing.spawn(move || ring(&shared)).is_ok();
        }
    }
}

fn ring(shared: &Shared) {
    let mut trouble = None;
    loop {
        shared.wait();
        thread::sleep(GATHER);
        let batch = std::mem::take(&mut *shared.batch());
        // A project has no say in it, and what the user changed counts from now on.
        let settings = Files::read(None);
        if settings.is_on(&config::BELL) {
            for terminal in &batch.terminals {
                terminal.ring();
            }
        }
        if settings.is_on(&config::DESKTOP) {
            let shown = batch.notices().iter().try_for_each(desktop::show);
            say_once(&mut trouble, shown.err());
        }
        thread::sleep(PAUSE);
    }
}

/// Says why nothing is shown, unless that was said last.
fn say_once(said: &mut Option<String>, trouble: Option<String>) {
    if let Some(trouble) = trouble.as_ref().filter(|trouble| said.as_ref() != Some(trouble)) {
        note(format_args!("no desktop notification: {trouble}"));
    }
    *said = trouble;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::unit::{Kind, Status};

    #[test]
    fn many_ends_are_one_notice_in_bounded_room() {
        let mut batch = Batch::default();
        for number in 0..100 {
            let mut unit = Unit::new(Kind::LocalBash, &format!("job{number}"));
            unit.status = if number < 3 { Status::Failed } else { Status::Completed };
            unit.terminal = crate::os::Identity::own()
                .map(|leader| Terminal { path: format!("/dev/pts/{number}").into(), leader });
            batch.add(&unit);
            assert_eq!(batch.notices().len(), if number < 3 { number + 1 } else { 1 });
        }
        let notice = batch.notices().remove(0);
        assert_eq!(notice.title, "100 units ended: 3 failed, 97 completed");
        assert_eq!(notice.body, "job0, job1, job2 and 97 more");
        assert_eq!((batch.first.len(), batch.terminals.len()), (SINGLY, TERMINALS));
    }
}
