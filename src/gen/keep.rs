//! The keep region: the lines of a generated script that belong to its user.

use std::ops::Range;

use crate::error::{Error, Result};

const START: &str = "# ig:keep";
const END: &str = "# ig:end";

/// Where the user's lines lie in `text`.
pub fn find(text: &str) -> Option<Range<usize>> {
    let mut start = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        match (start, line.trim_end()) {
            (None, START) => start = Some(offset + line.len()),
            (Some(start), END) => return Some(start..offset),
            _ => {}
        }
        offset += line.len();
    }
    None
}

/// `fresh` with the user's lines of `old`.
pub fn carry(old: &str, fresh: &str) -> Result<String> {
    let Some(kept) = find(old).filter(|range| !range.is_empty()) else {
        return Ok(fresh.to_owned());
    };
    let Some(place) = find(fresh) else {
        return Err(Error::new("the template has no place for the lines you keep in the script")
            .next(format!("add `{START}` and `{END}` to the template")));
    };
    Ok(format!("{}{}{}", &fresh[..place.start], &old[kept], &fresh[place.end..]))
}

/// Whether `text` has a line that ig would take for a mark of its own.
pub fn has_mark(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with("# ig:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_lines_survive() {
        let fresh = "new\n# ig:keep\n# ig:end\nend\n";
        let old = "old\n# ig:keep\nmine\n# ig:end\n";
        assert_eq!(carry(old, fresh).unwrap(), "new\n# ig:keep\nmine\n# ig:end\nend\n");
        assert_eq!(carry("x\n", fresh).unwrap(), fresh);
        assert!(carry(old, "new\n").is_err());
    }
}
