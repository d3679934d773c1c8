//! `ig daemon messages`: what was said, and who has read it.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::Outcome;
use crate::logs::mask::view::Veil;
use crate::record::Folder;
use crate::wire::reply::Message;
use crate::wire::request::MessageList;
use crate::{neutral, time};

/// List the messages of this project, oldest first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only to this agent: its id, name, or the start of its id
    #[arg(long, value_name = "WHO")]
    to: Option<String>,
    /// Only those that nobody has read
    #[arg(long)]
    unread: bool,
    /// Of all projects
    #[arg(long)]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let mut client = super::connect()?;
        let scope = super::scope(self.all);
        let wanted =
            MessageList { agent: self.to, unread: self.unread, scope, ..MessageList::default() };
        let mut messages = super::pages::messages(&mut client, wanted)?;
        messages.iter_mut().for_each(mask);
        if self.json {
            super::print(json!({ "schema": 1, "messages": messages }));
        } else if messages.is_empty() {
            eprintln!("no messages\n  try: ig daemon send TEXT [--to WHO]");
        }
        if !self.json {
            let names = super::pages::agents(&mut client, &super::scope(true))?;
            let name = |id: &str| {
                names.iter().find(|u| u.id.as_str() == id).map_or(id.to_owned(), |u| u.name.clone())
            };
            for message in &messages {
                show(message, &name(&message.from));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Masks secrets in a message that is only listed, by those of the unit that sent it. Its recipient gets
/// the whole text.
pub(super) fn mask(message: &mut Message) {
    let sender = Folder::of(&message.from, crate::paths::current_project().as_deref());
    message.text = Veil::new().words(&message.text, sender.as_ref());
}

fn show(message: &Message, from: &str) {
    let to = message.to_name.as_deref().or(message.to.as_deref()).unwrap_or("nobody");
    let state = if message.read { "read" } else { "unread" };
    super::print(format_args!(
        "{}  {} -> {}  {state}",
        time::local_of(&message.at),
        neutral::line(if from.is_empty() { "somebody" } else { from }),
        neutral::line(to)
    ));
    for line in neutral::text(&message.text).lines() {
        super::print(format_args!("  {line}"));
    }
}
