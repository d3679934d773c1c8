//! `ig logs`, `ig run logs`: what a unit wrote, from its files, with or without a daemon.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::Outcome;
use crate::neutral;
use crate::record::index::Stream;
use crate::record::output::{Line, Reader};
use crate::record::{Folder, events, scope};
use crate::time;
use crate::wire::unit::Unit;

/// How often a followed log is looked at.
const PULSE: Duration = Duration::from_millis(50);

/// Show what a unit wrote
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Id, name or the first four characters of an id
    id: String,
    /// Go on as it grows, until the unit ends
    #[arg(short, long)]
    follow: bool,
    /// Only the last N lines
    #[arg(long, value_name = "N")]
    tail: Option<usize>,
    /// Only standard output
    #[arg(long, conflicts_with_all = ["stderr", "events"])]
    stdout: bool,
    /// Only standard error
    #[arg(long, conflicts_with = "events")]
    stderr: bool,
    /// Only what the script logged itself
    #[arg(long)]
    events: bool,
    /// Byte for byte, control sequences and all
    #[arg(long)]
    raw: bool,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let (unit, folder) = scope::find(&self.id)?;
        let captured = [&unit.logs.output, &unit.logs.stdout, &unit.logs.stderr];
        let has_output = captured.into_iter().any(Option::is_some);
        let outcome = if self.events || !has_output {
            self.show_events(&folder)
        } else {
            self.show_output(&unit, folder.path())
        };
        match outcome {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(crate::error::Error::new(format!("cannot write: {error}")))
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    fn show_output(&self, unit: &Unit, folder: &Path) -> io::Result<()> {
        let only = match (self.stdout, self.stderr) {
            (true, _) => {
                Some(if unit.logs.output.is_some() { Stream::Output } else { Stream::Stdout })
            }
            (_, true) => Some(Stream::Stderr),
            _ => None,
        };
        let mut reader = match self.tail {
            Some(count) => Reader::from_tail(folder, only, count),
            None => Reader::from_start(folder, only),
        };
        let here = Folder::at(folder);
        loop {
            // The end is looked for first: what was written before it is read after.
            let ended = here.observe().is_ok_and(|unit| unit.status.is_terminal());
            self.print(&reader.lines())?;
            if ended || !self.follow {
                return self.print(&reader.rest());
            }
            std::thread::sleep(PULSE);
        }
    }

    fn print(&self, lines: &[Line]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for line in lines {
            self.print_line(&mut out, line)?;
        }
        out.flush()
    }

    fn print_line(&self, out: &mut impl Write, line: &Line) -> io::Result<()> {
        if self.raw {
            out.write_all(&line.bytes)?;
            return out.write_all(b"\n");
        }
        let text = String::from_utf8_lossy(&line.bytes);
        let text = neutral::output(&text);
        if self.json {
            let at = line.at.map(|at| time::rfc3339(time::from_micros(at)));
            let stream = line.stream.word();
            let value = json!({"number": line.number, "stream": stream, "at": at, "text": text});
            return writeln!(out, "{value}");
        }
        writeln!(out, "{text}")
    }

    fn show_events(&self, folder: &Folder) -> io::Result<()> {
        let mut shown = None;
        loop {
            let ended = folder.observe().is_ok_and(|unit| unit.status.is_terminal());
            let all = events::read(&folder.events());
            let first = all.len().saturating_sub(self.tail.unwrap_or(all.len()));
            self.print_events(&all[shown.unwrap_or(first)..])?;
            shown = Some(all.len());
            if ended || !self.follow {
                return Ok(());
            }
            std::thread::sleep(PULSE);
        }
    }

    fn print_events(&self, events: &[events::Event]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for event in events.iter().filter(|event| event.level != "register") {
            if self.json {
                let value = json!({"stream": "events", "at": event.at, "level": event.level, "text": event.text});
                writeln!(out, "{value}")?;
            } else {
                let at = event.at.as_deref().and_then(|at| at.get(11..19)).unwrap_or("--:--:--");
                writeln!(out, "{at} {:<8} {}", event.level, neutral::line(&event.text))?;
            }
        }
        out.flush()
    }
}
