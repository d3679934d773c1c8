//! Which kinds of units can be started, and the words they are asked for with.

use crate::suggest;
use crate::wire::unit::Kind;

/// The kind called `word`, of all that are known.
pub fn parse(word: &str) -> Result<Kind, String> {
    let words = || Kind::ALL.into_iter().map(Kind::word);
    Kind::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| {
        format!("no kind of unit is called so; try {}", suggest::advice(word, words()))
    })
}

/// The kind called `word`, when units of it can be started.
pub fn parse_startable(word: &str) -> Result<Kind, String> {
    let kind = parse(word)?;
    if Kind::STARTABLE.contains(&kind) {
        return Ok(kind);
    }
    let words = Kind::STARTABLE.map(Kind::word).join(", ");
    Err(format!("this kind is reserved and cannot be started yet; try one of {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_kinds_are_known_and_refused() {
        for kind in Kind::ALL {
            assert_eq!(parse(kind.word()), Ok(kind));
            let refused = parse_startable(kind.word()).err();
            assert_eq!(refused.is_none(), Kind::STARTABLE.contains(&kind));
            assert!(refused.is_none_or(|words| words.contains("reserved")));
        }
        assert!(parse("montior").unwrap_err().contains("`monitor`"));
    }
}
