//! Looking for a pattern in lines that are too long to be kept: byte by byte as they are read, so
//! that memory stays small and nothing is too far behind to be found.
//!
//! What a carriage return writes over counts too: each state of a progress bar is a text of its own,
//! whose ends are those that the pattern means.

use regex_automata::Anchored;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{Compiler, Config};
use regex_automata::util::start;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

/// A pattern, as a machine that takes one byte after the other.
#[derive(Debug)]
pub struct Finder(DFA);

/// How far one line was searched.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Option<Box<State>>);

impl Progress {
    pub(super) fn has_begun(&self) -> bool {
        self.0.is_some()
    }
}

/// Lines are the same whether they were searched or not.
impl PartialEq for Progress {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Progress {}

#[derive(Debug, Clone)]
struct State {
    cache: Cache,
    at: LazyStateID,
    /// Something of this text was taken in.
    is_begun: bool,
    /// Carriage returns that may be the end of the line.
    returned: bool,
    found: bool,
}

impl Finder {
    /// The regular expression `text`; none when it is none, or too large.
    pub fn new(text: &str) -> Option<Self> {
        let hir = ParserBuilder::new().utf8(false).build().parse(text).ok()?;
        let config = Config::new().utf8(false).nfa_size_limit(Some(10 << 20));
        let nfa = Compiler::new().configure(config).build_from_hir(&in_bytes(&hir)).ok()?;
        let config = DFA::config().skip_cache_capacity_check(true);
        DFA::builder().configure(config).build_from_nfa(nfa).ok().map(Self)
    }

    /// Takes in more of a line.
    pub(super) fn take(&self, progress: &mut Progress, bytes: &[u8]) {
        let Some(state) = self.state(progress) else { return };
        for byte in bytes {
            if state.found {
                return;
            }
            if *byte == b'\r' {
                state.returned = true;
                continue;
            }
            if std::mem::take(&mut state.returned) {
                state.found = self.ends(state);
                if state.found || !self.begin(state) {
                    return;
                }
            }
            state.is_begun = true;
            match self.0.next_state(&mut state.cache, state.at, *byte) {
                Ok(next) => state.at = next,
                Err(_) => return,
            }
            // A match is told one byte late.
            state.found = state.at.is_match();
        }
    }

    /// Whether the pattern matches the line if it ends here.
    pub(super) fn has_found(&self, progress: &mut Progress) -> bool {
        progress.0.as_mut().is_some_and(|state| state.found || self.ends(state))
    }

    fn ends(&self, state: &mut State) -> bool {
        let end = self.0.next_eoi_state(&mut state.cache, state.at);
        state.is_begun && end.is_ok_and(|end| end.is_match())
    }

    fn state<'a>(&self, progress: &'a mut Progress) -> Option<&'a mut State> {
        if progress.0.is_none() {
            let cache = self.0.create_cache();
            let at = LazyStateID::default();
            let mut state = State { cache, at, is_begun: false, returned: false, found: false };
            if self.begin(&mut state) {
                progress.0 = Some(Box::new(state));
            }
        }
        progress.0.as_deref_mut()
    }

    fn begin(&self, state: &mut State) -> bool {
        let config = start::Config::new().anchored(Anchored::No);
        let begin = self.0.start_state(&mut state.cache, &config);
        state.is_begun = false;
        begin.map(|begin| state.at = begin).is_ok()
    }
}

/// `hir` for a machine that goes by bytes: ends of words are told by ASCII letters.
fn in_bytes(hir: &Hir) -> Hir {
    let all = |parts: &[Hir]| parts.iter().map(in_bytes).collect::<Vec<_>>();
    match hir.kind() {
        HirKind::Look(look) => Hir::look(ascii(*look)),
        HirKind::Repetition(many) => {
            let sub = Box::new(in_bytes(&many.sub));
            Hir::repetition(Repetition { sub, ..many.clone() })
        }
        HirKind::Capture(group) => in_bytes(&group.sub),
        HirKind::Concat(parts) => Hir::concat(all(parts)),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => hir.clone(),
    }
}

fn ascii(look: Look) -> Look {
    match look {
        Look::WordUnicode => Look::WordAscii,
        Look::WordUnicodeNegate => Look::WordAsciiNegate,
        Look::WordStartUnicode => Look::WordStartAscii,
        Look::WordEndUnicode => Look::WordEndAscii,
        Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
        Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(pattern: &str, text: &str) -> bool {
        let finder = Finder::new(pattern).unwrap();
        let found = [1, 3, text.len()].map(|size| {
            let mut progress = Progress::default();
            for part in text.as_bytes().chunks(size) {
                finder.take(&mut progress, part);
                // To have looked changes nothing.
                let _ = finder.has_found(&mut progress.clone());
            }
            finder.has_found(&mut progress)
        });
        assert!(found.iter().all(|each| *each == found[0]), "{pattern} in {text}");
        found[0]
    }

    #[test]
    fn a_pattern_means_the_ends_of_the_line() {
        for (pattern, text) in [
            ("READY", "xxREADYxx"),
            ("^READY$", "READY"),
            ("^x+END$", "xxxxxxxEND\r"),
            (r"\bEND\b", "the END"),
            (r"\bEND\b", "é END é"),
            ("^.*a.{5}b.*$", "aaa12345bccc"),
            ("é", "xéx"),
            ("(?i)ready", "rEADy"),
            ("^50%$", "\r10%\r50%\r100%"),
            ("^100%$", "\r10%\r50%\r100%\r"),
            ("", "x"),
        ] {
            assert!(finds(pattern, text), "{pattern} in {text}");
        }
        for (pattern, text) in [
            ("^END", "the END"),
            ("END$", "END of"),
            (r"\bEND", "xEND"),
            ("^$", "xx\r"),
            ("1.5", "1\r5"),
        ] {
            assert!(!finds(pattern, text), "{pattern} in {text}");
        }
    }
}
