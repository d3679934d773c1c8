//! Foreign text made safe to show: no character of it moves the cursor, hides or reorders others.
//!
//! For every reader but the live passthrough, which is raw. Colour is lost with the rest.

use std::fmt::Write;

/// `text` with every control, direction and invisible character spelt out; lines stay lines.
pub fn text(text: &str) -> String {
    spelt(text, |letter| letter == '\n' || letter == '\t')
}

/// `text` on one line: newlines and tabs are spelt out too.
pub fn line(text: &str) -> String {
    spelt(text, |_| false)
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
    fn nothing_hides_and_nothing_moves() {
        assert_eq!(text("a\tb\nc\u{1b}[2Jd\r"), "a\tb\nc\\u{1b}[2Jd\\u{d}");
        assert_eq!(line("two\nlines\u{202e}"), "two\\u{a}lines\\u{202e}");
        assert_eq!(text("grüße, 世界 🙂"), "grüße, 世界 🙂");
    }
}
