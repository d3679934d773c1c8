//! The one error type and the one table of exit codes.
//!
//! An error says what went wrong, where, and what to do next, each on a line of its own, in lower
//! case and without a full stop. Nothing here prints: the binaries do.

use std::fmt;

/// Exit codes. `ig run` passes its child's own code through; these are ours.
pub mod exit {
    /// Done.
    pub const OK: u8 = 0;
    /// It was understood and failed.
    pub const FAILED: u8 = 1;
    /// The command line made no sense.
    pub const USAGE: u8 = 2;
    /// A wait ran out of time.
    pub const TIMED_OUT: u8 = 124;
    /// `ig run` itself failed before the command started.
    pub const RUN_FAILED: u8 = 125;
    /// The command was found but cannot be executed.
    pub const NOT_EXECUTABLE: u8 = 126;
    /// The command was not found.
    pub const NOT_FOUND: u8 = 127;
    /// Death by signal `n` is told as `SIGNAL_BASE + n`.
    pub const SIGNAL_BASE: u8 = 128;
}

/// `Result` with our [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of error it is, for callers that go on from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nobody goes on from it.
    #[default]
    Other,
    /// No unit is meant by these words.
    NotFound,
    /// More than one unit may be meant.
    Ambiguous,
}

/// What went wrong, where, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "full", derive(serde::Serialize, serde::Deserialize))]
pub struct Error {
    what: String,
    place: Option<String>,
    next: Option<String>,
    code: u8,
    /// For callers in this process.
    #[cfg_attr(feature = "full", serde(skip))]
    kind: ErrorKind,
}

impl Error {
    /// An error that ends with [`exit::FAILED`].
    pub fn new(what: impl Into<String>) -> Self {
        let (place, next, kind) = (None, None, ErrorKind::Other);
        Self { what: what.into(), place, next, code: exit::FAILED, kind }
    }

    /// An error in the command line: ends with [`exit::USAGE`].
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(what).code(exit::USAGE)
    }

    /// An operation on `path` that the system refused.
    pub fn io(doing: &str, path: impl AsRef<std::path::Path>, cause: &std::io::Error) -> Self {
        Self::new(format!("cannot {doing} `{}`: {}", path.as_ref().display(), plain(cause)))
    }

    /// Says what went wrong in other words.
    #[must_use]
    pub fn renamed(mut self, words: impl FnOnce(&str) -> String) -> Self {
        self.what = words(&self.what);
        self
    }

    /// Adds where: a file and line, an address, an argument.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Sets the exit code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Sets what sort of error it is.
    #[must_use]
    pub fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// What sort of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The exit code that this error ends the program with.
    pub fn exit_code(&self) -> u8 {
        self.code
    }

    /// The first line alone.
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(place) = &self.place {
            write!(f, "\n  at {place}")?;
        }
        if let Some(next) = &self.next {
            write!(f, "\n  try: {next}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The system's words without Rust's "(os error 2)".
pub(crate) fn plain(cause: &std::io::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut plain = text.to_owned();
    if let Some(first) = plain.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_where_and_what_next() {
        let error = Error::new("profile key `venvv` is unknown")
            .at(".idlergear/profiles/web.toml:7")
            .next("rename it to `venv`");
        assert_eq!(
            error.to_string(),
            "profile key `venvv` is unknown\n  at .idlergear/profiles/web.toml:7\n  try: rename it to `venv`"
        );
        assert_eq!(error.exit_code(), exit::FAILED);
    }

    #[test]
    fn system_errors_lose_their_number() {
        let cause = std::io::Error::from_raw_os_error(2);
        assert_eq!(
            Error::io("read", "/x", &cause).to_string(),
            "cannot read `/x`: no such file or directory"
        );
    }
}
