//! The words after a verb: options, values, and what is left.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use crate::error::{Error, Result};
use crate::neutral;

/// What stands after the verb on the command line.
#[derive(Debug)]
pub(super) struct Words {
    parser: Parser,
    strict: bool,
}

/// One word: an option without its dashes, or a value.
#[derive(Debug)]
pub(super) enum Word {
    Option(String),
    Value(String),
}

impl Words {
    /// Every verb knows `--strict`, so it is taken out here.
    pub(super) fn new(mut args: Vec<OsString>) -> Self {
        let options = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
        let at = args[..options].iter().position(|arg| arg == "--strict");
        if let Some(at) = at {
            args.remove(at);
        }
        Self { parser: Parser::from_args(args), strict: at.is_some() }
    }

    /// Whether failures were asked for.
    pub(super) fn strict(&self) -> bool {
        self.strict
    }

    /// The next word.
    pub(super) fn next(&mut self) -> Result<Option<Word>> {
        let word = match self.parser.next().map_err(bad)? {
            None => return Ok(None),
            Some(Arg::Long(name)) => Word::Option(name.to_owned()),
            Some(Arg::Short(letter)) => Word::Option(letter.to_string()),
            Some(Arg::Value(value)) => Word::Value(text(value)),
        };
        Ok(Some(word))
    }

    /// The value of the option that was just read, as text.
    pub(super) fn value(&mut self) -> Result<String> {
        self.parser.value().map(text).map_err(bad)
    }

    /// The same, to the byte: paths are no text.
    pub(super) fn path(&mut self) -> Result<PathBuf> {
        self.parser.value().map(PathBuf::from).map_err(bad)
    }

    /// Everything from here on, as it was typed: a command has to stay what it is.
    pub(super) fn rest(&mut self) -> Result<Vec<OsString>> {
        Ok(self.parser.raw_args().map_err(bad)?.collect())
    }

    /// The command that the options were for, to the byte; none when another option is next.
    pub(super) fn command(&mut self) -> Result<Option<Vec<OsString>>> {
        let mut raw = self.parser.raw_args().map_err(bad)?;
        let next = raw.peek().unwrap_or_default();
        if next == "--" {
            raw.next();
        } else if next.as_encoded_bytes().starts_with(b"-") && next != "-" {
            return Ok(None);
        }
        Ok(Some(raw.collect()))
    }

    /// The same, as a number.
    pub(super) fn number<T: TryFrom<i64>>(&mut self, option: &str) -> Result<T> {
        number(&self.value()?, &format!("--{option}"))
    }
}

/// Bytes that are no UTF-8 are no text: they are shown as what they are, unreadable.
fn text(value: OsString) -> String {
    value.string().unwrap_or_else(|e| match e {
        lexopt::Error::NonUnicodeValue(raw) => raw.to_string_lossy().into_owned(),
        _ => String::new(),
    })
}

fn bad(error: lexopt::Error) -> Error {
    let (option, problem) = match error {
        lexopt::Error::MissingValue { option } => (option, "wants a value"),
        lexopt::Error::UnexpectedValue { option, .. } => (Some(option), "takes no value"),
        _ => (None, "makes no sense"),
    };
    let option = option.unwrap_or_else(|| "the command line".to_owned());
    Error::usage(format!("{option} {problem}")).next("ig-agent --help")
}

/// `text` as the number that `what` wants.
pub(super) fn number<T: TryFrom<i64>>(text: &str, what: &str) -> Result<T> {
    let number = text.parse::<i64>().ok().and_then(|number| number.try_into().ok());
    number.ok_or_else(|| no_number(text, what))
}

fn no_number(text: &str, what: &str) -> Error {
    Error::usage(format!("{what} wants a number, not `{}`", neutral::line(text)))
}

/// The error for an option or value that the verb does not know.
pub(super) fn unknown(word: &Word) -> Error {
    let (what, text) = match word {
        Word::Option(name) => ("option `--", name),
        Word::Value(value) => ("word `", value),
    };
    Error::usage(format!("the {what}{text}` is one too many")).next("ig-agent --help")
}
