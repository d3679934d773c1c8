//! Claims on TCP ports: which script uses which, so that two never choose the same one and a taken
//! port has an owner with a name.
//!
//! One JSON file per port under the state folder, written under one lock. A claim holds as long as the
//! process that made it; what is left of a dead one only says which port that script had before.
//! Claims are help, not law: when they cannot be written, a free port is still found.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::UnitId;
use crate::logs::mask::view::Veil;
use crate::os::{self, Identity};
use crate::record::Folder;
use crate::wire::read::{Fields, json};
use crate::wire::unit::Unit;
use crate::{neutral, paths, secure_fs};

/// How many ports from BASE on are tried.
const CANDIDATES: u16 = 100;

/// How long it is remembered which port a script had.
const MEMORY: Duration = Duration::from_hours(30 * 24);

/// Who wants a port, and which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The port; in a wish, the first one to try.
    pub port: u16,
    /// The first port its script asked for.
    pub base: u16,
    /// The process whose end is the claim's end.
    pub process: Identity,
    /// The unit it belongs to.
    pub unit: Option<UnitId>,
    /// The name people use.
    pub name: String,
    /// The project it works in.
    #[serde(default, with = "crate::wire::raw::place_if")]
    pub project: Option<PathBuf>,
}

/// Who has a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A script of ours that claimed it.
    Claimed(Box<Claim>),
    /// Some process.
    Process(os::PortOwner),
    /// Somebody we may not look at.
    Unknown,
    /// Nobody; but we may not use it.
    Forbidden,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Claimed(claim) => {
                let name = if claim.name.is_empty() { "a script" } else { &claim.name };
                let unit = claim.unit.as_ref().map(|id| format!("{id}, ")).unwrap_or_default();
                write!(f, "taken by {name} ({unit}pid {})", claim.process.pid)
            }
            Self::Process(owner) => write!(f, "taken by {}", whose(owner)),
            Self::Unknown => f.write_str("taken by a process of another user"),
            Self::Forbidden => f.write_str("not allowed to this user"),
        }
    }
}

/// `web (b1234abcd, pid 4242)`; `pid 4242 (COMMAND)` for what is no unit of ours.
pub fn whose(owner: &os::PortOwner) -> String {
    match unit_of(owner.pid) {
        Some(unit) => format!("{} ({}, pid {})", neutral::line(&unit.name), unit.id, owner.pid),
        None => format!(
            "pid {} ({})",
            owner.pid,
            neutral::line(&Veil::new().words(&owner.command, None))
        ),
    }
}

/// The unit that `pid` was started for.
fn unit_of(pid: u32) -> Option<Unit> {
    let id = os::variable(pid, "IDLERGEAR_RUN_ID")?;
    let project = os::variable(pid, "IDLERGEAR_PROJECT").map(PathBuf::from);
    let unit = Folder::of(&id, project.as_deref())?.observe().ok()?;
    (unit.id.as_str() == id).then_some(unit)
}

/// A port for `wish`: the one it had before, else the first free one from `wish.base` on. The second
/// value is the owner of `wish.base` when that is why another one was chosen.
pub fn claim(wish: &Claim) -> Result<(u16, Option<Owner>)> {
    let claims = Claims::open();
    let before = claims.before(wish);
    let range = wish.base..=wish.base.saturating_add(CANDIDATES - 1);
    let free = before.into_iter().chain(range).find(|port| claims.owner(*port).is_none());
    let port = free.ok_or_else(|| {
        Error::new(format!("none of the {CANDIDATES} ports from {} on is free", wish.base))
            .next("give another BASE")
    })?;
    claims.write(&Claim { port, ..wish.clone() });
    let moved = if port == wish.base { None } else { claims.owner(wish.base) };
    Ok((port, moved))
}

/// Exactly `wish.base`, or an error that names its owner.
pub fn claim_fixed(wish: &Claim) -> Result<u16> {
    let claims = Claims::open();
    match claims.owner(wish.base) {
        Some(Owner::Claimed(claim)) if claim.process == wish.process => Ok(wish.base),
        Some(owner) => Err(refusal(wish.base, &owner)),
        None => {
            claims.write(&Claim { port: wish.base, ..wish.clone() });
            Ok(wish.base)
        }
    }
}

fn refusal(port: u16, owner: &Owner) -> Error {
    let way = match owner {
        // By id: its name may be another's too, or it be of another project.
        Owner::Claimed(claim) => match &claim.unit {
            Some(id) => format!("ig stop {id}, or "),
            None => format!("kill {}, or ", claim.process.pid),
        },
        Owner::Process(process) => match unit_of(process.pid) {
            Some(unit) => format!("ig stop {}, or ", unit.id),
            None => format!("kill {}, or ", process.pid),
        },
        Owner::Unknown | Owner::Forbidden => String::new(),
    };
    Error::new(format!("port {port} is {owner}")).next(format!("{way}start with another PORT"))
}

/// Who has `port` now; none when it is free.
pub fn owner(port: u16) -> Option<Owner> {
    Claims { dir: paths::ports_dir(), _lock: None }.owner(port)
}

