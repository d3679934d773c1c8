//! The cgroup that was made for a unit: who is in it, and its end. Making one is `start::cgroup`'s.

use std::fs;
use std::path::{Component, Path};
use std::time::Duration;

use super::look::Look;
use crate::wire::unit::Unit;

/// What ended just now may still count as being inside.
const LINGERS: Duration = Duration::from_millis(200);

/// The cgroup of `unit`; whatever else a record may name is none of ours.
pub(super) fn of(unit: &Unit) -> Option<&Path> {
    let named = unit.metadata.get("limits")?.get("cgroup")?.as_str().map(Path::new)?;
    let is_ours = named.file_name()?.to_str()?.starts_with("ig-");
    let is_plain = !named.components().any(|part| part == Component::ParentDir);
    (is_ours && is_plain && named.starts_with("/sys/fs/cgroup")).then_some(named)
}

/// Everybody who is in it.
pub(super) fn pids_in(unit: &Unit) -> Vec<u32> {
    let listed = of(unit).map(pids).unwrap_or_default();
    listed.lines().filter_map(|pid| pid.parse().ok()).collect()
}

/// Ends all that are in it at once, which no process can outrun. Not every kernel can do that, and it
/// is done only where everybody inside may be ended: the runner may be in there, or another unit.
pub(super) fn kill(unit: &Unit, look: &Look) {
    let family = look.family(unit);
    let may_end = |pid: &u32| family.contains(pid) && look.spares(*pid).is_none();
    if let Some(cgroup) = of(unit).filter(|_| pids_in(unit).iter().all(may_end)) {
        let file = fs::OpenOptions::new().write(true).open(cgroup.join("cgroup.kill"));
        let _ = file.and_then(|mut file| std::io::Write::write_all(&mut file, b"1"));
    }
}

/// Removes it, unless somebody lives on in it.
pub fn remove(unit: &Unit) {
    let Some(cgroup) = of(unit) else { return };
    super::wait(LINGERS, || {
        let removed = fs::remove_dir(cgroup).is_ok();
        removed || !cgroup.exists() || !pids(cgroup).is_empty()
    });
}

fn pids(cgroup: &Path) -> String {
    fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::unit::Kind;

    #[test]
    fn only_what_ig_made_is_a_units_cgroup() {
        for (path, is_ours) in [
            ("/sys/fs/cgroup/user.slice/ig-0123", true),
            ("/sys/fs/cgroup/user.slice", false),
            ("/sys/fs/cgroup/../../tmp/ig-0123", false),
            ("/tmp/ig-0123", false),
        ] {
            let mut unit = Unit::new(Kind::LocalBash, "x");
            unit.metadata.insert("limits".to_owned(), serde_json::json!({"cgroup": path}));
            assert_eq!(of(&unit).is_some(), is_ours, "{path}");
        }
    }
}
