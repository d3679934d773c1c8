//! The command line: one file per command, and here the list of them.

pub mod init;
pub mod lib;
pub mod trust;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::{Error, Result, exit};

/// See what runs in your other terminals, from any terminal and from your AI agent.
#[derive(Debug, Parser)]
#[command(name = "ig", version, propagate_version = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::Args),
    Lib(lib::Args),
    Trust(trust::Args),
}

/// The whole program: reads the command line, runs the command, tells what went wrong.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let outcome = match cli.verb {
        Verb::Init(args) => args.run(),
        Verb::Lib(args) => args.run(),
        Verb::Trust(args) => args.run(),
    };
    outcome.unwrap_or_else(|error| fail(&error))
}

/// Help and version go to stdout and succeed; a wrong command line ends with 2, or with 125 when
/// it was `ig run`'s, whose other codes belong to the command it runs.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::OK })
}

fn fail(error: &Error) -> ExitCode {
    eprintln!("ig: {error}");
    ExitCode::from(error.exit_code())
}

/// What a command ends with.
pub(crate) type Outcome = Result<ExitCode>;
