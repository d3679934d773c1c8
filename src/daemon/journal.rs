//! What the daemon says: one line each on stderr, which is `daemon.log` when it is detached.

use std::io::Write;

use crate::{neutral, time};

/// Says one line. A full disk is no reason to die, so a failure is ignored.
pub(super) fn note(text: impl std::fmt::Display) {
    let line = neutral::line(&text.to_string());
    let _ = writeln!(std::io::stderr(), "{} {line}", time::now());
}
