//! Who asks: the AI session that we are in, or the person at this terminal.

use crate::paths;

/// The name of whoever asks, as a session.
pub(crate) fn who_asks() -> String {
    paths::session().unwrap_or_else(person)
}

fn person() -> String {
    let name = paths::var("USER").or_else(|| paths::var("LOGNAME"));
    let name = name.unwrap_or_else(|| rustix::process::geteuid().as_raw().to_string());
    format!("user:{name}")
}
