//! `ig who PORT`: who listens there: a unit with its tree, or a stranger.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::Outcome;
use super::start::lasted;
use crate::error::exit;
use crate::r#gen::quote;
use crate::logs::mask::view::{Veil, command_line};
use crate::neutral::line;
use crate::os::{self, Identity, Processes};
use crate::port::{self, Claim, Owner};
use crate::record::scope;
use crate::stop;
use crate::wire::unit::Unit;

/// Tell who listens on a TCP port
#[derive(Debug, clap::Args)]
#[command(after_help = "Ends with 1 when nobody does.")]
pub(crate) struct Args {
    /// The port
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Who has the port.
enum Who {
    /// A unit: its processes, and which of them listen.
    Unit {
        unit: Box<Unit>,
        tree: Vec<Identity>,
        listening: Vec<u32>,
    },
    /// Processes that are no unit's.
    Strangers(Vec<u32>),
    /// A script that has claimed it and does not listen yet.
    Claim(Box<Claim>),
    /// Somebody we may not look at.
    Unknown,
    Nobody,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let who = find(self.port);
        if self.json {
            println!("{:#}", who.json(self.port));
        } else {
            who.tell(self.port);
        }
        Ok(ExitCode::from(if matches!(who, Who::Nobody) { exit::FAILED } else { exit::OK }))
    }
}

fn find(port: u16) -> Who {
    let listening = os::listeners(port);
    if let Some((unit, tree)) = unit_of(&listening) {
        let mut unit = Box::new(unit);
        Veil::new().over(&mut unit);
        return Who::Unit { unit, tree, listening };
    }
    if !listening.is_empty() {
        return Who::Strangers(listening);
    }
    match port::owner(port) {
        Some(Owner::Claimed(claim)) => Who::Claim(claim),
        Some(Owner::Process(process)) => Who::Strangers(vec![process.pid]),
        Some(Owner::Unknown) => Who::Unknown,
        Some(Owner::Forbidden) | None => Who::Nobody,
    }
}

/// The live unit to which one of `pids` belongs, and all of its processes. The mark in a process's
/// environment names the innermost; without one, its ancestors tell.
fn unit_of(pids: &[u32]) -> Option<(Unit, Vec<Identity>)> {
    let mut live = scope::everywhere();
    live.retain(|unit| !unit.status.is_terminal());
    let marks: Vec<String> =
        pids.iter().filter_map(|pid| os::variable(*pid, "IDLERGEAR_RUN_ID")).collect();
    let marked = live.iter().find(|unit| marks.iter().any(|mark| mark == unit.id.as_str()));
    let found = marked.or_else(|| around(&live, pids))?.clone();
    let tree = stop::processes(&found);
    Some((found, tree))
}

/// The youngest unit with one of `pids` in its tree.
fn around<'a>(live: &'a [Unit], pids: &[u32]) -> Option<&'a Unit> {
    let rooted: Vec<(&Unit, u32)> = live
        .iter()
        .filter_map(|unit| Some((unit, unit.process.as_ref().filter(|own| own.is_alive())?.pid)))
        .collect();
    let roots: Vec<u32> = rooted.iter().map(|(_, root)| *root).collect();
    let owns = |tree: &[Identity]| tree.iter().any(|process| pids.contains(&process.pid));
    let all = Processes::now();
    let found = roots.iter().rposition(|root| owns(&all.tree(*root)))?;
    rooted.get(found).map(|(unit, _)| *unit)
}

impl Who {
    fn tell(&self, port: u16) {
        match self {
            Self::Unit { unit, tree, listening } => tell_unit(port, unit, tree, listening),
            Self::Strangers(pids) => {
                for pid in pids {
                    println!(
                        "port {port}: pid {pid} ({}), not started by ig",
                        line(&command_line(*pid))
                    );
                }
            }
            Self::Claim(claim) => {
                println!("port {port}: {}; it does not listen yet", Owner::Claimed(claim.clone()));
            }
            Self::Unknown => println!("port {port}: a process of another user"),
            Self::Nobody => println!("port {port}: nobody"),
        }
    }

    fn json(&self, port: u16) -> Value {
        let process = |pid: &u32| json!({"pid": pid, "command": command_line(*pid)});
        match self {
            Self::Unit { unit, tree, listening } => {
                let tree: Vec<Value> = tree.iter().map(|one| process(&one.pid)).collect();
                json!({"port": port, "owner": "unit", "unit": unit, "tree": tree, "listening": listening})
            }
            Self::Strangers(pids) => {
                let tree: Vec<Value> = pids.iter().map(process).collect();
                json!({"port": port, "owner": "process", "tree": tree, "listening": pids})
            }
            Self::Claim(claim) => json!({"port": port, "owner": "claim", "claim": claim}),
            Self::Unknown => json!({"port": port, "owner": "unknown"}),
            Self::Nobody => json!({"port": port, "owner": null}),
        }
    }
}

fn tell_unit(port: u16, unit: &Unit, tree: &[Identity], listening: &[u32]) {
    let name = line(&unit.name);
    println!("port {port}: {name} ({}), for {}", unit.id, lasted(unit));
    let place = unit.project.as_ref().unwrap_or(&unit.cwd);
    println!("  project  {}", line(&place.display().to_string()));
    let session = unit.session.as_ref().map(|id| format!(", session {}", line(id)));
    let inside = unit.parent.as_ref().map(|id| format!(", inside {id}"));
    let owner = if unit.owner.is_empty() { "somebody".to_owned() } else { line(&unit.owner) };
    let by = [Some(owner), session, inside].into_iter().flatten().collect::<String>();
    println!("  started  by {by}");
    for (index, process) in tree.iter().enumerate() {
        let title = if index == 0 { "tree" } else { "" };
        let mark = if listening.contains(&process.pid) { "  <- listens" } else { "" };
        println!("  {title:<8} {} {}{mark}", process.pid, line(&command_line(process.pid)));
    }
    let word = quote::word(&scope::word(unit)).unwrap_or_else(|_| unit.id.to_string());
    println!("  end it   ig stop {word}");
}
