//! `ig gen`: scripts from templates and profiles.
//!
//! Reads the command line and decides what to do; the work is in [`crate::r#gen`], what is shown
//! in `show`, what is written in `write`.

mod all;
mod show;
mod wishes;
mod write;

use std::process::ExitCode;

pub(crate) use wishes::Wishes;

use super::Outcome;
use crate::error::{Error, Result};
use crate::r#gen::catalog::Catalog;
use crate::paths;

/// Make a script from a template or a profile
#[derive(Debug, Clone, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(after_help = "Without --output the script is scripts/NAME.sh in the project.")]
pub(crate) struct Args {
    /// What to make it from: `ig gen --list` shows all
    #[arg(value_name = "TEMPLATE|PROFILE")]
    pub(crate) target: Option<String>,
    /// The script's name [default: the template's or profile's]
    pub(crate) name: Option<String>,
    /// The command to run instead of the template's own
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    pub(crate) command: Option<String>,
    #[command(flatten)]
    pub(crate) wishes: Wishes,
    #[command(flatten)]
    pub(crate) action: Action,
    /// List the templates and profiles
    #[arg(long, conflicts_with_all = ["target", "show", "update", "check"])]
    list: bool,
    /// Show every value of a template or profile, and who set it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["target", "update", "check"])]
    show: Option<String>,
    /// Check that scripts are as they would be made now; without TEMPLATE, all of the project
    #[arg(long)]
    check: bool,
    /// Make all scripts of the project again
    #[arg(long, conflicts_with_all = ["target", "check"])]
    update: bool,
    /// For `--list`, `--show` and `--check`: write JSON
    #[arg(long)]
    json: bool,
    /// Arguments for the script
    #[arg(last = true, requires = "run", value_name = "ARGS")]
    rest: Vec<std::ffi::OsString>,
}

/// What to do with the script.
#[derive(Debug, Clone, Default, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Action {
    /// Write it to stdout, and no file
    #[arg(long, conflicts_with_all = ["diff", "run"])]
    pub(crate) stdout: bool,
    /// Show what would change, and write nothing
    #[arg(long, conflicts_with = "run")]
    pub(crate) diff: bool,
    /// Overwrite a file that ig did not write, or that was edited
    #[arg(long)]
    pub(crate) force: bool,
    /// Run it when it is made; `ig gen` hands it the words after `--`
    #[arg(long)]
    pub(crate) run: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let world = World::here()?;
        if self.list {
            return show::list(&world.catalog, self.json);
        }
        if let Some(name) = &self.show {
            return show::one(&world, name, &self);
        }
        if self.update {
            return all::update(&world, self.action.force);
        }
        if self.target.is_some() {
            return write::one(&world, &self);
        }
        if self.check {
            return all::check(&world, self.json);
        }
        Err(Error::usage("which template or profile?").next("ig gen --list"))
    }

    /// As `ig run generate-script` asks for it.
    pub(crate) fn of(
        target: String,
        name: String,
        command: Option<String>,
        wishes: Wishes,
        action: Action,
    ) -> Self {
        Self {
            target: Some(target),
            name: Some(name),
            command,
            wishes,
            action,
            list: false,
            show: None,
            check: false,
            update: false,
            json: false,
            rest: Vec::new(),
        }
    }

    /// The script's name: as said, or the template's or profile's.
    fn script_name(&self) -> &str {
        self.name.as_deref().or(self.target.as_deref()).unwrap_or_default()
    }

    /// The words after `ig gen` that make this script again.
    fn again(&self) -> Vec<String> {
        let target = self.target.iter().cloned();
        let name = self.name.iter().filter(|name| Some(*name) != self.target.as_ref()).cloned();
        let command = self.command.iter().flat_map(|c| ["--command".to_owned(), c.clone()]);
        target.chain(name).chain(command).chain(self.wishes.words()).collect()
    }
}

/// Where we are: the project, or the current folder in its place.
pub(crate) struct World {
    here: std::path::PathBuf,
    root: std::path::PathBuf,
    catalog: Catalog,
}

impl World {
    fn here() -> Result<Self> {
        let here = std::env::current_dir()
            .map_err(|e| Error::new(format!("the current folder is gone: {e}")).next("cd"))?;
        let project = paths::project(&here);
        let catalog = Catalog::of(project.as_deref());
        Ok(Self { root: project.unwrap_or_else(|| here.clone()), here, catalog })
    }
}

/// Done, or 1 when something is not as it should be.
fn verdict(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::from(crate::error::exit::FAILED) }
}
