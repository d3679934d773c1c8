//! The daemon: boot and loop.
//!
//! One thread, one owner. Connections (`connection`), processes (`liveness`) and files (`watch`)
//! send word; the loop here gives each to the [`world::World`], which never waits. Nothing ticks:
//! a daemon without news sleeps.
//!
//! It is news, not truth: units live and end without it, and it finds them again from their files.

mod alert;
mod arrivals;
mod briefs;
mod connection;
mod ends;
mod history;
mod journal;
mod leases;
mod letters;
mod live;
mod liveness;
mod lock;
mod methods;
mod monitors;
mod news;
mod ring;
mod server;
mod sessions;
mod signals;
mod state;
mod store;
mod subscribers;
mod tail;
mod trims;
mod watch;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};

use connection::{Call, Reply};
use journal::note;
use leases::{Fate, Leases};
use liveness::{Liveness, Whose};
use lock::{Claim, Lock};
use methods::Answered;
use server::Server;
use store::Store;
use watch::{Changed, Notes};
use world::World;

use crate::error::{Error, Result};
use crate::paths;
use crate::socket::Recorded;
use crate::wire::reply::{ErrorCode, RpcError};

/// How often things are looked at that nobody tells us of.
const POLL: Duration = Duration::from_millis(500);

/// How long the reading of a backlog waits for its readers before it looks again.
const PACE: Duration = Duration::from_millis(2);

/// What became of an attempt to be the daemon.
#[derive(Debug)]
pub enum Served {
    /// We were it, until we were told to stop.
    Stopped,
    /// It is running already.
    Already(Box<Recorded>),
}

/// Is the daemon of this user until told to stop. `ready` is called once it answers, with what the
/// user should know of the start.
pub fn serve(ready: impl FnOnce(Option<String>)) -> Result<Served> {
    let lock = match lock::claim()? {
        Claim::Ours(lock) => lock,
        Claim::Theirs(other) => return Ok(Served::Already(Box::new(other))),
    };
    std::env::set_current_dir("/").map_err(|e| Error::io("enter", "/", &e))?;
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::new(format!("cannot start: {e}")))?;
    runtime.block_on(run(lock, ready))?;
    Ok(Served::Stopped)
}

/// Each agent and each connection holds a file descriptor; the usual soft limit is 1,024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Everything that sends word to the loop.
struct Inputs {
    calls: mpsc::Receiver<Call>,
    ends: mpsc::UnboundedReceiver<Whose>,
    fates: mpsc::UnboundedReceiver<Fate>,
    files: Arc<Notes>,
    signals: [Signal; 2],
}

/// The daemon and what it holds of the system.
struct Daemon {
    world: World,
    lock: Lock,
    server: Option<Server>,
    calls: mpsc::Sender<Call>,
    /// Names of the socket's folder and of the lock in news.
    places: Vec<PathBuf>,
    /// Why we do not listen, as it was said last.
    trouble: Option<String>,
    /// Looks still to take after binding again: late news of the old folder may end the watch of
    /// the new one.
    settling: u8,
}

/// Waits until `due`; for ever when there is nothing to wait for.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn fault() -> Reply {
    Reply::of(Err(RpcError::new(ErrorCode::InternalError, "a fault in the daemon; see its log")))
}

async fn run(lock: Lock, ready: impl FnOnce(Option<String>)) -> Result<()> {
    let (store, notice) = Store::open(&paths::database());
    let (liveness, ends) = Liveness::new();
    let (leases, fates) = Leases::new();
    let world = World::new(store, liveness, leases);
    let (calls, receiver) = mpsc::channel(64);
    let files = world.watch.notes();
    let on = |kind| signal(kind).map_err(|e| Error::new(format!("cannot watch signals: {e}")));
    let signals = [on(SignalKind::terminate())?, on(SignalKind::interrupt())?];
    let mut inputs = Inputs { calls: receiver, ends, fates, files, signals };
    let mut daemon =
        Daemon { world, lock, server: None, calls, places: Vec::new(), trouble: None, settling: 0 };
    daemon.world.wake();
    daemon.bind()?;
    // What vanished before it was watched is no news.
    daemon.check_places();
    ready(notice);
    while !daemon.world.stopping {
        daemon.turn(&mut inputs).await;
    }
    // A successor may bind as soon as the lock is free; answers on their way still go out.
    daemon.server = None;
    tokio::time::sleep(Duration::from_millis(20)).await;
    daemon.settle(&mut inputs.fates);
    Ok(())
}

