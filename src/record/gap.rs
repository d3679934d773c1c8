//! What is missing from a log, and why: told where a reader passes it.

use std::fmt;

/// Lines that are not there any more, or never were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The number of the first line that ended in it.
    pub first: u64,
    /// The number of the last one; less than `first` when none ended in it.
    pub last: u64,
    /// Bytes of all streams together; zero when nobody knows.
    pub bytes: u64,
    /// Why.
    pub cause: Cause,
}

/// Why something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was dropped: the log of one run has a bound.
    Bound,
    /// It could not be kept: the disk was full, or would not take it.
    Disk,
}

impl Cause {
    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bound => "logs.max_run_bytes",
            Self::Disk => "disk",
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = if self.bytes == 0 { String::new() } else { format!(" ({})", size(self.bytes)) };
        let (first, last) = (grouped(self.first), grouped(self.last));
        let (what, were) = match self.last.cmp(&self.first) {
            std::cmp::Ordering::Greater => (format!("lines {first} to {last}{size}"), "were"),
            std::cmp::Ordering::Equal => (format!("line {first}{size}"), "was"),
            std::cmp::Ordering::Less => (format!("a part of line {first}{size}"), "was"),
        };
        match self.cause {
            Cause::Bound => write!(
                f,
                "... {what} {were} dropped: bound logs.max_run_bytes (`ig config` shows it) ..."
            ),
            Cause::Disk => write!(f, "... {what} {were} not kept: the disk did not take it ..."),
        }
    }
}

/// `88,412`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = (digits.len() + 2) % 3 + 1;
    let mut text = digits.get(..first).unwrap_or(&digits).to_owned();
    for group in digits.as_bytes().get(first..).unwrap_or_default().chunks(3) {
        text.push(',');
        text.push_str(&String::from_utf8_lossy(group));
    }
    text
}

/// `12.3 MB`, as people count.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    let whole = tenths / 10;
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{whole}.{} {}", tenths % 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_missing_and_why() {
        let gap = |first, last, bytes, cause| Gap { first, last, bytes, cause }.to_string();
        assert_eq!(
            gap(1001, 88_412, 12_345_678, Cause::Bound),
            "... lines 1,001 to 88,412 (12.3 MB) were dropped: bound logs.max_run_bytes (`ig config` shows it) ..."
        );
        assert_eq!(
            gap(7, 7, 0, Cause::Disk),
            "... line 7 was not kept: the disk did not take it ..."
        );
        assert!(
            gap(7, 6, 999, Cause::Bound).starts_with("... a part of line 7 (999 B) was dropped")
        );
        assert_eq!(
            (grouped(0), grouped(100), grouped(1_234_567)),
            ("0".into(), "100".into(), "1,234,567".into())
        );
        assert_eq!((size(1000), size(68_719_476_736)), ("1.0 kB".into(), "68.7 GB".into()));
    }
}
