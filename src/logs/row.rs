//! One line to be shown, wherever it comes from: captured output or what a script logged.

use std::borrow::Cow;

use crate::neutral;
use crate::record::events::Event;
use crate::record::gap::{Gap, size};
use crate::record::output::Line;
use crate::time;

/// What is known of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// From 1, in the order of the whole log.
    pub number: u64,
    /// `output`, `stdout`, `stderr` or `events`.
    pub stream: &'static str,
    /// Microseconds since 1970.
    pub at: Option<u64>,
    /// Of a logged text.
    pub level: Option<String>,
    /// As it was written.
    pub bytes: Vec<u8>,
    /// Bytes that are not kept.
    pub cut: u64,
    /// A newline ended it.
    pub ended: bool,
    /// It is too long to be kept whole, and what its reader looks for is in it.
    pub found: bool,
    /// It is no line: what stood here is missing.
    pub gap: Option<Gap>,
}

impl Row {
    /// As people see it: nothing in it moves the cursor.
    pub fn text(&self) -> Cow<'_, str> {
        if let Some(gap) = &self.gap {
            return gap.to_string().into();
        }
        if let Some(text) = self.as_it_is() {
            return text.into();
        }
        let text = String::from_utf8_lossy(&self.bytes);
        if self.level.is_some() {
            return neutral::words(&text).into();
        }
        let shown = neutral::output(&text);
        match self.cut {
            0 => shown.into(),
            cut => format!("{shown} [... {} left out]", size(cut)).into(),
        }
    }

    /// Most output is plain letters, and a terminal's lines end in a carriage return: nothing has
    /// to be done to them.
    fn as_it_is(&self) -> Option<&str> {
        if self.level.is_some() || self.cut > 0 {
            return None;
        }
        let text = str::from_utf8(&self.bytes).ok()?.trim_end_matches('\r');
        (self.is_passage() || neutral::is_plain(text.as_bytes())).then_some(text)
    }

    /// Whether it is many lines in one, which are as they may be shown: nothing else has a newline.
    pub fn is_passage(&self) -> bool {
        self.level.is_none() && memchr::memchr(b'\n', &self.bytes).is_some()
    }

    /// Whether the bytes are what is shown, as far as a pattern is concerned.
    pub(super) fn is_plain(&self) -> bool {
        !self.bytes.iter().any(|byte| matches!(byte, b'\x1b' | b'\r'))
    }
}

impl From<Line> for Row {
    fn from(line: Line) -> Self {
        Self {
            number: line.number,
            stream: line.stream.word(),
            at: line.at,
            level: None,
            bytes: line.bytes,
            cut: line.cut,
            ended: line.ended,
            found: line.found,
            gap: line.gap,
        }
    }
}

impl Row {
    /// In the place of events that are not there any more.
    pub fn of_missing_events(gap: Gap) -> Self {
        let nothing = Event { at: None, level: String::new(), text: String::new() };
        Self { level: None, gap: Some(gap), ..Self::of_event(gap.first, nothing) }
    }

    /// The `number`th thing a script logged.
    pub fn of_event(number: u64, event: Event) -> Self {
        Self {
            number,
            stream: "events",
            at: event.at.as_deref().and_then(time::parse).map(time::micros),
            level: Some(event.level),
            bytes: event.text.into_bytes(),
            cut: 0,
            ended: true,
            found: false,
            gap: None,
        }
    }
}
