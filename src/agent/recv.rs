//! `recv`: prints the messages an agent has not read yet, and then marks them as read.
//!
//! They are marked only after they were written out: a crash in between repeats a message and loses
//! none.

use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::words::{Word, Words, unknown};
use super::{Outcome, daemon, target};
use crate::error::{Error, Result, exit};
use crate::id::UnitId;
use crate::wire::client::Client;
use crate::wire::read::Fields;
use crate::{neutral, paths};

/// How often `--wait` looks whether something has come in.
const INTERVAL: Duration = Duration::from_millis(50);

/// How often it asks the daemon when there is no file to look for.
const SLOW_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Args {
    id: Option<String>,
    wait: Option<u64>,
    shell: bool,
}

pub(super) fn run(words: Words) -> Outcome {
    let strict = words.strict();
    let args = parse(words)?;
    let inbox = Inbox { id: target::id(args.id)?, strict };
    let deadline = args.wait.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    loop {
        let messages = inbox.unread(deadline.is_some())?;
        if !messages.is_empty() {
            print(&messages, args.shell)?;
            inbox.acknowledge(&messages)?;
            return Ok(ExitCode::SUCCESS);
        }
        match deadline {
            None => return Ok(ExitCode::SUCCESS),
            Some(deadline) if !inbox.wait(deadline) => return Ok(timed_out(strict)),
            Some(_) => {}
        }
    }
}

fn parse(mut words: Words) -> Result<Args> {
    let mut args = Args::default();
    while let Some(word) = words.next()? {
        match word {
            Word::Option(option) => match option.as_str() {
                "id" => args.id = Some(words.value()?),
                "wait" => args.wait = Some(words.number("wait")?),
                "shell" => args.shell = true,
                _ => return Err(unknown(&Word::Option(option))),
            },
            other @ Word::Value(_) => return Err(unknown(&other)),
        }
    }
    Ok(args)
}

/// No message in time is no failure, unless the caller wants to tell the two apart.
fn timed_out(strict: bool) -> ExitCode {
    if strict { ExitCode::from(exit::TIMED_OUT) } else { ExitCode::SUCCESS }
}

/// What is shown of a message.
struct Message {
    seq: u64,
    from: String,
    text: String,
}

impl Message {
    fn of(value: Value) -> Self {
        let mut fields = Fields::of(value);
        Self {
            seq: fields.value("seq").as_u64().unwrap_or_default(),
            from: fields.text("from").unwrap_or_default(),
            text: fields.text("text").unwrap_or_default(),
        }
    }
}

struct Inbox {
    id: String,
    strict: bool,
}

impl Inbox {
    /// The file that exists while there is something to read.
    fn file(&self) -> Option<std::path::PathBuf> {
        UnitId::parse(&self.id).map(|id| paths::inbox_dir().join(id.as_str()))
    }

    fn is_filled(&self) -> bool {
        self.file().is_some_and(|file| crate::secure_fs::exists(&file))
    }

    /// The daemon; started when there must be something to read, or when we will wait for it.
    fn daemon(&self, waiting: bool) -> Result<Option<Client>> {
        let needed = waiting || self.is_filled();
        if needed { daemon::call_up(self.strict) } else { daemon::reach(self.strict) }
    }

    fn unread(&self, waiting: bool) -> Result<Vec<Message>> {
        let Some(mut client) = self.daemon(waiting)? else { return Ok(Vec::new()) };
        let agent = self.id.as_str().into();
        let wanted = vec![("agent", agent), ("unread", true.into()), ("all", true.into())];
        let answer = client.ask("message.list", wanted)?;
        Ok(Fields::of(answer).list("messages").into_iter().map(Message::of).collect())
    }

    fn acknowledge(&self, messages: &[Message]) -> Result<()> {
        let seqs: Vec<Value> = messages.iter().map(|message| message.seq.into()).collect();
        let Some(mut client) = daemon::reach(self.strict)? else { return Ok(()) };
        let ack = vec![("agent", self.id.as_str().into()), ("seqs", seqs.into())];
        client.ask("message.ack", ack).map(drop)
    }

    /// Waits until there may be something to read; false when the time is up.
    fn wait(&self, deadline: Instant) -> bool {
        let started = Instant::now();
        while Instant::now() < deadline {
            sleep(INTERVAL.min(deadline.saturating_duration_since(Instant::now())));
            let blind = self.file().is_none() && started.elapsed() >= SLOW_INTERVAL;
            if blind || self.is_filled() {
                return true;
            }
        }
        false
    }
}

fn print(messages: &[Message], shell: bool) -> Result<()> {
    let mut out = Vec::new();
    let is_seen = stdout().is_terminal();
    for message in messages {
        if shell {
            // One line each, escaped as in `events.log`; a shell cannot hold NUL.
            out.extend(format!("{}\t{}\n", plain(&message.from), escaped(&message.text)).bytes());
        } else {
            // For a script byte for byte, for a person harmless.
            let text = if is_seen { neutral::text(&message.text) } else { message.text.clone() };
            out.extend(format!("{text}\n").bytes());
        }
    }
    let mut to = stdout().lock();
    to.write_all(&out)
        .and_then(|()| to.flush())
        .map_err(|e| Error::new(format!("cannot print the messages, they stay unread: {e}")))
}

fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

fn escaped(text: &str) -> String {
    text.replace('\0', "").replace('\\', "\\\\").replace('\n', "\\n")
}
