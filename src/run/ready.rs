//! Whether the command is ready by its unit's terms: a helper looks, until it is, and notes it where
//! the script itself would, so that everybody who looks at the unit knows.
//!
//! To look may take a regular expression, HTTP or a shell: that is `ig`'s work, with our environment
//! and folder, which are the unit's. The helper ends when it has seen it, or with the command; it
//! costs a process until then. Without `ig` it is as without terms: whoever waits looks for himself.

use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::record::Folder;
use crate::wire::unit::Unit;
use crate::{autostart, os, stop};

/// How long a helper may take to end.
const PATIENCE: Duration = Duration::from_millis(500);

/// Starts looking at the command of `unit`, if its terms say what makes it ready.
pub(super) fn look(unit: &Unit, folder: Option<&Folder>) -> Option<Child> {
    unit.terms.ready_when.as_ref()?;
    let mut helper = autostart::helper("look-until-ready", folder?.path())?;
    // It is no part of whatever unit we were started in.
    helper.env_remove("IDLERGEAR_RUN_ID").process_group(0);
    // The other end is ours: it sees when that is closed, also when nobody can close it any more.
    helper.stdin(Stdio::piped()).spawn().ok()
}

/// The command has ended: of it nothing more is noted from here on. Other helpers just go on.
pub(super) fn dismiss(mut helper: Child) {
    if helper.stdin.take().is_none() {
        return;
    }
    let deadline = Instant::now() + PATIENCE;
    while matches!(helper.try_wait(), Ok(None)) {
        if Instant::now() >= deadline {
            // With what it asks, which nobody else would find.
            stop::end(os::tree(helper.id()), Duration::ZERO);
            let _ = helper.wait();
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
