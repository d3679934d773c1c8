//! Whether a line says that something went wrong.
//!
//! A level that the line has decides alone: `"level":50`, `level=error`, `[ERROR]`, `<11>`; what a
//! test runner says of a test does, too. Only lines without either are judged by their words.

use regex::{Captures, Regex};

/// No other line is looked at: most have none of these.
const HINTS: &str = r#"(?x) (?i: err|fail|fatal|panic|crit|exception|traceback|severe|emerg|fault|dumped|abort
    |not\ found|denied|undefined|no\ such|refused|"level|lvl|severity|priority|uncaught|unhandled|caused\ by
    |not\ ok|out\ of\ memory|oom) | ^<\d | ^[EF]\d\d\d\d\ | ^[EF]\ \ | ^\s*[✕✗✘×✖●] | \*\*\*"#;

/// The level in a structured line: a word or a number.
const LEVEL: &str = r#"(?ix) "(?: log\.level | log_?level | level_?name | level | lvl | severity )" \s*:\s*
    (?: "(?<word>[a-z]+)" | (?<number>\d+) )
    | (?: ^|\s ) (?: level | lvl | severity ) = "? (?<field>[a-z]+)
    | "(?: priority | syslog_severity )" \s*:\s* "? (?<severity>[0-7])\b
    | ^<(?<syslog>\d{1,3})>"#;

/// Of a test, or of a step, that did not go wrong, whatever its name; and lines of a program that
/// are quoted.
const PASSED: &str = r"(?x) ^\s*[✓✔√☑○↓]\s | ^\s*(?:PASS|ok|SKIP)\s | ^=== \s+ (?:RUN|PAUSE|CONT|NAME)\b
    | ^\s*---\s(?:PASS|SKIP): | \s(?:PASSED|SKIPPED|XFAIL|XPASS)\b | ^(?:PASSED|SKIPPED|XFAIL|XPASS)\s
    | \s\.\.\.\s(?:ok|ignored|skipped|expected\ failure)\b | ^\[\s+(?:OK|RUN|PASSED|SKIPPED)\s+\]
    | ^\s*(?:Compiling|Checking|Downloading|Downloaded|Installing|Collecting|Requirement\ already)\s
    | ^test\ result:\ ok | ^\#\ Subtest: | ^\s*>?\s*\d+\s\|\s
    | ^[IWD]\d{4}\ \d\d:\d\d:";

/// What says so beyond doubt.
const SURE: &str = r"(?x) ^Traceback\ \(most\ recent | ^\s*(?:[\w$]+[./])*[A-Z]\w*(?:Error|Exception)(?:\s\[\w+\])?(?::|$)
    | ^Uncaught\b | ^Unhandled | ^\(node:\d+\)\sUnhandled | ^Caused\ by: | ^Exception\ in\ thread
    | ^thread\ '.*panicked\ at | ^panic:\s | ^fatal(?:\serror)?:\s | ^[EF]\ {2,}\S | ^[EF]\d{4}\ \d\d:\d\d:
    | ^(?:FAIL|FAILED|ERROR)(?::|\s) | ^\s*[✕✗✘×✖]\s | ^\s*●\s.*›
    | \s(?:FAILED|ERROR)\s+\[\s*\d+%\]$ | \s\.\.\.\s(?:FAIL|FAILED|ERROR)$ | ^\s*---\ FAIL: | ^\s*not\ ok\s\d
    | ^\[\s+FAILED\s+\] | :\d+(?::\d+)?:\s(?:fatal\s|internal\s|syntax\s)?error:? | \berror\ TS\d+: | ^\s+\d+:\d+\s+error\s
    | ^npm\s(?:ERR!|error)\s | ^make(?:\[\d+\])?:\ \*\*\* | ^\s*(?:sh|bash|zsh|dash|/\S+)(?:\[\d+\])?:\s.*:\ (?:command\ )?not\ found$
    | :\s(?i:command\ not\ found|no\ such\ file\ or\ directory|permission\ denied|connection\ refused)$
    | \b[1-9]\d*\s(?:errors?|failures?|failed|failing)\b
    | (?i:segmentation\ fault|\bcore\ dumped|undefined\ reference\ to|\bout\ of\ memory\b|\boom-kill)";

/// What is no trouble, though its words are.
const PEACE: &str = r"(?ix) \b(?:0|no|without|zero|any)\s+(?:errors?|failures?|failed|exceptions?|failing)\b
    | \b(?:errors?|failures?|failed|failing|exceptions?)\s*[:=]\s*0\b
    | \b(?:error|failure|exception)s?[\s-](?:handl\w+|pages?|boundar\w+|report\w+|track\w+|logg\w+|logs?|rates?|budget|margin|correction
        |codes?|messages?|types?|templates?|middleware|recovery|counts?|tolerance|chain)\b
    | \berrors?\s*[:=]\s*\d*\.\d+ | \babout\ this\ error\b";

