//! `ig daemon queue-list`: what waits for each agent, and what each said last.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::Outcome;
use crate::error::Result;
use crate::neutral;
use crate::wire::client::Client;
use crate::wire::reply::{LogLine, Message, Output};
use crate::wire::request::{MessageList, Request, UnitOutput};
use crate::wire::unit::Unit;

/// Show what waits: unread messages of each agent, and its latest log lines
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Log lines of each agent
    #[arg(long, value_name = "N", default_value_t = 3)]
    tail: usize,
    /// Of all projects
    #[arg(long)]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// One agent and what waits for it.
struct Waiting {
    agent: Unit,
    unread: Vec<Message>,
    lines: Vec<LogLine>,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let mut client = super::connect()?;
        let scope = super::scope(self.all);
        let wanted = MessageList { unread: true, scope: scope.clone(), ..MessageList::default() };
        let mut unread = super::pages::messages(&mut client, wanted)?;
        unread.iter_mut().for_each(super::messages::mask);
        let mut all = Vec::new();
        for agent in super::pages::agents(&mut client, &scope)? {
            all.push(waiting(&mut client, agent, &unread, self.tail)?);
        }
        let unaddressed: Vec<&Message> = unread.iter().filter(|m| m.to.is_none()).collect();
        if self.json {
            super::print(as_json(&all, &unaddressed));
        } else {
            show(&all, &unaddressed);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn waiting(client: &mut Client, agent: Unit, unread: &[Message], tail: usize) -> Result<Waiting> {
    let id = agent.id.to_string();
    let mine = |message: &&Message| message.to.as_deref() == Some(id.as_str());
    let unread = unread.iter().filter(mine).cloned().collect();
    let asked = UnitOutput { id: id.clone(), project: None, tail };
    let lines = client.call::<Output>(&Request::UnitOutput(asked))?.lines;
    Ok(Waiting { agent, unread, lines })
}

fn as_json(all: &[Waiting], unaddressed: &[&Message]) -> Value {
    let queue = |w: &Waiting| json!({ "id": w.agent.id, "name": w.agent.name, "unread": w.unread, "lines": w.lines });
    let queues: Vec<Value> = all.iter().map(queue).collect();
    json!({ "schema": 1, "queues": queues, "unaddressed": unaddressed })
}

fn show(all: &[Waiting], unaddressed: &[&Message]) {
    for waiting in all {
        let count = match waiting.unread.len() {
            0 => "no unread messages".to_owned(),
            1 => "1 unread message".to_owned(),
            n => format!("{n} unread messages"),
        };
        let name = neutral::line(&waiting.agent.name);
        super::print(format_args!("{name} ({}): {count}", waiting.agent.id));
        waiting.unread.iter().for_each(show_message);
        for line in &waiting.lines {
            super::print(format_args!("  | {}", super::logs::shown(line)));
        }
    }
    if !unaddressed.is_empty() {
        super::print("to nobody, since nobody was here:");
        for message in unaddressed {
            show_message(message);
        }
    }
    if all.is_empty() && unaddressed.is_empty() {
        eprintln!("nothing waits: nobody is here\n  try: ig daemon agents --all");
    }
}

fn show_message(message: &Message) {
    let from = if message.from.is_empty() { "somebody" } else { &message.from };
    super::print(format_args!("  > {}: {}", neutral::line(from), neutral::words(&message.text)));
}
