//! A script whose output is captured says a line twice: it logs it, and shows it on stderr.

use std::collections::VecDeque;

use crate::wire::reply::LogLine;

/// How many lines back an echo is looked for.
const REACH: usize = 64;

/// The last lines that wait for their echo.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    recent: VecDeque<LogLine>,
}

impl Echoes {
    /// Whether `line` was just told the other way; each line has one echo at most.
    pub(super) fn is_echo(&mut self, line: &LogLine) -> bool {
        let logged = |line: &LogLine| line.stream == "events";
        let twin = self.recent.iter().position(|before| {
            logged(before) != logged(line) && before.id == line.id && before.text == line.text
        });
        if let Some(twin) = twin {
            self.recent.remove(twin);
            return true;
        }
        self.recent.push_back(line.clone());
        if self.recent.len() > REACH {
            self.recent.pop_front();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_and_printed_is_told_once() {
        let line = |stream: &str, text: &str| LogLine {
            id: "b12345678".to_owned(),
            name: "web".to_owned(),
            stream: stream.to_owned(),
            level: None,
            at: None,
            text: text.to_owned(),
        };
        let mut echoes = Echoes::default();
        let said = [
            (line("events", "hello"), false),
            (line("stderr", "hello"), true),
            (line("stderr", "hello"), false),
            (line("events", "hello"), true),
            (line("events", "bye"), false),
            (line("events", "bye"), false),
        ];
        for (line, is_echo) in said {
            assert_eq!(echoes.is_echo(&line), is_echo, "{line:?}");
        }
    }
}
