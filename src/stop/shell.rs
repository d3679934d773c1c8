//! Whether somebody types into a process: an interactive shell is nobody's to stop.
//!
//! It has a controlling terminal and reads it, and its command line is that of a shell without a script
//! and without `-c`. So are login shells, shells in terminals and panes, and shells inside shells; a
//! script on a terminal is not, whether it leads its session or not.

use crate::os::{self, Process};

/// Programs that people type into.
const SHELLS: [&str; 14] = [
    "bash", "zsh", "sh", "dash", "ash", "ksh", "mksh", "fish", "csh", "tcsh", "nu", "xonsh",
    "elvish", "pwsh",
];

/// Options that take a word of their own.
const WITH_WORD: [&str; 8] =
    ["--rcfile", "--init-file", "-o", "+o", "-O", "+O", "--command", "--config"];

pub(super) fn is_interactive(process: &Process) -> bool {
    process.on_terminal && is_prompt(&os::words(process.pid)) && os::reads_terminal(process.pid)
}

/// Whether a shell that was started with `words` asks what to do.
fn is_prompt(words: &[Vec<u8>]) -> bool {
    let mut words = words.iter().map(|word| String::from_utf8_lossy(word));
    let Some(program) = words.next() else { return false };
    let name = program.rsplit('/').next().unwrap_or_default();
    if !SHELLS.contains(&name.strip_prefix('-').unwrap_or(name)) {
        return false;
    }
    while let Some(word) = words.next() {
        let is_option = word.len() > 1 && word.starts_with(['-', '+']);
        let has_command = word.starts_with('-') && !word.starts_with("--") && word.contains('c');
        if !is_option || has_command || word == "--command" {
            return false;
        }
        if WITH_WORD.contains(&word.as_ref()) {
            words.next();
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_without_a_script_is_typed_into() {
        let is = |line: &str| {
            let words: Vec<Vec<u8>> =
                line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            is_prompt(&words)
        };
        for line in [
            "-bash",
            "bash",
            "/bin/zsh -l",
            "bash --rcfile x -i",
            "sh",
            "fish",
            "-zsh",
            "bash --norc",
        ] {
            assert!(is(line), "{line}");
        }
        for line in [
            "bash x.sh",
            "bash -c x",
            "sh -ec x",
            "bash -l x.sh",
            "/bin/sh -lc x",
            "vim",
            "python3",
            "bashful",
        ] {
            assert!(!is(line), "{line}");
        }
        assert!(!is_prompt(&[]));
    }
}
