//! Unit ids: one kind letter and eight base-36 characters, short enough to paste.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::unit::Kind;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The id of a unit, such as `b3k9x0a1z`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitId(String);

impl UnitId {
    /// A new id for a unit of `kind`; 36^8 of them make a clash a non-event.
    pub fn generate(kind: Kind) -> Self {
        let mut seed = [0_u8; 8];
        if getrandom::fill(&mut seed).is_err() {
            seed = fallback_seed();
        }
        let mut number = u64::from_le_bytes(seed);
        let mut text = String::with_capacity(9);
        text.push(kind.letter());
        for _ in 0..8 {
            text.push(char::from(DIGITS[usize::try_from(number % 36).unwrap_or(0)]));
            number /= 36;
        }
        Self(text)
    }

    /// The id in `text`, if it has the shape of one. A `run_` in front is allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix("run_").unwrap_or(text);
        let ok = bare.len() == 9
            && bare.bytes().all(|b| DIGITS.contains(&b))
            && bare.starts_with(|c: char| c.is_ascii_lowercase());
        ok.then(|| Self(bare.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Time and pid, for the kernel that has no random source yet.
fn fallback_seed() -> [u8; 8] {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = now.map_or(0, |d| d.as_nanos() & u128::from(u64::MAX));
    let nanos = u64::try_from(nanos).unwrap_or(0);
    (nanos ^ (u64::from(std::process::id()) << 32)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_start_with_their_kind_and_read_back() {
        for kind in Kind::ALL {
            let id = UnitId::generate(kind);
            assert!(id.as_str().starts_with(kind.letter()));
            assert_eq!(UnitId::parse(id.as_str()), Some(id.clone()));
            assert_eq!(UnitId::parse(&format!("run_{id}")), Some(id));
        }
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in ["", "b", "../../etc", "b1234567", "b123456789", "B12345678", "112345678"] {
            assert_eq!(UnitId::parse(text), None, "{text}");
        }
    }
}
