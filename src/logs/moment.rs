//! Moments as people give them: so long ago, or a date and time.

use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
use crate::time;

/// The moment that `text` means, seen from `now`: `10m`, `1h 30m` ago, or RFC 3339.
pub fn parse(text: &str, now: SystemTime) -> Result<SystemTime> {
    let ago = text.strip_suffix("ago").unwrap_or(text).trim();
    let back = humantime::parse_duration(ago).ok().or_else(|| seconds(ago));
    let then = back.and_then(|length| now.checked_sub(length));
    then.or_else(|| time::parse(text)).ok_or_else(|| {
        Error::usage(format!("`{}` is no time", text.escape_debug()))
            .next("10m, 2h or 2026-01-11T04:30:00Z")
    })
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_dates_are_moments() {
        let now = time::parse("2026-01-11T04:30:00Z").unwrap();
        let cases = [
            ("10m", "2026-01-11T04:20:00Z"),
            ("1h 30m ago", "2026-01-11T03:00:00Z"),
            ("90", "2026-01-11T04:28:30Z"),
            ("2026-01-10T00:00:00Z", "2026-01-10T00:00:00Z"),
            ("2026-01-10 00:00:00", "2026-01-10T00:00:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(Some(parse(text, now).unwrap()), time::parse(expected), "{text}");
        }
        for text in ["", "soon", "-5m", "99999999999999999999"] {
            assert_eq!(parse(text, now).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
