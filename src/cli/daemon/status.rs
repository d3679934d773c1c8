//! `ig daemon status`: whether it runs, and how much goes on. Never starts it.

use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::json;

use crate::cli::Outcome;
use crate::error::{Error, Result, exit};
use crate::wire::client::Client;
use crate::wire::reply::DaemonStatus;
use crate::wire::request::{Nothing, Request};
use crate::{neutral, socket, time};

/// Show whether the daemon runs; exit code 1 when it does not
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        match ask() {
            Ok(status) if self.json => {
                let mut value = json!(status);
                value["running"] = json!(true);
                super::print(value);
            }
            Ok(status) => tell(&status),
            Err(_) if self.json && socket::recorded().is_none() => {
                super::print(json!({ "running": false }));
                return Ok(ExitCode::from(exit::FAILED));
            }
            Err(error) => return Err(error),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn ask() -> Result<DaemonStatus> {
    let status = Client::connect("ig").and_then(|mut c| c.call(&Request::DaemonStatus(Nothing {})));
    status.map_err(|error: Error| match socket::recorded() {
        Some(daemon) => error.at(format!("pid {}", daemon.daemon.pid)),
        None => error,
    })
}

fn tell(status: &DaemonStatus) {
    let up = time::parse(&status.started_at)
        .and_then(|at| SystemTime::now().duration_since(at).ok())
        .unwrap_or_default();
    super::print(format_args!(
        "the daemon is running (pid {}, version {}) for {}",
        status.pid,
        status.version,
        time::human(up)
    ));
    super::print(format_args!(
        "  socket       {}",
        neutral::line(&status.socket.display().to_string())
    ));
    super::print(format_args!("  live agents  {}", status.units));
    super::print(format_args!("  unread       {}", status.unread));
    super::print(format_args!("  followers    {}", status.subscribers));
}
