//! `ig diff A B`: how the scripts of two runs differ, and what they wrote.

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;
use similar::TextDiff;

use super::{Outcome, ps, resolve};
use crate::error::{Error, Result};
use crate::r#gen::quote;
use crate::logs::mask::view::Veil;
use crate::logs::text;
use crate::record::{self, Folder, scope, scripts};
use crate::run::banner;
use crate::wire::unit::Unit;
use crate::{neutral, paths};

/// The end of an output that is compared, bytes.
const LIMIT: usize = 1 << 20;

/// How long similar lines are looked for; after that, what differs is shown less cleverly.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Compare two runs: script, end and output
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id or name of the first
    a: String,
    /// Id or name of the second; without it, A is compared with the run of its name before
    b: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let (first, second) = self.pair()?;
        let script = compare(&script_of(&first), &script_of(&second), &first.0, &second.0);
        let [a, b] = [&first.1, &second.1].map(|folder| text::tail(folder, LIMIT));
        let output = compare(&a.0, &b.0, &first.0, &second.0);
        let end = compare(&end_of(&first.0), &end_of(&second.0), &first.0, &second.0);
        let answer = if self.json {
            let ids = [&first.0.id, &second.0.id];
            let same = first.0.script.sha256 == second.0.script.sha256;
            let value = json!({
                "a": ids[0], "b": ids[1], "same_script": same, "same_output": output.is_empty(),
                "script": script, "end": end, "output": output, "cut": a.1 || b.1,
            });
            format!("{value:#}\n")
        } else {
            [("script", script), ("end", end), ("output", output)].map(section).concat()
        };
        let _ = std::io::stdout().lock().write_all(answer.as_bytes());
        if a.1 || b.1 {
            eprintln!("ig: of long outputs the last {LIMIT} bytes were compared");
        }
        Ok(ExitCode::SUCCESS)
    }
}

type Run = (Unit, Folder);

impl Args {
    /// Two runs, the older one first where only one was named.
    fn pair(&self) -> Result<(Run, Run)> {
        let first = resolve::find(&self.a)?;
        let Some(b) = &self.b else {
            let before = before(&first)?;
            return Ok((before, first));
        };
        let second = resolve::find(b)?;
        if first.0.id != second.0.id {
            return Ok((first, second));
        }
        let (a, b, name) = (neutral::line(&self.a), neutral::line(b), scope::word(&first.0));
        Err(Error::new(format!("`{a}` and `{b}` are the same run, {}", first.0.id)).next(format!(
            "ig diff {}, which compares it with the one before",
            quote::word(&name).unwrap_or_else(|_| first.0.id.to_string())
        )))
    }
}

/// The run of the same name before this one, in its project.
fn before((unit, folder): &Run) -> Result<Run> {
    let dir = folder.path().parent().unwrap_or(folder.path());
    let mut runs = record::list(dir);
    // The user's own folder holds runs of projects that could not be written to.
    let is_shared = dir == paths::runs_dir(None);
    runs.retain(|run| run.name == unit.name && (run.project == unit.project || !is_shared));
    runs.retain(|run| run.id != unit.id && run.started_at <= unit.started_at);
    record::sort(&mut runs);
    let last = runs.pop().ok_or_else(|| {
        let name = neutral::line(&unit.name);
        Error::new(format!("there was no run of `{name}` before {}", unit.id)).next("ig run list")
    })?;
    let folder = record::folder_of(&last);
    Ok((last, folder))
}

fn section((name, diff): (&str, String)) -> String {
    if diff.is_empty() { format!("{name}: the same\n") } else { format!("{name}:\n{diff}") }
}

/// The script as it was then, or the command when there was none.
fn script_of((unit, folder): &(Unit, Folder)) -> String {
    let kept = scripts::read(folder, &unit.script.sha256);
    let text = kept.map(|text| String::from_utf8_lossy(&text).into_owned());
    let command = || Veil::new().words(&unit.command, Some(folder));
    let line = || format!("{} (sha256:{})\n", command(), unit.script.sha256);
    text.unwrap_or_else(line)
}

fn end_of(unit: &Unit) -> String {
    format!("{}\n", ps::state(unit))
}

/// A unified diff; nothing when they are the same.
fn compare(a: &str, b: &str, first: &Unit, second: &Unit) -> String {
    if a == b {
        return String::new();
    }
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(a, b);
    let (first, second) = (banner::token(first), banner::token(second));
    neutral::exact(&diff.unified_diff().context_radius(3).header(&first, &second).to_string())
}
