//! `ig daemon serve`: the daemon itself, as `ig daemon start` runs it.

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;

use super::start::{ALREADY, FAILED, READY};
use crate::cli::Outcome;
use crate::daemon::{self, Served};
use crate::error::Result;
use crate::{paths, secure_fs};

/// The log is begun anew when it is longer; the one before is kept.
const LOG_LIMIT: u64 = 1 << 20;

/// Be the daemon
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave the terminal: say on stdout how it went, then go on alone
    #[arg(long)]
    detached: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        if !self.detached {
            return foreground();
        }
        detached();
        Ok(ExitCode::SUCCESS)
    }
}

fn foreground() -> Outcome {
    let served = daemon::serve(|notice| {
        tell("ig: ", notice.as_deref());
        eprintln!("the daemon listens; Ctrl-C stops it");
    })?;
    if let Served::Already(other) = served {
        eprintln!("{}", super::start::already(other.daemon.pid));
    }
    Ok(ExitCode::SUCCESS)
}

fn detached() {
    let _ = rustix::process::setsid();
    let outcome = daemon::serve(|notice| {
        // The terminal first, if there is one; then the log, for whoever looks later.
        tell("ig: ", notice.as_deref());
        say(READY, &std::process::id().to_string());
        let _ = let_go();
        tell("", notice.as_deref());
    });
    match outcome {
        Ok(Served::Stopped) => {}
        Ok(Served::Already(other)) => say(ALREADY, &other.daemon.pid.to_string()),
        Err(error) => say(FAILED, &serde_json::json!(error.to_string()).to_string()),
    }
}

fn tell(prefix: &str, notice: Option<&str>) {
    if let Some(notice) = notice {
        eprintln!("{prefix}{notice}");
    }
}

/// One word and one value to whoever started us.
fn say(word: &str, value: &str) {
    let _ = writeln!(std::io::stdout(), "{word} {value}");
}

/// Holds nothing of the starter any more: what it says goes to its log.
fn let_go() -> Result<(), std::io::Error> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    let path = paths::daemon_log();
    if secure_fs::metadata(&path).is_ok_and(|meta| meta.len() > LOG_LIMIT) {
        let _ = secure_fs::rename(&path, &path.with_extension("log.1"));
    }
    let log = secure_fs::append(&path)?;
    rustix::stdio::dup2_stderr(&log)?;
    eprintln!("{} daemon {} started", crate::time::now(), env!("CARGO_PKG_VERSION"));
    Ok(())
}
