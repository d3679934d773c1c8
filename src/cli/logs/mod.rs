//! `ig logs`, `ig run logs`: what a unit wrote, from its files, with or without a daemon.

mod new;
mod show;

use std::io;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use new::Place;
use show::{Form, Printer};

use super::{Outcome, resolve};
use crate::error::{Error, Result};
use crate::logs::mask::Mask;
use crate::logs::search::Pattern;
use crate::logs::{Events, Output, Row, Sieve, Source, Want, Wish, moment};
use crate::record::index::Stream;
use crate::record::output::Reader;
use crate::record::{Folder, scope};
use crate::wire::unit::Unit;
use crate::{prune, time};

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
    /// Only the first N lines
    #[arg(long, value_name = "N", conflicts_with = "tail")]
    head: Option<usize>,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "RE", allow_hyphen_values = true)]
    grep: Option<String>,
    /// Only lines that you, or the AI session we are in, were not shown by `--new` before
    #[arg(long, conflicts_with_all = ["follow", "head", "since", "until", "range", "raw"])]
    new: bool,
    /// Only lines that look like errors, with a little around them
    #[arg(long)]
    errors: bool,
    /// Only lines from then on: `10m` (ago), `15:40`, or a date and time, on your own clock
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// Only lines until then
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// Only the lines numbered A to B of the whole log; either may be left out
    #[arg(long, value_name = "A:B", value_parser = range)]
    range: Option<(u64, u64)>,
    /// At most N bytes of text
    #[arg(long, value_name = "N")]
    max_bytes: Option<usize>,
    /// Only standard output
    #[arg(long, conflicts_with_all = ["stderr", "events"])]
    stdout: bool,
    /// Only standard error
    #[arg(long, conflicts_with = "events")]
    stderr: bool,
    /// Only what the script logged itself
    #[arg(long)]
    events: bool,
    /// The number of each line in the whole log
    #[arg(short, long)]
    number: bool,
    /// Byte for byte, control sequences and all
    #[arg(long)]
    raw: bool,
    /// One JSON object per line
    #[arg(long, conflicts_with = "raw")]
    json: bool,
}

fn range(text: &str) -> std::result::Result<(u64, u64), String> {
    let number = |word: &str, open: u64| match word.trim() {
        "" => Ok(open),
        word => word.parse().map_err(|_| format!("`{word}` is no line number")),
    };
    let (from, to) = text.split_once(':').unwrap_or((text, text));
    let (from, to) = (number(from, 1)?, number(to, u64::MAX)?);
    if from > to { Err("it ends before it begins".to_owned()) } else { Ok((from.max(1), to)) }
}

