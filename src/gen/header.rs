//! The lines by which ig knows a script again: how it was made, and a hash that tells of edits.
//!
//! They stand at the end of the script's opening comment, each on one line whatever the values hold.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::quote;
use crate::error::{Error, Result};
use crate::hash::hex;

const ARGS: &str = "# ig:args ";
const MADE: &str = "# ig:made ";

/// What the header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The words after `ig gen` that make the script again.
    pub args: Vec<String>,
    /// The rest.
    pub made: Made,
}

/// What the script was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The template's name.
    pub template: String,
    /// Hash of the template and its parents.
    pub closure: String,
    /// The library's API level.
    pub lib: String,
    /// The project's folder, seen from the script's.
    pub root: String,
    /// Hash of the script without this line and without what its user keeps in it.
    #[serde(default)]
    pub body: String,
}

impl Header {
    /// Puts this header at the end of the opening comment of `text`.
    pub fn attach(&self, text: &str) -> Result<String> {
        let at = opening(text);
        let (head, body) = text.split_at(at);
        let note = format!(
            "# Made by ig from the template {}; `ig gen --update` makes it again and keeps the lines in ig:keep.\n",
            quote::comment(&self.made.template)
        );
        let args = format!("{ARGS}{}\n", one_line(&self.args)?);
        let without = format!("{head}{note}{args}{body}");
        let made = Made { body: body_hash(&without), ..self.made.clone() };
        Ok(format!("{head}{note}{args}{MADE}{}\n{body}", one_line(&made)?))
    }

    /// Reads the header of a script; none when ig did not write it.
    pub fn read(text: &str) -> Option<Self> {
        let head = &text[..opening(text)];
        let line = |mark| head.lines().find_map(|line| line.strip_prefix(mark));
        let args = serde_json::from_str(line(ARGS)?).ok()?;
        let made = serde_json::from_str(line(MADE)?).ok()?;
        Some(Self { args, made })
    }

    /// Whether `text`, whose header this is, has changed since ig wrote it.
    pub fn is_edited(&self, text: &str) -> bool {
        body_hash(text) != self.made.body
    }
}

/// Where the opening comment ends.
fn opening(text: &str) -> usize {
    text.split_inclusive('\n').take_while(|line| line.starts_with('#')).map(str::len).sum()
}

/// The text that two generations have to agree on: without the hashes and the kept lines.
pub fn body(text: &str) -> String {
    let start = opening(text);
    let (head, rest) = text.split_at(start);
    let head: String = head.split_inclusive('\n').filter(|line| !line.starts_with(MADE)).collect();
    match super::keep::find(rest) {
        Some(kept) => format!("{head}{}{}", &rest[..kept.start], &rest[kept.end..]),
        None => head + rest,
    }
}

fn body_hash(text: &str) -> String {
    hash([body(text).as_str()])
}

/// The first 16 hexadecimal digits of the SHA-256 of `texts`, each closed off from the next.
pub fn hash<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    }
    let digest = hasher.finalize();
    hex(&digest[..8])
}

/// JSON in which every character that could break or disguise a line is escaped by its number.
fn one_line(value: &impl Serialize) -> Result<String> {
    let json = serde_json::to_string(value).map_err(|e| Error::new(e.to_string()))?;
    let escaped = |letter: char| {
        let mut units = [0; 2];
        let units: Vec<_> =
            letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect();
        units.concat()
    };
    let shown = |c: char| if quote::is_visible(c) { c.to_string() } else { escaped(c) };
    Ok(json.chars().map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let made = Made {
            template: "script".into(),
            closure: "c".into(),
            lib: "1".into(),
            root: "..".into(),
            body: String::new(),
        };
        Header { args: vec!["script".into(), "a\nid\u{202e}'".into()], made }
    }

    #[test]
    fn is_read_back_and_tells_of_edits_but_not_of_kept_lines() {
        let text = "#!/bin/bash\n# about\n\n# ig:keep\n# ig:end\nexec x\n";
        let script = header().attach(text).unwrap();
        assert_eq!(script.lines().filter(|line| line.contains("id")).count(), 1);
        let read = Header::read(&script).unwrap();
        assert_eq!(read.args, header().args);
        assert!(!read.is_edited(&script));
        assert!(!read.is_edited(&script.replace("# ig:end", "mine\n# ig:end")));
        assert!(read.is_edited(&script.replace("exec x", "exec y")));
        assert_eq!(Header::read("#!/bin/bash\necho\n# ig:args []\n"), None);
    }
}
