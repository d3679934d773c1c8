//! What a runner does before its command starts, so that the whole tree of its unit can be told: on
//! Linux orphans come to it, whatever they do to their session, group and environment, and its name
//! says which unit it keeps.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::id::UnitId;
use crate::os::{self, Identity};
use crate::wire::read::Fields;
use crate::wire::unit::Unit;

/// The field of a record's metadata that lists processes below the runner that are not the unit's.
const OLDER: &str = "older_processes";

/// What this process's children were when it became a runner.
static BEFORE: OnceLock<Vec<Identity>> = OnceLock::new();

/// This process keeps `unit` from now on. Children that it has already (a shell that became the
/// runner had jobs) are not the unit's, which is noted in it.
pub fn adopt(unit: &mut Unit) {
    BEFORE.get_or_init(|| os::own_children().into_iter().filter_map(Identity::of).collect());
    os::adopt_orphans(&name(&unit.id));
    note_older(unit);
}

/// Notes in `unit`, whose runner this process is, what is older than it is one.
pub(super) fn note_older(unit: &mut Unit) {
    let before = BEFORE.get().map(Vec::as_slice).unwrap_or_default();
    if !before.is_empty() {
        let listed = before.iter().map(|one| json!(one)).collect::<Vec<Value>>();
        unit.metadata.insert(OLDER.to_owned(), listed.into());
    }
}

/// What the runner of the unit `id` calls itself, and the copies of it do: never what they execute.
pub(super) fn name(id: &UnitId) -> String {
    format!("ig:{id}")
}

/// The unit that a process with this name keeps.
pub(super) fn kept_by(name: &str) -> Option<UnitId> {
    UnitId::parse(name.strip_prefix("ig:")?)
}

/// Processes below the runner of `unit` that are older than it is one.
pub(super) fn older(unit: &Unit) -> Vec<Identity> {
    let listed = unit.metadata.get(OLDER).and_then(Value::as_array);
    let one = |value: &Value| Fields::of(json!({ "one": value })).identity("one");
    listed.into_iter().flatten().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::unit::Kind;

    #[test]
    fn a_runner_is_known_by_its_name() {
        let id = UnitId::generate(Kind::LocalBash);
        assert_eq!(kept_by(&name(&id)), Some(id.clone()));
        assert!(name(&id).len() < 16, "the kernel keeps 15 bytes");
        assert_eq!([kept_by("ig"), kept_by("ig:"), kept_by(id.as_str())], [None, None, None]);
    }

    #[test]
    fn what_was_there_before_is_read_back() {
        let mut unit = Unit::new(Kind::LocalBash, "x");
        let one = Identity { pid: 7, start: 8, boot: "b".into() };
        unit.metadata.insert(OLDER.into(), json!([one, "nonsense"]));
        assert_eq!(older(&unit), [one]);
    }
}