fn has_ended(folder: &Folder) -> bool {
    folder.observe().is_ok_and(|unit| unit.status.is_terminal())
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let (unit, folder) = resolve::find_any(&self.id)?;
        if let Some(error) = scope::damage(&unit, &folder) {
            eprintln!("ig: {error}");
        }
        let captured = [&unit.logs.output, &unit.logs.stdout, &unit.logs.stderr];
        let has_output = captured.into_iter().any(Option::is_some);
        let has_output = has_output && !self.events;
        let place = self.new.then(|| Place::of(&folder, self.view(has_output)));
        let first = place.as_ref().map_or(1, |place| place.next);
        let source = if has_output {
            if let Some(words) = prune::instead_of_output(&folder) {
                eprintln!("ig: {words}");
            }
            self.output_of(&unit, &folder, first)?
        } else {
            self.events_of(&folder, first)?
        };
        match self.show(&folder, source, self.sieve()?, place.as_ref()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::new(format!("cannot write: {error}")))
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    fn show(
        &self,
        folder: &Folder,
        mut source: Source,
        mut sieve: Sieve,
        place: Option<&Place>,
    ) -> io::Result<()> {
        let mut printer = Printer::new(self.form(), Mask::of(folder));
        let mut last_read = 0;
        let mut note = |row: &Row| last_read = last_read.max(row.number);
        loop {
            // The end is looked for first: what was written before it is read after.
            let last = !self.follow || has_ended(folder);
            // A line that is still being written will be new once it is whole.
            let closes = if self.new { has_ended(folder) } else { last };
            if closes {
                source.close();
            }
            while let Some(rows) = source.rows().filter(|_| !sieve.is_full()) {
                printer.sift(&mut sieve, rows.inspect(&mut note))?;
            }
            if closes {
                printer.sift(&mut sieve, source.rest().inspect(&mut note))?;
            }
            printer.print(&sieve.caught_up())?;
            if last || sieve.is_full() {
                break;
            }
            std::thread::sleep(PULSE);
        }
        self.tell_cut(&sieve);
        if sieve.lacks_errors() {
            eprintln!("no lines look like errors\n  try: ig logs {} --tail 50", self.id);
        }
        if let Some(line) = source.unknown_from() {
            let after = if line > 1 { format!(" from line {line} on") } else { String::new() };
            eprintln!(
                "ig: the index of this log is damaged or lost: all lines are there, but{after} their times, \
                 and the order of stdout and stderr, are unknown"
            );
        }
        if let Some(place) = place {
            if last_read == 0 {
                eprintln!("nothing new");
            }
            place.move_to(sieve.cut_at().unwrap_or(place.next.max(last_read + 1)));
        }
        Ok(())
    }

    fn tell_cut(&self, sieve: &Sieve) {
        if let (Some(line), Some(most)) = (sieve.cut_at(), self.max_bytes) {
            let rest = if self.new { "--new".to_owned() } else { format!("--range {line}:") };
            eprintln!("ig: {most} bytes end before line {line}; go on with {rest}");
        }
    }

    /// Which of a log's numbered views is read: each has a place of its own.
    fn view(&self, has_output: bool) -> &'static str {
        match (has_output, self.stdout, self.stderr) {
            (false, ..) => "events",
            (_, true, _) => "stdout",
            (_, _, true) => "stderr",
            _ => "output",
        }
    }

    fn form(&self) -> Form {
        match (self.json, self.raw, self.number) {
            (true, ..) => Form::Json,
            (_, true, _) => Form::Raw,
            (_, _, true) => Form::Numbered,
            _ => Form::Text,
        }
    }

    fn output_of(&self, unit: &Unit, folder: &Folder, first: u64) -> Result<Source> {
        let only = match (self.stdout, self.stderr) {
            (true, _) => {
                Some(if unit.logs.output.is_some() { Stream::Output } else { Stream::Stdout })
            }
            (_, true) => Some(Stream::Stderr),
            _ => None,
        };
        let mut reader = Reader::open(folder.path(), only);
        if !(self.follow || self.new) || unit.status.is_terminal() {
            reader.close();
        }
        let (since, until) = self.times()?;
        if self.new {
            reader = reader.from_line(first);
        } else if let Some((first, last)) = self.range {
            // A follower goes on until it sees that there is more.
            reader = reader.from_line(first).to_line(if self.follow { u64::MAX } else { last });
        } else if let Some(since) = since {
            reader = reader.since(since);
        } else if let Some(count) = self.tail.filter(|_| self.tail_is_plain()) {
            reader = reader.tail(count);
        }
        if let Some(until) = until {
            reader = reader.until(until);
        }
        if self.raw {
            reader = reader.in_pieces();
        }
        if let Some(pattern) = &self.grep {
            reader = reader.finding(pattern);
        }
        Ok(Source::Output(Box::new(Output { reader, since, want: self.want(folder) })))
    }

    fn want(&self, folder: &Folder) -> Want {
        let pattern = self.grep.as_deref().filter(|_| !self.new);
        if let Some(pattern) = pattern.and_then(Pattern::new) {
            return Want::Matches(pattern);
        }
        let counts = self.new
            || self.head.or(self.tail).or(self.max_bytes).is_some()
            || self.range.is_some();
        match self.form() {
            _ if counts || self.errors || self.grep.is_some() => Want::Lines,
            Form::Text => Want::Text(Box::new(Mask::of(folder))),
            Form::Raw => Want::Bytes,
            Form::Numbered | Form::Json => Want::Lines,
        }
    }

    fn events_of(&self, folder: &Folder, first: u64) -> Result<Source> {
        let (since, until) = self.times()?;
        let first = self.range.map_or(first, |(first, _)| first);
        Ok(Source::Events(Box::new(Events::new(folder, first, since, until))))
    }

    /// Whether the tail is that of the whole log, which is found without reading it.
    fn tail_is_plain(&self) -> bool {
        let picks = self.grep.is_some() || self.errors || self.until.is_some();
        !picks && self.max_bytes.is_none()
    }

    fn times(&self) -> Result<(Option<u64>, Option<u64>)> {
        let now = SystemTime::now();
        let micros = |text: &String| moment::parse(text, now).map(time::micros);
        Ok((
            self.since.as_ref().map(micros).transpose()?,
            self.until.as_ref().map(micros).transpose()?,
        ))
    }

    fn sieve(&self) -> Result<Sieve> {
        Sieve::new(&Wish {
            grep: self.grep.clone(),
            errors: self.errors,
            head: self.head,
            tail: self.tail,
            max_bytes: self.max_bytes,
            last: self.range.map(|(_, last)| last),
        })
    }
}
