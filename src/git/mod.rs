//! The commit that a command started from, and whether the work tree had changes.
//!
//! Nothing here runs what a repository could name. The rule that makes it so:
//!
//! - **We find the repository ourselves**: the nearest `.git`, a folder or a file that says where the
//!   folder is. A bare repository that lies in a work tree is only files. Folder and `.git` belong to
//!   this user or to root, as git's own `safe.directory` wants it.
//! - **We read the commit ourselves**: `HEAD`, the ref it names, `packed-refs`. Every file is a plain
//!   one, opened without waiting and bounded.
//! - **Git never opens the repository.** Whether there are changes only git can tell, so it is run, but
//!   in a folder of our own in the user's state, which holds a configuration of our own and nothing
//!   else. From the repository it gets the index and the objects, which are data. What could name a
//!   program (configuration, hooks, the drivers of attributes, remotes) is not there to be read; nor
//!   can it be put there meanwhile.
//! - **Where the answer would depend on such a program, there is none**: `dirty` is null where the
//!   repository's own configuration names filters, includes or a file system monitor, where an
//!   attribute asks for a filter, or where the configuration has the work tree elsewhere.
//!
//! A helper process does all this ([`answer`]); the runner starts it and does not wait for it.

mod dirty;
mod repository;
mod settings;

use std::path::Path;

use crate::wire::unit::Git;
use repository::Repository;

/// What can be told of the work tree around `dir`; none outside of one.
pub fn look(dir: &Path) -> Option<Git> {
    let repository = Repository::around(dir)?;
    let head = repository.head();
    let dirty = head.as_ref().and_then(|head| dirty::is_dirty(&repository, head));
    Some(Git { commit: head.and_then(repository::Head::commit), dirty })
}

/// [`look`] as one line, for the record's folder.
pub fn answer(dir: &Path) -> String {
    let git = look(dir).unwrap_or_default();
    let dirty = match git.dirty {
        Some(true) => "dirty",
        Some(false) => "clean",
        None => "unknown",
    };
    format!("{} {dirty}\n", git.commit.as_deref().unwrap_or("none"))
}

/// Reads what [`answer`] wrote. None while it is not there, and of anything else.
pub fn parse(line: &str) -> Option<Git> {
    let (commit, dirty) = line.strip_suffix('\n')?.split_once(' ')?;
    let dirty = match dirty {
        "dirty" => Some(true),
        "clean" => Some(false),
        "unknown" => None,
        _ => return None,
    };
    let commit = (commit != "none").then(|| commit.to_owned());
    let is_good = commit.as_deref().is_none_or(|commit| repository::is_id(commit.as_bytes()));
    is_good.then_some(Git { commit, dirty })
}

/// Whether `dir` may lie in a work tree; cheap, for whoever wants to spare the helper.
pub fn may_be_in_one(dir: &Path) -> bool {
    dir.ancestors().any(|dir| dir.join(".git").symlink_metadata().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_answers_are_read() {
        let id = "a".repeat(40);
        let git = parse(&format!("{id} dirty\n")).unwrap();
        assert_eq!((git.commit, git.dirty), (Some(id.clone()), Some(true)));
        assert_eq!(parse("none unknown\n").unwrap().dirty, None);
        for bad in ["", "none", &format!("{id} clean"), "../x clean\n", "none maybe\n"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
