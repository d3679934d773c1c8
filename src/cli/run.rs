//! `ig run`: for now, only its reserved word `generate-script`.

use super::{Outcome, generate_script};

/// Run things, and make scripts that do
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    GenerateScript(generate_script::Args),
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        match self.verb {
            Verb::GenerateScript(args) => args.run(),
        }
    }
}
