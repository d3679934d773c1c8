//! Rendering in a process of its own, which may have so much memory and time and no more.
//!
//! minijinja's fuel bounds the steps of a template, not what a step makes: `{% set x = x ~ x %}` doubles
//! a text 34 times in 34 steps. Only the system counts all memory, whatever operator or filter asks for
//! it, so a template that does not come with the program is rendered by a copy of this process. The
//! copy dies where it wants more, and we say so.

use std::io::{self, Read, Write};

use rustix::process::{Resource, Rlimit, WaitOptions, WaitStatus, setrlimit, waitpid};
use serde::{Deserialize, Serialize};

use super::engine::{Rendered, Source};
use crate::error::{Error, Result};
use crate::run::unix;

/// What a template may have, MiB; the built-in ones take less than one.
const MEMORY: u64 = 256;

/// How long it may compute, seconds.
const TIME: u64 = 3;

/// The longest answer, bytes: a script, its templates, and room.
const ANSWER: u64 = 32 << 20;

/// What the copy tells.
#[derive(Serialize, Deserialize)]
enum Answer {
    Rendered { text: String, closure: Vec<Source> },
    Failed(Error),
}

/// What `render` makes of `main`, or why it was not let.
pub(super) fn render(main: &Source, render: impl FnOnce() -> Result<Rendered>) -> Result<Rendered> {
    let failed = |e: io::Error| Error::new(format!("cannot render the template: {e}"));
    let pipe = io::pipe().map_err(failed)?;
    let (pid, (reader, writer)) = unix::copy(pipe, |(reader, writer)| {
        drop(reader);
        // On the rest it can only fail, and would be killed for nothing.
        match limit().and_then(|()| tell(writer, render())) {
            Ok(()) => 0,
            Err(_) => 1,
        }
    })
    .map_err(failed)?;
    drop(writer);
    let mut text = Vec::new();
    let read = reader.take(ANSWER).read_to_end(&mut text);
    let ended = waitpid(Some(pid), WaitOptions::empty()).ok().flatten();
    match serde_json::from_slice(&text).ok().filter(|_| read.is_ok()) {
        Some(Answer::Rendered { text, closure }) => Ok(Rendered { text, closure }),
        Some(Answer::Failed(error)) => Err(error),
        None => Err(cut_short(main, ended.map(|(_, status)| status))),
    }
}

fn tell(mut to: impl Write, outcome: Result<Rendered>) -> io::Result<()> {
    let answer = match outcome {
        Ok(Rendered { text, closure }) => Answer::Rendered { text, closure },
        Err(error) => Answer::Failed(error),
    };
    to.write_all(&serde_json::to_vec(&answer)?)
}

/// Bounds this process from here on. What it says when it dies of that is nobody's concern.
fn limit() -> io::Result<()> {
    let at_most = |number| Rlimit { current: Some(number), maximum: Some(number) };
    setrlimit(Resource::Core, at_most(0))?;
    setrlimit(Resource::Cpu, at_most(TIME))?;
    // Elsewhere it does not count what is mapped, which is where large texts are.
    let memory = if cfg!(target_os = "linux") { Resource::Data } else { Resource::As };
    setrlimit(memory, at_most(MEMORY << 20))?;
    let null = std::fs::File::options().write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stderr(null)?)
}

fn cut_short(main: &Source, ended: Option<WaitStatus>) -> Error {
    let name = super::engine::stem(&main.file);
    let signal = ended.and_then(WaitStatus::terminating_signal);
    let timed_out = signal.is_some_and(|signal| [libc::SIGXCPU, libc::SIGKILL].contains(&signal));
    let (what, next) = if timed_out {
        (format!("{TIME} seconds"), "a template with fewer and shorter loops")
    } else {
        (format!("{MEMORY} MiB of memory"), "a template that puts shorter texts together")
    };
    Error::new(format!("the template `{name}` fails: it takes more than {what}"))
        .at(&main.place)
        .next(next)
}
