//! How a unit ended, told to people and to shells: the code and the cause.

use crate::error::exit;
use crate::wire::unit::Unit;

/// The code a shell would show for the unit's end: its own, or 128 and the signal.
pub fn code(unit: &Unit) -> u8 {
    let small = |number: Option<i32>| number.and_then(|number| u8::try_from(number).ok());
    match (small(unit.signal), small(unit.exit_code)) {
        (Some(signal), _) => exit::SIGNAL_BASE.saturating_add(signal),
        (None, Some(code)) => code,
        (None, None) => exit::FAILED,
    }
}

/// `SIGKILL`; of a signal that has no name, its number.
pub fn signal(number: i32) -> String {
    signal_hook::low_level::signal_name(number)
        .map_or_else(|| format!("signal {number}"), str::to_owned)
}

/// `exit code 3`, `SIGKILL`, or `killed` when nobody could see it.
pub fn words(code: Option<i32>, signal: Option<i32>) -> String {
    match (signal, code) {
        (Some(number), _) => self::signal(number),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "killed".to_owned(),
    }
}

/// ` (over its memory limit)`, when that is what the kernel killed it for.
#[cfg(feature = "full")]
pub fn over_limit(unit: &serde_json::Value) -> &'static str {
    let kills = unit["metadata"]["limits"]["oom_kills"].as_u64();
    let killed = unit["signal"] == 9 || unit["exit_code"] == 137;
    if killed && kills.is_some() { " (over its memory limit)" } else { "" }
}
