//! Where a script lies: its path, the project seen from it, and what is there already.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use super::header::Header;
use crate::error::{Error, Result};
use crate::{paths, secure_fs};

/// What lies at a script's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existing {
    /// Nothing.
    Absent,
    /// A file that ig did not write.
    Foreign(String),
    /// A script of ig's that someone changed outside its keep region.
    Edited(String),
    /// A script as ig wrote it.
    Ours(String),
}

impl Existing {
    /// Looks at `path`.
    pub fn at(path: &Path) -> Result<Self> {
        let bytes = match secure_fs::input(path, secure_fs::SMALL) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::Absent),
            Err(error) => return Err(Error::io("read", path, &error)),
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(match Header::read(&text) {
            None => Self::Foreign(text),
            Some(header) if header.is_edited(&text) => Self::Edited(text),
            Some(_) => Self::Ours(text),
        })
    }

    /// The text that is there, empty when there is none.
    pub fn text(&self) -> &str {
        match self {
            Self::Absent => "",
            Self::Foreign(text) | Self::Edited(text) | Self::Ours(text) => text,
        }
    }
}

/// The script's path: `asked`, or `scripts/NAME.sh` in the project. A folder gets `NAME.sh`.
pub fn output(asked: Option<&str>, name: &str, root: &Path, here: &Path) -> Result<PathBuf> {
    let file = format!("{name}.sh");
    let Some(asked) = asked else { return in_project(root.join("scripts").join(file), root) };
    if asked.is_empty() || !asked.chars().all(super::quote::is_visible) {
        let shown = asked.escape_debug();
        return Err(Error::usage(format!("`{shown}` is no path for a script")).next("-o PATH"));
    }
    let mut path = here.join(asked);
    if asked.ends_with('/') || path.is_dir() {
        path.push(file);
    }
    match path.file_name().and_then(|name| name.to_str()) {
        Some(name) if !name.starts_with('-') => in_project(path, root),
        _ => Err(Error::usage(format!("`{asked}` is no path for a script")).next("-o PATH")),
    }
}

/// What is named as a file of the project is one: no link of a repository leads elsewhere.
fn in_project(path: PathBuf, root: &Path) -> Result<PathBuf> {
    let is_link = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink());
    let leads_to = if is_link { path.canonicalize().ok() } else { Some(real(&path)) };
    if path.starts_with(root) && leads_to.is_none_or(|to| !to.starts_with(real(root))) {
        let what = format!("`{}` leads out of the project", paths::display(&path));
        return Err(Error::new(what).next("-o PATH, outside of the link"));
    }
    Ok(path)
}

/// `path` from the root of the file system.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Error::io("find", path, &e))
}

/// The way from the folder of `script` to `root`: `..` in the usual case.
pub fn relative_root(script: &Path, root: &Path) -> Result<String> {
    let from = real(script.parent().unwrap_or(Path::new("/")));
    let to = real(root);
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    let text = way.to_str().map(str::to_owned);
    let text = text.ok_or_else(|| {
        Error::new(format!("`{}` is not UTF-8; a script cannot name it", root.display()))
    })?;
    Ok(if text.is_empty() { ".".to_owned() } else { text })
}

/// `path` without links and dots, as far as it exists.
fn real(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), _, _) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        (Err(_), ..) => path.to_path_buf(),
    }
}

/// Puts `text` at `path` in one step, executable as far as the umask lets it be. What was there keeps
/// its mode: whoever made it private meant that.
pub fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|e| Error::io("make", dir, &e))?;
    }
    let mode = fs::metadata(path).map_or_else(|_| 0o755 & !umask(), |meta| executable(&meta));
    secure_fs::replace_with_mode(path, text.as_bytes(), mode)
        .map_err(|e| Error::io("write", path, &e))
}

/// Makes a script that is as it should be executable again.
pub fn make_executable(path: &Path) -> Result<()> {
    let meta = fs::metadata(path).map_err(|e| Error::io("look at", path, &e))?;
    if meta.permissions().mode() & 0o100 != 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(executable(&meta)))
        .map_err(|e| Error::io("make executable", path, &e))
}

/// The file's mode, executable for its owner and for whoever may read it.
fn executable(meta: &fs::Metadata) -> u32 {
    let mode = meta.permissions().mode() & 0o777;
    mode | 0o500 | ((mode & 0o444) >> 2)
}

/// The umask can only be read by setting it; this program has one thread here.
fn umask() -> u32 {
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::umask(mask);
    #[allow(clippy::useless_conversion, reason = "`RawMode` is `u16` on macOS")]
    u32::from(mask.as_raw_mode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_from_the_script() {
        let way =
            |script: &str, root: &str| relative_root(Path::new(script), Path::new(root)).unwrap();
        assert_eq!(way("/nowhere/p/scripts/x.sh", "/nowhere/p"), "..");
        assert_eq!(way("/nowhere/p/x.sh", "/nowhere/p"), ".");
        assert_eq!(way("/nowhere/q/a/x.sh", "/nowhere/p"), "../../p");
    }
}
