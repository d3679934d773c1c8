//! `ig trust`: what this project's profiles, templates and settings may do, granted by a person.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::Outcome;
use crate::error::Error;
use crate::{neutral, paths, time, trust};

/// Show this project's untrusted profiles, templates and settings, and ask whether to trust them
///
/// A cloned repository can run nothing until its files were shown and trusted here, on a terminal.
/// Trust is by path and content: one changed byte asks again. What `ig init` wrote is trusted.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Take back everything that was trusted in this project
    #[arg(long, conflicts_with = "list")]
    revoke: bool,
    /// List the project's files and whether each is trusted
    #[arg(long)]
    list: bool,
    /// List as JSON
    #[arg(long, conflicts_with = "revoke")]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let here = std::env::current_dir().ok();
        if !(self.revoke || self.list || self.json)
            && let Some(root) = here.and_then(|here| paths::nearest_project(&here))
        {
            trust::accept_links(&root)?;
        }
        let root = paths::current_project()
            .ok_or_else(|| Error::new("there is no project here").next("ig init"))?;
        let files = trust::of_project(&root);
        if self.revoke {
            let count = trust::revoke(&root)?;
            println!("took back {count} grant{}", if count == 1 { "" } else { "s" });
        } else if self.json {
            println!("{}", listing(&root, &files));
        } else if self.list {
            list(&files);
        } else {
            let files = without_refused(files);
            trust::check(&files)?;
            println!("{}", summary(files.len()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What can never be trusted is told, and stands in the way of nothing else.
fn without_refused(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.retain(|file| match trust::refused(file) {
        None => true,
        Some(error) => {
            let name = neutral::line(&paths::display(file));
            eprintln!("ig: {name} cannot be trusted: {}", error.what());
            false
        }
    });
    files
}

fn summary(count: usize) -> String {
    match count {
        0 => {
            "nothing here needs trust: no profile, template or settings in `.idlergear/`".to_owned()
        }
        1 => "the one file of this project is trusted".to_owned(),
        _ => format!("all {count} files of this project are trusted"),
    }
}

fn list(files: &[PathBuf]) {
    for file in files {
        let word = match trust::is_trusted(file) {
            Ok(true) => "trusted".to_owned(),
            Ok(false) => "untrusted".to_owned(),
            Err(error) => format!("refused ({})", error.what()),
        };
        println!("{}  {word}", neutral::line(&paths::display(file)));
    }
}

fn listing(root: &Path, files: &[PathBuf]) -> serde_json::Value {
    let grants = trust::granted(root);
    let files: Vec<_> = files
        .iter()
        .map(|file| {
            let real = std::fs::canonicalize(file).unwrap_or_else(|_| file.clone());
            let trusted = trust::is_trusted(file).unwrap_or(false);
            let latest = grants.iter().filter(|g| trusted && g.path == real).map(|g| g.at).max();
            json!({"path": file.to_string_lossy(), "trusted": trusted, "at": latest.map(time::rfc3339)})
        })
        .collect();
    json!({"schema": 1, "files": files})
}