impl Daemon {
    /// Waits for one piece of news and deals with it.
    async fn turn(&mut self, inputs: &mut Inputs) {
        let [term, int] = &mut inputs.signals;
        let is_behind = !self.world.behind.is_empty();
        let may_read = is_behind && self.world.may_read_backlog();
        let has_returned = !self.world.returned.is_empty();
        let polls = self.world.needs_polling() || self.server.is_none() || self.settling > 0;
        let (lines, burial) = (until(self.world.next_lines()), until(self.world.bury_at));
        let confirmation = until(self.world.next_confirmation());
        tokio::select! {
            Some(call) = inputs.calls.recv() => {
                // What its caller was told before it asked is settled first.
                self.settle(&mut inputs.fates);
                self.answer(call);
            }
            Some(fate) = inputs.fates.recv() => self.world.settle(fate),
            () = lines => self.world.tell_due_lines(),
            () = burial => self.world.bury(),
            () = confirmation => self.world.stop_waiting(),
            Some(whose) = inputs.ends.recv() => {
                // What a client was told before it died is settled first.
                self.settle(&mut inputs.fates);
                self.world.process_ended(&whose);
                // Many may end at once.
                while let Ok(whose) = inputs.ends.try_recv() {
                    self.world.process_ended(&whose);
                }
            }
            () = inputs.files.changed() => self.files_changed(inputs.files.take()),
            () = sleep(PACE), if is_behind && !may_read => {}
            () = tokio::task::yield_now(), if is_behind && may_read => self.world.read_backlog(),
            () = tokio::task::yield_now(), if has_returned => self.world.take_in(1),
            () = sleep(POLL), if polls => self.poll(),
            _ = term.recv() => self.world.stopping = true,
            _ = int.recv() => self.world.stopping = true,
        }
        self.world.note_ends();
    }

    fn settle(&mut self, fates: &mut mpsc::UnboundedReceiver<Fate>) {
        while let Ok(fate) = fates.try_recv() {
            self.world.settle(fate);
        }
    }

    /// A fault in one method is that caller's alone.
    fn answer(&mut self, call: Call) {
        let Call { request, pid, reply } = call;
        let answered =
            catch_unwind(AssertUnwindSafe(|| methods::dispatch(&mut self.world, pid, request)));
        match answered {
            Ok(Answered::Now(answer)) => drop(reply.send(answer)),
            Ok(Answered::Later(work)) => {
                tokio::spawn(async move {
                    let _ = reply.send(work.await.unwrap_or_else(|_| fault()));
                });
            }
            Err(_) => drop(reply.send(fault())),
        }
    }

    fn poll(&mut self) {
        if self.settling > 0 {
            self.settling -= 1;
            self.watch_places();
        }
        self.check_places();
        self.world.poll();
    }

    fn files_changed(&mut self, changed: Changed) {
        let ours = match &changed {
            Changed::Folders(folders) => self.places.iter().any(|place| folders.contains(place)),
            Changed::Everything => true,
        };
        if ours {
            self.check_places();
        }
        self.world.files_changed(changed);
    }

    /// Whether clients still find us, and nobody else could take our place.
    fn check_places(&mut self) {
        if !self.lock.is_still_ours() {
            note(format_args!("the lock in `{}` vanished; stopping", paths::state_dir().display()));
            self.world.stopping = true;
        } else if !self.server.as_ref().is_some_and(Server::is_there) {
            self.server = None;
            self.bind_again();
        }
    }

    /// Tries until it works; says each reason once.
    fn bind_again(&mut self) {
        let trouble = self.bind().err().map(|error| error.to_string());
        match &trouble {
            None => note(format_args!("listening again at `{}`", self.world.socket.display())),
            Some(_) if trouble == self.trouble => {}
            Some(error) => note(format_args!("cannot listen again for now: {error}")),
        }
        self.trouble = trouble;
        self.settling = 4;
    }

    fn bind(&mut self) -> Result<()> {
        let server = Server::bind(&self.calls)?;
        self.lock.record(&server.path)?;
        self.world.socket.clone_from(&server.path);
        self.server = Some(server);
        self.watch_places();
        Ok(())
    }

    fn watch_places(&mut self) {
        let folder = self.world.socket.parent().map(Path::to_path_buf);
        let folder = folder.and_then(|folder| self.world.watch.add(&folder));
        let state = self.world.watch.add(&paths::state_dir());
        // In the state folder the lock alone matters; we write there ourselves.
        self.places = folder.into_iter().chain(state.map(|dir| dir.join("daemon.lock"))).collect();
    }
}
