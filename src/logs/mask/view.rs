//! What units tell of themselves, as it may be shown: the words of their commands, what makes them
//! ready, what they registered with. The record keeps every word, for a restart needs them.

use serde_json::{Map, Value};

use super::{Mask, commands, masked};
use crate::error::Result;
use crate::record::seals::Seals;
use crate::record::{Folder, folder_of};
use crate::wire::unit::Unit;

/// Shorter words of an argument stand elsewhere in a command by chance.
const LEAST: usize = 4;

/// Hides secrets in what units tell of themselves. Made once for many: it knows the settings.
#[derive(Debug)]
pub struct Veil(Mask);

impl Default for Veil {
    fn default() -> Self {
        Self::new()
    }
}

impl Veil {
    /// For whoever runs this process.
    pub fn new() -> Self {
        Self(Mask::for_reader())
    }

    /// Makes `unit` what may be shown of it, and nothing else: it is no record any more.
    pub fn over(&self, unit: &mut Unit) {
        if !self.0.is_on {
            return;
        }
        let mask = match unit.logs.events {
            Some(_) => self.knowing(&folder_of(unit)),
            None => self.0.clone(),
        };
        let argv: Vec<String> =
            unit.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let words = mask.words(&argv);
        unit.command = mask.command(&unit.command, &argv, &words);
        for ((shown, word), argument) in words.into_iter().zip(&argv).zip(&mut unit.argv) {
            // What has nothing to hide stays what it is, byte for byte.
            if shown != *word {
                *argument = shown.into();
            }
        }
        unit.description = mask.apart().lines(&unit.description);
        if let Some(ready) = &mut unit.terms.ready_when {
            *ready = mask.shown(ready);
        }
        mask.object(&mut unit.metadata);
    }

    /// The same for many.
    pub fn over_all(&self, units: &mut [Unit]) {
        for unit in units {
            self.over(unit);
        }
    }

    /// Words that came from the unit in `folder`, if they came from one; or the command line of
    /// some process.
    pub fn words(&self, text: &str, folder: Option<&Folder>) -> String {
        if !self.0.is_on {
            return text.to_owned();
        }
        folder.map_or_else(|| self.0.clone(), |folder| self.knowing(folder)).shown(text)
    }

    fn knowing(&self, folder: &Folder) -> Mask {
        Mask { seals: Seals::read(folder), ..self.0.clone() }
    }
}

/// The record in `folder` as it may be shown.
pub fn load(folder: &Folder) -> Result<Unit> {
    let mut unit = folder.load()?;
    Veil::new().over(&mut unit);
    Ok(unit)
}

/// What the process `pid` was called with, as it may be shown.
pub fn command_line(pid: u32) -> String {
    Veil::new().words(&crate::os::command_line(pid), None)
}

impl Mask {
    /// The words of a command, each without what is secret in it.
    fn words(&self, argv: &[String]) -> Vec<String> {
        let all = argv.join(" ");
        let mut found = self.secrets_in(&all);
        found.extend(commands::in_text(&all));
        let mut start = 0;
        let hidden = |(index, word): (usize, &String)| {
            let end = start + word.len();
            let within = found.iter().filter(|(range, _)| range.start < end && range.end > start);
            let mut own: Vec<_> = within
                .map(|(range, name)| {
                    (range.start.max(start) - start..range.end.min(end) - start, *name)
                })
                .collect();
            own.extend(commands::in_word(argv, index).map(|range| (range, "secret")));
            start = end + 1;
            masked(word, own)
        };
        argv.iter().enumerate().map(hidden).collect()
    }

    /// The command line `text` of the command `argv`, of which `words` may be shown.
    fn command(&self, text: &str, argv: &[String], words: &[String]) -> String {
        let mut shown = text.to_owned();
        for (word, kept) in argv.iter().zip(words) {
            let secret = commands::hidden_part(word, kept);
            if let Some((secret, instead)) = secret.filter(|(secret, _)| secret.len() >= LEAST) {
                shown = shown.replace(secret, instead);
            }
        }
        let shown = self.shown(&shown);
        // Quoted so that none of it was found again.
        if argv != words && shown == text { words.join(" ") } else { shown }
    }

    /// `text` of a command, or some other words that are no log.
    fn shown(&self, text: &str) -> String {
        let mut found = self.secrets_in(text);
        found.extend(commands::in_text(text));
        if found.is_empty() { text.to_owned() } else { masked(text, found) }
    }

    /// What a script registered with, as JSON: it stays what it is in every other way.
    pub fn object_text(&self, text: &str) -> String {
        match serde_json::from_str(text) {
            Ok(Value::Object(mut said)) if self.is_on => {
                if let Some(Value::Object(metadata)) = said.get_mut("metadata") {
                    self.object(metadata);
                }
                Value::Object(said).to_string()
            }
            _ => text.to_owned(),
        }
    }

