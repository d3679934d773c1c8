//! How ig knows its own files again: by a first line with the hash of everything below it.
//!
//! So `ig init --undo` needs no memory, works in any clone, and never takes a file that a person
//! has edited.

use sha2::{Digest, Sha256};

const LEAD: &str = "Made by `ig init`, yours to edit; `ig init --undo` removes it unless you did (";

/// `body` below a line, begun with `comment`, that tells whether it was changed.
pub fn signed(comment: &str, body: &str) -> String {
    format!("{comment} {LEAD}{})\n{body}", digest(body))
}

/// Whether `text` is just as [`signed`] made it.
pub fn is_untouched(text: &str) -> bool {
    text.split_once('\n')
        .and_then(|(first, body)| {
            Some(first.split_once(LEAD)?.1.strip_suffix(')')? == digest(body))
        })
        .unwrap_or(false)
}

fn digest(body: &str) -> String {
    let hash = Sha256::digest(body.as_bytes());
    let number = hash.iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:012x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_changed_letter_makes_it_yours() {
        let text = signed("#", "a = 1\n");
        assert!(is_untouched(&text));
        assert!(!is_untouched(&text.replace("a = 1", "a = 2")));
        assert!(!is_untouched("a = 1\n") && !is_untouched(""));
    }
}
