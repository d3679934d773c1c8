//! `ig daemon send`: a message to one agent or to all of the project.

use std::process::ExitCode;

use crate::cli::Outcome;
use crate::wire::reply::Sent;
use crate::wire::request::{MessageSend, Request};
use crate::{neutral, paths};

/// Send a message to every agent of this project, or to one; it is kept until it is read
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to say
    #[arg(value_name = "TEXT")]
    text: String,
    /// Only to this agent: its id, name, or the start of its id
    #[arg(long, value_name = "WHO")]
    to: Option<String>,
    /// To the agents of all projects
    #[arg(long, conflicts_with = "to")]
    all: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let from = paths::var("IDLERGEAR_AGENT_ID").or_else(|| paths::var("USER"));
        let message =
            MessageSend { to: self.to, from, text: self.text, scope: super::scope(self.all) };
        let sent: Sent = super::connect()?.call(&Request::MessageSend(message))?;
        match sent.to.as_slice() {
            [] => super::print("nobody is here to read it; it is kept: ig daemon messages"),
            to => {
                let names: Vec<String> = to.iter().map(|one| neutral::line(&one.name)).collect();
                super::print(format_args!("sent to {}", names.join(", ")));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
