//! `port`: prints a TCP port that is free, and claims it for the calling script.

use std::process::ExitCode;

use super::words::{Word, Words, number, unknown};
use super::{Outcome, target};
use crate::error::{Error, Result};
use crate::os::Identity;
use crate::port::{Claim, claim, claim_fixed};
use crate::{neutral, paths};

#[derive(Default)]
struct Args {
    base: Option<u16>,
    fixed: bool,
    pid: Option<u32>,
    name: Option<String>,
}

pub(super) fn run(words: Words) -> Outcome {
    let args = parse(words)?;
    let fixed = args.fixed;
    let wish = wish(args)?;
    let port = if fixed {
        claim_fixed(&wish)?
    } else {
        let (port, moved) = claim(&wish)?;
        if let Some(owner) = moved {
            eprintln!("port {} is {owner}; using {port}", wish.base);
        }
        port
    };
    println!("{port}");
    Ok(ExitCode::SUCCESS)
}

fn parse(mut words: Words) -> Result<Args> {
    let mut args = Args::default();
    while let Some(word) = words.next()? {
        match word {
            Word::Value(base) if args.base.is_none() => args.base = Some(port(&base)?),
            Word::Option(option) => match option.as_str() {
                "fixed" => args.fixed = true,
                "pid" => args.pid = Some(words.number("pid")?),
                "name" => args.name = Some(words.value()?),
                _ => return Err(unknown(&Word::Option(option))),
            },
            word @ Word::Value(_) => return Err(unknown(&word)),
        }
    }
    Ok(args)
}

fn port(text: &str) -> Result<u16> {
    number(text, "BASE").ok().filter(|port| *port > 0).ok_or_else(|| {
        Error::usage(format!("`{}` is no port", neutral::line(text))).next("1 to 65535")
    })
}

/// The claim belongs to the unit we run in, and lives as long as the process that asked.
fn wish(args: Args) -> Result<Claim> {
    let base = args.base.ok_or_else(|| {
        Error::usage("from which port on?").next("ig-agent port BASE, such as 8000")
    })?;
    let parent = || rustix::process::getppid().and_then(|p| p.as_raw_pid().try_into().ok());
    let pid: Option<u32> = args.pid.or_else(parent);
    let process = pid.and_then(Identity::of).or_else(Identity::own);
    let process = process.ok_or_else(|| Error::new("cannot tell which process asks"))?;
    let unit = paths::var("IDLERGEAR_RUN_ID")
        .and_then(|id| target::folder(&id))
        .and_then(|folder| folder.observe().ok());
    let name = args.name.or_else(|| unit.as_ref().map(|unit| unit.name.clone()));
    Ok(Claim {
        port: base,
        base,
        process,
        unit: unit.map(|unit| unit.id),
        name: name.unwrap_or_default(),
        project: paths::current_project(),
    })
}
