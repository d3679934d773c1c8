//! `ig daemon ...`: the daemon's life, and who and what it knows. One file per sub-command.

mod agent_status;
mod agents;
mod echo;
mod follow;
mod log;
mod logs;
mod messages;
mod pages;
mod queue_list;
mod register;
mod restart;
mod send;
mod serve;
mod start;
mod status;
mod stop;
mod unregister;
mod whom;

use clap::Subcommand;

use super::Outcome;
use crate::error::Result;
use crate::wire::client::Client;
use crate::wire::request::Scope;
use crate::{autostart, paths};

/// Start, stop and ask the daemon: who is there, what they log, what they tell each other
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Start(start::Args),
    Stop(stop::Args),
    Restart(restart::Args),
    Status(status::Args),
    Agents(agents::Args),
    Send(send::Args),
    Messages(messages::Args),
    QueueList(queue_list::Args),
    Logs(logs::Args),
    Register(register::Args),
    Unregister(unregister::Args),
    Log(log::Args),
    AgentStatus(agent_status::Args),
    #[command(hide = true)]
    Serve(serve::Args),
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        match self.verb {
            Verb::Start(args) => args.run(),
            Verb::Stop(args) => args.run(),
            Verb::Restart(args) => args.run(),
            Verb::Status(args) => args.run(),
            Verb::Agents(args) => args.run(),
            Verb::Send(args) => args.run(),
            Verb::Messages(args) => args.run(),
            Verb::QueueList(args) => args.run(),
            Verb::Logs(args) => args.run(),
            Verb::Register(args) => args.run(),
            Verb::Unregister(args) => args.run(),
            Verb::Log(args) => args.run(),
            Verb::AgentStatus(args) => args.run(),
            Verb::Serve(args) => args.run(),
        }
    }
}

/// A connection to the daemon, which is started when need be.
fn connect() -> Result<Client> {
    autostart::ensure()?;
    Client::connect("ig")
}

/// The current project, or everything.
fn scope(all: bool) -> Scope {
    Scope { project: paths::current_project(), all }
}

/// Prints to stdout; a reader that has gone is no fault.
fn print(line: impl std::fmt::Display) {
    use std::io::Write;
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}
