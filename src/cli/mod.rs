//! The command line: one file per command, and here the list of them.

#[macro_use]
mod out;

mod alerts;
mod clear;
mod config;
mod daemon;
mod diff;
mod figures;
mod r#gen;
mod generate_script;
mod init;
mod lib;
mod logs;
mod output;
mod port;
mod prune;
mod ps;
mod resolve;
mod run;
mod session;
mod signals;
mod start;
mod stop;
mod sweep;
mod table;
mod trim;
mod trust;
mod up;
mod wait;
mod who;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args as _, Command, FromArgMatches, Parser, Subcommand};

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
    Gen(r#gen::Args),
    Run(run::Args),
    Start(Box<start::Args>),
    Up(Box<up::Args>),
    Ps(ps::Args),
    Logs(logs::Args),
    Output(output::Args),
    Diff(diff::Args),
    Wait(wait::Args),
    #[command(hide = true)]
    WaitInScript(wait::InScript),
    #[command(hide = true)]
    LookUntilReady(wait::ForRunner),
    #[command(hide = true)]
    PortInScript(port::InScript),
    Who(who::Args),
    #[command(alias = "kill")]
    Stop(stop::Args),
    Clear(clear::Args),
    Sweep(sweep::Args),
    Alerts(alerts::Args),
    Signals(signals::Args),
    Daemon(daemon::Args),
    Trust(trust::Args),
    Config(config::Args),
    Prune(prune::Args),
    Trim(trim::Args),
    Lib(lib::Args),
}

/// The whole program: reads the command line, runs the command, tells what went wrong.
pub fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let outcome = match cli.verb {
        Verb::Gen(args) => args.run(),
        Verb::Init(args) => args.run(),
        Verb::Run(args) => args.run(),
        Verb::Start(args) => args.run(),
        Verb::Ps(args) => args.run(),
        Verb::Logs(args) => args.run(),
        Verb::Output(args) => args.run(),
        Verb::Diff(args) => args.run(),
        Verb::Stop(args) => args.run(),
        Verb::Clear(args) => args.run(),
        Verb::Sweep(args) => args.run(),
        Verb::Up(args) => args.run(),
        Verb::Wait(args) => args.run(),
        Verb::WaitInScript(args) => args.run(),
        Verb::LookUntilReady(args) => args.run(),
        Verb::PortInScript(args) => args.run(),
        Verb::Who(args) => args.run(),
        Verb::Alerts(args) => args.run(),
        Verb::Signals(args) => args.run(),
        Verb::Daemon(args) => args.run(),
        Verb::Lib(args) => args.run(),
        Verb::Trust(args) => args.run(),
        Verb::Config(args) => args.run(),
        Verb::Prune(args) => args.run(),
        Verb::Trim(args) => args.run(),
    };
    outcome.unwrap_or_else(|error| fail(&error))
}

/// Makes the words of one verb.
type Words = fn(Command) -> Command;

/// Verbs that are called again and again. Making the words of all verbs takes longer than many of
/// these need for their work: only their own are made.
const FREQUENT: [(&str, Words); 5] = [
    ("gen", r#gen::Args::augment_args),
    ("logs", logs::Args::augment_args),
    ("ps", ps::Args::augment_args),
    ("run", run::Args::augment_args),
    ("start", start::Args::augment_args),
];

fn parse() -> std::result::Result<Cli, clap::Error> {
    let verb = std::env::args_os().nth(1).unwrap_or_default();
    let Some((name, words)) = FREQUENT.into_iter().find(|(name, _)| verb == *name) else {
        return Cli::try_parse();
    };
    let program = Command::new("ig").version(env!("CARGO_PKG_VERSION")).propagate_version(true);
    let program = program.disable_help_subcommand(true).subcommand(words(Command::new(name)));
    Cli::from_arg_matches(&program.try_get_matches()?)
}

/// Help and version go to stdout and succeed; a wrong command line ends with 2, or with 125 when
/// it was that of `ig run COMMAND`, whose other codes belong to the command it runs.
fn usage(error: &clap::Error) -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let ran = words.next().is_some_and(|verb| verb == "run");
    let ran = ran && !words.next().is_some_and(|word| run::is_verb(&word.to_string_lossy()));
    let code = if ran { exit::RUN_FAILED } else { exit::USAGE };
    if error.kind() == clap::error::ErrorKind::InvalidUtf8 {
        return fail(&no_text().code(code));
    }
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { code } else { exit::OK })
}

/// Commands and paths may be any bytes; what is left has to be text.
fn no_text() -> Error {
    let odd = std::env::args_os().find(|word| word.to_str().is_none()).unwrap_or_default();
    let odd = crate::neutral::line(&odd.to_string_lossy());
    Error::usage(format!("`{odd}` is not UTF-8 text, which is what is wanted there"))
        .next("commands and paths may be any bytes, names and other values may not")
}

fn fail(error: &Error) -> ExitCode {
    eprintln!("ig: {error}");
    ExitCode::from(error.exit_code())
}

/// What a command ends with.
pub(crate) type Outcome = Result<ExitCode>;

/// How long something may take, as people type it: `90s`, `1m 30s`; a plain number is seconds.
pub(crate) fn length(text: &str) -> std::result::Result<Duration, humantime::DurationError> {
    match text.parse::<u32>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds.into())),
        Err(_) => humantime::parse_duration(text),
    }
}
