//! What to run: the words, the name, the script among them. Pure but for looking at files.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::limits::Limits;
use crate::config;
use crate::error::{Error, Result};
use crate::hash::sha256;
use crate::quoting;
use crate::record::scripts;
use crate::secure_fs;
use crate::wire::unit::{Kind, Terms};

/// Characters that make a single word a shell string.
const SHELL_SYNTAX: &[u8] = b" \t\n|&;<>()$`\\\"'*?[]#~{}!=%";

/// Everything the runner needs to know.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Plan {
    /// The words to execute.
    pub argv: Vec<OsString>,
    /// The name people use.
    pub name: String,
    /// Such as `dev-script`.
    pub agent_type: String,
    /// The script among the words.
    pub script: Option<PathBuf>,
    /// The command as it was typed, when it is a shell string.
    pub inline: Option<OsString>,
    /// Output goes to the daemon's subscribers too.
    pub stream: bool,
    /// The daemon is told.
    pub register: bool,
    /// A PTY, pipes, or what the streams suggest.
    pub pty: Option<bool>,
    /// Nobody watches: no terminal, no input, a session of its own.
    pub detached: bool,
    /// What sort of unit it becomes.
    pub kind: Kind,
    /// What was asked for beside the command.
    pub terms: Terms,
    /// What it may use, and what holds it to that.
    pub limits: Limits,
}

/// Bytes of what `--script` may name; what is longer is not read, and the command stands for it.
const LONGEST: u64 = 64 << 20;

impl Plan {
    /// The plan for `words` as given on a command line. One word that is no file and has white
    /// space or shell syntax is a shell string, run by the shell that the user set.
    pub fn new(words: Vec<OsString>) -> Result<Self> {
        let Some(first) = words.first().filter(|word| !word.is_empty()) else {
            return Err(Error::usage("no command given").next("ig run COMMAND"));
        };
        let inline = (words.len() == 1 && is_shell_string(first)).then(|| first.clone());
        let argv = match &inline {
            Some(text) => vec![config::shell().into(), "-c".into(), text.clone()],
            None => words,
        };
        let script = if inline.is_some() { None } else { find_script(&argv) };
        let name =
            default_name(script.as_deref(), &inline.as_ref().unwrap_or(&argv[0]).to_string_lossy());
        Ok(Self {
            argv,
            name,
            agent_type: String::new(),
            script,
            inline,
            stream: false,
            register: true,
            pty: None,
            detached: false,
            kind: Kind::LocalBash,
            terms: Terms::default(),
            limits: Limits::default(),
        })
    }

    /// Names the script, when it cannot be found among the words or is not the first file there.
    #[must_use]
    pub fn with_script(mut self, script: Option<PathBuf>) -> Self {
        if let Some(script) = script {
            self.name = default_name(Some(&script), "");
            self.script = Some(script);
        }
        self
    }

    /// Gives it another name than its command's.
    #[must_use]
    pub fn with_name(mut self, name: Option<String>) -> Self {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            self.name = name;
        }
        self
    }

    /// The command line for people, who can paste it into a shell.
    pub fn command_line(&self) -> String {
        let text = self.inline.as_ref().and_then(|inline| inline.to_str());
        text.map_or_else(|| quoting::line(&self.argv), str::to_owned)
    }

    /// The script's contents as they are now, if it is one: nobody writes scripts of 64 MiB.
    pub fn script_text(&self) -> Option<Vec<u8>> {
        self.script.as_ref().and_then(|path| secure_fs::input(path, LONGEST).ok())
    }

    /// SHA-256 of the script's contents; when there is none, of the command: of the string that the
    /// shell gets, or of the words with NUL bytes between them, so that no two commands have one.
    pub fn sha256(&self) -> String {
        self.sha256_of(self.script_text().as_deref())
    }

    /// The same, of contents that were read already.
    pub fn sha256_of(&self, script: Option<&[u8]>) -> String {
        let command = || match &self.inline {
            Some(text) => sha256(text.as_bytes()),
            None => sha256(self.argv.join(OsStr::new("\0")).as_bytes()),
        };
        script.map_or_else(command, sha256)
    }
}

fn is_shell_string(word: &OsStr) -> bool {
    word.as_bytes().iter().any(|byte| SHELL_SYNTAX.contains(byte)) && !Path::new(word).exists()
}

/// The script in `bash x.sh`, `python x.py`, `uv run x.py` or `./x.sh`: the first word that is a
/// file with text in it, options skipped. A program found on PATH is not one.
fn find_script(argv: &[OsString]) -> Option<PathBuf> {
    let is_option = |word: &OsString| word.as_bytes().starts_with(b"-");
    let candidates = argv.iter().enumerate().filter(|(_, word)| !is_option(word)).take(3);
    candidates
        .filter(|(index, word)| *index > 0 || word.as_bytes().contains(&b'/'))
        .map(|(_, word)| PathBuf::from(word))
        .find(|path| is_script(path))
}

/// Whether it is a file with text in it.
pub(super) fn is_script(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0_u8; 256];
    let Ok(mut file) = secure_fs::open_input(path) else { return false };
    // `cat big.log`: what is too large to be kept as a script is none, and is not hashed either.
    let small = |len| usize::try_from(len).is_ok_and(|len| len <= scripts::LARGEST);
    let kept = file.metadata().is_ok_and(|meta| meta.is_file() && small(meta.len()));
    kept && file.read(&mut start).is_ok_and(|read| !start[..read].contains(&0))
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || !letter.is_ascii() || "/._-+".contains(letter)
}

/// `train` for `./train.sh`, `npm` for `npm run dev`.
fn default_name(script: Option<&Path>, command: &str) -> String {
    let first = command.split(|c: char| !is_name(c)).find(|word| !word.is_empty()).unwrap_or("run");
    let path = script.unwrap_or(Path::new(first));
    let stem = if script.is_some() { path.file_stem() } else { path.file_name() };
    let name = stem.map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if name.is_empty() { "run".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &[&str]) -> Plan {
        Plan::new(words.iter().map(Into::into).collect()).unwrap()
    }

    #[test]
    fn one_word_with_syntax_is_a_shell_string() {
        assert_eq!(plan(&["npm run dev && echo done"]).argv[..2], ["bash", "-c"]);
        assert_eq!(plan(&["npm", "run", "a b"]).argv, ["npm", "run", "a b"]);
        assert_eq!(plan(&["true"]).argv, ["true"]);
        assert!(Plan::new(vec![]).is_err());
    }

    #[test]
    fn names_come_from_the_script_or_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("train.sh");
        std::fs::write(&script, "echo hi\n").unwrap();
        let path = script.to_str().unwrap();
        for words in [vec![path], vec!["bash", path], vec!["bash", "-e", path, "x"]] {
            let plan = plan(&words);
            assert_eq!(
                (plan.name.as_str(), plan.script.as_deref()),
                ("train", Some(script.as_path()))
            );
            assert_eq!(plan.sha256(), sha256(b"echo hi\n"));
        }
        assert_eq!(plan(&["/bin/sleep", "1"]).script, None);
        std::fs::write(&script, vec![b' '; scripts::LARGEST + 1]).unwrap();
        assert_eq!(plan(&["cat", path]).script, None);
        assert_eq!(plan(&["/bin/sleep", "1"]).name, "sleep");
        assert_eq!(plan(&["npm run dev"]).name, "npm");
    }
}
