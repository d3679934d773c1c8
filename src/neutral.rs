//! Foreign text made safe to show: no character of it moves the cursor, hides or reorders others.
//!
//! For every reader but the live passthrough, which is raw, and files. Colours, titles and the like
//! are understood and left out; what else would act on a terminal is spelt out. In names, and where
//! somebody decides about a text ([`exact`]), all of it is spelt.

use std::fmt::Write;

/// `text` as people read it; lines stay lines.
pub fn text(text: &str) -> String {
    spelt(&plain(text), |letter| letter == '\n' || letter == '\t')
}

/// The same on one line: newlines and tabs are spelt out.
pub fn words(text: &str) -> String {
    spelt(&plain(text), |_| false)
}

/// A name, a path, an argument on one line. Nothing is left out, so that no two are shown alike.
pub fn line(text: &str) -> String {
    spelt(text, |_| false)
}

/// A [`line`] of at most `width` characters.
pub fn cell(text: &str, width: usize) -> String {
    let shown = line(text);
    if shown.chars().count() <= width {
        return shown;
    }
    shown.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// `text` with nothing left out: control sequences are spelt too. Lines stay lines.
pub fn exact(text: &str) -> String {
    spelt(text, |letter| letter == '\n' || letter == '\t')
}

/// Whether lines of output are shown as they are: nothing but letters, tabs and newlines.
pub fn is_plain(text: &[u8]) -> bool {
    let shows = |byte: u8| matches!(byte, b'\t' | b'\n' | b' '..=b'~');
    // Every byte is looked at, so that many can be at once.
    text.iter().fold(true, |plain, byte| plain & shows(*byte))
}

/// A line of output as a terminal shows it in the end: without colours and titles, and of a progress
/// bar that was written over and over only the last state. What is left is made safe.
pub fn output(text: &str) -> String {
    let text = text.trim_end_matches('\r');
    let text = text.rsplit('\r').next().unwrap_or(text);
    spelt(&plain(text), |letter| letter == '\t')
}

/// Whether `letter` shows nothing itself: a control character, or one that is invisible or changes
/// the order in which others show.
pub fn is_hidden(letter: char) -> bool {
    letter.is_control() || deceives(letter)
}

/// `text` without what only tells a terminal how to show it.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\u{1b}', '\u{e}', '\u{f}', '\r']) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let after = &found[1..];
        let length = match found.as_bytes()[0] {
            0x1b => sequence(after),
            b'\r' if !after.starts_with('\n') => None,
            // The other set of letters, and back; half of the end of a line.
            _ => Some(0),
        };
        if length.is_none() {
            out.push_str(&found[..1]);
        }
        rest = &after[length.unwrap_or(0)..];
    }
    out + rest
}

/// How many bytes behind an escape belong to it; none when it is no whole sequence. A string that
/// has no end in its line is none: it would hide what follows.
fn sequence(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    match *bytes.first()? {
        b'[' => Some(control(bytes)),
        first @ (b']' | b'P' | b'X' | b'^' | b'_' | b'k') => string(rest, first == b']'),
        // Sets of letters, and the size of a line.
        b' '..=b'/' => {
            let end = bytes.iter().position(|byte| !matches!(byte, b' '..=b'/'))?;
            matches!(bytes[end], b'0'..=b'~').then_some(end + 1)
        }
        b'0'..=b'~' => Some(1),
        _ => None,
    }
}

/// The length of a control sequence, `[` included; one at the end may be cut off.
fn control(bytes: &[u8]) -> usize {
    let end = 1 + bytes[1..].iter().take_while(|byte| matches!(byte, b' '..=b'?')).count();
    end + usize::from(bytes.get(end).is_some_and(|last| matches!(last, b'@'..=b'~')))
}

