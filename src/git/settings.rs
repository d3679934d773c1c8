//! What a repository's own configuration says, read as text. Git never sees that file, so nothing
//! depends on this for safety: it only tells where our own answer would not be git's.

use std::path::Path;

use super::repository::{Repository, read};

/// The most bytes of a configuration file.
const MOST: u64 = 1 << 20;

/// Sections whose presence makes the answer depend on programs, or on files elsewhere.
const SECTIONS: [&str; 3] = ["filter", "include", "includeif"];

/// Settings of `core` that do the same.
const KEYS: [&str; 2] = ["attributesfile", "fsmonitor"];

/// Settings of `core` that change what counts as changed; a word or a number each.
const KEPT: [&str; 8] = [
    "autocrlf",
    "checkstat",
    "eol",
    "filemode",
    "ignorecase",
    "precomposeunicode",
    "symlinks",
    "trustctime",
];

/// Settings to hand on to git, as `core.NAME=VALUE`; none where git could not tell by itself, or
/// would have to run something.
pub(super) fn of(repository: &Repository) -> Option<Vec<String>> {
    let mut kept = Vec::new();
    let own = repository.folder.join("config.worktree");
    let files = [repository.common.join("config"), own];
    for file in files.iter().filter(|file| file.symlink_metadata().is_ok()) {
        let text = String::from_utf8(read(file, MOST)?).ok()?;
        collect(&text, repository, &mut kept)?;
    }
    let attributes = repository.common.join("info/attributes");
    let asks_nothing = attributes.metadata().map_or(true, |meta| meta.len() == 0);
    asks_nothing.then_some(kept)
}

fn collect(text: &str, repository: &Repository, kept: &mut Vec<String>) -> Option<()> {
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        let mut rest = line;
        if let Some(header) = line.strip_prefix('[') {
            let end = header.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            section = header[..end.unwrap_or(header.len())].to_ascii_lowercase();
            if SECTIONS.contains(&section.as_str()) {
                return None;
            }
            // A setting may follow on the same line.
            rest = header.rsplit(']').next().unwrap_or_default().trim();
        }
        let (key, value) = rest.split_once('=').unwrap_or((rest, "true"));
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
        match section.as_str() {
            "core" if KEYS.contains(&key.as_str()) => return None,
            "core" if key == "worktree" => is_here(value, repository).then_some(())?,
            "core" if key == "bare" && value.eq_ignore_ascii_case("true") => {
                (repository.folder != repository.common).then_some(())?;
            }
            "core" if KEPT.contains(&key.as_str()) => {
                let is_word = value.chars().all(|c| c.is_ascii_alphanumeric());
                is_word.then(|| kept.push(format!("core.{key}={value}")))?;
            }
            "extensions" if key == "refstorage" && value != "files" => return None,
            _ => {}
        }
    }
    Some(())
}

/// Whether `path`, as a repository says where its work tree is, is where we found it.
fn is_here(path: &str, repository: &Repository) -> bool {
    let said = repository.folder.join(Path::new(path)).canonicalize();
    said.is_ok_and(|said| repository.root.canonicalize().is_ok_and(|root| root == said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> Option<Vec<String>> {
        let here = Path::new("/nowhere");
        let folder = here.join(".git");
        let repository = Repository { root: here.into(), common: folder.clone(), folder };
        let mut kept = Vec::new();
        collect(text, &repository, &mut kept).map(|()| kept)
    }

    #[test]
    fn what_names_programs_gives_no_answer() {
        for text in [
            "[filter \"x\"]\n clean = y\n",
            "[core]\n\tfsmonitor = ./x\n",
            "[CORE] FsMonitor = true\n",
            "[core]\nfsmonitor\n",
            "[include]\n\tpath = x\n",
            "[includeIf \"gitdir:/\"]\n\tpath = x\n",
            "[core]\n\tworktree = /\n",
            "[core]\n\tbare = true\n",
            "[core]\n\tautocrlf = x y\n",
            "[extensions]\n\trefStorage = reftable\n",
        ] {
            assert_eq!(kept(text), None, "{text}");
        }
        let usual = "[core]\n\tfilemode = false\n\tbare = false\n[remote \"filter\"]\n\turl = x\n\
                     [branch \"include\"]\n\tmerge = y\n";
        assert_eq!(kept(usual), Some(vec!["core.filemode=false".to_owned()]));
    }
}
