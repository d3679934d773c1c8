//! One script: made, compared with what is there, and shown, refused or written.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use similar::TextDiff;

use super::{Args, World, verdict};
use crate::cli::Outcome;
use crate::error::{Error, Result};
use crate::r#gen::place::{self, Existing};
use crate::r#gen::{self as engine, Request, Script, header, keep, limits};
use crate::{paths, trust};

/// A script that is made but not written.
pub(super) struct Draft {
    pub(super) path: PathBuf,
    pub(super) existing: Existing,
    pub(super) text: String,
    pub(super) script: Script,
}

/// `ig gen TEMPLATE ...`.
pub(super) fn one(world: &World, args: &Args) -> Outcome {
    limits::check_name(args.script_name())?;
    let path =
        place::output(args.wishes.output.as_deref(), args.script_name(), &world.root, &world.here)?;
    let draft = draft(world, args, path, true)?;
    if args.action.stdout {
        print!("{}", draft.script.text);
        return Ok(ExitCode::SUCCESS);
    }
    if args.action.diff || args.check {
        print!("{}", draft.diff());
        return Ok(verdict(args.action.diff || draft.is_fresh()));
    }
    draft.save(args.action.force)?;
    if args.action.run {
        draft.check_kept_lines()?;
        return run(&draft.path, &args.rest);
    }
    // For programs; a person has just read it on stderr.
    if !std::io::stdout().is_terminal() {
        println!("{}", paths::display(&draft.path));
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the script that `args` ask for, as it would lie at `path`.
pub(super) fn draft(world: &World, args: &Args, path: PathBuf, announce: bool) -> Result<Draft> {
    let request = request(world, args, &path)?;
    if announce && !request.found.shadowed.is_empty() {
        let name = args.target.as_deref().unwrap_or_default();
        eprintln!("ig: `{name}` hides {}", request.found.shadowed.join(" and "));
    }
    let script = engine::generate(&request, &world.catalog)?;
    let existing = Existing::at(&path)?;
    let text = match &existing {
        Existing::Ours(old) | Existing::Edited(old) => keep::carry(old, &script.text)?,
        _ => script.text.clone(),
    };
    Ok(Draft { path, existing, text, script })
}

/// The command line as a request.
pub(super) fn request(world: &World, args: &Args, path: &Path) -> Result<Request> {
    let found = world.catalog.find(args.target.as_deref().unwrap_or_default())?;
    let mut flags = args.wishes.options(&found.template.meta, &world.root, &world.here)?;
    flags.command.clone_from(&args.command);
    Ok(Request {
        name: args.script_name().to_owned(),
        found,
        flags,
        standalone: args.wishes.standalone,
        root: place::relative_root(path, &world.root)?,
        args: args.again(),
    })
}

impl Draft {
    /// Whether the file that is there would come out the same, but for its header's hashes.
    pub(super) fn is_fresh(&self) -> bool {
        matches!(self.existing, Existing::Ours(_))
            && header::body(self.existing.text()) == header::body(&self.text)
    }

    /// What would change, as `diff -u` says it; empty when nothing would.
    pub(super) fn diff(&self) -> String {
        let name = paths::display(&self.path);
        let diff = TextDiff::from_lines(self.existing.text(), &self.text);
        diff.unified_diff().context_radius(2).header(&name, &format!("{name} (new)")).to_string()
    }

    /// Writes the file unless it is someone else's or edited; tells on stderr what it did.
    pub(super) fn save(&self, force: bool) -> Result<()> {
        let shown = paths::display(&self.path);
        if !force {
            self.refuse_to_lose(&shown)?;
        }
        trust::check(&self.script.project_files)?;
        if self.existing.text() == self.text {
            place::make_executable(&self.path)?;
            eprintln!("unchanged: {shown}");
            return Ok(());
        }
        place::write(&self.path, &self.text)?;
        let verb = if self.existing == Existing::Absent { "made" } else { "made again" };
        eprintln!("{verb}: {shown}");
        Ok(())
    }

    /// Lines that a person keeps in the script are code that ig did not write: with a clone they
    /// come from elsewhere, and `--run` is not to be the way they get to run.
    fn check_kept_lines(&self) -> Result<()> {
        let keeps = keep::find(&self.text).is_some_and(|kept| !kept.is_empty());
        if keeps { trust::check(std::slice::from_ref(&self.path)) } else { Ok(()) }
    }

    fn refuse_to_lose(&self, shown: &str) -> Result<()> {
        let why = match &self.existing {
            Existing::Foreign(_) => "was not written by ig",
            Existing::Edited(text) if *text != self.text => "was edited since ig wrote it",
            _ => return Ok(()),
        };
        eprint!("{}", self.diff());
        Err(Error::new(format!("`{shown}` {why}"))
            .next("--force to overwrite it, or -o PATH; your own lines last between `# ig:keep` and `# ig:end`"))
    }
}

/// Becomes the script.
fn run(path: &Path, args: &[OsString]) -> Outcome {
    let error = Command::new(path).args(args).exec();
    Err(Error::io("run", path, &error))
}