/// Words of trouble, which stand for themselves and are no part of a name or a path.
const WORDS: &str = r#"(?x) (?: ^ | [\s\[("'`>*!:] )
    (?: (?i: errors? | fatal | panic(?:ked)? | critical | exception | traceback | failed | failures? | aborted | crashed )
      | [A-Z]\w*(?:Error|Exception) | FAIL )
    (?: $ | [\s:,.;!)\]"'`\[] )"#;

/// Words before a level: more of them are a text.
const HEAD: usize = 8;

/// Tells lines apart. Made once.
#[derive(Debug)]
pub(super) struct Trouble {
    hints: Regex,
    level: Regex,
    passed: Regex,
    sure: Regex,
    peace: Regex,
    words: Regex,
}

impl Trouble {
    pub(super) fn new() -> Option<Self> {
        let regex = |text| Regex::new(text).ok();
        Some(Self {
            hints: regex(HINTS)?,
            level: regex(LEVEL)?,
            passed: regex(PASSED)?,
            sure: regex(SURE)?,
            peace: regex(PEACE)?,
            words: regex(WORDS)?,
        })
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        if !self.hints.is_match(text) {
            return false;
        }
        if let Some(is_serious) = self.level.captures(text).and_then(|level| structured(&level)) {
            return is_serious;
        }
        if self.passed.is_match(text) {
            return false;
        }
        if self.sure.is_match(text) {
            return true;
        }
        level_of(text).unwrap_or_else(|| {
            // Without what is none: a line may tell of both.
            self.words.is_match(text) && self.words.is_match(&self.peace.replace_all(text, "-"))
        })
    }
}

/// What the level of a structured line says; none when it is no known level.
fn structured(level: &Captures<'_>) -> Option<bool> {
    let number = |name: &str| level.name(name)?.as_str().parse::<u32>().ok();
    if let Some(word) = level.name("word").or_else(|| level.name("field")) {
        return is_serious(word.as_str());
    }
    match (number("number"), number("severity"), number("syslog")) {
        // pino, bunyan and their like: 30 is info, 50 an error.
        (Some(number), ..) => (number >= 10).then_some(number >= 50),
        (_, Some(severity), _) => Some(severity <= 3),
        (.., Some(priority)) => Some(priority % 8 <= 3),
        _ => None,
    }
}

/// Whether a level of this name is one of errors; none when it is no level.
fn is_serious(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "error" | "err" | "fatal" | "critical" | "crit" | "panic" | "dpanic" | "emerg"
        | "emergency" | "alert" | "severe" => Some(true),
        "trace" | "debug" | "verbose" | "info" | "information" | "notice" | "warn" | "warning"
        | "success" | "http" | "silly" | "note" | "help" | "fine" | "config" => Some(false),
        _ => None,
    }
}

/// The level with which a line begins, behind times, names and numbers: what it says.
fn level_of(text: &str) -> Option<bool> {
    let mut after_time = false;
    let mut words = text.split_whitespace().take(HEAD).peekable();
    while let Some(word) = words.next() {
        let is_marked = word.starts_with(['[', '(', '<', '|']) || word.ends_with([':', ']']);
        let name = word.trim_start_matches(['[', '(', '<', '|', '*']);
        let name = name.split(['[', ']', ')', '>', ':', '|', ',', '!']).next().unwrap_or_default();
        let is_loud = name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_uppercase());
        let level = if is_marked || is_loud { is_serious(name) } else { None };
        if level.is_some() {
            return level;
        }
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        let is_sign = !word.chars().any(char::is_alphanumeric);
        let is_named = words.peek().is_some_and(|next| *next == "|");
        let is_before_level = is_marked
            || has_digit
            || is_sign
            || is_named
            || after_time
            || is_month(word)
            || word.len() == 2 && word.ends_with(',');
        if !is_before_level {
            return None;
        }
        after_time = has_digit && word.contains(':');
    }
    None
}

fn is_month(word: &str) -> bool {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    MONTHS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What programs really printed. Lines that begin with `!` are trouble, those with `?` may be.
    const PRINTED: [(&str, &str); 6] = [
        ("python", include_str!("../../tests/fixtures/errors/python.txt")),
        ("pytest", include_str!("../../tests/fixtures/errors/pytest.txt")),
        ("rust", include_str!("../../tests/fixtures/errors/rust.txt")),
        ("node", include_str!("../../tests/fixtures/errors/node.txt")),
        ("tools", include_str!("../../tests/fixtures/errors/tools.txt")),
        ("levels", include_str!("../../tests/fixtures/errors/levels.txt")),
    ];

    #[test]
    fn what_programs_print_is_told_apart() {
        let trouble = Trouble::new().unwrap();
        let mut wrong = Vec::new();
        for (program, text) in PRINTED {
            for (number, line) in text.lines().enumerate() {
                let (mark, line) = line.split_at(line.len().min(2));
                let expected = match mark {
                    "! " => true,
                    "  " | " " | "" => false,
                    "? " => continue,
                    _ => panic!("{program}:{}: no mark", number + 1),
                };
                if trouble.is_in(line) != expected {
                    wrong.push(format!("{program}:{}: {line}", number + 1));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
