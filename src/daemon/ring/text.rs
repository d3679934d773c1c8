//! What a notification says. Pure: a unit that ended, or how many did, and two short texts.

use std::path::Path;
use std::time::Duration;

use crate::wire::unit::{Status, Unit};
use crate::{ending, neutral, paths, time};

/// The longest name or path, characters.
const WIDEST: usize = 80;

/// One notification: plain text, nothing in it moves or hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) title: String,
    pub(super) body: String,
    /// The unit's name, to be counted among others.
    name: String,
}

impl Notice {
    /// `web failed: exit code 1 after 12m 05s`, and where to read on.
    pub(super) fn of(unit: &Unit) -> Self {
        let name = neutral::cell(&unit.name, WIDEST);
        let is_told =
            unit.status != Status::Completed && (unit.exit_code, unit.signal) != (None, None);
        let cause = is_told.then(|| format!(": {}", ending::words(unit.exit_code, unit.signal)));
        let lasted = lasted(unit).map(|lasted| format!(" after {}", time::human(lasted)));
        let [cause, lasted] = [cause, lasted].map(Option::unwrap_or_default);
        let title = format!("{name} {}{cause}{lasted}", unit.status.word());
        let place = unit.project.as_deref().unwrap_or(&unit.cwd);
        let body = format!("{}\nig logs {}", short(place), called(unit));
        Self { title, body, name }
    }
}

fn lasted(unit: &Unit) -> Option<Duration> {
    let by_clock = || {
        let [start, end] = [&unit.started_at, unit.ended_at.as_ref()?].map(|at| time::parse(at));
        end?.duration_since(start?).ok()
    };
    unit.duration_ms.map(Duration::from_millis).or_else(by_clock)
}

/// A name that can be typed as it is, else the id: people copy what they see into a shell.
fn called(unit: &Unit) -> &str {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let plain = !unit.name.starts_with('-') && unit.name.chars().all(is_plain);
    if plain && !unit.name.is_empty() { &unit.name } else { unit.id.as_str() }
}

fn short(path: &Path) -> String {
    let home = paths::home();
    let below = home.as_deref().and_then(|home| path.strip_prefix(home).ok());
    let shown = below.map_or_else(|| path.to_path_buf(), |below| Path::new("~").join(below));
    neutral::cell(&shown.to_string_lossy(), WIDEST)
}

/// How many ended, and how.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    failed: usize,
    killed: usize,
    completed: usize,
}

impl Count {
    pub(super) fn add(&mut self, status: Status) {
        match status {
            Status::Failed => self.failed += 1,
            Status::Killed => self.killed += 1,
            _ => self.completed += 1,
        }
    }

    pub(super) fn all(&self) -> usize {
        self.failed + self.killed + self.completed
    }

    /// One notification for all of them, which names `first`.
    pub(super) fn notice(&self, first: &[Notice]) -> Notice {
        let parts =
            [(self.failed, "failed"), (self.killed, "killed"), (self.completed, "completed")];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, word)| format!("{count} {word}")).collect();
        let names: Vec<&str> = first.iter().map(|notice| notice.name.as_str()).collect();
        let more = self.all() - names.len();
        Notice {
            title: format!("{} units ended: {}", self.all(), parts.join(", ")),
            body: format!("{} and {more} more", names.join(", ")),
            name: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::unit::Kind;

    fn unit(name: &str, status: Status) -> Unit {
        let mut unit = Unit::new(Kind::LocalBash, name);
        (unit.status, unit.duration_ms) = (status, Some(725_000));
        unit.project = Some("/srv/shop".into());
        unit
    }

    #[test]
    fn says_how_it_ended_and_where_to_read_on() {
        let mut web = unit("web", Status::Failed);
        web.exit_code = Some(1);
        let notice = Notice::of(&web);
        assert_eq!(notice.title, "web failed: exit code 1 after 12m 05s");
        assert_eq!(notice.body, "/srv/shop\nig logs web");
        (web.status, web.exit_code, web.signal) = (Status::Killed, None, Some(9));
        assert_eq!(Notice::of(&web).title, "web killed: SIGKILL after 12m 05s");
        assert_eq!(
            Notice::of(&unit("web", Status::Completed)).title,
            "web completed after 12m 05s"
        );
        (web.signal, web.duration_ms, web.ended_at) = (None, None, None);
        assert_eq!(Notice::of(&web).title, "web killed");
    }

    #[test]
    fn a_name_that_is_no_plain_word_is_never_offered_to_a_shell() {
        for name in ["$(x)", "--help", "a b", "<b>", "x\ny", "\u{1b}[2J", "", "a;b"] {
            let unit = unit(name, Status::Failed);
            let notice = Notice::of(&unit);
            assert!(notice.body.ends_with(&format!("\nig logs {}", unit.id)), "{notice:?}");
            assert!(!notice.title.contains(['\n', '\u{1b}']), "{notice:?}");
        }
    }
}
