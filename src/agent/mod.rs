//! `ig-agent`, the helper that scripts and the shell library call: one file per verb, and here the
//! list of them.
//!
//! It never fails a script because no daemon is running, or because a file could not be written. It
//! prints a warning on stderr instead; a missing daemon is mentioned only when a message had to be
//! queued. With `--strict` these are failures. Verbs called for their result (`port`, `wait`, `run`,
//! `lib`) always return it.

mod daemon;
mod git;
mod lib;
mod log;
#[cfg(all(target_env = "musl", panic = "abort"))]
mod panic;
mod port;
mod recv;
pub(crate) mod register;
mod run;
mod send;
mod status;
mod stream;
mod target;
mod unregister;
mod wait;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::error::{Error, Result, exit};
use crate::neutral;
use words::Words;

const HELP: &str = "\
ig-agent: what scripts say to IdlerGear, and quiet when nobody listens.

  register NAME [--type T] [--meta K=V]... [--metadata JSON] [--pid PID]   prints the id
  unregister [ID] [--exit-code N]
  log [--level debug|info|warn|error] [--id ID] TEXT|-     `-`: one text per line of stdin
  status active|idle|busy [DETAIL] [--id ID]
  send [--to WHO] [--from ID] TEXT
  recv [--id ID] [--wait SECONDS]
  wait WHO [ready|exit] [SECONDS]
  port BASE [--fixed] [--pid PID]       prints a free TCP port, claimed for the caller
  lib                                   prints the path of idlergear.sh, to be sourced
  run [--name N] [...] -- CMD...        runs CMD and keeps its output and its end
  stream                                copies stdin to stdout and into the unit's log

All take --strict: fail when it could not be done. ID is $IDLERGEAR_AGENT_ID when not given.
";

/// What a verb ends with.
pub(crate) type Outcome = Result<ExitCode>;

/// What is known of a verb.
struct Verb {
    name: &'static str,
    /// Without `--strict`, a failure of it is told and then forgotten.
    forgiving: bool,
    run: fn(Words) -> Outcome,
}

const VERBS: [Verb; 12] = [
    Verb { name: "register", forgiving: true, run: register::run },
    Verb { name: "unregister", forgiving: true, run: unregister::run },
    Verb { name: "log", forgiving: true, run: log::run },
    Verb { name: "status", forgiving: true, run: status::run },
    Verb { name: "send", forgiving: true, run: send::run },
    Verb { name: "recv", forgiving: true, run: recv::run },
    Verb { name: "wait", forgiving: false, run: wait::run },
    Verb { name: "port", forgiving: false, run: port::run },
    Verb { name: "lib", forgiving: false, run: lib::run },
    Verb { name: "run", forgiving: false, run: run::run },
    Verb { name: "stream", forgiving: false, run: stream::run },
    Verb { name: "look-at-git", forgiving: false, run: git::run },
];

/// The whole program.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let Some(verb) = args.next() else {
        eprint!("{HELP}");
        return ExitCode::from(exit::USAGE);
    };
    match verb.to_str() {
        Some("help" | "--help" | "-h") => show(HELP),
        Some("--version" | "-V") => show(concat!("ig-agent ", env!("CARGO_PKG_VERSION"), "\n")),
        _ => dispatch(&verb, args.collect()),
    }
}

fn show(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

fn dispatch(name: &OsString, args: Vec<OsString>) -> ExitCode {
    let Some(verb) = VERBS.iter().find(|verb| name == verb.name) else {
        let problem = format!("there is no verb `{}`", name.to_string_lossy());
        return fail(&Error::usage(problem).next("ig-agent --help"));
    };
    if args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--help") {
        return show(HELP);
    }
    let words = Words::new(args);
    let forgive = verb.forgiving && !words.strict();
    match (verb.run)(words) {
        Ok(code) => code,
        Err(error) if forgive && error.exit_code() != exit::USAGE => {
            fail(&error);
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &Error) -> ExitCode {
    eprintln!("ig-agent: {}", neutral::exact(&error.to_string()));
    ExitCode::from(error.exit_code())
}
