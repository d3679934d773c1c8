//! A pattern that is looked for in many lines at once.
//!
//! Asking a regular expression about each line costs more than the searching itself, so the pattern
//! is rewritten: it never crosses the end of a line, and what means the ends of its text means those
//! of a line. It may find a line too many, never one too few; [`super::Sieve`] has the last word.

use std::ops::Range;

use memchr::{memchr, memchr2, memchr2_iter, memrchr};
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{
    Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look,
    Repetition,
};

use crate::record::output::search::Search;

/// See the module.
#[derive(Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// The regular expression `text`, for whole blocks of lines; none when it is none, or too large.
    pub fn new(text: &str) -> Option<Self> {
        let hir = ParserBuilder::new().utf8(false).build().parse(text).ok()?;
        RegexBuilder::new(&within_lines(&hir).to_string()).build().ok().map(Self)
    }

    /// The lines of `text` from `start` on that the pattern matches.
    fn in_plain(&self, text: &[u8], mut start: usize, found: &mut dyn FnMut(Range<usize>)) {
        while start < text.len() {
            let Some(hit) = self.0.find_at(text, start) else { return };
            let line = line_around(text, hit.start().min(text.len() - 1));
            start = line.end;
            found(line);
        }
    }
}

impl Search for Pattern {
    /// A line with a control sequence is another text when it is shown: it is always found. So is one
    /// that was written over, unless all else in it shows as it is: then its last state is a part
    /// of it that has ends of its own.
    fn lines(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        let mut start = 0;
        if memchr2(b'\x1b', b'\r', text).is_some() {
            let all_calm = memchr(b'\x1b', text).is_none() && is_calm(text);
            for odd in memchr2_iter(b'\x1b', b'\r', text).take_while(|_| !all_calm) {
                let line = line_around(text, odd);
                if odd < start || text[odd] == b'\r' && is_calm(&text[line.clone()]) {
                    continue;
                }
                self.in_plain(&text[..line.start], start, found);
                start = line.end;
                found(line);
            }
        }
        self.in_plain(text, start, found);
    }
}

fn line_around(text: &[u8], at: usize) -> Range<usize> {
    let start = memrchr(b'\n', &text[..at]).map_or(0, |before| before + 1);
    let end = memchr(b'\n', &text[at..]).map_or(text.len(), |length| at + length + 1);
    start..end
}

/// Whether every byte but the ends of lines shows as it is.
fn is_calm(text: &[u8]) -> bool {
    let shows = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    text.iter().fold(true, |calm, byte| calm & shows(*byte))
}

/// `hir` for a text of many lines: it matches within each what the original matches in it alone.
fn within_lines(hir: &Hir) -> Hir {
    let all = |parts: &[Hir]| parts.iter().map(within_lines).collect::<Vec<_>>();
    match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(text) if memchr2(b'\n', b'\r', &text.0).is_some() => Hir::fail(),
        HirKind::Literal(text) => Hir::literal(text.0.clone()),
        HirKind::Class(class) => Hir::class(without_ends(class.clone())),
        HirKind::Look(look) => Hir::look(of_lines(*look)),
        HirKind::Repetition(many) => {
            let sub = Box::new(within_lines(&many.sub));
            Hir::repetition(Repetition { sub, ..many.clone() })
        }
        HirKind::Capture(group) => within_lines(&group.sub),
        HirKind::Concat(parts) => Hir::concat(all(parts)),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)),
    }
}

/// The ends of a line are those of the text, and a carriage return ends what is shown of it.
fn of_lines(look: Look) -> Look {
    match look {
        Look::Start | Look::StartLF => Look::StartCRLF,
        Look::End | Look::EndLF => Look::EndCRLF,
        other => other,
    }
}

fn without_ends(class: Class) -> Class {
    match class {
        Class::Unicode(mut class) => {
            let ends = ['\n', '\r'].map(|end| ClassUnicodeRange::new(end, end));
            class.difference(&ClassUnicode::new(ends));
            Class::Unicode(class)
        }
        Class::Bytes(mut class) => {
            let ends = [b'\n', b'\r'].map(|end| ClassBytesRange::new(end, end));
            class.difference(&ClassBytes::new(ends));
            Class::Bytes(class)
        }
    }
}
