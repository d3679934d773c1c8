//! What the command may use: set up by whoever started us, entered here for as long as it takes to
//! start the command, which inherits it. So there is no moment at which it is free.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Map, Value};

/// The limits of a unit, as they stand in its record.
pub type Limits = Map<String, Value>;

/// Does `work` with `limits` on ourselves, and takes them off again.
pub(super) fn within<T>(limits: &Limits, work: impl FnOnce() -> T) -> T {
    let memory = limits.get("memory").and_then(Value::as_u64);
    match (path(limits, "cgroup"), path(limits, "home"), memory) {
        (Some(cgroup), Some(home), _) => {
            enter(&cgroup);
            let done = work();
            enter(&home);
            done
        }
        (None, _, Some(memory)) => {
            let before = getrlimit(Resource::As);
            let mut limit = before;
            limit.current = Some(memory);
            let _ = setrlimit(Resource::As, limit);
            let done = work();
            let _ = setrlimit(Resource::As, before);
            done
        }
        _ => work(),
    }
}

/// Nobody is left to be held.
pub(super) fn lift(limits: &Limits) {
    if let Some(cgroup) = path(limits, "cgroup") {
        let _ = fs::remove_dir(cgroup);
    }
}

fn path(limits: &Limits, name: &str) -> Option<PathBuf> {
    limits.get(name).and_then(Value::as_str).map(PathBuf::from)
}

fn enter(cgroup: &Path) {
    if let Err(cause) = fs::write(cgroup.join("cgroup.procs"), "0") {
        super::warn(Some(&crate::error::Error::io("enter", cgroup, &cause)));
    }
}
