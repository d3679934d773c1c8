//! `ig-agent run`: the runner, for scripts that put themselves under it and for background units.
//!
//! ```text
//! ig-agent run [--name N] [--type T] [--script PATH] [--stream] [--tree] [--pty|--no-pty]
//!              [--no-register] [--detach] [--] CMD...
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;

use super::{text, utf8, wrong};
use crate::error::{Result, exit};
use crate::run::{self, Plan};
use crate::wire::unit::Unit;

#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct Options {
    name: Option<String>,
    agent_type: String,
    script: Option<PathBuf>,
    stream: bool,
    tree: bool,
    no_register: bool,
    pty: Option<bool>,
    detach: bool,
    words: Vec<String>,
}

pub(super) fn main(parser: &mut lexopt::Parser) -> Result<ExitCode> {
    let options = read(parser).map_err(|e| e.code(exit::RUN_FAILED))?;
    let mut plan = Plan::new(options.words)
        .map_err(|e| e.code(exit::RUN_FAILED))?
        .with_script(options.script)
        .with_name(options.name);
    plan.agent_type = options.agent_type;
    plan.stream = options.stream;
    plan.tree = options.tree;
    plan.register = !options.no_register && !crate::paths::no_daemon();
    plan.pty = options.pty;
    plan.detached = options.detach;
    if plan.detached { background(&plan) } else { foreground(&plan) }
}

fn read(parser: &mut lexopt::Parser) -> Result<Options> {
    let mut options = Options::default();
    while let Some(arg) = parser.next().map_err(|e| wrong(&e))? {
        match arg {
            Long("name") => options.name = Some(text(parser)?),
            Long("type") => options.agent_type = text(parser)?,
            Long("script") => options.script = Some(text(parser)?.into()),
            Long("stream") => options.stream = true,
            Long("tree") => options.tree = true,
            Long("no-register") => options.no_register = true,
            Long("pty") => options.pty = Some(true),
            Long("no-pty") => options.pty = Some(false),
            Long("detach") => options.detach = true,
            Value(first) => {
                options.words.push(utf8(first)?);
                let rest = parser.raw_args().map_err(|e| wrong(&e))?;
                for word in rest {
                    options.words.push(utf8(word)?);
                }
            }
            other => return Err(wrong(&other.unexpected())),
        }
    }
    Ok(options)
}

/// In the user's terminal: ends as the command ended, by its code or by its signal.
fn foreground(plan: &Plan) -> Result<ExitCode> {
    let (_, end) = run::run(plan, |_| {})?;
    run::die_of(end);
    Ok(ExitCode::from(end.shell_code()))
}

/// On our own: the caller reads the unit as one line of JSON from our stdout and goes on.
fn background(plan: &Plan) -> Result<ExitCode> {
    let _ = rustix::process::setsid();
    run::run(plan, announce)?;
    Ok(ExitCode::SUCCESS)
}

/// Tells the caller, then lets go of its streams.
fn announce(unit: &Unit) {
    let line = serde_json::to_string(unit).unwrap_or_default();
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    let flags = rustix::fs::OFlags::RDWR;
    if let Ok(null) = rustix::fs::open(c"/dev/null", flags, rustix::fs::Mode::empty()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}
