//! Looking until a command is ready, for its runner: see `run::ready`.

use std::io::Read;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use super::check::Check;
use super::{SHORTEST, Until};
use crate::error::Result;
use crate::record::{Folder, events};
use crate::{os, stop};

/// How long somebody who is asked may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// The longest pause between two looks, at first...
const USUAL: Duration = Duration::from_secs(1);

/// ...and at what takes very long.
const LONGEST: Duration = Duration::from_secs(10);

/// Looks at the command of the unit in `folder` and notes when it is ready, as the script itself would;
/// or until that command is over, or nobody wants to know: then standard input ends.
pub fn look_until_ready(folder: &Folder) -> Result<()> {
    let unit = folder.load()?;
    let Some(process) = unit.process.clone() else { return Ok(()) };
    spawn(leave_with_caller);
    let (began, mut pause) = (Instant::now(), SHORTEST);
    let mut check = Check::new(&Until::Ready, folder, &unit.cwd, &unit);
    while process.is_alive() {
        if check.look(&unit, ANSWER).is_ok() && process.is_alive() {
            let _ = events::append(&folder.events(), "ready", "");
            break;
        }
        sleep(pause);
        pause = (pause * 3 / 2).min(USUAL.max(began.elapsed() / 60).min(LONGEST));
    }
    Ok(())
}

/// Ends this process, and what it was asking, once standard input ends.
fn leave_with_caller() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let mut asked = os::tree(std::process::id());
    asked.retain(|process| process.pid != std::process::id());
    if !asked.is_empty() {
        stop::end(asked, Duration::ZERO);
    }
    std::process::exit(0);
}