/// The folder of claims, locked while this lives.
struct Claims {
    dir: PathBuf,
    _lock: Option<File>,
}

impl Claims {
    fn open() -> Self {
        let dir = paths::ports_dir();
        let lock = lock(&dir).ok();
        let claims = Self { dir, _lock: lock };
        claims.sweep();
        claims
    }

    fn file(&self, port: u16) -> PathBuf {
        self.dir.join(format!("{port}.json"))
    }

    fn all(&self) -> Vec<Claim> {
        let Ok(names) = secure_fs::list(&self.dir) else { return Vec::new() };
        names.iter().filter_map(|name| read(&self.dir.join(name))).collect()
    }

    /// Forgets dead claims that are too old to remember.
    fn sweep(&self) {
        for claim in self.all() {
            let path = self.file(claim.port);
            if !claim.process.is_alive() && is_old(&path) {
                let _ = secure_fs::remove_file(&path);
            }
        }
    }

    /// The port that this script had when it ran last.
    fn before(&self, wish: &Claim) -> Option<u16> {
        let same = |claim: &Claim| {
            claim.project == wish.project && claim.name == wish.name && claim.base == wish.base
        };
        let dead = |claim: &Claim| !claim.process.is_alive();
        self.all().into_iter().filter(|c| same(c) && dead(c)).map(|c| c.port).min()
    }

    fn owner(&self, port: u16) -> Option<Owner> {
        let claimed = read(&self.file(port)).filter(|claim| claim.process.is_alive());
        claimed.map(|claim| Owner::Claimed(Box::new(claim))).or_else(|| listener(port))
    }

    /// Best effort: without it the port is still free.
    fn write(&self, claim: &Claim) {
        for old in self.all().into_iter().filter(|old| !old.process.is_alive()) {
            let same = old.project == claim.project && old.name == claim.name;
            if same && old.base == claim.base && old.port != claim.port {
                let _ = secure_fs::remove_file(&self.file(old.port));
            }
        }
        if let Ok(text) = serde_json::to_vec(claim) {
            let _ = secure_fs::replace(&self.file(claim.port), &text);
        }
    }
}

fn lock(dir: &Path) -> std::io::Result<File> {
    secure_fs::dir(dir)?;
    let file = secure_fs::append(&dir.join("lock"))?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

fn read(path: &Path) -> Option<Claim> {
    let mut fields = Fields::of(json(&secure_fs::read(path, secure_fs::SMALL).ok()?).ok()?);
    Some(Claim {
        port: fields.number("port")?,
        base: fields.number("base")?,
        process: fields.identity("process")?,
        unit: fields.text("unit").and_then(|id| UnitId::parse(&id)),
        name: fields.text("name")?,
        project: fields.text("project").map(PathBuf::from),
    })
}

fn is_old(path: &Path) -> bool {
    let modified = secure_fs::metadata(path).and_then(|meta| meta.modified());
    let age = modified.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
    age.is_ok_and(|age| age > MEMORY)
}

/// Who listens on `port` of this machine. Both loopback addresses are tried, as servers bind either.
fn listener(port: u16) -> Option<Owner> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let failures: Vec<ErrorKind> = loopback
        .iter()
        .filter_map(|address| TcpListener::bind((*address, port)).err())
        .map(|error| error.kind())
        .collect();
    // A wildcard listener elsewhere does not stop a bind to loopback on every system.
    if failures.contains(&ErrorKind::AddrInUse) || !cfg!(target_os = "linux") {
        return match os::port_owner(port) {
            Some(owner) => Some(Owner::Process(owner)),
            None => failures.contains(&ErrorKind::AddrInUse).then_some(Owner::Unknown),
        };
    }
    failures.contains(&ErrorKind::PermissionDenied).then_some(Owner::Forbidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let Some(Owner::Process(owner)) = super::listener(port) else { panic!("not found") };
        assert_eq!(owner.pid, std::process::id());
        drop(listener);
        // What another test starts at this moment has it open until it is itself.
        let is_free = |_| super::listener(port).is_none();
        let moment = std::time::Duration::from_millis(10);
        assert!((0..6000).inspect(|_| std::thread::sleep(moment)).any(is_free));
    }

    #[test]
    fn a_refusal_says_how_to_go_on() {
        let mut claim = Claim {
            port: 8000,
            base: 8000,
            process: Identity { pid: 4242, start: 1, boot: String::new() },
            unit: UnitId::parse("b3k9x0a1z"),
            name: "web".to_owned(),
            project: None,
        };
        let text =
            |claim: &Claim| refusal(8000, &Owner::Claimed(Box::new(claim.clone()))).to_string();
        assert_eq!(
            text(&claim),
            "port 8000 is taken by web (b3k9x0a1z, pid 4242)\n  try: ig stop b3k9x0a1z, or start with another PORT"
        );
        claim.unit = None;
        assert_eq!(
            text(&claim),
            "port 8000 is taken by web (pid 4242)\n  try: kill 4242, or start with another PORT"
        );
    }
}
