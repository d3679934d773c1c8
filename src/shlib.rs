//! The shell library: its text, and a file that holds exactly this version of it.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::{paths, secure_fs};

/// The library as this program was built with.
pub const TEXT: &str = include_str!("../shell-lib/idlergear.sh");

/// Its file name wherever it lies.
const FILE: &str = "idlergear.sh";

/// A file with this very version: beside the program when it was installed there, else a copy in
/// the user's state folder, made when needed.
pub fn locate() -> Result<PathBuf> {
    let beside = env::current_exe().ok().map(|exe| exe.with_file_name(FILE));
    if let Some(path) = beside.filter(|path| is_current(path)) {
        return Ok(path);
    }
    let dir = paths::state_dir().join("lib").join(env!("CARGO_PKG_VERSION"));
    let path = dir.join(FILE);
    if !is_current(&path) {
        secure_fs::dir(&dir).map_err(|e| Error::io("make", &dir, &e))?;
        secure_fs::replace(&path, TEXT.as_bytes()).map_err(|e| Error::io("write", &path, &e))?;
    }
    Ok(path)
}

/// Writes the library beside the program, for `source idlergear.sh` through PATH.
pub fn install() -> Result<PathBuf> {
    let exe =
        env::current_exe().map_err(|e| Error::new(format!("cannot find this program: {e}")))?;
    let path = exe.with_file_name(FILE);
    secure_fs::replace_with_mode(&path, TEXT.as_bytes(), 0o644)
        .map_err(|e| Error::io("write", &path, &e).next("ig lib --path"))?;
    Ok(path)
}

fn is_current(path: &Path) -> bool {
    secure_fs::input(path, secure_fs::SMALL).is_ok_and(|bytes| bytes == TEXT.as_bytes())
}

/// The library's API level, as `IDLERGEAR_SH_VERSION` says it.
pub fn api_level() -> &'static str {
    let line = TEXT.lines().find_map(|line| line.trim().strip_prefix("IDLERGEAR_SH_VERSION="));
    line.map_or("1", |version| version.trim_matches(['\'', '"']))
}
