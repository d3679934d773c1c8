//! Names of environment variables: which are possible, and which bash keeps for itself.

use crate::error::{Error, Result};

/// Setting one of these is an error in bash, is ignored by it, or breaks the script.
const BASHS_OWN: &[&str] = &[
    "_",
    "BASH",
    "BASHOPTS",
    "BASHPID",
    "COMP_WORDBREAKS",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "HOSTTYPE",
    "IFS",
    "LINENO",
    "MACHTYPE",
    "OLDPWD",
    "OPTARG",
    "OPTERR",
    "OPTIND",
    "OSTYPE",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PWD",
    "RANDOM",
    "REPLY",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "UID",
];

/// What the runner tells a script about itself.
const IGS_OWN: &[&str] =
    &["IDLERGEAR_AGENT_ID", "IDLERGEAR_RERUN", "IDLERGEAR_RUNNER_PID", "IDLERGEAR_RUN_ID"];

/// A letter or underscore, then letters, digits, underscores.
pub fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Refuses what cannot be exported.
pub fn check(name: &str) -> Result<()> {
    if !is_name(name) {
        return Err(Error::usage(format!("`{}` is no name for a variable", name.escape_debug()))
            .next("letters, digits and `_`, not starting with a digit: `-e NAME=VALUE`"));
    }
    let bashs = BASHS_OWN.contains(&name) || name.starts_with("BASH_");
    if bashs || IGS_OWN.contains(&name) {
        let owner = if bashs { "bash" } else { "ig" };
        return Err(Error::usage(format!("`{name}` belongs to {owner}; a script cannot set it"))
            .next("use another name"));
    }
    Ok(())
}

/// Splits `NAME=VALUE`, as `-e` and `--set` take it.
pub fn pair(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => {
            Err(Error::usage(format!("`{}` has no `=`", text.escape_debug())).next("NAME=VALUE"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_keeps_its_own() {
        for name in [
            "UID",
            "BASHPID",
            "RANDOM",
            "IDLERGEAR_RUN_ID",
            "BASH_ENV",
            "_",
            "PPID",
            "1A",
            "a-b",
            "",
            "é",
            "A B",
        ] {
            assert!(check(name).is_err(), "{name}");
        }
        for name in ["DJANGO_SETTINGS_MODULE", "PATH", "_x", "BASHFUL", "PORT", "COLUMNS"] {
            assert!(check(name).is_ok(), "{name}");
        }
    }
}
