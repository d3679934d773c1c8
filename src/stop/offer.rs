//! What somebody may offer to be stopped when he registers: himself, the script that he is called by,
//! or a child of those. Nobody can offer what is not his own.

use super::{Why, shell};
use crate::os::{self, Process, Processes};

/// Whether `pid` may be offered by the process `caller`; why not, in words that follow `pid 7: `.
pub fn check(pid: u32, caller: u32) -> Result<(), &'static str> {
    let processes = Processes::now();
    let target = processes.get(pid).filter(|_| pid > 1).ok_or(Why::System.words())?;
    if os::user(pid) != Some(rustix::process::geteuid().as_raw()) {
        return Err(Why::Stranger.words());
    }
    let own = own(&processes, caller);
    if !own.contains(&pid) && !own.contains(&target.parent) {
        return Err("only a script itself, or what it started, can be offered");
    }
    if shell::is_interactive(target) {
        return Err(Why::Shell.words());
    }
    let around = super::spared::Around::at(&processes, None);
    if around.is_around_daemon(pid) {
        return Err(Why::AroundDaemon.words());
    }
    Ok(())
}

/// The caller, and the script that called it with the copies of itself that are in between
/// (subshells). What is in another session started us, but we are no part of it.
fn own(processes: &Processes, caller: u32) -> Vec<u32> {
    let mut own = vec![caller];
    let Some(session) = processes.get(caller).map(|process| process.session) else { return own };
    let parent = |pid: u32| processes.get(processes.get(pid)?.parent);
    let is_with_us = |process: &&Process| process.pid > 1 && process.session == session;
    let mut script = parent(caller).filter(is_with_us);
    while let Some(process) = script {
        own.push(process.pid);
        let words = os::words(process.pid);
        let is_copy = |above: &&Process| !words.is_empty() && os::words(above.pid) == words;
        script = parent(process.pid).filter(is_with_us).filter(is_copy);
    }
    own
}

/// Whether `pid` can be registered at all, by whoever is called by it: 0 and 1 are nobody's process,
/// except that a script may be process 1 of its container.
pub fn is_anybodys(pid: u32) -> bool {
    let session = |pid: u32| Processes::now().get(pid).map(|process| process.session);
    pid > 1 || pid == 1 && os::own_session().is_some_and(|own| session(1) == Some(own))
}
