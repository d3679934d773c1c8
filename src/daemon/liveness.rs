//! Whose process ended: told by the kernel where it can (pidfd on Linux), looked up elsewhere.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::id::UnitId;
use crate::os::Identity;

/// Whose a process is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    Unit(UnitId),
    /// The client of a session.
    Session(String),
}

/// Waits for the ends of processes and tells whose each was.
#[derive(Debug)]
pub(super) struct Liveness {
    ends: mpsc::UnboundedSender<Whose>,
    waits: HashMap<Whose, Vec<(Identity, Option<Wait>)>>,
}

/// A process that the kernel tells us about.
#[derive(Debug)]
struct Wait {
    task: AbortHandle,
    /// Opened while it lived: by it the kernel also tells how it ended.
    handle: Arc<OwnedFd>,
}

impl Liveness {
    /// Ends arrive on the second value: at most one for each process that is waited for.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Whose>) {
        let (ends, told) = mpsc::unbounded_channel();
        (Self { ends, waits: HashMap::new() }, told)
    }

    /// Waits for exactly these processes of `whose`.
    pub(super) fn watch(&mut self, whose: &Whose, processes: &[&Identity]) {
        let known = self.waits.remove(whose).unwrap_or_default();
        let (kept, dropped): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|(identity, _)| processes.contains(&identity));
        abort(dropped);
        let mut waits = kept;
        for process in processes {
            if !waits.iter().any(|(identity, _)| identity == *process) {
                waits.push(((*process).clone(), self.wait_for(whose, process)));
            }
        }
        self.waits.insert(whose.clone(), waits);
    }

    pub(super) fn forget(&mut self, whose: &Whose) {
        abort(self.waits.remove(whose).unwrap_or_default());
    }

    /// Forgets all that `keep` does not want.
    pub(super) fn retain(&mut self, keep: impl Fn(&Whose) -> bool) {
        let unwanted = self.waits.extract_if(|whose, _| !keep(whose));
        unwanted.for_each(|(_, waits)| abort(waits));
    }

    /// Whether some process can only be watched by looking again and again.
    pub(super) fn needs_polling(&self) -> bool {
        self.waits.values().flatten().any(|(_, wait)| wait.is_none())
    }

    /// Looks at the processes that the kernel does not report.
    pub(super) fn poll(&self) {
        for (whose, waits) in &self.waits {
            if waits.iter().any(|(identity, wait)| wait.is_none() && !identity.is_alive()) {
                let _ = self.ends.send(whose.clone());
            }
        }
    }

    /// How `process` of `whose` ended, if it did, and the kernel tells.
    #[cfg(target_os = "linux")]
    pub(super) fn exit_status(&self, whose: &Whose, process: &Identity) -> Option<ExitStatus> {
        let mut waits = self.waits.get(whose)?.iter();
        let (_, wait) = waits.find(|(identity, _)| identity == process)?;
        crate::os::exit_status(&wait.as_ref()?.handle, process)
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_self, reason = "the other system's twin needs it")]
    pub(super) fn exit_status(&self, _whose: &Whose, _process: &Identity) -> Option<ExitStatus> {
        None
    }

    #[cfg(target_os = "linux")]
    #[allow(
        deprecated,
        reason = "the new name is unsafe; an `OwnedFd` gives the safety it asks for"
    )]
    fn wait_for(&self, whose: &Whose, process: &Identity) -> Option<Wait> {
        use tokio::io::Interest;
        use tokio::io::unix::AsyncFd;
        let Some(handle) = crate::os::exit_handle(process) else {
            // Gone already, or out of file descriptors: then it is polled.
            if !process.is_alive() {
                let _ = self.ends.send(whose.clone());
            }
            return None;
        };
        let handle = Arc::new(handle);
        let exit = AsyncFd::with_interest(handle.clone(), Interest::READABLE).ok()?;
        let (ends, whose) = (self.ends.clone(), whose.clone());
        let task = tokio::spawn(async move {
            let _ = exit.readable().await;
            let _ = ends.send(whose);
        });
        Some(Wait { task: task.abort_handle(), handle })
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_self, reason = "the other system's twin needs it")]
    fn wait_for(&self, _whose: &Whose, _process: &Identity) -> Option<Wait> {
        None
    }
}

fn abort(waits: Vec<(Identity, Option<Wait>)>) {
    waits.into_iter().filter_map(|(_, wait)| wait).for_each(|wait| wait.task.abort());
}
