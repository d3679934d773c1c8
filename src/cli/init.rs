//! `ig init`: makes `.idlergear/` and fits it to the project, or takes that back.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::Outcome;
use crate::error::{Error, Result};
use crate::init::apply::{self, Fate};
use crate::init::plan::Planned;
use crate::init::survey::Survey;
use crate::init::{detect, plan};
use crate::{neutral, paths, secure_fs, trust};

/// Make `.idlergear/` here, with profiles that fit the project
///
/// Finds Django, Flask, FastAPI, pytest, notebooks and package.json. Writes only files that are not
/// there, so that running it again changes nothing.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Write a script template of your own to start from, too
    #[arg(long)]
    templates: bool,
    /// Show the plan and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove what `ig init` wrote and nobody has changed since
    #[arg(long, conflicts_with = "templates")]
    undo: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let root = root()?;
        trust::accept_links(&root)?;
        apply::check_folders(&root)?;
        if self.undo {
            self.take_back(&root)?;
        } else {
            self.set_up(&root)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn set_up(&self, root: &Path) -> Result<()> {
        let survey = Survey::of(root);
        let findings = detect::findings(&survey);
        let planned = plan::plan(&survey, &findings, self.templates)?;
        let fates: Vec<Fate> = planned.iter().map(|p| apply::fate(root, p)).collect();
        show(root, &planned, &fates);
        let new: Vec<&Planned> =
            planned.iter().zip(&fates).filter(|(_, f)| **f == Fate::New).map(|(p, _)| p).collect();
        if new.is_empty() {
            println!("\nnothing to do: all of it is there");
        } else if self.dry_run {
            println!("\nnothing written: this is a dry run");
        } else if self.agrees("Write the new files?")? {
            new.iter().try_for_each(|planned| apply::write(root, planned))?;
            println!("\nwrote {}; what ig wrote itself is trusted", files(new.len()));
            next_steps(&planned);
        }
        Ok(())
    }

    fn take_back(&self, root: &Path) -> Result<()> {
        let removable = apply::removable(root);
        for file in &removable {
            println!("  {}", neutral::line(&paths::display(file)));
        }
        if removable.is_empty() {
            println!(
                "nothing to undo: there is no file here that `ig init` wrote and nobody changed"
            );
        } else if self.dry_run {
            println!("\nnothing removed: this is a dry run");
        } else if self.agrees("Remove these files?")? {
            apply::remove(root, &removable)?;
            println!("\nremoved {}", files(removable.len()));
        }
        if !self.dry_run {
            tell_what_stays(root);
        }
        Ok(())
    }

    /// Asks once when somebody is there to answer. Nothing of anybody's is at stake otherwise.
    fn agrees(&self, question: &str) -> Result<bool> {
        if self.yes || !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Ok(true);
        }
        let failed = |e: io::Error| Error::new(format!("cannot ask on the terminal: {e}"));
        write!(io::stderr(), "\n{question} [Y/n] ").map_err(failed)?;
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer).map_err(failed)?;
        let yes = matches!(answer.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes");
        if read > 0 && yes {
            return Ok(true);
        }
        println!("nothing done");
        Ok(false)
    }
}

/// The project around the current folder, else the folder itself. Never HOME, never `/`: that would
/// make everything one project.
fn root() -> Result<PathBuf> {
    let here = std::env::current_dir()
        .map_err(|e| Error::new(format!("cannot tell the current folder: {e}")))?;
    let root = paths::nearest_project(&here).unwrap_or(here);
    let home = paths::home().and_then(|home| home.canonicalize().ok());
    if root.parent().is_none() || root.canonicalize().ok() == home {
        return Err(Error::new(format!("`{}` cannot be a project", root.display()))
            .next("cd into your project's own folder first"));
    }
    Ok(root)
}

fn show(root: &Path, planned: &[Planned], fates: &[Fate]) {
    println!("project {}\n", neutral::line(&root.display().to_string()));
    let width = planned.iter().map(|p| apply::shown(p).len()).max().unwrap_or(0);
    for (planned, fate) in planned.iter().zip(fates) {
        let word = match fate {
            Fate::New => "new",
            Fate::Same => "there",
            Fate::Yours => "yours",
        };
        let why = neutral::line(&planned.why);
        println!("  {word:5}  {:width$}  {why}", apply::shown(planned));
    }
    if planned.iter().all(|planned| planned.name.is_none()) {
        println!("\nno Django, Flask, FastAPI, pytest, notebooks or package.json found here");
    }
}

fn next_steps(planned: &[Planned]) {
    let name = planned.iter().find_map(|p| p.name.as_deref());
    let gen_line = match name {
        Some(name) => format!("ig gen {name} --run"),
        None => "ig gen script NAME --command 'make run' --run".to_owned(),
    };
    let name = name.unwrap_or("NAME");
    println!("\nnext:");
    println!("  {gen_line:24}  write scripts/{name}.sh and run it");
    println!("  {:24}  see it from any other terminal", "ig daemon agents");
    println!("  {:24}  read what it said", format!("ig logs {name}"));
}

fn tell_what_stays(root: &Path) {
    let base = root.join(paths::PROJECT_DIR);
    if secure_fs::exists(&base) {
        println!("kept {}: it holds runs, or files of yours", paths::display(&base));
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
