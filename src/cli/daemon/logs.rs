//! `ig daemon logs`: what agents log and print, back and live.

use std::process::ExitCode;

use serde_json::json;

use super::echo::Echoes;
use super::follow;
use crate::cli::Outcome;
use crate::error::Result;
use crate::neutral;
use crate::wire::client::Client;
use crate::wire::reply::{LogLine, Output};
use crate::wire::request::{Request, Scope, UnitOutput};

/// So many of those that ended are shown where no running agent has logs.
const LAST_ENDED: usize = 5;

/// Show the log of an agent, or of all agents of this project
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its id, name, or the start of its id
    who: Option<String>,
    /// Go on with what comes, until the agent ends
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
        let mut client = super::connect()?;
        let scope = super::scope(self.all);
        let mut shower =
            Shower { json: self.json, named: self.who.is_none(), echoes: Echoes::default() };
        if self.follow {
            follow::follow(client, self.who.as_deref(), &scope, self.tail, |line| {
                shower.show(line);
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        let lines = match &self.who {
            Some(who) => lines_of(&mut client, who, &scope, self.tail)?,
            None => lines_of_all(&mut client, &scope, self.tail, self.json)?,
        };
        if lines.is_empty() && !self.json {
            eprintln!("no logs yet\n  try: ig daemon logs -f");
        }
        for line in &lines {
            shower.show(line);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn lines_of(client: &mut Client, who: &str, scope: &Scope, tail: usize) -> Result<Vec<LogLine>> {
    let asked = UnitOutput { id: who.to_owned(), project: scope.project.clone(), tail };
    Ok(client.call::<Output>(&Request::UnitOutput(asked))?.lines)
}

/// Of all that run; where those have no logs, of the last that ended.
fn lines_of_all(
    client: &mut Client,
    scope: &Scope,
    tail: usize,
    json: bool,
) -> Result<Vec<LogLine>> {
    let mut lines = Vec::new();
    for agent in super::pages::agents(client, scope)? {
        lines.extend(lines_of(client, agent.id.as_str(), scope, tail)?);
    }
    if lines.is_empty() {
        let mut ended = super::pages::ended(client, scope)?;
        ended.sort_by(|a, b| b.ended_at.cmp(&a.ended_at));
        for unit in ended.into_iter().take(LAST_ENDED) {
            lines.extend(lines_of(client, unit.id.as_str(), scope, tail)?);
        }
        if !lines.is_empty() && !json {
            eprintln!("no running agent has logs; these have ended");
        }
    }
    lines.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(lines)
}

/// Prints lines as they were asked for.
struct Shower {
    json: bool,
    named: bool,
    echoes: Echoes,
}

impl Shower {
    fn show(&mut self, line: &LogLine) {
        if self.json {
            super::print(json!(line));
        } else if self.echoes.is_echo(line) {
            // It was shown a moment ago.
        } else if self.named {
            super::print(format_args!("{} | {}", neutral::line(&line.name), shown(line)));
        } else {
            super::print(shown(line));
        }
    }
}

/// The text of a line, with its level when that matters; harmless, also behind a pipe, which may
/// lead to a terminal. What a script logged may be several lines.
pub(super) fn shown(line: &LogLine) -> String {
    let text = match line.stream.as_str() {
        "events" => neutral::text(&line.text),
        _ => neutral::output(&line.text),
    };
    match line.level.as_deref() {
        Some(level @ ("warn" | "error" | "debug")) => format!("{level}: {text}"),
        _ => text,
    }
}
