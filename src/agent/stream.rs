//! `ig-agent stream`: keeps what flows through it, as `tee` would.
//!
//! ```text
//! make 2>&1 | ig-agent stream [--name N]       a unit of its own, until the end of the input
//! ./x.sh 2>&1 | ig-agent stream ID             output of the unit ID, which registered itself
//! ```

use std::process::ExitCode;
use std::time::Instant;

use super::Outcome;
use super::words::{Word, Words, unknown};
use crate::error::{Error, Result};
use crate::os::Identity;
use crate::paths;
use crate::record::index::Stream;
use crate::record::{self, Folder, register};
use crate::run::stream;
use crate::time;
use crate::wire::unit::{EndSource, Kind, Logs, Status, Unit};

pub(super) fn run(mut words: Words) -> Outcome {
    let mut id = None;
    let mut name = "stream".to_owned();
    while let Some(word) = words.next()? {
        match word {
            Word::Option(option) if option == "name" => name = words.value()?,
            Word::Value(value) if id.is_none() => id = Some(value),
            word => return Err(unknown(&word)),
        }
    }
    match id {
        Some(id) => match existing(&id) {
            Ok((folder, mut logs)) => stream::keep(&folder, 0, &mut logs),
            Err(error) => return Ok(stream::pass_on(&error)),
        },
        None => match begin(&name) {
            Ok((unit, folder)) => own(unit, &folder)?,
            Err(error) => return Ok(stream::pass_on(&error)),
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder of a live unit whose output nobody else writes.
fn existing(id: &str) -> Result<(Folder, Logs)> {
    let project = paths::current_project();
    let folder = Folder::of(id, project.as_deref())
        .ok_or_else(|| Error::new(format!("nothing here has the id `{id}`")).next("ig ps --all"))?;
    let mut unit = folder.load()?;
    if unit.status.is_terminal() {
        return Err(Error::new(format!("`{id}` has ended already: {}", unit.status.word())));
    }
    if unit.runner.is_some() && !record::waits_for_a_hand(&unit) {
        return Err(Error::new(format!("the output of `{id}` is kept by its runner already")));
    }
    unit.logs.stdout = Some(folder.file(Stream::Stdout.file()));
    crate::run::warn(save(&folder, &unit).err().as_ref());
    Ok((folder, unit.logs))
}

/// A unit that lives as long as its input.
fn begin(name: &str) -> Result<(Unit, Folder)> {
    let mut unit = Unit::new(Kind::LocalBash, name);
    register::describe_caller(&mut unit);
    unit.status = Status::Running;
    unit.pid = Some(std::process::id());
    unit.process = Identity::own();
    let (folder, warning) = Folder::create(&mut unit)?;
    crate::run::warn(warning.as_ref());
    unit.logs.stdout = Some(folder.file(Stream::Stdout.file()));
    crate::run::warn(save(&folder, &unit).err().as_ref());
    let _ = folder.link_live(&unit.id);
    let _ = crate::autostart::nudge();
    Ok((unit, folder))
}

fn own(mut unit: Unit, folder: &Folder) -> Result<()> {
    let clock = Instant::now();
    stream::keep(folder, 0, &mut unit.logs);
    unit.status = Status::Completed;
    unit.exit_code = Some(0);
    unit.end = Some(EndSource::Itself);
    unit.ended_at = Some(time::now());
    unit.duration_ms = u64::try_from(clock.elapsed().as_millis()).ok();
    save(folder, &unit)
}

fn save(folder: &Folder, unit: &Unit) -> Result<()> {
    folder.save(unit).map_err(|e| Error::io("write", folder.file("run.json"), &e))
}
