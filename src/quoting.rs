//! Words of a command as they can be pasted into a shell: each stays one word, and the same bytes.
//!
//! For what people are shown; a generated script is quoted by `gen::quote`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use crate::neutral;

/// Words of bash's grammar. As arguments they would be harmless, but they read as what they are not.
const GRAMMAR: &str = "if then else elif fi case esac for select while until do done in function";

/// Only characters that mean themselves everywhere, and no `=` or `~` in front (zsh expands both).
pub fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
    let grammar = GRAMMAR.split_whitespace().any(|word| word == text);
    !text.is_empty() && !text.starts_with('=') && text.chars().all(plain) && !grammar
}

/// All of `words` on one line, which a shell splits into the same words.
pub fn line(words: &[OsString]) -> String {
    let mut line = String::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        // `A=b` would be an assignment where a command is expected.
        let means_more = index == 0 && word.as_bytes().contains(&b'=');
        match word.to_str() {
            Some(text) if is_plain(text) && !means_more => line.push_str(text),
            Some(text) if neutral::line(text) == text => single(text, &mut line),
            _ => escaped(word, &mut line),
        }
    }
    line
}

fn single(text: &str, line: &mut String) {
    line.push('\'');
    line.push_str(&text.replace('\'', r"'\''"));
    line.push('\'');
}

/// `$'...'`: what cannot be seen or is no text, spelt out as bytes; bash 3.2 knows no other way.
fn escaped(word: &OsStr, line: &mut String) {
    line.push_str("$'");
    for chunk in word.as_bytes().utf8_chunks() {
        chunk.valid().chars().for_each(|letter| escape(letter, line));
        bytes(chunk.invalid(), line);
    }
    line.push('\'');
}

fn escape(letter: char, line: &mut String) {
    match letter {
        '\\' | '\'' => line.extend(['\\', letter]),
        '\n' => line.push_str("\\n"),
        '\t' => line.push_str("\\t"),
        '\r' => line.push_str("\\r"),
        '\u{1b}' => line.push_str("\\e"),
        letter => {
            let mut room = [0; 4];
            let text = letter.encode_utf8(&mut room);
            if neutral::line(text) == *text {
                line.push(letter);
            } else {
                bytes(text.as_bytes(), line);
            }
        }
    }
}

/// In octal: bash takes three digits at most, and of hexadecimal ones as many as follow in zsh.
fn bytes(bytes: &[u8], line: &mut String) {
    for byte in bytes {
        let _ = write!(line, "\\{byte:03o}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &[&[u8]]) -> String {
        line(&words.iter().map(|word| OsStr::from_bytes(word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn words_are_quoted_where_they_must_be() {
        let cases: [(&[&[u8]], &str); 8] = [
            (&[b"npm", b"run", b"dev"], "npm run dev"),
            (&[b"sh", b"-c", b"echo a b"], "sh -c 'echo a b'"),
            (&[b"echo", b"it's", b""], r"echo 'it'\''s' ''"),
            (&[b"A=b", b"C=d"], "'A=b' C=d"),
            (&[b"printf", b"a\nb\\'"], r"printf $'a\nb\\\''"),
            (&[b"ls", b"caf\xe91"], r"ls $'caf\3511'"),
            (&["ls".as_bytes(), "grüße\u{202e}".as_bytes()], r"ls $'grüße\342\200\256'"),
            (&[b"if", b"~", b"*"], "'if' '~' '*'"),
        ];
        for (words, line) in cases {
            assert_eq!(shown(words), line);
        }
    }
}
