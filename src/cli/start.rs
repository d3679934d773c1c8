//! `ig start`, `ig run start`: a command in the background, under a runner of its own.

use std::ffi::OsString;
use std::process::ExitCode;

use super::{Outcome, figures};
use crate::r#gen::quote;
use crate::kinds::ROOM;
use crate::logs::mask::view::Veil;
use crate::run::restart::Policy;
use crate::start::limit::Limit;
use crate::start::{Order, kind};
use crate::wait::Spec;
use crate::wire::unit::{Alerts, Kind, Terms, Unit};
use crate::{config, neutral, paths, time};

/// Start a command in the background
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The name people use [default: the command's own]
    name: Option<String>,
    /// The command: words, or one string for the shell
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
    #[command(flatten)]
    wishes: Wishes,
    #[command(flatten)]
    form: Form,
}

/// Start a command in the background
#[derive(Debug, clap::Args)]
pub(crate) struct RunStart {
    /// The command: one string for the shell, or words
    #[arg(required = true, value_name = "CMD")]
    command: Vec<OsString>,
    /// The name people use [default: the command's own]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    wishes: Wishes,
    #[command(flatten)]
    form: Form,
}

/// What can be asked for beside the command.
#[derive(Debug, Clone, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Wishes {
    /// Give it a terminal
    #[arg(long)]
    pty: bool,
    /// Tell the sessions that should know when it completes
    #[arg(long)]
    alert_on_success: bool,
    /// Do not tell them when it fails
    #[arg(long)]
    no_alert_on_failure: bool,
    /// Tell them when it is killed
    #[arg(long)]
    alert_on_kill: bool,
    /// When it is ready: `port[:N]`, `http:URL`, `match:RE`, `file:PATH` or `exec:CMD`
    #[arg(long, value_name = "SPEC", value_parser = Spec::check)]
    ready: Option<String>,
    /// When to start it again: `no`, `on-failure[:N]` or `always[:N]`, at most N times in a row
    #[arg(long, value_name = "POLICY", value_parser = Policy::check)]
    restart: Option<String>,
    /// What sort of unit it is: `local_bash`, `local_agent`, `monitor` or `lsp`
    #[arg(long, value_name = "KIND", default_value = "local_bash", hide_default_value = true, value_parser = kind::parse_startable)]
    kind: Kind,
    /// A group to be listed and stopped with
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// What it may use: `memory=2G,cpu=1`, all its processes together where a cgroup can be had,
    /// else memory for each process and cpu not at all; it is said which
    #[arg(long, value_name = "LIMITS", value_parser = limits)]
    limit: Option<(String, Limit)>,
    /// It does not end with its session
    #[arg(long)]
    persistent: bool,
    /// Send its output to the daemon's subscribers too
    #[arg(long)]
    stream: bool,
    /// Keep the record, do not tell the daemon
    #[arg(long)]
    no_register: bool,
}

/// How the answer is given.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Form {
    /// The unit as JSON
    #[arg(long)]
    json: bool,
}

/// Nobody else would read what a monitor of one session writes.
fn ends_with_session(kind: Kind, persistent: bool) -> bool {
    kind == Kind::Monitor && !persistent && paths::session().is_some()
}

fn limits(text: &str) -> Result<(String, Limit), String> {
    Limit::parse(text).map(|limit| (text.to_owned(), limit))
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        self.form.start(&self.wishes.order(self.name, self.command))
    }
}

impl RunStart {
    pub(crate) fn run(self) -> Outcome {
        self.form.start(&self.wishes.order(self.name, self.command))
    }
}

impl Wishes {
    /// What makes it ready, unless something was asked for.
    pub(crate) fn ready_by(&mut self, spec: Option<String>) {
        self.ready = self.ready.take().or(spec);
    }

    /// Whether a readiness check was asked for.
    pub(crate) fn asks_for_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// What was asked for and is not how `unit` runs; it needs a new start.
    pub(crate) fn lacking(&self, unit: &Unit) -> Vec<String> {
        let terms = &unit.terms;
        let limit = self.limit.as_ref().map(|(said, _)| said);
        let wanted = [
            ("ready", self.ready.as_ref(), &terms.ready_when),
            ("restart", self.restart.as_ref(), &terms.restart),
            ("group", self.group.as_ref(), &terms.group),
            ("limit", limit, &terms.limit),
        ];
        let differs = wanted.into_iter().filter(|(_, asked, has)| {
            asked.is_some_and(|asked| {
                Some(asked) != has.as_ref() && (has.is_some() || asked != "no")
            })
        });
        differs.map(|(name, ..)| format!("--{name}")).collect()
    }

    /// All of it as an order for `words`.
    pub(crate) fn order(self, name: Option<String>, words: Vec<OsString>) -> Order {
        let alerts = Alerts {
            on_failure: !self.no_alert_on_failure,
            on_success: self.alert_on_success,
            on_kill: self.alert_on_kill,
        };
        let (said, limit) = self.limit.unzip();
        Order {
            name,
            words,
            kind: self.kind,
            pty: self.pty,
            stream: self.stream,
            register: !self.no_register && !paths::no_daemon(),
            terms: Terms {
                group: self.group,
                background: true,
                ready_when: self.ready,
                restart: self.restart,
                limit: said,
                persistent: self.persistent,
                ends_with_session: ends_with_session(self.kind, self.persistent),
                alerts,
            },
            limit: limit.unwrap_or_default(),
        }
    }
}

impl Form {
    fn start(self, order: &Order) -> Outcome {
        config::check::warn(paths::current_project().as_deref());
        self.started(&order.start()?)
    }

    /// The id for programs, and one line for people.
    pub(crate) fn started(self, unit: &Unit) -> Outcome {
        let name = neutral::line(&unit.name);
        let word = quote::word(&name).unwrap_or_else(|_| unit.id.to_string());
        self.answer(
            unit,
            &format!(
                "started {name} ({}); read it with `ig logs {word}`, end it with `ig stop {word}`",
                pid(unit)
            ),
        )
    }

    /// The same for one that runs already.
    pub(crate) fn found(self, unit: &Unit) -> Outcome {
        let name = neutral::line(&unit.name);
        let ports: Vec<String> = unit.ports.iter().map(u16::to_string).collect();
        let ports =
            if ports.is_empty() { String::new() } else { format!(", port {}", ports.join(", ")) };
        self.answer(
            unit,
            &format!("{name} runs already: {}{ports}, for {}", pid(unit), lasted(unit)),
        )
    }

    fn answer(self, unit: &Unit, line: &str) -> Outcome {
        if self.json {
            let mut unit = unit.clone();
            Veil::new().over(&mut unit);
            figures::add_kinds(std::slice::from_mut(&mut unit), ROOM);
            println!("{}", serde_json::to_string_pretty(&unit).unwrap_or_default());
        } else {
            println!("{}", unit.id);
        }
        eprintln!("{line}");
        Ok(ExitCode::SUCCESS)
    }
}

/// `pid 4242`; between two starts there is none.
fn pid(unit: &Unit) -> String {
    unit.pid.map_or_else(|| "about to start again".to_owned(), |pid| format!("pid {pid}"))
}

/// How long it has been running.
pub(crate) fn lasted(unit: &Unit) -> String {
    let started = time::parse(&unit.started_at).unwrap_or(std::time::SystemTime::UNIX_EPOCH);
    time::human(std::time::SystemTime::now().duration_since(started).unwrap_or_default())
}
