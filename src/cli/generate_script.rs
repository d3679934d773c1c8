//! `ig run generate-script NAME CMD`: `ig gen` in the seeds' words. One implementation, [`gen`].
//!
//! [`gen`]: super::gen

use super::Outcome;
use super::r#gen::{self as generator, Action, Wishes};
use crate::error::{Error, Result};
use crate::r#gen::quote;

/// Make a script that runs a command of yours
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The script's name
    name: String,
    /// The command: one word is a shell command, several are a program and its arguments
    command: Vec<String>,
    /// Template to build on [default: script]
    #[arg(long)]
    template: Option<String>,
    #[command(flatten)]
    wishes: Wishes,
    #[command(flatten)]
    action: Action,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let command = command(&self.command)?;
        if command.is_none() && self.template.is_none() {
            return Err(Error::usage("which command should the script run?")
                .next(format!("ig run generate-script {} \"CMD\"", self.name.escape_debug())));
        }
        let target = self.template.unwrap_or_else(|| "script".to_owned());
        generator::Args::of(target, self.name, command, self.wishes, self.action).run()
    }
}

fn command(words: &[String]) -> Result<Option<String>> {
    match words {
        [] => Ok(None),
        [text] => Ok(Some(text.clone())),
        words => quote::command_line(words).map(Some),
    }
}
