//! A scope of systemd's for a unit that has limits: where systemd manages the cgroups, nobody else's
//! settings last, and it makes one for users who may make none themselves.
//!
//! The runner is inside too, as processes cannot be put back where they came from. The scope goes when
//! the last process in it does, whoever that is.

use std::path::Path;
use std::process::{Command, Stdio};

use super::limit::Limit;

/// Whether its own limits hold in a scope, by what the kernel says. `$1` and `$2`: which are wanted.
const CHECK: &str = "read -r own < /proc/self/cgroup && cd \"/sys/fs/cgroup${own#0::}\" || exit
    holds() { [ -z \"$1\" ] || { [ -r \"$2\" ] && ! grep -q '^max' \"$2\"; }; }
    holds \"$1\" memory.max && holds \"$2\" cpu.max";

/// The name of a new scope that is going to hold to `limit`; none where that was tried and failed.
pub(super) fn name(limit: &Limit) -> Option<String> {
    if !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    let probe = format!("{}-probe", fresh()?);
    let words = words(&probe, limit);
    let wanted = |is: bool| if is { "1" } else { "" };
    let held = Command::new(&words[0])
        .args(&words[1..])
        .args(["sh", "-c", CHECK, "sh"])
        .args([wanted(limit.memory.is_some()), wanted(limit.cpu.is_some())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if held.is_ok_and(|status| status.success()) { fresh() } else { None }
}

fn fresh() -> Option<String> {
    let mut name = [0_u8; 6];
    getrandom::fill(&mut name).ok()?;
    Some(format!("ig-{}", crate::hash::hex(&name)))
}

/// What to write before a command that is to run in the scope `name`.
pub(super) fn words(name: &str, limit: &Limit) -> Vec<String> {
    let whose = if rustix::process::geteuid().is_root() { "--system" } else { "--user" };
    let mut words: Vec<String> =
        ["systemd-run", whose, "--scope", "--quiet", "--collect"].map(str::to_owned).into();
    words.push(format!("--unit={name}"));
    // Or systemd would end the runner too as soon as the kernel has killed one of its processes, and
    // nobody could tell the end or start anything again.
    words.extend(["-p", "OOMPolicy=continue"].map(str::to_owned));
    let mut set = |property: String| words.extend(["-p".to_owned(), property]);
    if let Some(bytes) = limit.memory {
        set(format!("MemoryMax={bytes}"));
        // Where there is swap, it would be used first, and there may be lots of it.
        set("MemorySwapMax=0".to_owned());
    }
    if let Some(cores) = limit.cpu {
        set(format!("CPUQuota={:.2}%", cores * 100.0));
    }
    words.extend(own_invocation());
    words
}

/// systemd-run tells what it starts the scope's `INVOCATION_ID`: the unit has its caller's environment.
fn own_invocation() -> Vec<String> {
    let name = "INVOCATION_ID";
    match std::env::var(name) {
        Ok(value) => vec!["env".to_owned(), format!("{name}={value}")],
        Err(_) => ["env", "-u", name].map(str::to_owned).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_become_properties() {
        let limit = Limit { memory: Some(1 << 20), cpu: Some(0.5) };
        let words = words("ig-0123", &limit).join(" ");
        assert!(
            words.contains("--unit=ig-0123 -p OOMPolicy=continue -p MemoryMax=1048576 "),
            "{words}"
        );
        assert!(words.contains("-p CPUQuota=50.00% env "), "{words}");
    }
}
