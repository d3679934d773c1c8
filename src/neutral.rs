//! Foreign text made safe to show: no character of it moves the cursor, hides or reorders others.
//!
//! For every reader but the live passthrough, which is raw. Colour is lost with the rest.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// `text` with every control, direction and invisible character spelt out; lines stay lines.
pub fn text(text: &str) -> String {
    spelt(text, |letter| letter == '\n' || letter == '\t')
}

/// `text` on one line: newlines and tabs are spelt out too.
pub fn line(text: &str) -> String {
    spelt(text, |_| false)
}

/// `text` on one line of at most `width` characters.
pub fn cell(text: &str, width: usize) -> String {
    let shown = line(text);
    if shown.chars().count() <= width {
        return shown;
    }
    shown.chars().take(width.saturating_sub(1)).chain(['…']).collect()
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
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' || !skip_sequence(&mut letters) {
            out.push(letter);
        }
    }
    spelt(&out, |letter| letter == '\t')
}

/// After an escape: passes over a whole CSI or OSC sequence. False when it is neither.
fn skip_sequence(letters: &mut Peekable<Chars<'_>>) -> bool {
    match letters.peek() {
        Some('[') => {
            letters.next();
            while letters.next_if(|c| matches!(c, ' '..='?')).is_some() {}
            letters.next_if(|c| matches!(c, '@'..='~'));
        }
        Some(']') => {
            while letters.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}')).is_some() {}
            if letters.next() == Some('\u{1b}') {
                letters.next_if_eq(&'\\');
            }
        }
        _ => return false,
    }
    true
}

fn spelt(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if (letter.is_control() || deceives(letter)) && !keep(letter) {
            let _ = write!(out, "{}", letter.escape_unicode());
        } else {
            out.push(letter);
        }
    }
    out
}

/// Characters that show nothing or change the order in which others show.
fn deceives(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
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
            ("\u{1b}c", "\\u{1b}c"),
            ("50%\r100%\r", "100%"),
            ("\u{1b}[", ""),
        ];
        for (raw, shown) in cases {
            assert_eq!(output(raw), shown);
        }
    }

    #[test]
    fn nothing_hides_and_nothing_moves() {
        assert_eq!(text("a\tb\nc\u{1b}[2Jd\r"), "a\tb\nc\\u{1b}[2Jd\\u{d}");
        assert_eq!(line("two\nlines\u{202e}"), "two\\u{a}lines\\u{202e}");
        assert_eq!(text("grüße, 世界 🙂"), "grüße, 世界 🙂");
    }
}
