//! Bytes that are not UTF-8, in JSON, which knows only text.
//!
//! The names and paths of a system are bytes. A field of the contract shows them as text, with U+FFFD
//! for what is none; and only then an object `raw` beside the fields has the exact bytes in
//! hexadecimal, by the field's name: `"raw": {"cwd": "2f746d702fff"}`. Whoever reads a [`Unit`] back
//! gets the bytes. Where a field has no object around it that is ours, the text itself tells:
//! see [`text`].

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::read::Fields;
use super::unit::Unit;
use crate::hash;

/// What stands before hexadecimal digits in [`text`]. A path of ours is absolute, so none begins so.
const MARK: &str = "hex:";

/// `path` as text from which [`path`] makes it again: itself, or `hex:` and its bytes.
pub fn text(path: &Path) -> String {
    path.to_str().map_or_else(|| format!("{MARK}{}", hex(path.as_os_str())), str::to_owned)
}

/// The path that [`text`] was made from.
pub fn path(text: &str) -> PathBuf {
    let bytes = text.strip_prefix(MARK).and_then(bytes);
    bytes.map_or_else(|| PathBuf::from(text), PathBuf::from)
}

fn hex(bytes: &OsStr) -> String {
    hash::hex(bytes.as_bytes())
}

fn bytes(hex: &str) -> Option<OsString> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
    pairs.map(byte).collect::<Option<Vec<u8>>>().map(OsString::from_vec)
}

/// For `serde(serialize_with)`: bytes for people.
pub(crate) fn shown<S: Serializer>(bytes: &impl AsRef<OsStr>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&bytes.as_ref().to_string_lossy())
}

/// The same where there may be none.
#[allow(clippy::ref_option, reason = "serde passes references")]
pub(super) fn shown_if<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(to)
}

/// The same for words.
pub(super) fn words<S: Serializer>(words: &[OsString], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(words.iter().map(|word| word.to_string_lossy()))
}

/// For `serde(with)`: a path as [`text`].
pub(crate) mod place {
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::text(path))
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<PathBuf, D::Error> {
        String::deserialize(from).map(|text| super::path(&text))
    }
}

/// The same where there may be none.
pub(crate) mod place_if {
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option, reason = "serde passes references")]
    pub(crate) fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        path.as_deref().map(super::text).serialize(to)
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(
        from: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(|text| super::path(&text)))
    }
}

/// What a unit's `raw` holds: the fields that are not UTF-8.
pub(super) fn of(unit: &Unit) -> Map<String, Value> {
    let mut raw = Map::new();
    if unit.argv.iter().any(|word| word.to_str().is_none()) {
        raw.insert("argv".to_owned(), unit.argv.iter().map(|word| hex(word)).collect());
    }
    let logs = &unit.logs;
    let paths = [
        ("cwd", Some(&unit.cwd)),
        ("project", unit.project.as_ref()),
        ("script.path", unit.script.path.as_ref()),
        ("logs.output", logs.output.as_ref()),
        ("logs.stdout", logs.stdout.as_ref()),
        ("logs.stderr", logs.stderr.as_ref()),
        ("logs.events", logs.events.as_ref()),
    ];
    for (name, path) in paths {
        if let Some(path) = path.filter(|path| path.to_str().is_none()) {
            raw.insert(name.to_owned(), hex(path.as_os_str()).into());
        }
    }
    raw
}

/// Puts the exact bytes of `raw` where text stands for them.
pub(super) fn put_back(unit: &mut Unit, mut raw: Fields) {
    let words = raw.texts("argv");
    // Other words than those that are shown are not their bytes: somebody changed one of the two.
    let words: Vec<OsString> = words.iter().filter_map(|word| bytes(word)).collect();
    if shown_alike(&words, &unit.argv) {
        unit.argv = words;
    }
    let logs = &mut unit.logs;
    let optional = [
        ("project", &mut unit.project),
        ("script.path", &mut unit.script.path),
        ("logs.output", &mut logs.output),
        ("logs.stdout", &mut logs.stdout),
        ("logs.stderr", &mut logs.stderr),
        ("logs.events", &mut logs.events),
    ];
    let places = optional.into_iter().filter_map(|(name, path)| Some((name, path.as_mut()?)));
    for (name, path) in std::iter::once(("cwd", &mut unit.cwd)).chain(places) {
        let exact = raw.text(name).and_then(|hex| bytes(&hex)).map(PathBuf::from);
        if let Some(exact) = exact.filter(|exact| exact.to_string_lossy() == path.to_string_lossy())
        {
            *path = exact;
        }
    }
}

fn shown_alike(exact: &[OsString], shown: &[OsString]) -> bool {
    let pairs = exact.iter().zip(shown);
    exact.len() == shown.len()
        && pairs.into_iter().all(|(a, b)| a.to_string_lossy() == b.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_comes_back() {
        for bytes in [&b"/plain"[..], "/grüße 🙂".as_bytes(), b"/caf\xe9/\xff\xfe", b"/\n"] {
            let there = Path::new(OsStr::from_bytes(bytes));
            assert_eq!(path(&text(there)), there);
        }
        assert_eq!(text(Path::new("/a b")), "/a b");
        assert_eq!(path("hex:2fzz"), Path::new("hex:2fzz"));
    }
}