/// The length of a string for the terminal, such as a title, with its end.
fn string(rest: &str, bell_ends: bool) -> Option<usize> {
    let ends = |letter: char| {
        matches!(letter, '\u{1b}' | '\u{9c}' | '\n') || bell_ends && letter == '\u{7}'
    };
    let at = rest.find(ends)?;
    match rest[at..].chars().next()? {
        '\n' => None,
        // What ends it may begin another one.
        '\u{1b}' => Some(if rest[at..].starts_with("\u{1b}\\") { at + 2 } else { at }),
        end => Some(at + end.len_utf8()),
    }
}

fn spelt(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_hidden(letter) && !keep(letter) {
            let _ = write!(out, "{}", letter.escape_unicode());
        } else {
            out.push(letter);
        }
    }
    out
}

/// Characters that show nothing or change the order in which others show. Not the marks that choose
/// between a sign and its picture: programs print them with every tick, and they change nothing else.
fn deceives(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_shows_what_a_terminal_would_end_with() {
        let cases = [
            ("\u{1b}[1;31mred\u{1b}[0m\tx\r", "red\tx"),
            ("\u{1b}]0;title\u{7}a", "a"),
            ("\u{1b}]8;;http://b\u{1b}\\b", "b"),
            ("\u{1b}P1;2|7b\u{1b}\\c\u{1b}_Gx\u{9c}d\u{1b}k~\u{1b}\\e", "cde"),
            ("\u{1b}(B\u{f}\u{1b}[mlog in\u{e}x\u{f}", "log inx"),
            ("\u{1b}c\u{1b}7\u{1b}=a\u{1b}>\u{1b}8\u{1b}M", "a"),
            ("\u{1b}#8\u{1b}%Gx\u{1b}$(Cy", "xy"),
            ("50%\r100%\r", "100%"),
            ("\u{1b}[", ""),
            // Nothing is hidden by what was never ended.
            ("\u{1b}]0;rm -rf", "\\u{1b}]0;rm -rf"),
            ("\u{1b}Pq", "\\u{1b}Pq"),
            ("\u{1b}]0;a\u{1b}[31mb", "b"),
            ("\u{1b}", "\\u{1b}"),
            ("\u{1b}é\u{1b}(", "\\u{1b}é\\u{1b}("),
            ("ding\u{7}\u{8}", "ding\\u{7}\\u{8}"),
            ("\u{9b}31mx", "\\u{9b}31mx"),
            ("✔️ ok ⠀", "✔️ ok ⠀"),
        ];
        for (raw, shown) in cases {
            assert_eq!(output(raw), shown);
        }
    }

    #[test]
    fn nothing_hides_and_nothing_moves() {
        assert_eq!(text("a\tb\r\nc\u{1b}[2Jd\r"), "a\tb\ncd\\u{d}");
        assert_eq!(text("a\u{1b}]0;x\nb\u{7}"), "a\\u{1b}]0;x\nb\\u{7}");
        assert_eq!(line("two\nlines\u{202e}\u{1b}[m"), "two\\u{a}lines\\u{202e}\\u{1b}[m");
        assert_eq!(words("two\nlines\u{202e}\u{1b}[m"), "two\\u{a}lines\\u{202e}");
        assert_eq!(text("grüße, 世界 🙂"), "grüße, 世界 🙂");
        assert_eq!(exact("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb\\u{d}\n");
    }

    /// No text at all gets a control character through.
    #[test]
    fn nothing_passes_raw() {
        let letters: Vec<char> =
            "\u{1b}[]P(\\;0m\u{7}\u{9c}\u{9b}\r\n\t\u{e}é\u{202e}k\u{0} ".chars().collect();
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            let mut raw = String::new();
            for _ in 0..8 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                raw.push(letters[usize::try_from(seed >> 33).unwrap() % letters.len()]);
            }
            let shows = |letter: char| letter == '\n' || letter == '\t' || !is_hidden(letter);
            assert!(text(&raw).chars().all(shows), "{raw:?}");
            assert!(!line(&raw).chars().any(is_hidden), "{raw:?}");
            assert!(!words(&raw).chars().any(is_hidden), "{raw:?}");
        }
    }
}
