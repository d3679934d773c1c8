//! `ig daemon agents`: who is there.

use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::json;

use crate::cli::{Outcome, table};
use crate::error::Result;
use crate::os::{self, Processes};
use crate::wire::client::Client;
use crate::wire::unit::{Status, Unit};
use crate::{neutral, time};

/// List who is running: scripts, servers, runs and AI sessions of this project
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of all projects
    #[arg(long)]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let mut client = super::connect()?;
        let mut agents = super::pages::agents(&mut client, &super::scope(self.all))?;
        look_at_ports(&mut agents);
        if self.json {
            super::print(json!({ "schema": 1, "agents": agents }));
        } else if agents.is_empty() {
            nobody(&mut client, self.all)?;
        } else {
            show(&agents, self.all);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Ports are what each one's processes listen on now.
fn look_at_ports(agents: &mut [Unit]) {
    let all = Processes::now();
    let pids = |root: u32| all.tree(root).iter().map(|process| process.pid).collect::<Vec<u32>>();
    let (found, trees): (Vec<&mut Unit>, Vec<Vec<u32>>) =
        agents.iter_mut().filter_map(|unit| unit.pid.map(|root| (unit, pids(root)))).unzip();
    for (unit, ports) in found.into_iter().zip(os::listening_ports_of(&trees)) {
        unit.ports.extend(ports);
        unit.ports.sort_unstable();
        unit.ports.dedup();
    }
}

fn nobody(client: &mut Client, all: bool) -> Result<()> {
    let elsewhere = if all { 0 } else { super::pages::agents(client, &super::scope(true))?.len() };
    match elsewhere {
        0 => eprintln!("nobody is here yet\n  try: ig gen --list, or ig run COMMAND"),
        n => eprintln!("nobody is here, {n} elsewhere\n  try: ig daemon agents --all"),
    }
    Ok(())
}

fn show(agents: &[Unit], all: bool) {
    let mut titles = vec!["NAME", "ID", "TYPE", "STATUS", "PID", "PORTS", "SINCE"];
    if all {
        titles.push("PROJECT");
    }
    let rows: Vec<Vec<String>> = agents.iter().map(|unit| row(unit, all)).collect();
    table::lines(&titles, &rows).iter().for_each(super::print);
}

fn row(unit: &Unit, all: bool) -> Vec<String> {
    let ports: Vec<String> = unit.ports.iter().map(ToString::to_string).collect();
    let mut row = vec![
        unit.name.clone(),
        unit.id.to_string(),
        unit.agent_type.clone(),
        status(unit),
        unit.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        ports.join(","),
        since(unit),
    ];
    if all {
        row.push(unit.project.as_ref().map(|p| p.display().to_string()).unwrap_or_default());
    }
    row
}

/// What it says of itself while it runs.
fn status(unit: &Unit) -> String {
    if unit.status != Status::Running {
        return unit.status.word().to_owned();
    }
    format!("{} {}", unit.presence.word(), neutral::words(&unit.description)).trim_end().to_owned()
}

fn since(unit: &Unit) -> String {
    let started = time::parse(&unit.started_at);
    let age = started.and_then(|at| SystemTime::now().duration_since(at).ok());
    time::human(age.unwrap_or_default())
}
