//! `print!` and its kin as the commands use them. Those of std panic when nobody reads any more,
//! which `ig ps | head -1` must not end in; that there is one way to print keeps it so.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write, stderr, stdout};
use std::path::Path;

use crate::error::{Error, exit};
use crate::neutral;

macro_rules! print {
    ($($words:tt)*) => { $crate::cli::out::show(format_args!($($words)*)) };
}

macro_rules! println {
    ($($words:tt)*) => { $crate::cli::out::show(format_args!("{}\n", format_args!($($words)*))) };
}

macro_rules! eprint {
    ($($words:tt)*) => { $crate::cli::out::tell(format_args!($($words)*)) };
}

macro_rules! eprintln {
    ($($words:tt)*) => { $crate::cli::out::tell(format_args!("{}\n", format_args!($($words)*))) };
}

/// A result, on stdout. Without a reader there is nothing more to do; that is no failure.
pub(super) fn show(words: Arguments<'_>) {
    done(stdout().lock().write_fmt(words));
}

/// The same for a path that programs read: to the byte, on a line.
pub(super) fn path(path: &Path) {
    done(stdout().lock().write_all(&[path.as_os_str().as_encoded_bytes(), b"\n"].concat()));
}

fn done(written: std::io::Result<()>) {
    match written {
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => std::process::exit(exit::OK.into()),
        Err(cause) => {
            super::fail(&Error::new(format!("cannot write: {cause}")));
            std::process::exit(exit::FAILED.into())
        }
        Ok(()) => {}
    }
}

/// A remark, on stderr. Nothing depends on it. Whatever foreign words are in it, they do nothing to a
/// terminal, also behind a pipe.
pub(super) fn tell(words: Arguments<'_>) {
    let _ = stderr().lock().write_all(neutral::exact(&words.to_string()).as_bytes());
}
