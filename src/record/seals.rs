//! Seals: by them a reader of a log knows the secrets of the run again that wrote it, and nobody
//! else learns them.
//!
//! A record never holds the value of a variable. For each variable whose name says that it is a
//! secret, the runner leaves a keyed hash of its value, and a short hint that makes looking for it
//! quick: 20 bits of a sum that can be rolled along a text. The key is the user's own.

use std::fmt::Write;
use std::io::Write as _;

use super::Folder;
use crate::{hash, paths, secure_fs};

/// Shorter values stand in a text by chance.
const LEAST: usize = 8;

/// Longer ones are no passwords, and lines of a log are cut.
const MOST: usize = 4096;

/// Seals of one run at most.
const BOUND: usize = 64;

/// The rolled sum of a text is multiplied by this with each byte.
const BASE: u32 = 0x0100_0193;

/// Bits of the sum that a hint tells.
const HINT_BITS: u32 = 20;

/// Words that make the name of a variable that of a secret.
const WORDS: [&str; 8] =
    ["SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY", "API_KEY"];

/// Ends of names that do.
const ENDS: [&str; 4] = ["_KEY", "_PASS", "_PWD", "_AUTH"];

/// Ends of names that tell where a secret is, not what.
const PLACES: [&str; 6] = ["_FILE", "_PATH", "_DIR", "_URL", "_ID", "_SOCK"];

/// What is kept of one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// The variable.
    pub name: String,
    /// How long the value is, bytes.
    pub length: usize,
    hint: u32,
    digest: String,
}

/// Whether a variable of this name holds a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.as_bytes();
    let has = |word: &str| name.windows(word.len()).any(|part| is(part, word));
    let ends = |end: &str| name.len().checked_sub(end.len()).is_some_and(|at| is(&name[at..], end));
    let says_so = WORDS.into_iter().any(has) || ENDS.into_iter().any(ends);
    says_so && !PLACES.into_iter().any(ends)
}

fn is(part: &[u8], word: &str) -> bool {
    part.eq_ignore_ascii_case(word.as_bytes())
}

/// The parts of a variable's value that are worth hiding: each line of it for itself.
pub fn parts(value: &str) -> impl Iterator<Item = &str> {
    let is_path = value.starts_with('/');
    let lines = value.lines().map(str::trim).filter(move |_| !is_path);
    lines.filter(|line| (LEAST..=MOST).contains(&line.len()))
}

/// Leaves the seals of this process's environment in `folder`, if there is a secret in it.
pub(crate) fn keep(folder: &Folder) {
    let mut text = String::new();
    let mut key = None;
    let named = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| is_secret(name))?;
        Some((name, value.into_string().ok()?))
    });
    for (name, value) in named.take(BOUND) {
        for part in parts(&value).take(BOUND) {
            let Some(key) = key.get_or_insert_with(own_key).as_ref() else { return };
            let (hint, digest) = (hint(part.as_bytes()), digest(key, part.as_bytes()));
            let _ = writeln!(text, "{} {hint:x} {digest} {name}", part.len());
        }
    }
    if !text.is_empty() {
        let _ =
            secure_fs::append(&folder.file("seals")).and_then(|mut f| f.write_all(text.as_bytes()));
    }
}

/// The user's key: made when there is none.
fn own_key() -> Option<String> {
    let path = paths::state_dir().join("seals.key");
    let known = || secure_fs::text(&path, secure_fs::SMALL).ok().filter(|key| key.len() == 32);
    known().or_else(|| {
        let mut key = [0_u8; 16];
        getrandom::fill(&mut key).ok()?;
        secure_fs::dir(path.parent()?).ok()?;
        // Whoever makes it first is right for all.
        match secure_fs::create_new(&path) {
            Ok(mut file) => file.write_all(hash::hex(&key).as_bytes()).ok().and_then(|()| known()),
            Err(_) => known(),
        }
    })
}

fn hint(value: &[u8]) -> u32 {
    value.iter().fold(0, |sum, byte| roll(sum, *byte)) >> (32 - HINT_BITS)
}

fn roll(sum: u32, byte: u8) -> u32 {
    sum.wrapping_mul(BASE).wrapping_add(u32::from(byte) + 1)
}

fn digest(key: &str, value: &[u8]) -> String {
    let mut digest = hash::sha256(&[key.as_bytes(), value].concat());
    digest.truncate(32);
    digest
}

/// The seals of one run, ready to be looked for.
#[cfg(feature = "full")]
#[derive(Debug, Clone, Default)]
pub struct Seals {
    key: String,
    seals: Vec<Seal>,
}

