//! `ig run`: any command in the user's own terminal, and the words of `ig run` that are commands of
//! their own.

mod by_hand;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use clap::Subcommand;

use super::{Outcome, generate_script, logs, ps, start, stop};
use crate::error::{Error, exit};
use crate::run::banner::{self, News};
use crate::run::{self, Plan};
use crate::{config, neutral, paths, socket};

/// Run a command in this terminal, and keep a record of it
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The name people use
    #[arg(long)]
    name: Option<String>,
    /// Send its output to the daemon's subscribers too
    #[arg(long)]
    stream: bool,
    /// No lines around the output
    #[arg(short, long, conflicts_with = "banner")]
    quiet: bool,
    /// Lines around the output even when stderr is no terminal
    #[arg(long)]
    banner: bool,
    /// Keep the record, do not tell the daemon
    #[arg(long)]
    no_register: bool,
    /// Give it a terminal of its own
    #[arg(long, conflicts_with = "no_pty")]
    pty: bool,
    /// Give it pipes
    #[arg(long)]
    no_pty: bool,
    /// The script, when it is not to be found among the words
    #[arg(long, value_name = "PATH")]
    script: Option<std::path::PathBuf>,
    /// The command: words, or one string for the shell
    #[arg(
        required = true,
        value_name = "CMD",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<OsString>,
}

/// Reserved words; `ig run -- status` runs a program of that name.
#[derive(Debug, Subcommand)]
enum Verb {
    GenerateScript(Box<generate_script::Args>),
    Start(Box<start::RunStart>),
    List(ps::History),
    Status(ps::Status),
    Logs(logs::Args),
    Stop(stop::Args),
    Register(by_hand::Register),
    Stream(by_hand::Stream),
    Complete(by_hand::Complete),
}

/// Whether `ig run WORD` is a command of its own.
pub(crate) fn is_verb(word: &str) -> bool {
    Verb::has_subcommand(word)
}

impl Args {
    pub(crate) fn run(mut self) -> Outcome {
        match self.verb.take() {
            Some(Verb::GenerateScript(args)) => args.run(),
            Some(Verb::Start(args)) => args.run(),
            Some(Verb::List(args)) => args.run(),
            Some(Verb::Status(args)) => args.run(),
            Some(Verb::Logs(args)) => args.run(),
            Some(Verb::Stop(args)) => args.run(),
            Some(Verb::Register(args)) => args.run(),
            Some(Verb::Stream(args)) => args.run(),
            Some(Verb::Complete(args)) => args.run(),
            None => self.wrap(),
        }
    }

    fn wrap(mut self) -> Outcome {
        self.take_final_stream();
        config::check::warn(paths::current_project().as_deref());
        let show = self.shows_banner();
        let plan = self.plan()?;
        let (unit, end) = run::run(&plan, |unit| {
            if show {
                run::show(&banner::header(unit, news(&plan)));
            }
        })?;
        if show {
            run::show(if end.within_line { "\n" } else { "" });
            run::show(&(banner::footer(&unit) + &run::left::behind(&unit)));
        }
        run::die_of(end);
        Ok(ExitCode::from(end.shell_code()))
    }

    fn plan(&self) -> Result<Plan, Error> {
        let failed = |error: Error| error.code(exit::RUN_FAILED);
        self.check_first_word().map_err(failed)?;
        let mut plan = Plan::new(self.command.clone())
            .map_err(failed)?
            .with_script(self.script.clone())
            .with_name(self.name.clone());
        plan.stream = self.stream;
        plan.register = !self.no_register && !paths::no_daemon();
        plan.pty = match (self.pty, self.no_pty) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        Ok(plan)
    }

    /// A slip in an option of ours would be a program that nobody has.
    fn check_first_word(&self) -> Result<(), Error> {
        let is_option = |word: &&OsString| word.as_bytes().starts_with(b"-");
        let Some(first) = self.command.first().filter(is_option) else {
            return Ok(());
        };
        let words: Vec<_> = std::env::args_os().collect();
        let before = words.len().checked_sub(self.command.len() + 1).and_then(|at| words.get(at));
        if before.is_some_and(|word| word == "--") {
            return Ok(());
        }
        let first = neutral::line(&first.to_string_lossy());
        let place = format!("ig run --help, or ig run -- {first} for a program of that name");
        Err(Error::usage(format!("`{first}` is no option of ig run")).next(place))
    }

    /// `ig run ./train.sh --stream`: without `--`, a last `--stream` is ours. Not where it was asked
    /// that nothing is said: whoever misses that word has to be told who took it.
    fn take_final_stream(&mut self) {
        let dashes = std::env::args_os().any(|word| word == "--");
        let ours = self.command.len() > 1 && self.command.last().is_some_and(|w| w == "--stream");
        if ours && !dashes && !self.quiet {
            self.command.pop();
            self.stream = true;
        }
    }

    fn shows_banner(&self) -> bool {
        if self.quiet || self.banner {
            return self.banner;
        }
        let files = config::Files::read(paths::current_project().as_deref());
        match files.value(&config::BANNER).as_str() {
            "always" => true,
            "never" => false,
            _ => std::io::stderr().is_terminal(),
        }
    }
}

/// Who hears of the output of `plan`. The daemon was called just now, if it is to be told.
fn news(plan: &Plan) -> News {
    match (plan.register, plan.stream && socket::is_served()) {
        (false, _) => News::Untold,
        (true, true) => News::Served,
        (true, false) if paths::no_autostart() => News::Nobody,
        (true, false) => News::Coming,
    }
}
