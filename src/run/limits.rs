//! What the command may use: set up by whoever started us, entered here for as long as it takes to
//! start the command, which inherits it. So there is no moment at which it is free.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Map, Value};

use crate::wire::unit::Unit;

/// The limits of a unit, as they stand in its record.
pub type Limits = Map<String, Value>;

/// Does `work` with `limits` on ourselves, and takes them off again. What turns out not to be held is
/// noted in `limits`.
pub(super) fn within<T>(limits: &mut Limits, work: impl FnOnce() -> T) -> T {
    if let (Some(cgroup), Some(home)) = (path(limits, "cgroup"), path(limits, "home")) {
        if enter(&cgroup) {
            let done = work();
            enter(&home);
            return done;
        }
        give_up_cgroup(limits);
    }
    if limits.contains_key("cgroup") {
        return work();
    }
    let Some(memory) = limits.get("memory").and_then(Value::as_u64) else { return work() };
    let before = getrlimit(Resource::As);
    let mut limit = before;
    limit.current = Some(memory);
    let _ = setrlimit(Resource::As, limit);
    let done = work();
    let _ = setrlimit(Resource::As, before);
    done
}

/// Where systemd put us, with the limits on it; noted in `limits`.
pub(super) fn take_scope(limits: &mut Limits) {
    let Some(scope) = path(limits, "scope") else { return };
    let memberships = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = memberships.lines().find_map(|line| line.strip_prefix("0::/"));
    match own.map(|own| Path::new("/sys/fs/cgroup").join(own)).filter(|own| own.ends_with(scope)) {
        Some(own) => drop(limits.insert("cgroup".to_owned(), own.to_string_lossy().into())),
        None => give_up_cgroup(limits),
    }
}

/// The cgroup went away: what is left is an rlimit. The map is made anew: taking something out of one
/// is more code than `ig-agent` has room for.
fn give_up_cgroup(limits: &mut Limits) {
    let before = std::mem::take(limits);
    limits.insert("by".to_owned(), "rlimit".into());
    for (name, value) in before {
        match name.as_str() {
            "memory" => drop(limits.insert(name, value)),
            "cpu" if !value.is_null() => {
                limits.insert("not_held".to_owned(), Value::Array(vec![name.into()]));
            }
            _ => {}
        }
    }
}

/// As it stands in the record of `unit`.
pub(super) fn note(limits: &Limits, unit: &mut Unit) {
    if !limits.is_empty() {
        unit.metadata.insert("limits".to_owned(), limits.clone().into());
    }
}

/// How many processes the kernel has killed because all of them together wanted more memory.
pub(super) fn count_kills(limits: &mut Limits) {
    let Some(cgroup) = path(limits, "cgroup") else { return };
    let events = fs::read_to_string(cgroup.join("memory.events")).unwrap_or_default();
    let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse::<u64>().ok());
    if let Some(kills) = kills.filter(|kills| *kills > 0) {
        limits.insert("oom_kills".to_owned(), kills.into());
    }
}

fn path(limits: &Limits, name: &str) -> Option<PathBuf> {
    limits.get(name).and_then(Value::as_str).map(PathBuf::from)
}

fn enter(cgroup: &Path) -> bool {
    let entered = fs::write(cgroup.join("cgroup.procs"), "0");
    if let Err(cause) = &entered {
        super::warn(Some(&crate::error::Error::io("enter", cgroup, cause)));
    }
    entered.is_ok()
}
