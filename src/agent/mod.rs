//! `ig-agent`, the helper that scripts and the shell library call: one file per verb.
//!
//! It never fails a script because the daemon is away; `--strict` asks for that.

mod run;
mod stream;

use std::process::ExitCode;

use lexopt::prelude::*;

use crate::error::{Error, Result, exit};

/// The whole program.
pub fn main() -> ExitCode {
    let mut parser = lexopt::Parser::from_env();
    match dispatch(&mut parser) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ig-agent: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(parser: &mut lexopt::Parser) -> Result<ExitCode> {
    let Some(Value(verb)) = parser.next().map_err(|e| wrong(&e))? else {
        return Err(Error::usage("no verb given").next("ig-agent --help"));
    };
    match verb.to_str() {
        Some("run") => run::main(parser),
        Some("stream") => stream::main(parser),
        _ => Err(Error::usage(format!("`{}` is no verb", verb.to_string_lossy()))),
    }
}

/// A command line that makes no sense.
fn wrong(error: &lexopt::Error) -> Error {
    Error::usage(error.to_string()).code(exit::USAGE)
}

fn text(parser: &mut lexopt::Parser) -> Result<String> {
    utf8(parser.value().map_err(|e| wrong(&e))?)
}

fn utf8(word: std::ffi::OsString) -> Result<String> {
    word.into_string().map_err(|word| {
        Error::usage(format!("`{}` is not UTF-8", word.to_string_lossy()))
            .next("name the file in UTF-8, or run the command through bash -c")
    })
}
