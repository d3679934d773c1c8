//! `ig lib`: the shell library, where it is and where it goes.

use std::process::ExitCode;

use super::{Outcome, out};
use crate::shlib;

/// Show, print or install the shell library that scripts source
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the path of a file to source (the default)
    #[arg(long)]
    path: bool,
    /// Print the library itself
    #[arg(long, conflicts_with = "path")]
    print: bool,
    /// Put it beside `ig`, so that `source idlergear.sh` finds it on PATH
    #[arg(long, conflicts_with_all = ["path", "print"])]
    install: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        if self.print {
            print!("{}", shlib::TEXT);
        } else if self.install {
            out::path(&shlib::install()?);
        } else {
            out::path(&shlib::locate()?);
        }
        Ok(ExitCode::SUCCESS)
    }
}
