//! Shapes of tokens that services hand out, and of places where people write passwords.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::packed::{Config, MatchKind, Searcher};
use memchr::memmem;
use regex::bytes::{Regex, RegexBuilder};

/// One sort of secret.
struct Shape {
    name: &'static str,
    /// What is hidden is its first group, or all of it when it has none.
    pattern: &'static str,
    /// No text without one of these holds it.
    hints: &'static [&'static str],
}

const fn shape(name: &'static str, pattern: &'static str, hints: &'static [&'static str]) -> Shape {
    Shape { name, pattern, hints }
}

/// The shapes, as each service documents them. What comes first gives the name.
const SHAPES: [Shape; 17] = [
    shape(
        "github token",
        r"\b(?:gh[opsur]_[A-Za-z0-9]{36,}|github_pat_\w{22,})",
        &["gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_"],
    ),
    shape("gitlab token", r"\bglpat-[\w-]{20,}", &["glpat-"]),
    shape("aws key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", &["AKIA", "ASIA"]),
    shape("google key", r"\bAIza[\w-]{35}", &["AIza"]),
    shape("slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", &["xox"]),
    shape("stripe key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}", &["k_live_", "k_test_"]),
    shape("api key", r"\bsk-[A-Za-z0-9_-]{20,}", &["sk-"]),
    shape("npm token", r"\bnpm_[A-Za-z0-9]{36}", &["npm_"]),
    shape("pypi token", r"\bpypi-[\w-]{40,}", &["pypi-"]),
    shape("hugging face token", r"\bhf_[A-Za-z0-9]{30,}", &["hf_"]),
    shape("jwt", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}", &["eyJ"]),
    shape("private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.+)", &["PRIVATE KEY-----"]),
    shape(
        "authorization",
        r"(?i)\bauthorization\W{1,4}(?:(?:basic|bearer|token)\s+)?([\w.~+/=-]{8,})",
        &["uthorization", "UTHORIZATION"],
    ),
    shape("password", r"://[^\s/:@]*:([^\s/@]+)@", &["://"]),
    // As in an environment or a query: whatever it is.
    shape(
        "secret",
        r#"(?i)(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key)=["']?([^\s"'&;,)\]}]{6,})"#,
        NAMED,
    ),
    // As in JSON.
    shape(
        "secret",
        r#"(?i)(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key)["']\s*[:=]\s*["']([^"']{6,})["']"#,
        NAMED,
    ),
    // As in YAML, where `unexpected token: identifier` is no secret: it has a digit in it.
    shape(
        "secret",
        r#"(?i)(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key):\s+((?:[^\s"',;0-9]{7,}[0-9]|[^\s"',;0-9]{0,6}[0-9][^\s"',;]{7,})[^\s"',;]*)"#,
        NAMED,
    ),
];

/// Parts of the words that stand before a secret.
const NAMED: &[&str] = &[
    "assword",
    "ASSWORD",
    "asswd",
    "ASSWD",
    "assphrase",
    "ASSPHRASE",
    "ecret",
    "ECRET",
    "oken",
    "OKEN",
    "key",
    "KEY",
    "Key",
];

/// All hints at once.
static HINTS: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    let hints: BTreeSet<&str> = SHAPES.iter().flat_map(|shape| shape.hints).copied().collect();
    let mut builder = Config::new().match_kind(MatchKind::LeftmostFirst).builder();
    builder.extend(hints);
    builder.build()
});

/// Each shape, made ready when it is needed first: most logs need none.
static PATTERNS: [OnceLock<Option<Regex>>; SHAPES.len()] =
    [const { OnceLock::new() }; SHAPES.len()];

/// Whether a closer look at `text` is worth it. Quick: this is asked of all that is shown.
pub(super) fn may_be_in(text: &[u8]) -> bool {
    match &*HINTS {
        Some(hints) => hints.find_iter(text).any(|hint| {
            let is_address = &text[hint.start()..hint.end()] == b"://";
            !is_address || has_user(&text[hint.end()..])
        }),
        None => true,
    }
}

/// Whether an address goes on with `user:password@`.
fn has_user(rest: &[u8]) -> bool {
    let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'/');
    memchr::memchr(b'@', &rest[..end.unwrap_or(rest.len())]).is_some()
}

/// All that is looked for is ASCII, and so is what stands around it.
fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).unicode(false).build().ok()
}

/// Where something of a known shape stands in `text`, and what it is called.
pub(super) fn find(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let mut found = Vec::new();
    for (shape, pattern) in SHAPES.iter().zip(&PATTERNS) {
        if !shape.hints.iter().any(|hint| memmem::find(text.as_bytes(), hint.as_bytes()).is_some())
        {
            continue;
        }
        let Some(pattern) = pattern.get_or_init(|| compile(shape.pattern)) else { continue };
        found.extend(pattern.captures_iter(text.as_bytes()).filter_map(|groups| {
            let secret = groups.get(1).or_else(|| groups.get(0))?;
            Some((secret.range(), shape.name))
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_a_pattern_with_its_hints() {
        for shape in &SHAPES {
            assert!(compile(shape.pattern).is_some(), "{}", shape.name);
        }
        assert!(HINTS.is_some());
    }

    #[test]
    fn tokens_and_passwords_are_found() {
        let filler = "0123456789abcdefghijABCDEFGHIJ0123456789";
        for (text, secret) in [
            (format!("use ghp_{filler} now"), format!("ghp_{filler}")),
            ("key AKIAIOSFODNN7EXAMPLE.".into(), "AKIAIOSFODNN7EXAMPLE".into()),
            (format!("sk-proj-{filler}"), format!("sk-proj-{filler}")),
            ("postgres://app:s3cr3t@db/x".into(), "s3cr3t".into()),
            ("Authorization: Bearer abc.def.ghi".into(), "abc.def.ghi".into()),
            ("DB_PASSWORD=correcthorse rest".into(), "correcthorse".into()),
            (r#"{"api_key": "correcthorse"}"#.into(), "correcthorse".into()),
            ("password: hunter2hunter2".into(), "hunter2hunter2".into()),
            ("GET /x?token=abcdef123&y=1".into(), "abcdef123".into()),
        ] {
            assert!(may_be_in(text.as_bytes()), "{text}");
            let found = find(&text);
            assert!(
                found.iter().any(|(range, _)| text[range.clone()] == secret),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn words_of_programs_are_left_alone() {
        for text in [
            "SyntaxError: unexpected token: identifier",
            "max_tokens=1024 tokens: 4096",
            "http://127.0.0.1:8000/ started, see https://docs.python.org/3/",
            "KeyError: 'name'",
            "the monkey has a keyboard",
            "npm run dev, sk-short, eyJust words",
            "password: ********",
            "token=None",
        ] {
            assert!(
                !may_be_in(text.as_bytes()) || find(text).is_empty(),
                "{text}: {:?}",
                find(text)
            );
        }
    }
}
