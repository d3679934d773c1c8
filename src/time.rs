//! Moments: as RFC 3339 in UTC in files, on the wire and in `--json`, and as the clock on the wall
//! shows them to people.

use std::time::{Duration, SystemTime};

/// `at` as RFC 3339 with milliseconds, such as `2026-11-21T02:46:53.123Z`.
pub fn rfc3339(at: SystemTime) -> String {
    let millis = micros(at) / 1000;
    let seconds = millis / 1000;
    let milli = millis % 1000;
    format!("{}.{milli:03}Z", written(seconds.cast_signed(), 'T'))
}

/// `at` on the clock of this machine, such as `2026-11-21 03:46:53`.
pub fn local(at: SystemTime) -> String {
    let seconds = (micros(at) / 1_000_000).cast_signed();
    written(seconds + offset(seconds), ' ')
}

/// The moment in `text` on the clock of this machine; what is none is shown as it is.
pub fn local_of(text: &str) -> String {
    parse(text).map_or_else(|| crate::neutral::line(text), local)
}

/// How far that clock is ahead of UTC, so many seconds after 1970, in seconds.
pub fn offset(at: i64) -> i64 {
    crate::run::unix::local_offset(at).unwrap_or(0)
}

/// Seconds of a day.
pub const DAY: i64 = 86_400;

fn written(seconds: i64, between: char) -> String {
    let (year, month, day) = date(seconds.div_euclid(DAY));
    let second = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day, so many days after 1970 began. Years are counted from March, so that the
/// leap day is the last one; 400 of them are 146,097 days.
pub fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // since March of the year 0
    let (age, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0 is March
    let year = age * 400 + year + i64::from(month > 9);
    (year, (month + 2) % 12 + 1, day - (153 * month + 2) / 5 + 1)
}

/// The way back: days since 1970 began.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let months = (month + 9) % 12; // 0 is March
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + (153 * months + 2) / 5 + day - 1 - 719_468
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
    fn every_day_is_the_right_one() {
        for day in (0..2_932_890).step_by(13).chain([59, 60, 11_016, 11_017, 2_932_889]) {
            let at = from_micros(day * 86_400_000_000 + 86_399_999_000);
            let (year, month, date) = date(day.cast_signed());
            assert_eq!(days(year, month, date), day.cast_signed());
            assert_eq!(rfc3339(at), humantime::format_rfc3339_millis(at).to_string());
        }
    }

    #[test]
    fn lengths_read_well() {
        let cases = [(300, "0.3s"), (45_249, "45.2s"), (125_000, "2m 05s"), (11_220_000, "3h 07m")];
        for (millis, text) in cases {
            assert_eq!(human(Duration::from_millis(millis)), text);
        }
    }
}
