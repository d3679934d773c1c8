//! `ig up NAME`: that unit, running. As often as it is called, there is one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use similar::TextDiff;

use super::start::{Form, Wishes};
use super::{Outcome, figures};
use crate::error::{Error, Result};
use crate::r#gen::catalog::Catalog;
use crate::r#gen::{quote, scripts};
use crate::logs::mask::view::Veil;
use crate::record::now::Look;
use crate::run::Plan;
use crate::start::name::{self, Names};
use crate::wait::Spec;
use crate::wire::unit::Unit;
use crate::{config, neutral, paths, record, stop};

/// How long a unit that was asked to stop may take until we say that it does not: the usual grace, and
/// a little for those who look.
const STOPPING: Duration = Duration::from_secs(15);

/// The pause between two looks for its end.
const PULSE: Duration = Duration::from_millis(20);

/// Make sure that a unit runs: the one that does, or a new one
#[derive(Debug, clap::Args)]
#[command(after_help = "Without CMD it is the generated script of that name: see ig gen.")]
pub(crate) struct Args {
    /// The unit's name
    name: String,
    /// The command: words, or one string for the shell
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
    #[command(flatten)]
    wishes: Wishes,
    #[command(flatten)]
    form: Form,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        // Held until the new unit can be seen: of two callers, the second finds it.
        let names = settled(&self.name)?;
        let holder = names.holder(&self.name)?;
        let from_script = self.command.is_empty();
        let words = match (self.command.is_empty(), holder) {
            (false, _) => self.command,
            (true, holder) => match (script(&self.name), holder) {
                (Ok(script), _) => vec!["bash".into(), script.into()],
                // Nothing was asked for that could differ.
                (Err(_), Some(unit)) => return found(self.form, unit, &self.wishes, None),
                (Err(error), None) => return Err(error),
            },
        };
        let mut wishes = self.wishes;
        let ready = if from_script { profile_ready(&self.name) } else { None };
        match holder {
            Some(unit) if is_same(unit, &words)? => {
                found(self.form, unit, &wishes, ready.as_deref())
            }
            Some(unit) => Err(other(unit, &words)?),
            None => {
                wishes.ready_by(ready);
                config::check::warn(paths::current_project().as_deref());
                let order = wishes.order(Some(self.name), words);
                self.form.started(&order.start_among(&names)?)
            }
        }
    }
}

/// The names of this project, once `name` is no unit's that is about to be gone. The lock is given up
/// meanwhile.
fn settled(name: &str) -> Result<Names> {
    let deadline = Instant::now() + STOPPING;
    loop {
        let names = Names::lock();
        let stopping = |unit: &&Unit| stop::was_requested(&record::folder_of(unit));
        let Some(unit) = names.holder(name)?.filter(stopping).cloned() else { return Ok(names) };
        drop(names);
        eprintln!("ig: `{}` ({}) is stopping; waiting for its end", neutral::line(name), unit.id);
        let folder = record::folder_of(&unit);
        while folder.observe().is_ok_and(|unit| !unit.status.is_terminal()) {
            if Instant::now() >= deadline {
                return Err(name::stopping(&unit));
            }
            sleep(PULSE);
        }
    }
}

/// What it was started with stays as it is: that is said, for nobody would look.
fn found(form: Form, unit: &Unit, wishes: &Wishes, ready: Option<&str>) -> Result<ExitCode> {
    let lacking = wishes.lacking(unit);
    let again = again(unit);
    let own = &unit.terms.ready_when;
    if ready.is_some() && ready != own.as_deref() && !wishes.asks_for_ready() {
        let name = neutral::line(&unit.name);
        let what = if own.is_none() { "without its profile's" } else { "with another" };
        let rest = if own.is_none() { "" } else { " than its profile's now" };
        eprintln!("ig: `{name}` was started {what} readiness check{rest}; to use it: {again}");
    }
    if !lacking.is_empty() {
        eprintln!(
            "ig: it runs without the {} asked for now: ig stop {}, then again",
            lacking.join(", "),
            unit.id
        );
    }
    let mut unit = unit.clone();
    figures::add(std::slice::from_mut(&mut unit));
    Look::default().at(&mut unit);
    if unit.stale {
        eprintln!("ig: its script has changed since it started: {again}");
    }
    form.found(&unit)
}

/// How it is started anew.
fn again(unit: &Unit) -> String {
    let word = quote::word(&unit.name).unwrap_or_else(|_| unit.id.to_string());
    format!("ig stop {word} && ig up {word}")
}

/// The same words, or the same script with the same arguments, however it was called.
fn is_same(unit: &Unit, words: &[OsString]) -> Result<bool> {
    let plan = Plan::new(words.to_vec())?;
    if unit.argv == plan.argv {
        return Ok(true);
    }
    let here = std::env::current_dir().unwrap_or_default();
    let script = |path: Option<&PathBuf>, from: &Path| from.join(path?).canonicalize().ok();
    let (theirs, ours) =
        (script(unit.script.path.as_ref(), &unit.cwd), script(plan.script.as_ref(), &here));
    let after = |argv: &[OsString], path: Option<&PathBuf>| {
        let path = path.map(|path| path.as_os_str());
        argv.iter()
            .skip_while(|word| Some(word.as_os_str()) != path)
            .skip(1)
            .cloned()
            .collect::<Vec<_>>()
    };
    let arguments =
        after(&unit.argv, unit.script.path.as_ref()) == after(&plan.argv, plan.script.as_ref());
    Ok(ours.is_some() && ours == theirs && arguments)
}

/// It runs, but something else.
fn other(unit: &Unit, words: &[OsString]) -> Result<Error> {
    let command = Plan::new(words.to_vec())?.command_line();
    let veil = Veil::new();
    let folder = record::folder_of(unit);
    let lines = |text: &str| format!("{}\n", neutral::line(&veil.words(text, Some(&folder))));
    let (runs, asked) = (lines(&unit.command), lines(&command));
    let diff = TextDiff::from_lines(&runs, &asked);
    let changes = diff.iter_all_changes();
    let changes =
        changes.map(|change| format!("\n  {} {}", change.tag(), change.value().trim_end()));
    let diff = changes.collect::<Vec<_>>().concat();
    let name = neutral::line(&unit.name);
    Ok(Error::new(format!(
        "`{name}` ({}) runs another command than the one asked for{diff}",
        unit.id
    ))
    .next(format!("ig stop {}, then again; or another name", unit.id)))
}

/// What makes it ready, as its profile or template says.
fn profile_ready(name: &str) -> Option<String> {
    let found = Catalog::of(paths::current_project().as_deref()).find(name).ok()?;
    let template = found.template.meta.options.ready;
    let said = found.layers.into_iter().find_map(|layer| layer.options.ready).or(template)?;
    Spec::check(&said).ok()
}

/// The generated script called `name`.
fn script(name: &str) -> Result<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let project = paths::project(&here);
    let root = project.clone().unwrap_or(here);
    let is_called = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == name);
    if let Some(path) = scripts::find(&root).into_iter().find(is_called) {
        return Ok(path);
    }
    let shown = neutral::line(name);
    Catalog::of(project.as_deref()).find(name).map_err(|_| {
        Error::new(format!("there is no unit, script or profile called `{shown}` here"))
            .next(format!("ig up {shown} -- COMMAND"))
    })?;
    Err(Error::new(format!("`{shown}` can be made into a script, which is not there yet"))
        .next(format!("ig gen {shown}, then ig up {shown}")))
}
