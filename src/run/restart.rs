//! Whether a command that ended is started again, and when. Pure: the waiting is in `run`.
//!
//! Never after a stop that was asked for, be it `ig stop` or one of the signals by which people and
//! systems ask. The wait grows from run to run, and so many short runs in a row are a loop: that is
//! where it ends.

use std::time::Duration;

use rustix::process::Signal;

use super::settle::End;

/// How often in a row, unless somebody says otherwise.
const MOST: u32 = 10;

/// The first wait, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// A run of this length was no failed start: counting begins anew.
const STEADY: Duration = Duration::from_mins(1);

/// When a command is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// After a success too.
    always: bool,
    most: u32,
    in_a_row: u32,
}

/// What is to be done after an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// That was it.
    Over,
    /// It has failed so often in a row that it is given up.
    Loop,
    /// Start it again after this long.
    Again(Duration),
}

impl Policy {
    /// The policy in `text`; none for `no`, and for what makes no sense.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, most) = text.split_once(':').unwrap_or((text, ""));
        let always = match word {
            "always" => true,
            "on-failure" => false,
            _ => return None,
        };
        let most = if word.len() == text.len() { MOST } else { most.parse().ok()? };
        Some(Self { always, most, in_a_row: 0 })
    }

    /// Whether `text` is a policy, for a command line.
    #[cfg(feature = "full")]
    pub fn check(text: &str) -> Result<String, String> {
        if text == "no" || Self::parse(text).is_some() {
            return Ok(text.to_owned());
        }
        Err("it is `no`, `on-failure[:N]` or `always[:N]`".to_owned())
    }

    /// What follows a run that lasted so long and ended like this.
    pub fn after(&mut self, end: End, lasted: Duration) -> Next {
        if !self.wants(end) {
            return Next::Over;
        }
        if lasted >= STEADY {
            self.in_a_row = 0;
        }
        if self.in_a_row >= self.most {
            return Next::Loop;
        }
        let wait = FIRST.saturating_mul(1 << self.in_a_row.min(5));
        self.in_a_row += 1;
        Next::Again(wait.min(LONGEST))
    }

    /// How often in a row it is started again at most.
    #[cfg(feature = "full")]
    pub fn most(&self) -> u32 {
        self.most
    }

    /// `2 of 5`.
    pub fn count(&self) -> String {
        format!("{} of {}", self.in_a_row, self.most)
    }

    fn wants(self, end: End) -> bool {
        match end.signal {
            Some(number) => !asks_to_end(number),
            None => self.always || end.exit_code != Some(0),
        }
    }
}

/// Whether that signal is one by which people and systems ask a process to end.
pub(super) fn asks_to_end(number: i32) -> bool {
    let asking = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];
    asking.iter().any(|signal| signal.as_raw() == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(10);

    fn exit(code: i32) -> End {
        End::of(Some(code), None)
    }

    fn death(signal: i32) -> End {
        End::of(None, Some(signal))
    }

    #[test]
    fn waits_double_until_it_is_a_loop() {
        let mut policy = Policy::parse("on-failure:7").unwrap();
        let waits: Vec<Next> = (0..8).map(|_| policy.after(exit(1), SHORT)).collect();
        let seconds = [1, 2, 4, 8, 16, 30, 30].map(|s| Next::Again(Duration::from_secs(s)));
        assert_eq!(waits[..7], seconds);
        assert_eq!(waits[7], Next::Loop);
        assert_eq!(policy.after(exit(1), STEADY), Next::Again(FIRST));
    }

    #[test]
    fn success_and_what_was_asked_for_are_not_failures() {
        let mut policy = Policy::parse("on-failure").unwrap();
        assert_eq!(policy.after(exit(0), SHORT), Next::Over);
        for signal in [1, 2, 3, 15] {
            assert_eq!(policy.after(death(signal), SHORT), Next::Over);
        }
        assert_eq!(policy.after(death(9), SHORT), Next::Again(FIRST));
        let mut always = Policy::parse("always:1").unwrap();
        assert_eq!(always.after(death(15), SHORT), Next::Over);
        assert_eq!(always.after(exit(0), SHORT), Next::Again(FIRST));
        assert_eq!(always.after(exit(0), SHORT), Next::Loop);
    }

    #[test]
    fn nonsense_is_no_policy() {
        for text in ["", "no", "sometimes", "always:", "always:x", "always:-1", "on-failure:5:5"] {
            assert_eq!(Policy::parse(text), None, "{text}");
        }
        assert_eq!(Policy::parse("always:0").unwrap().after(exit(1), SHORT), Next::Loop);
    }
}
