//! `ig-agent run`: the runner, for scripts that put themselves under it and for background units.
//!
//! ```text
//! ig-agent run [--name N] [--type T] [--script PATH] [--stream] [--pty|--no-pty]
//!              [--no-register] [--detach] [--kind K] [--terms JSON] [--limits JSON] [--] CMD...
//! ```
//!
//! JSON is for programs: `ig start` has an option for each part of it, and says what is wrong.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::Outcome;
use super::words::{Word, Words, unknown};
use crate::error::{Error, Result, exit};
use crate::record;
use crate::run::limits::Limits;
use crate::run::{self as runner, Plan};
use crate::wire::read::{self, Fields};
use crate::wire::unit::{Kind, Terms, Unit};

#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct Options {
    name: Option<String>,
    agent_type: String,
    script: Option<PathBuf>,
    stream: bool,
    no_register: bool,
    pty: Option<bool>,
    detach: bool,
    kind: Option<Kind>,
    terms: Terms,
    limits: Limits,
    words: Vec<OsString>,
}

pub(super) fn run(words: Words) -> Outcome {
    let failed = |error: Error| error.code(exit::RUN_FAILED);
    let options = options(words).map_err(failed)?;
    let mut plan = Plan::new(options.words)
        .map_err(failed)?
        .with_script(options.script)
        .with_name(options.name);
    plan.agent_type = options.agent_type;
    plan.stream = options.stream;
    plan.register = !options.no_register && !crate::paths::no_daemon();
    plan.pty = options.pty;
    plan.detached = options.detach;
    plan.kind = options.kind.unwrap_or(plan.kind);
    plan.terms = options.terms;
    plan.limits = options.limits;
    if plan.detached { background(&plan) } else { foreground(&plan) }
}

fn options(mut words: Words) -> Result<Options> {
    let mut options = Options::default();
    loop {
        if let Some(command) = words.command()? {
            options.words = command;
            return Ok(options);
        }
        let Some(Word::Option(option)) = words.next()? else { return Ok(options) };
        match option.as_str() {
            "name" => options.name = Some(words.value()?),
            "type" => options.agent_type = words.value()?,
            "script" => options.script = Some(words.path()?),
            "stream" => options.stream = true,
            // Scripts that were made earlier say so: what a unit leaves behind is spared by all now.
            "tree" => {}
            "no-register" => options.no_register = true,
            "pty" => options.pty = Some(true),
            "no-pty" => options.pty = Some(false),
            "detach" => options.detach = true,
            "kind" => options.kind = Some(kind(&words.value()?)?),
            "terms" => options.terms = read::terms(json(&words.value()?)?),
            "limits" => options.limits = json(&words.value()?)?.0,
            _ => return Err(unknown(&Word::Option(option))),
        }
    }
}

fn kind(word: &str) -> Result<Kind> {
    let known = Kind::ALL.into_iter().find(|kind| kind.word() == word);
    let known = known.ok_or_else(|| Error::usage(format!("`{word}` is no kind of unit")))?;
    if Kind::STARTABLE.contains(&known) {
        return Ok(known);
    }
    let words = Kind::STARTABLE.map(Kind::word).join(", ");
    Err(Error::usage(format!("the kind `{word}` is reserved and cannot be started yet"))
        .next(words))
}

fn json(text: &str) -> Result<Fields> {
    let value = read::json(text.as_bytes());
    value.map(Fields::of).map_err(|cause| Error::usage(format!("`{text}` is no JSON: {cause}")))
}

/// In the user's terminal: ends as the command ended, by its code or by its signal.
fn foreground(plan: &Plan) -> Outcome {
    let (_, end) = runner::run(plan, |_| {})?;
    runner::die_of(end);
    Ok(ExitCode::from(end.shell_code()))
}

/// In a session of our own: the caller reads the unit as one line of JSON from our stdout and goes on.
fn background(plan: &Plan) -> Outcome {
    runner::run(plan, announce)?;
    Ok(ExitCode::SUCCESS)
}

/// Tells the caller, then lets go of its streams.
fn announce(unit: &Unit) {
    // JSON's own newlines are only layout: those within a text are escaped.
    let line = record::json(unit).unwrap_or_default().replace('\n', "");
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    let flags = rustix::fs::OFlags::RDWR;
    if let Ok(null) = rustix::fs::open(c"/dev/null", flags, rustix::fs::Mode::empty()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}
