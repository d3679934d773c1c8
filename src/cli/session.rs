//! Who asks: the AI session that we are in, or the person at this terminal.

use crate::paths;

/// The name of whoever asks, as a session.
pub(crate) fn who_asks() -> String {
    paths::session().unwrap_or_else(|| format!("user:{}", paths::user()))
}