    fn object(&self, object: &mut Map<String, Value>) {
        for (name, value) in object {
            if commands::says_secret(name) && value.is_string() {
                *value = "[masked secret]".into();
            } else {
                self.value(value);
            }
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.apart().lines(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(object) => self.object(object),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::unit::Kind;

    fn veil(values: &[(&str, &str)]) -> Veil {
        let known = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Veil(Mask { is_on: true, known: known.collect(), ..Mask::default() })
    }

    fn shown(veil: &Veil, words: &[&str], command: &str) -> (Vec<String>, String) {
        let mut unit = Unit::new(Kind::LocalBash, "x");
        unit.argv = words.iter().map(Into::into).collect();
        unit.command = command.to_owned();
        veil.over(&mut unit);
        let argv = unit.argv.into_iter().map(|word| word.into_string().unwrap());
        (argv.collect(), unit.command)
    }

    #[test]
    fn no_word_of_a_command_shows_a_secret() {
        let veil = veil(&[("DB_PASSWORD", "correct horse")]);
        for words in [
            &["mysql", "-u", "app", "-pSECRETS3CRET", "shop"][..],
            &["/usr/bin/mysqldump", "-pSECRETS3CRET"],
            &["x", "--db-password", "SECRETS3CRET"],
            &["x", "--token=SECRETS3CRET", "y"],
            &["x", "--api-key", "SECRETS3CRET"],
            &["env", "DB_PASS=SECRETS3CRET", "x"],
            &["x", "--password", "SECRET S3CRET"],
            &["x", "--password=SECRET S3CRET"],
            &["psql", "postgres://app:SECRETS3CRET@db/shop"],
            &["curl", "-u", "me:SECRETS3CRET", "https://example.com"],
            &["curl", "-H", "Authorization: Bearer SECRETS3CRET"],
            &["sshpass", "-p", "SECRETS3CRET", "ssh", "host"],
            &["redis-cli", "-a", "SECRETS3CRET"],
            &["bash", "-c", "mysql -pSECRETS3CRET && x --token 'SECRETS3CRET' y"],
            &["bash", "-c", "PGPASSWORD=SECRETS3CRET psql"],
        ] {
            let (argv, command) = shown(&veil, words, &words.join(" "));
            let all = argv.join("|") + &command;
            assert!(!all.contains("S3CRET"), "{all}");
            assert!(argv.join("|").contains("[masked "), "{all}");
            assert_eq!((argv.len(), argv[0].as_str()), (words.len(), words[0]), "{all}");
        }
        let (argv, command) =
            shown(&veil, &["mysql", "-pcorrect horse", "-h", "x"], "mysql '-pcorrect horse' -h x");
        assert_eq!(argv[1], "-p[masked DB_PASSWORD]");
        assert_eq!(command, "mysql '-p[masked DB_PASSWORD]' -h x");
    }

    #[test]
    fn words_without_a_secret_stay_as_they_are() {
        for words in [
            &["python", "train.py", "--max-tokens", "1024", "--tokenizer", "x/y"][..],
            &["x", "--no-password", "db", "--password-file", "/run/secret"],
            &["pytest", "-k", "token", "-p", "no:cacheprovider"],
            &["mysql", "-P", "3306", "-p", "shop"],
            &["bash", "-c", "x --token $TOKEN; y --password \"$DB_PASSWORD\""],
            &["npm", "run", "dev", "--", "--port", "3000"],
            &["curl", "-u", "me", "https://example.com:8080/a?b=c"],
        ] {
            let (argv, command) = shown(&veil(&[]), words, &words.join(" "));
            assert_eq!(
                (argv, command.as_str()),
                (words.iter().map(|w| (*w).to_owned()).collect(), words.join(" ").as_str())
            );
        }
    }

    #[test]
    fn what_it_registered_with_and_waits_for_is_masked() {
        let mut unit = Unit::new(Kind::LocalBash, "x");
        unit.metadata.insert("token".to_owned(), "abc".into());
        unit.metadata
            .insert("list".to_owned(), serde_json::json!([{"url": "http://a:hidden99@b"}, 7]));
        unit.terms.ready_when = Some("exec:curl -u a:hidden99 localhost".to_owned());
        veil(&[]).over(&mut unit);
        let text = serde_json::to_string(&unit).unwrap();
        assert!(!text.contains("hidden99") && !text.contains("\"abc\""), "{text}");
        let mut off = Unit::new(Kind::LocalBash, "x");
        off.argv = vec!["--token".into(), "abc".into()];
        Veil(Mask::default()).over(&mut off);
        assert_eq!(off.argv[1], "abc");
    }
}
