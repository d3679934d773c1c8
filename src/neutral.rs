//! Text of others made harmless for a terminal: names, messages and log lines may hold anything.
//!
//! Colour and cursor sequences are dropped; what else could move the cursor, ring the bell or turn
//! the reading direction around is shown instead of done. Files and pipes keep the raw bytes: this
//! is for what people look at.

use std::borrow::Cow;
use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// `text` as one harmless line. Tabs stay, line breaks are shown as `␊`.
pub fn line(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\x1b' if skip_sequence(&mut letters) => {}
            letter => push_shown(&mut out, letter),
        }
    }
    Cow::Owned(out)
}

/// `text` as harmless lines: its own line breaks count.
pub fn lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(line)
}

/// `text` with every character accounted for: what shows nothing, moves the cursor or turns the
/// direction around is spelled out, sequences too. For a person who has to judge the text.
pub fn exact(text: &str) -> String {
    let spell = |letter: char| match letter {
        '\n' | '\t' => letter.to_string(),
        letter if is_harmless(letter) => letter.to_string(),
        letter => format!("<U+{:04X}>", u32::from(letter)),
    };
    text.chars().map(spell).collect()
}

/// `text` as one harmless line of at most `width` characters.
pub fn cell(text: &str, width: usize) -> String {
    let shown = line(text).replace('\t', " ");
    if shown.chars().count() <= width {
        return shown;
    }
    shown.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn is_harmless(letter: char) -> bool {
    letter == '\t' || !(letter.is_control() || deceives(letter))
}

/// Characters that show nothing or change the order in which others show: bidi controls, line
/// separators, tags. The joiners that scripts and emoji need are left alone.
fn deceives(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// C0 controls have pictures of one column each; the rest is spelled out.
fn push_shown(out: &mut String, letter: char) {
    match u32::from(letter) {
        _ if is_harmless(letter) => out.push(letter),
        code @ 0..0x20 => out.extend(char::from_u32(0x2400 + code)),
        0x7f => out.push('\u{2421}'),
        code => {
            let _ = write!(out, "<U+{code:04X}>");
        }
    }
}

/// After an escape: drops a whole CSI or OSC sequence. False when it is neither.
fn skip_sequence(letters: &mut Peekable<Chars<'_>>) -> bool {
    match letters.peek() {
        Some('[') => {
            letters.next();
            while letters.next_if(|c| matches!(c, ' '..='?')).is_some() {}
            letters.next_if(|c| matches!(c, '@'..='~'));
            true
        }
        Some(']') => {
            letters.next();
            while letters.next_if(|c| !matches!(c, '\x07' | '\x1b')).is_some() {}
            if letters.next() == Some('\x1b') {
                letters.next_if_eq(&'\\');
            }
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_is_left_alone() {
        for text in ["plain", "tab\tkept", "Grüße 日本 🚀", ""] {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn sequences_go_and_controls_show() {
        let cases = [
            ("\x1b[31mred\x1b[0m", "red"),
            ("\x1b]0;title\x07x", "x"),
            ("\x1b]8;;http://a\x1b\\x", "x"),
            ("a\rb\x07\x7f", "a␍b␇␡"),
            ("a\nb", "a␊b"),
            ("\u{9b}31m", "<U+009B>31m"),
            ("gpj\u{202e}exe", "gpj<U+202E>exe"),
            ("\x1bc", "␛c"),
            ("\x1b[", ""),
        ];
        for (text, shown) in cases {
            assert_eq!(line(text), shown, "{text:?}");
        }
    }

    #[test]
    fn judging_needs_every_character() {
        assert_eq!(exact("a\x1b[8mb\n\tc\u{200b}"), "a<U+001B>[8mb\n\tc<U+200B>");
    }

    #[test]
    fn cells_are_cut_by_characters() {
        assert_eq!(cell("日本語です", 4), "日本語…");
        assert_eq!(cell("a\tb", 4), "a b");
    }
}
