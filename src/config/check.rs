//! Strict reading of the settings files: what is unknown, of the wrong kind, or written so that the
//! runner would not find it, is an error with file, line and what was probably meant.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Key, line};
use crate::error::{Error, Result};
use crate::{paths, secure_fs, suggest, trust};

/// Every setting, and in a few words what it is.
pub const KEYS: [(&Key, &str); 12] = [
    (
        &super::MAX_RUN_BYTES,
        "bytes of output that one run keeps, and a quarter more of events; 0: all",
    ),
    (&super::HEAD_BYTES, "bytes of those that are kept from its beginning"),
    (&super::MAX_PROJECT_BYTES, "bytes of all runs of a project; the oldest ended go; 0: all"),
    (&super::MAX_RUNS, "runs of a project that are kept; 0: all"),
    (&super::MAX_AGE_DAYS, "days that an ended run is kept; 0: for ever"),
    (&super::MIN_FREE_BYTES, "bytes of the disk left free, or 2 % where that is less; 0: none"),
    (&super::SHELL_PATH, "the shell for commands given as one string; user's file only"),
    (&super::BANNER, "lines around the output of `ig run`: auto, always or never"),
    (&super::MASK, "secrets are masked where logs are shown; user's file only"),
    (&super::SECRETS, "values that are always masked, with white space between; user's file only"),
    (&super::DESKTOP, "show ends that are told on the desktop; user's file only"),
    (&super::BELL, "ring the terminal a unit was started from; user's file only"),
];

/// What a value has to be, as its default is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// `true` or `false`.
    Switch,
    /// 0 or more.
    Number,
    /// Any text.
    Text,
}

impl Sort {
    /// What `key` wants.
    pub fn of(key: &Key) -> Self {
        match key.default {
            "true" | "false" => Self::Switch,
            default if line::number(default).is_some() => Self::Number,
            _ => Self::Text,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Switch => "true or false",
            Self::Number => "a number",
            Self::Text => "a string",
        }
    }
}

/// The files that count in `project` hold nothing but settings; one that is not trusted does not
/// count. The first mistake of them.
pub fn files(project: Option<&Path>) -> Result<()> {
    mistakes(project)?.into_iter().next().map_or(Ok(()), Err)
}

/// All mistakes in the settings that count in `project`, and in the variables that set them too.
pub fn mistakes(project: Option<&Path>) -> Result<Vec<Error>> {
    let mut found = Vec::new();
    if let Some(root) = project
        && let file = super::project_file(root)
        && let Some(bytes) = trust::read(&file, root)
    {
        text(&String::from_utf8_lossy(&bytes), &file, true, &mut found);
    }
    found.extend(KEYS.iter().filter_map(|(key, _)| variable(key)));
    let Some(file) = super::user_file().filter(|file| file.is_file()) else { return Ok(found) };
    let bytes =
        secure_fs::input(&file, secure_fs::SMALL).map_err(|e| Error::io("read", &file, &e))?;
    text(&String::from_utf8_lossy(&bytes), &file, false, &mut found);
    Ok(found)
}

/// What is wrong with the variable of `key`, if it is set.
fn variable(key: &Key) -> Option<Error> {
    let value = paths::var(key.variable)?;
    let shown = crate::neutral::line(&value);
    let wrong = |what: &str| Error::new(format!("`{}` is {what}, not `{shown}`", key.variable));
    match Sort::of(key) {
        Sort::Number if line::number(&value).is_none() => Some(wrong("a number")),
        _ if !is_known(key, &value) => Some(wrong(BANNERS)),
        _ => None,
    }
}

/// What the lines around a command's output may be.
const BANNERS: &str = "auto, always or never";

/// Whether `value` is one of the words that `key` takes, where it takes only some.
pub fn is_known(key: &Key, value: &str) -> bool {
    key.name != super::BANNER.name || ["auto", "always", "never"].contains(&value)
}

/// Tells the first mistake in the files on stderr: a command is run all the same.
pub fn warn(project: Option<&Path>) {
    if let Err(error) = files(project) {
        crate::run::show(&format!("ig: {error}\n"));
    }
}

fn text(text: &str, path: &Path, of_project: bool, found: &mut Vec<Error>) {
    let file = File { text, path, of_project };
    match DeTable::parse(text) {
        Ok(table) => file.table(table.get_ref(), "", found),
        Err(e) => {
            let what = format!("not TOML: {}", e.message());
            found.push(file.error(what, e.span().map_or(0, |s| s.start)));
        }
    }
}

struct File<'a> {
    text: &'a str,
    path: &'a Path,
    of_project: bool,
}

