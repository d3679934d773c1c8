//! A cgroup (version 2) of a unit's own, where this user may make one.
//!
//! It is made beside or above the one we are in, wherever the needed controllers are ours to use;
//! everything is tried for real and taken back when it fails, as nothing else tells for sure. Where
//! processes are, controllers cannot be handed on: only the root of all may have both.

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
    let fit = |dir: &&Path| may_move(dir) && may_hand_on(dir);
    let made = within.filter(fit).find_map(|dir| make_in(dir, &home, limit))?;
    Some((made, home))
}

/// Whoever moves a process needs to write here, in the nearest cgroup above both places.
fn may_move(dir: &Path) -> bool {
    fs::OpenOptions::new().write(true).open(dir.join("cgroup.procs")).is_ok()
}

/// Nobody is in it, or it is the root.
fn may_hand_on(dir: &Path) -> bool {
    let processes = fs::read_to_string(dir.join("cgroup.procs"));
    !dir.join("cgroup.type").exists() || processes.is_ok_and(|pids| pids.is_empty())
}

fn make_in(parent: &Path, home: &Path, limit: &Limit) -> Option<PathBuf> {
    let settings = settings(limit);
    let enabled = enable(parent, &settings);
    let mut name = [0_u8; 6];
    getrandom::fill(&mut name).ok()?;
    let made = parent.join(format!("ig-{}", crate::hash::hex(&name)));
    if fs::create_dir(&made).is_ok() {
        let set = |(_, file, value): &Setting| write(&made.join(file), value);
        if settings.iter().all(set) && can_be_entered(&made, home) {
            // Where there is swap, it would be used first, and there may be lots of it.
            write(&made.join("memory.swap.max"), "0");
            return Some(made);
        }
        let _ = fs::remove_dir(&made);
    }
    for controller in enabled {
        write(&parent.join("cgroup.subtree_control"), &format!("-{controller}"));
    }
    None
}

/// Goes there and back.
fn can_be_entered(made: &Path, home: &Path) -> bool {
    let enter = |dir: &Path| write(&dir.join("cgroup.procs"), "0");
    enter(made) && enter(home)
}

/// Writes into a file that the kernel made: a controller that is not there has none.
fn write(file: &Path, value: &str) -> bool {
    let file = fs::OpenOptions::new().write(true).open(file);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, value.as_bytes())).is_ok()
}

type Setting = (&'static str, &'static str, String);

/// Controller, file, value.
fn settings(limit: &Limit) -> Vec<Setting> {
    let memory = limit.memory.map(|bytes| ("memory", "memory.max", bytes.to_string()));
    let share = |cores: f64| format!("{:.0} {PERIOD:.0}", (cores * PERIOD).max(1000.0));
    let cpu = limit.cpu.map(|cores| ("cpu", "cpu.max", share(cores)));
    memory.into_iter().chain(cpu).collect()
}

/// Makes the controllers available to children, as far as that is ours to decide. Returns those that
/// were not before.
fn enable(parent: &Path, settings: &[Setting]) -> Vec<&'static str> {
    let file = parent.join("cgroup.subtree_control");
    let before = fs::read_to_string(&file).unwrap_or_default();
    let is_new = |name: &&str| !before.split_whitespace().any(|known| known == *name);
    let wanted = settings.iter().map(|(controller, ..)| *controller).filter(is_new);
    wanted.filter(|name| write(&file, &format!("+{name}"))).collect()
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
    fn where_processes_are_nothing_can_be_handed_on() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("cgroup.procs", "1\n");
        assert!(may_hand_on(dir.path()), "the root");
        write("cgroup.type", "domain\n");
        assert!(!may_hand_on(dir.path()));
        write("cgroup.procs", "");
        assert!(may_hand_on(dir.path()));
    }

    #[test]
    fn a_folder_without_controllers_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cgroup.subtree_control"), "").unwrap();
        assert_eq!(
            make_in(dir.path(), dir.path(), &Limit { memory: Some(1 << 30), cpu: None }),
            None
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
