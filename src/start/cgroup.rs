//! A cgroup (version 2) of a unit's own, where this user may make one.
//!
//! It is made beside or above the one we are in, wherever the needed controllers are ours to use;
//! everything is tried for real and taken back when it fails, as nothing else tells for sure.

use std::fs;
use std::path::{Path, PathBuf};

use super::limit::Limit;

/// Where version 2 is mounted: alone, or beside version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// cpu.max: so many microseconds of these.
const PERIOD: f64 = 100_000.0;

/// A new cgroup that holds to `limit`, and the one that we are in.
pub(super) fn make(limit: &Limit) -> Option<(PathBuf, PathBuf)> {
    let mount =
        MOUNTS.iter().map(Path::new).find(|dir| dir.join("cgroup.controllers").is_file())?;
    let memberships = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = memberships.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let home = mount.join(own);
    let within = home.ancestors().take_while(|dir| dir.starts_with(mount));
    let made = within.filter(|dir| may_move(dir)).find_map(|dir| make_in(dir, limit))?;
    Some((made, home))
}

/// Whoever moves a process needs to write here, in the nearest cgroup above both places.
fn may_move(dir: &Path) -> bool {
    fs::OpenOptions::new().write(true).open(dir.join("cgroup.procs")).is_ok()
}

fn make_in(parent: &Path, limit: &Limit) -> Option<PathBuf> {
    let settings = settings(limit);
    enable(parent, &settings);
    let mut name = [0_u8; 6];
    getrandom::fill(&mut name).ok()?;
    let made = parent.join(format!("ig-{}", crate::hash::hex(&name)));
    fs::create_dir(&made).ok()?;
    // Only files that the kernel made: a controller that is not there has none.
    let set = |(_, file, value): &(&str, &str, String)| {
        let mut file = fs::OpenOptions::new().write(true).open(made.join(file))?;
        std::io::Write::write_all(&mut file, value.as_bytes())
    };
    if settings.iter().all(|setting| set(setting).is_ok()) {
        return Some(made);
    }
    let _ = fs::remove_dir(&made);
    None
}

/// Controller, file, value.
fn settings(limit: &Limit) -> Vec<(&'static str, &'static str, String)> {
    let memory = limit.memory.map(|bytes| ("memory", "memory.max", bytes.to_string()));
    let share = |cores: f64| format!("{:.0} {PERIOD:.0}", (cores * PERIOD).max(1000.0));
    let cpu = limit.cpu.map(|cores| ("cpu", "cpu.max", share(cores)));
    memory.into_iter().chain(cpu).collect()
}

/// Makes the controllers available to children, when they are not and that is ours to decide.
fn enable(parent: &Path, settings: &[(&str, &str, String)]) {
    let file = parent.join("cgroup.subtree_control");
    let enabled = fs::read_to_string(&file).unwrap_or_default();
    for (controller, ..) in settings {
        if !enabled.split_whitespace().any(|known| known == *controller) {
            let _ = fs::write(&file, format!("+{controller}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_become_settings_of_controllers() {
        let limit = Limit { memory: Some(1 << 30), cpu: Some(1.5) };
        assert_eq!(
            settings(&limit),
            [
                ("memory", "memory.max", "1073741824".to_owned()),
                ("cpu", "cpu.max", "150000 100000".to_owned())
            ]
        );
    }

    #[test]
    fn a_folder_without_controllers_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cgroup.subtree_control"), "").unwrap();
        assert_eq!(make_in(dir.path(), &Limit { memory: Some(1 << 30), cpu: None }), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