#[cfg(feature = "full")]
impl Seals {
    /// Those in `folder`.
    pub fn read(folder: &Folder) -> Self {
        let text = secure_fs::text(&folder.file("seals"), secure_fs::SMALL).unwrap_or_default();
        let seals: Vec<Seal> = text.lines().filter_map(Seal::parse).take(BOUND).collect();
        let key = if seals.is_empty() { None } else { own_key() };
        key.map(|key| Self { key, seals }).unwrap_or_default()
    }

    /// Where a secret stands in `text`, and the name of its variable.
    pub fn find(&self, text: &[u8]) -> Vec<(std::ops::Range<usize>, &str)> {
        let mut lengths: Vec<usize> = self.seals.iter().map(|seal| seal.length).collect();
        lengths.sort_unstable();
        lengths.dedup();
        lengths.into_iter().flat_map(|length| self.find_of(length, text)).collect()
    }

    fn find_of(&self, length: usize, text: &[u8]) -> Vec<(std::ops::Range<usize>, &str)> {
        let seals: Vec<&Seal> = self.seals.iter().filter(|seal| seal.length == length).collect();
        let named = |range: std::ops::Range<usize>| {
            let digest = digest(&self.key, &text[range.clone()]);
            let seal = seals.iter().find(|seal| seal.digest == digest)?;
            Some((range, seal.name.as_str()))
        };
        let hinted = |sum: u32| seals.iter().any(|seal| seal.hint == sum >> (32 - HINT_BITS));
        windows(text, length)
            .filter(|(_, sum)| hinted(*sum))
            .filter_map(|(r, _)| named(r))
            .collect()
    }
}

/// Every stretch of `length` bytes with its sum, each from the one before.
#[cfg(feature = "full")]
fn windows(text: &[u8], length: usize) -> impl Iterator<Item = (std::ops::Range<usize>, u32)> {
    let leaving = (0..length).fold(1_u32, |power, _| power.wrapping_mul(BASE));
    let mut sum = 0_u32;
    text.iter().enumerate().filter_map(move |(at, byte)| {
        sum = roll(sum, *byte);
        if let Some(gone) = at.checked_sub(length) {
            sum = sum.wrapping_sub((u32::from(text[gone]) + 1).wrapping_mul(leaving));
        }
        let end = at + 1;
        end.checked_sub(length).map(|start| (start..end, sum))
    })
}

#[cfg(feature = "full")]
impl Seal {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let length = words.next()?.parse().ok().filter(|n| (LEAST..=MOST).contains(n))?;
        let hint = u32::from_str_radix(words.next()?, 16).ok()?;
        let digest = words.next()?.to_owned();
        Some(Self { name: words.next()?.to_owned(), length, hint, digest })
    }
}

#[cfg(all(test, feature = "full"))]
mod tests {
    use super::*;

    fn seals(values: &[&str]) -> Seals {
        let key = "k".repeat(32);
        let seal = |(at, value): (usize, &&str)| Seal {
            name: format!("V{at}"),
            length: value.len(),
            hint: hint(value.as_bytes()),
            digest: digest(&key, value.as_bytes()),
        };
        Seals { seals: values.iter().enumerate().map(seal).collect(), key }
    }

    #[test]
    fn a_sealed_value_is_found_wherever_it_stands() {
        let seals = seals(&["correct horse", "battery staple"]);
        let text = "correct horse, battery staple; correct hors; xcorrect horse";
        let found: Vec<_> = seals.find(text.as_bytes());
        let texts: Vec<(&str, &str)> = found.iter().map(|(r, n)| (&text[r.clone()], *n)).collect();
        let horse = ("correct horse", "V0");
        assert_eq!(texts, [horse, horse, ("battery staple", "V1")]);
        assert!(seals.find(b"").is_empty() && seals.find(b"short").is_empty());
    }

    #[test]
    fn names_say_what_is_secret() {
        for name in
            ["GITHUB_TOKEN", "db_password", "STRIPE_API_KEY", "AWS_SECRET_ACCESS_KEY", "X_PASS"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "PATH",
            "PWD",
            "SSH_AUTH_SOCK",
            "KEYBOARD",
            "TOKEN_FILE",
            "AWS_ACCESS_KEY_ID",
            "AUTHOR",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn only_what_is_worth_hiding_is_sealed() {
        let parts = |value| parts(value).collect::<Vec<_>>();
        assert!(parts("true").is_empty() && parts("/run/secrets/token").is_empty());
        assert_eq!(parts("a long line\nshort\n  another one "), ["a long line", "another one"]);
    }
}
