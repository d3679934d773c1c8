//! `ig daemon send`: a message to one agent or to all of the project.

use std::process::ExitCode;

use crate::cli::Outcome;
use crate::error::{Error, Result};
use crate::wire::raw;
use crate::wire::reply::Sent;
use crate::{neutral, outbox, paths};

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
        if self.text.is_empty() {
            return Err(Error::usage("nothing to send").next("ig daemon send [--to WHO] TEXT"));
        }
        let scope = super::scope(self.all);
        let project = scope.project.map(|root| raw::text(&root));
        let message = vec![
            ("to", self.to.into()),
            ("from", paths::var("IDLERGEAR_AGENT_ID").unwrap_or_else(paths::user).into()),
            ("text", self.text.into()),
            ("project", project.into()),
            ("all", scope.all.into()),
        ];
        match outbox::send("ig", message)? {
            outbox::Sent::Waits(Some(cause)) => eprintln!("ig: {}", outbox::notice(&cause)),
            outbox::Sent::Waits(None) => super::print("queued behind those that wait already"),
            outbox::Sent::Taken(answer) => tell(answer)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn tell(answer: serde_json::Value) -> Result<()> {
    let sent: Sent = serde_json::from_value(answer)
        .map_err(|e| Error::new(format!("the daemon's answer cannot be understood: {e}")))?;
    match sent.to.as_slice() {
        [] => super::print("no agent is running here; the message is kept: ig daemon messages"),
        to => {
            let names: Vec<String> = to.iter().map(|one| neutral::line(&one.name)).collect();
            super::print(format_args!("sent to {}", names.join(", ")));
        }
    }
    Ok(())
}
