//! Moments as people give them: so long ago, or a date and time on the clock of this machine.

use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
use crate::time::{self, DAY};

/// What can be read.
const EXAMPLES: &str =
    "10m, 1h 30m, 15:40, 2026-11-21, \"2026-11-21 15:40\" or 2026-11-21T15:40:00Z";

/// The moment that `text` means, seen from `now`: `10m`, `1h 30m` or `90` (seconds) ago; `15:40`, when
/// the clock last showed it; `2026-11-21`, `2026-11-21 15:40`; RFC 3339. Without an offset it is the
/// local time.
pub fn parse(text: &str, now: SystemTime) -> Result<SystemTime> {
    parse_at(text, now, &time::offset)
}

fn parse_at(text: &str, now: SystemTime, offset: &Offset<'_>) -> Result<SystemTime> {
    let ago = text.strip_suffix("ago").unwrap_or(text).trim();
    let back = humantime::parse_duration(ago).ok().or_else(|| seconds(ago));
    let then = back.and_then(|length| now.checked_sub(length));
    then.or_else(|| clock(text.trim(), now, offset)).ok_or_else(|| {
        Error::usage(format!("cannot read `{}` as a time", text.escape_debug())).next(EXAMPLES)
    })
}

/// How many seconds local time is ahead at so many seconds after 1970.
type Offset<'a> = dyn Fn(i64) -> i64 + 'a;

fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_secs)
}

fn clock(text: &str, now: SystemTime, offset: &Offset<'_>) -> Option<SystemTime> {
    if let Some(time) = time_of_day(text) {
        let now = since_1970(now)?;
        let today = (now + offset(now)).div_euclid(DAY) * DAY;
        let last = [0, DAY].into_iter().map(|back| utc(today - back + time, offset));
        return last.into_iter().find(|at| *at <= now).and_then(moment);
    }
    let (date, rest) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00"));
    let day = date_of(date)? * DAY;
    let (rest, zone) = zone(rest.trim())?;
    let (rest, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let local = day + time_of_day(rest)?;
    let at = zone.map_or_else(|| utc(local, offset), |ahead| local - ahead);
    moment(at)?.checked_add(nanos(fraction)?)
}

/// The moment when the clock shows `local`: near a change of the clock there may be none or two.
fn utc(local: i64, offset: &Offset<'_>) -> i64 {
    let near = local - offset(local);
    local - offset(near)
}

fn since_1970(at: SystemTime) -> Option<i64> {
    at.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs().try_into().ok()
}

fn moment(seconds: i64) -> Option<SystemTime> {
    let length = Duration::from_secs(u64::try_from(seconds).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(length)
}

/// `Z`, `+02:00` or nothing behind a time, in seconds ahead of UTC.
fn zone(text: &str) -> Option<(&str, Option<i64>)> {
    if let Some(text) = text.strip_suffix(['Z', 'z']) {
        return Some((text, Some(0)));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, None)) };
    let ahead = time_of_day(&text[at + 1..])?;
    Some((&text[..at], Some(if text[at..].starts_with('-') { -ahead } else { ahead })))
}

/// `15:40` or `15:40:30`, in seconds.
fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':').map(|part| digits(part, 2));
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let is_time = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    is_time.then_some(hour * 3600 + minute * 60 + second)
}

/// `2026-11-21`, in days since 1970.
fn date_of(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4)?;
    let (month, day) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let days = time::days(year, month, day);
    let real = parts.next().is_none() && time::date(days) == (year, month, day);
    real.then_some(days)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
}

/// The digits behind the point, nine at most.
fn nanos(fraction: &str) -> Option<Duration> {
    let fits = fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let nanos = format!("{fraction:0<9}").parse().ok().filter(|_| fits)?;
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours ahead from the last Sunday of March on, as in Berlin; one before.
    fn berlin(at: i64) -> i64 {
        let summer = 1_774_746_000; // 2026-03-29T01:00:00Z
        if at < summer { 3600 } else { 7200 }
    }

    #[test]
    fn lengths_and_dates_are_moments() {
        let now = time::parse("2026-01-11T04:30:00Z").unwrap();
        let cases = [
            ("10m", "2026-01-11T04:20:00Z"),
            ("1h 30m ago", "2026-01-11T03:00:00Z"),
            ("90", "2026-01-11T04:28:30Z"),
            ("2026-01-10T00:00:00Z", "2026-01-10T00:00:00Z"),
            ("2026-01-10T00:00:00.25Z", "2026-01-10T00:00:00.25Z"),
            ("2026-01-10T00:00:00+05:30", "2026-01-09T18:30:00Z"),
            ("2026-01-10 00:00:00-01:00", "2026-01-10T01:00:00Z"),
            ("2026-01-10 00:00:00", "2026-01-09T23:00:00Z"),
            ("2026-01-10 15:40", "2026-01-10T14:40:00Z"),
            ("2026-01-10", "2026-01-09T23:00:00Z"),
            ("05:29", "2026-01-11T04:29:00Z"),
            ("15:40", "2026-01-10T14:40:00Z"),
            ("2026-07-01 12:00", "2026-07-01T10:00:00Z"),
            ("2026-03-29 01:59", "2026-03-29T00:59:00Z"),
            ("2026-03-29 03:00", "2026-03-29T01:00:00Z"),
        ];
        for (text, expected) in cases {
            let at = parse_at(text, now, &berlin).unwrap();
            assert_eq!(Some(at), time::parse(expected), "{text}");
        }
        let senseless = [
            "",
            "soon",
            "-5m",
            "yesterday",
            "99999999999999999999",
            "24:00",
            "1:2",
            "2026-02-30",
            "2026-13-01",
            "2026-01-10T",
            "2026-01-10 00:00:00+",
            "1969-12-31",
            "2026-01-10-1",
        ];
        for text in senseless {
            assert_eq!(parse_at(text, now, &berlin).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
