//! `ig alerts`: which ends of a unit are told, shown or changed while it runs.
//!
//! From the files alone: the daemon need not be there, and sees the choice when it comes. Agents
//! without files are the daemon's.

use std::process::ExitCode;

use super::Outcome;
use super::resolve::{self, Found};
use crate::error::{Error, Result};
use crate::logs::mask::view::Veil;
use crate::neutral;
use crate::record::{Folder, alerts};
use crate::wire::client::Client;
use crate::wire::request::{Request, UnitAlerts};
use crate::wire::unit::{Alerts, Choice, Kind, Unit};

/// Show which ends of a unit are told, or change that while it runs
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Id, name or the first four characters of an id
    id: String,
    /// Tell the sessions that should know when it completes
    #[arg(long, overrides_with = "no_alert_on_success")]
    alert_on_success: bool,
    /// Do not tell them when it completes
    #[arg(long, overrides_with = "alert_on_success")]
    no_alert_on_success: bool,
    /// Tell them when it fails
    #[arg(long, overrides_with = "no_alert_on_failure")]
    alert_on_failure: bool,
    /// Do not tell them when it fails
    #[arg(long, overrides_with = "alert_on_failure")]
    no_alert_on_failure: bool,
    /// Tell them when it is killed
    #[arg(long, overrides_with = "no_alert_on_kill")]
    alert_on_kill: bool,
    /// Do not tell them when it is killed
    #[arg(long, overrides_with = "alert_on_kill")]
    no_alert_on_kill: bool,
    /// The unit as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(self) -> Outcome {
        let choice = self.choice();
        let found = resolve::resolve(&self.id)?;
        resolve::tell_place(found.unit());
        let mut unit = match found {
            Found::Recorded(unit, folder) => filed(*unit, &folder, choice)?,
            Found::DaemonOnly(client, unit) => wired(client, *unit, choice)?,
        };
        if self.json {
            Veil::new().over(&mut unit);
            println!("{}", serde_json::to_string_pretty(&unit).unwrap_or_default());
        } else {
            print!("{}", lines(&unit));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn choice(&self) -> Choice {
        let said = |on: bool, off: bool| (on || off).then_some(on);
        Choice {
            on_failure: said(self.alert_on_failure, self.no_alert_on_failure),
            on_success: said(self.alert_on_success, self.no_alert_on_success),
            on_kill: said(self.alert_on_kill, self.no_alert_on_kill),
        }
    }
}

fn filed(mut unit: Unit, folder: &Folder, choice: Choice) -> Result<Unit> {
    if choice != Choice::default() {
        refuse_ended(&unit)?;
        unit.terms.alerts = alerts::choose(folder, choice)?;
    }
    Ok(unit)
}

/// It has no folder where the choice could stand: the daemon keeps it.
fn wired(mut client: Client, unit: Unit, choice: Choice) -> Result<Unit> {
    if choice == Choice::default() {
        return Ok(unit);
    }
    refuse_ended(&unit)?;
    client.call(&Request::UnitAlerts(UnitAlerts { id: unit.id.to_string(), project: None, choice }))
}

fn refuse_ended(unit: &Unit) -> Result<()> {
    if !unit.status.is_terminal() {
        return Ok(());
    }
    let name = neutral::line(&unit.name);
    Err(Error::new(format!("`{name}` ({}) has ended already: {}", unit.id, unit.status.word())))
}

/// One line for each sort of end.
fn lines(unit: &Unit) -> String {
    let Alerts { on_failure, on_success, on_kill } = unit.terms.alerts;
    // A monitor's end is told whatever was chosen.
    let word = |on: bool| if on || unit.kind == Kind::Monitor { "told" } else { "not told" };
    format!(
        "failure  {}\nsuccess  {}\nkill     {}\n",
        word(on_failure),
        word(on_success),
        word(on_kill)
    )
}
