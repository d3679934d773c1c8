//! Moments as RFC 3339 in UTC, the one form used in files, on the wire and in `--json`.

use std::time::{Duration, SystemTime};

/// `at` as RFC 3339 with milliseconds, such as `2026-11-21T02:46:53.123Z`.
pub fn rfc3339(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// Now, as [`rfc3339`].
pub fn now() -> String {
    rfc3339(SystemTime::now())
}

/// The moment in `text`, if it is RFC 3339.
pub fn parse(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339_weak(text).ok()
}

/// Microseconds since 1970; what files hold where a number is enough.
pub fn micros(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The moment `micros` microseconds after 1970.
pub fn from_micros(micros: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}

/// A length of time for people: `0.3s`, `45.2s`, `2m 05s`, `3h 07m`, `2d 04h`.
pub fn human(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..60 => format!("{}.{}s", seconds, length.subsec_millis() / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_back() {
        let at = from_micros(1_800_000_000_123_000);
        assert_eq!(rfc3339(at), "2027-01-15T08:00:00.123Z");
        assert_eq!(parse(&rfc3339(at)), Some(at));
    }

    #[test]
    fn lengths_read_well() {
        let cases = [(300, "0.3s"), (45_249, "45.2s"), (125_000, "2m 05s"), (11_220_000, "3h 07m")];
        for (millis, text) in cases {
            assert_eq!(human(Duration::from_millis(millis)), text);
        }
    }
}