impl File<'_> {
    fn table(&self, table: &DeTable<'_>, prefix: &str, found: &mut Vec<Error>) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let known = KEYS.iter().map(|(key, _)| *key).find(|known| known.name == name);
            let is_table = |known: &&Key| known.name.starts_with(&format!("{name}."));
            let is_table = KEYS.iter().map(|(key, _)| *key).any(|known| is_table(&known));
            match (known, value.get_ref().as_table()) {
                (Some(known), _) => found.extend(self.value(known, value).err()),
                (None, Some(inner)) if is_table => self.table(inner, &format!("{name}."), found),
                _ => found.push(self.unknown(&name, key.span().start)),
            }
        }
    }

    fn value(&self, key: &Key, value: &Spanned<DeValue<'_>>) -> Result<()> {
        let at = value.span().start;
        if self.of_project && !key.by_project {
            let what = format!("`{}` counts from the user's own file only", key.name);
            let user = super::user_file().map(|file| paths::display(&file));
            return Err(self.error(what, at).next(user.unwrap_or_else(|| key.variable.to_owned())));
        }
        let sort = Sort::of(key);
        let is_number = sort == Sort::Number;
        let text = match (value.get_ref(), sort) {
            (DeValue::Integer(number), Sort::Number) if number.radix() == 10 => number.as_str(),
            (DeValue::String(text), Sort::Text) => text.as_ref(),
            (DeValue::Boolean(true), Sort::Switch) => "true",
            (DeValue::Boolean(false), Sort::Switch) => "false",
            (other, _) => {
                let what = format!("`{}` is {}, not {}", key.name, sort.words(), other.type_str());
                return Err(self.error(what, at));
            }
        };
        if is_number && line::number(text).is_none() {
            return Err(self.error(format!("`{}` is 0 or more", key.name), at));
        }
        let least = super::Bounds::LEAST;
        let is_short = |number: u64| number > 0 && number < least;
        if key.name == super::MAX_RUN_BYTES.name && line::number(text).is_some_and(is_short) {
            let what = format!("`{}` is 0 (no bound) or at least {least}", key.name);
            return Err(self.error(what, at));
        }
        if !is_known(key, text) {
            return Err(self.error(format!("`{}` is {BANNERS}", key.name), at));
        }
        let read = line::find(self.text, key.name);
        let same = |read: &str| {
            if is_number { line::number(read) == line::number(text) } else { read == text }
        };
        if read.is_some_and(same) {
            return Ok(());
        }
        let (table, word) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        Err(self
            .error(format!("`{}` is written so that the runner does not find it", key.name), at)
            .next(format!("`{word} = ...` on one line below `[{table}]`")))
    }

    fn unknown(&self, name: &str, offset: usize) -> Error {
        let names = KEYS.iter().map(|(key, _)| key.name);
        self.error(format!("setting `{}` is unknown", name.escape_debug()), offset)
            .next(suggest::advice(name, names))
    }

    fn error(&self, what: impl Into<String>, offset: usize) -> Error {
        let before = self.text.as_bytes().iter().take(offset);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Error::new(what).at(format!("{}:{line}", paths::display(self.path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &str, path: &Path, of_project: bool) -> Result<()> {
        let mut found = Vec::new();
        super::text(content, path, of_project, &mut found);
        found.into_iter().next().map_or(Ok(()), Err)
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let path = Path::new("config.toml");
        for (content, what) in [
            (
                "[logs]\nmax_run = 1\n",
                "`logs.max_run` is unknown\n  at config.toml:2\n  try: `logs.max_run",
            ),
            ("[log]\nx = 1\n", "`log` is unknown"),
            ("\nlogs = 1\n", "`logs` is unknown\n  at config.toml:2"),
            ("[logs]\nmax_runs = 'x'\n", "`logs.max_runs` is a number, not string"),
            ("[logs]\nmax_runs = -1\n", "`logs.max_runs` is 0 or more"),
            ("logs.max_runs = 7\n", "try: `max_runs = ...` on one line below `[logs]`"),
            ("logs = { max_runs = 7 }\n", "does not find it"),
            ("[logs]\nx = '''\nmax_runs = 1'''\n", "`logs.x` is unknown"),
            ("[run]\nbanner = 'sometimes'\n", "auto, always or never"),
            ("[alerts]\nbell = 'true'\n", "`alerts.bell` counts from the user's own file only"),
            ("[processes.execution]\nshell_path = 'zsh'\n", "counts from the user's own file only"),
            ("x = = 2\n", "not TOML"),
        ] {
            let error = text(content, path, true).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
        let wrong = text("[alerts]\nbell = 'true'\n", path, false).unwrap_err().to_string();
        assert!(wrong.contains("`alerts.bell` is true or false, not string"), "{wrong}");
        text("[alerts]\nbell = true # ring\ndesktop = false\n", path, false).unwrap();
        let right =
            "[processes.execution]\nshell_path = \"/bin/zsh\" # mine\n[logs]\nmax_runs = 1_0\n";
        text(right, path, false).unwrap();
    }
}
