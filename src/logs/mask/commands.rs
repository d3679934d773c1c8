//! Where people write secrets in a command: options whose names say so, variables in front of it, and
//! the ways of some well-known programs.

use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::packed::Searcher;
use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::record::seals;

/// Ends of the name of an option, or of a field, that make it a secret's.
const NAMES: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
    "auth",
];

/// The same, of two words.
const PAIRS: [&str; 4] = ["api_key", "access_key", "secret_key", "auth_key"];

/// A value as it stands in a shell's text.
const VALUE: &str = r#"("[^"\n]+"|'[^'\n]+'|[^\s;&|)"'`-][^\s;&|)"'`]*)"#;

/// What is looked for in text, with the value as the last group: option, variable, programs.
static PATTERNS: LazyLock<[String; 6]> = LazyLock::new(|| {
    [
        format!(r#"(?i)(?:^|[\s"'(`])(--?[a-z][\w-]*)(?:[ \t]+|=){VALUE}"#),
        format!(r#"(?:^|[\s"';&|(`])([A-Za-z_]\w*)={VALUE}"#),
        format!(r"\b(?:mysql\w*|mariadb[\w-]*)\s(?:[^;|&\n]*?\s)?-p{VALUE}"),
        format!(r"\bsshpass\s(?:[^;|&\n]*?\s)?-p\s*{VALUE}"),
        format!(r"\b(?:curl|wget)\s(?:[^;|&\n]*?\s)?(?:-u|--user)[\s=]*[^\s:]+:{VALUE}"),
        format!(r"\b(?:redis-cli|valkey-cli)\s(?:[^;|&\n]*?\s)?-a\s+{VALUE}"),
    ]
});

static COMPILED: [OnceLock<Option<Regex>>; 6] = [const { OnceLock::new() }; 6];

/// No text without one of these holds any of it.
static HINTS: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    let words =
        ["pass", "PASS", "Pass", "pwd", "PWD", "ecret", "ECRET", "oken", "OKEN", "key", "KEY"];
    let programs =
        ["redential", "REDENTIAL", "auth", "AUTH", "mysql", "mariadb", "curl", "wget", "-cli"];
    Searcher::new(words.into_iter().chain(programs))
});

/// Whether an option or field of this name has a secret as its value.
pub(super) fn says_secret(name: &str) -> bool {
    let name = name.trim_start_matches('-').replace('-', "_").to_ascii_lowercase();
    let last = name.rsplit('_').next().unwrap_or_default();
    let says_so = NAMES.contains(&last) || PAIRS.iter().any(|pair| name.ends_with(pair));
    says_so && !name.starts_with("no_")
}

/// What is to be hidden in the word `index` of a command because of what it is, or stands before it.
pub(super) fn in_word(argv: &[String], index: usize) -> Option<Range<usize>> {
    let word = argv.get(index)?;
    let is_option = |word: &str| word.len() > 2 && word.starts_with('-');
    if let Some((name, value)) = word.split_once('=') {
        let is_name = !name.contains(char::is_whitespace);
        let says_so = if is_option(word) { says_secret(name) } else { seals::is_secret(name) };
        return (is_name && says_so && !value.is_empty()).then(|| name.len() + 1..word.len());
    }
    let before = index.checked_sub(1).and_then(|before| argv.get(before))?;
    let is_value = is_option(before) && !before.contains('=') && says_secret(before);
    (is_value && !word.starts_with('-')).then_some(0..word.len())
}

/// Where secrets stand in a command line or a script's text.
pub(super) fn in_text(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let bytes = text.as_bytes();
    if HINTS.as_ref().is_some_and(|hints| hints.find(bytes).is_none()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, (pattern, compiled)) in PATTERNS.iter().zip(&COMPILED).enumerate() {
        let Some(regex) = compiled.get_or_init(|| compile(pattern)) else { continue };
        // Values may stand closely: what ends one begins the next.
        let mut start = 0;
        while let Some(groups) = regex.captures_at(bytes, start) {
            let Some(value) = groups.get(groups.len() - 1) else { break };
            start = value.start().max(start + 1);
            if is_secret(number, &groups) && is_literal(value.as_bytes()) {
                found.push((value.range(), "secret"));
                start = value.end();
            }
        }
    }
    found
}

fn is_secret(pattern: usize, groups: &Captures<'_>) -> bool {
    let name = groups.get(1).map(|name| String::from_utf8_lossy(name.as_bytes()));
    match (pattern, name) {
        (0, Some(name)) => says_secret(&name),
        (1, Some(name)) => seals::is_secret(&name),
        _ => true,
    }
}

/// Not a variable that the shell fills in, nor what was masked already.
fn is_literal(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    !value.starts_with(b"$") && !value.starts_with(b"[masked")
}

fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).unicode(false).build().ok()
}

/// What was hidden in `word`, which is shown as `kept`, and what stands there instead: from the first
/// letter that differs to the last.
pub(super) fn hidden_part<'a>(word: &'a str, kept: &'a str) -> Option<(&'a str, &'a str)> {
    if word == kept {
        return None;
    }
    let start = word.bytes().zip(kept.bytes()).take_while(|(a, b)| a == b).count();
    let same = |(a, b): &(u8, u8)| a == b;
    let end = word.bytes().rev().zip(kept.bytes().rev()).take_while(same).count();
    let end = end.min(word.len() - start).min(kept.len() - start);
    Some((word.get(start..word.len() - end)?, kept.get(start..kept.len() - end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one() {
        assert!(PATTERNS.iter().all(|pattern| compile(pattern).is_some()));
        assert!(HINTS.is_some());
    }

    #[test]
    fn names_say_what_their_value_is() {
        for name in ["--token", "--db-password", "api-key", "-pass", "AWS_SECRET_KEY", "token"] {
            assert!(says_secret(name), "{name}");
        }
        for name in ["--max-tokens", "--no-password", "--key", "--password-file", "compass"] {
            assert!(!says_secret(name), "{name}");
        }
    }
}
