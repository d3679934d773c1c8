//! `ig config`: every setting, its value, and who set it.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Outcome, table};
use crate::config::check::{self, KEYS, Sort};
use crate::config::{self, Files, Key, Origin, line};
use crate::error::{Error, exit};
use crate::record::gap::size;
use crate::{neutral, paths, suggest};

/// Show every setting, its value and who set it
///
/// Environment counts before the project's `.idlergear/config.toml` (once it is trusted), that before
/// the user's `config.toml`, that before the default.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the value of this setting alone
    key: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let project = paths::current_project();
        let files = Files::read(project.as_deref());
        let shown = match &self.key {
            Some(name) => one(&files, name, self.json)?,
            None if self.json => format!("{:#}\n", json!({"schema": 1, "settings": all(&files)})),
            None => listing(&files),
        };
        print!("{shown}");
        if let Some(file) = project.as_deref().filter(|root| is_ignored(root)) {
            let file = paths::display(&config::project_file(file));
            eprintln!("ig: {} does not count until it is trusted: ig trust", neutral::line(&file));
        }
        let mistakes = check::mistakes(project.as_deref())?;
        for mistake in &mistakes {
            eprintln!("ig: {mistake}");
        }
        Ok(if mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILED) })
    }
}

fn is_ignored(root: &std::path::Path) -> bool {
    let file = config::project_file(root);
    file.is_file() && crate::trust::read(&file, root).is_none()
}

fn one(files: &Files, name: &str, as_json: bool) -> Result<String, Error> {
    let known = KEYS.iter().find(|(key, _)| key.name == name);
    let (key, about) = known.ok_or_else(|| {
        let names = KEYS.iter().map(|(key, _)| key.name);
        Error::usage(format!("setting `{}` is unknown", neutral::line(name)))
            .next(suggest::advice(name, names))
    })?;
    let value = || neutral::line(&in_force(files, key)) + "\n";
    Ok(if as_json { format!("{:#}\n", object(files, key, about)) } else { value() })
}

fn all(files: &Files) -> Vec<Value> {
    KEYS.iter().map(|(key, about)| object(files, key, about)).collect()
}

fn object(files: &Files, key: &Key, about: &str) -> Value {
    let value = match Sort::of(key) {
        Sort::Switch => json!(files.is_on(key)),
        Sort::Number => json!(files.number(key)),
        Sort::Text => json!(in_force(files, key)),
    };
    json!({
        "key": key.name, "value": value, "from": origin(files, key), "default": key.default,
        "variable": key.variable, "about": about,
    })
}

/// The value that counts: what is not possible for `key` does not.
fn in_force(files: &Files, key: &Key) -> String {
    match Sort::of(key) {
        Sort::Switch => files.is_on(key).to_string(),
        Sort::Number => files.number(key).to_string(),
        Sort::Text if is_possible(files, key) => files.value(key),
        Sort::Text => key.default.to_owned(),
    }
}

fn is_possible(files: &Files, key: &Key) -> bool {
    let value = files.value(key);
    match Sort::of(key) {
        Sort::Number => line::number(&value).is_some(),
        _ => check::is_known(key, &value),
    }
}

/// The word for who set it; for a file, its path.
fn origin(files: &Files, key: &Key) -> String {
    if !is_possible(files, key) {
        return "default".to_owned();
    }
    let root = paths::current_project();
    let path = match files.find(key).map(|(_, origin)| origin) {
        None => return "default".to_owned(),
        Some(Origin::Environment) => return key.variable.to_owned(),
        Some(Origin::Project) => root.map(|root| config::project_file(&root)),
        Some(Origin::User) => config::user_file(),
    };
    path.map(|path| paths::display(&path)).unwrap_or_default()
}

fn listing(files: &Files) -> String {
    let row = |(key, about): &(&Key, &str)| {
        let value = in_force(files, key);
        let bytes = key.name.ends_with("_bytes").then(|| files.number(key)).filter(|n| *n > 0);
        let value = bytes.map_or(value, |bytes| format!("{bytes} ({})", size(bytes)));
        vec![key.name.to_owned(), value, origin(files, key), (*about).to_owned()]
    };
    let rows: Vec<Vec<String>> = KEYS.iter().map(row).collect();
    let lines = table::lines(&["SETTING", "VALUE", "FROM", "WHAT IT IS"], &rows);
    lines.join("\n") + "\n"
}
