//! `register`: makes a script an agent that others see.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Map, Value};

use super::words::{Word, Words, unknown};
use super::{Outcome, target};
use crate::error::{Error, Result};
use crate::record::register::{Registration, register};
use crate::record::{Folder, events};
use crate::wire::read::{json, object};
use crate::wire::unit::Unit;
use crate::{autostart, neutral, os, paths, secure_fs, stop};

/// What the type is when nobody says.
const DEFAULT_TYPE: &str = "script";

/// The longest name, in characters: it has to fit into listings.
const NAME_LIMIT: usize = 100;

#[derive(Default)]
struct Args {
    name: Option<String>,
    fallback: Option<String>,
    agent_type: Option<String>,
    metadata: Map<String, Value>,
    pid: Option<u32>,
    offer: bool,
    shell: bool,
}

pub(super) fn run(words: Words) -> Outcome {
    let args = parse(words)?;
    let shell = args.shell;
    let registration = registration(args)?;
    let (unit, folder) = match around(registration.pid) {
        Some((unit, folder)) => join(unit, folder, registration)?,
        None => found(registration)?,
    };
    announce(&unit, &folder, shell);
    autostart::nudge();
    Ok(ExitCode::SUCCESS)
}

fn parse(mut words: Words) -> Result<Args> {
    let mut args = Args::default();
    while let Some(word) = words.next()? {
        match word {
            Word::Value(name) if args.name.is_none() => args.name = Some(name),
            Word::Option(option) => match option.as_str() {
                "type" => args.agent_type = Some(words.value()?),
                "fallback" => args.fallback = Some(words.value()?),
                "pid" => args.pid = Some(words.number("pid")?),
                "offer" => args.offer = true,
                "shell" => args.shell = true,
                "metadata" => args.metadata.extend(metadata(&words.value()?)?),
                "meta" => args.metadata.extend([pair(&words.value()?)?]),
                _ => return Err(unknown(&Word::Option(option))),
            },
            word @ Word::Value(_) => return Err(unknown(&word)),
        }
    }
    Ok(args)
}

fn metadata(text: &str) -> Result<Map<String, Value>> {
    let problem = match json(text.as_bytes()) {
        Ok(Value::Object(object)) => return Ok(object),
        Ok(_) => "it is something else".to_owned(),
        Err(problem) => problem,
    };
    Err(Error::usage(format!("--metadata is no JSON object: {problem}"))
        .next("--metadata '{\"batch\": 7}', or --meta batch=7"))
}

fn pair(text: &str) -> Result<(String, Value)> {
    let (key, value) =
        text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            Error::usage(format!("--meta wants KEY=VALUE, not `{}`", neutral::line(text)))
        })?;
    Ok((key.to_owned(), value.into()))
}

fn registration(args: Args) -> Result<Registration> {
    let name = args.name.or(args.fallback).unwrap_or_default();
    if name.is_empty() || name.chars().count() > NAME_LIMIT || name.chars().any(char::is_control) {
        let problem = format!("an agent cannot be called `{}`", neutral::line(&name));
        return Err(Error::usage(problem)
            .next(format!("a name of 1 to {NAME_LIMIT} characters, without control characters")));
    }
    let parent = || rustix::process::getppid().and_then(|p| p.as_raw_pid().try_into().ok());
    let pid = args.pid.or_else(parent).ok_or_else(|| Error::usage("no process: give --pid"))?;
    // A script that cannot be offered (process 1 of a container) is still listed. Only the library asks
    // for the offer without being asked itself: an explicit `--offer` gets an error instead.
    let offer = args.offer && (!args.shell || stop::check_offer(pid, std::process::id()).is_ok());
    check(pid, offer)?;
    let agent_type = args.agent_type.unwrap_or_else(|| DEFAULT_TYPE.to_owned());
    Ok(Registration { name, agent_type, metadata: args.metadata, pid, offer })
}

/// Whether `pid` can be registered at all, and offered if it is to be.
pub(crate) fn check(pid: u32, offer: bool) -> Result<()> {
    if !stop::is_anybodys(pid) {
        return Err(Error::usage(format!("cannot register process {pid}: it is not a script"))
            .at("process 0 or 1 is what remains as the parent when the shell that called has ended")
            .next("register from the script itself, while it runs"));
    }
    let checked = if offer { stop::check_offer(pid, std::process::id()) } else { Ok(()) };
    checked.map_err(|why| Error::usage(format!("cannot offer pid {pid} to be stopped: {why}")))
}

/// The unit that `pid` already is: its runner's child, or registered before.
fn around(pid: u32) -> Option<(Unit, Folder)> {
    let folder = target::folder(&paths::var("IDLERGEAR_RUN_ID")?)?;
    let unit = folder.load().ok()?;
    let runs_here = paths::runner_pid().is_some_and(|runner| os::parent(pid) == Some(runner));
    let itself = unit.process.as_ref().is_some_and(|p| p.pid == pid && p.is_alive());
    (unit.ended_at.is_none() && (runs_here || itself)).then_some((unit, folder))
}

fn join(unit: Unit, folder: Folder, with: Registration) -> Result<(Unit, Folder)> {
    let said = object(vec![
        ("name", with.name.into()),
        ("type", with.agent_type.into()),
        ("metadata", with.metadata.into()),
    ]);
    let path = folder.events();
    events::append(&path, "register", &said.to_string())
        .map_err(|e| Error::io("write to", &path, &e))?;
    Ok((unit, folder))
}

fn found(registration: Registration) -> Result<(Unit, Folder)> {
    let (unit, folder, warning) = register(registration)?;
    if let Some(warning) = warning {
        eprintln!("ig-agent: {}", neutral::exact(&warning.to_string()));
    }
    let path = folder.events();
    secure_fs::append(&path).map_err(|e| Error::io("make", &path, &e))?;
    Ok((unit, folder))
}

/// The id; for the shell library also where its records go, what exists while messages wait, and
/// who writes the unit's end.
fn announce(unit: &Unit, folder: &Folder, shell: bool) {
    println!("{}", unit.id);
    if shell {
        for path in [folder.events(), paths::inbox_dir().join(unit.id.as_str())] {
            // To the byte: the script opens it.
            let line = [path.as_os_str().as_encoded_bytes(), b"\n"].concat();
            let _ = std::io::stdout().write_all(&line);
        }
        println!("{}", if unit.runner.is_some() { "runner" } else { "script" });
    }
}
