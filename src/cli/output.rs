//! `ig output`: how a unit stands and the end of what it wrote, in one bounded answer.

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::{Outcome, resolve};
use crate::logs::text;

/// As much as one answer holds, bytes.
const LIMIT: usize = 64 * 1024;

/// Show the last 64 KiB of what a unit wrote
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id, name or the first four characters of an id
    id: String,
    /// As JSON, with status and exit code
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let (unit, folder) = resolve::find_any(&self.id)?;
        let (output, cut) = text::tail(&folder, LIMIT);
        if self.json {
            let answer = json!({
                "id": unit.id, "status": unit.status, "exit_code": unit.exit_code,
                "signal": unit.signal, "output": output, "cut": cut,
            });
            println!("{answer:#}");
            return Ok(ExitCode::SUCCESS);
        }
        let _ = std::io::stdout().lock().write_all(output.as_bytes());
        if cut {
            eprintln!("ig: there is more before this: ig logs {}", unit.id);
        }
        Ok(ExitCode::SUCCESS)
    }
}
