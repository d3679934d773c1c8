//! `ig daemon logs`: what agents log and print, back and live.

use std::io::IsTerminal;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::Outcome;
use crate::error::Result;
use crate::neutral;
use crate::wire::client::Client;
use crate::wire::reply::{Event, LogLine, Output};
use crate::wire::request::{EventSubscribe, Request, UnitOutput};

/// Show the log of an agent, or of all agents of this project
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its id, name, or the start of its id
    who: Option<String>,
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
    /// The last N lines of each
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    tail: usize,
    /// Of all projects
    #[arg(long, conflicts_with = "who")]
    all: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        if self.follow { self.follow() } else { self.once() }
    }

    fn once(&self) -> Outcome {
        let mut client = super::connect()?;
        let lines = match &self.who {
            Some(who) => self.lines_of(&mut client, who)?,
            None => self.lines_of_all(&mut client)?,
        };
        if lines.is_empty() && !self.json {
            eprintln!("nothing was logged yet\n  try: ig daemon logs -f");
        }
        lines.iter().for_each(|line| self.show(line));
        Ok(ExitCode::SUCCESS)
    }

    fn lines_of(&self, client: &mut Client, who: &str) -> Result<Vec<LogLine>> {
        let project = super::scope(false).project;
        let asked = UnitOutput { id: who.to_owned(), project, tail: self.tail };
        Ok(client.call::<Output>(&Request::UnitOutput(asked))?.lines)
    }

    fn lines_of_all(&self, client: &mut Client) -> Result<Vec<LogLine>> {
        let mut lines = Vec::new();
        for agent in super::pages::agents(client, &super::scope(self.all))? {
            lines.extend(self.lines_of(client, agent.id.as_str())?);
        }
        lines.sort_by(|a, b| a.at.cmp(&b.at));
        Ok(lines)
    }

    /// For ever: a daemon that was restarted, or that found us too slow, is asked again.
    fn follow(&self) -> Outcome {
        let mut tail = self.tail;
        loop {
            let mut client = super::connect()?;
            let subscription = EventSubscribe {
                types: Some(vec!["log_event".to_owned()]),
                unit: self.who.clone(),
                output: true,
                tail,
                scope: super::scope(self.all),
            };
            client.call::<serde_json::Value>(&Request::EventSubscribe(subscription))?;
            while let Ok(Some(event)) = client.next_event(None) {
                self.take(event);
            }
            eprintln!("ig: the daemon let go; following again from here");
            tail = 0;
        }
    }

    fn take(&self, event: Event) {
        match serde_json::from_value::<LogLine>(event.data) {
            Ok(line) if event.event_type == "log_event" => self.show(&line),
            _ => {}
        }
    }

    fn show(&self, line: &LogLine) {
        if self.json {
            super::print(json!(line));
        } else if self.who.is_some() {
            super::print(shown(line));
        } else {
            super::print(format_args!("{} | {}", neutral::line(&line.name), shown(line)));
        }
    }
}

/// The text of a line, with its level when that matters; harmless when a person looks.
pub(super) fn shown(line: &LogLine) -> String {
    let text = if std::io::stdout().is_terminal() {
        neutral::output(&line.text)
    } else {
        line.text.clone()
    };
    match line.level.as_deref() {
        Some(level @ ("warn" | "error" | "debug")) => format!("{level}: {text}"),
        _ => text,
    }
}
