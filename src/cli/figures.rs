//! What units use now: ports, processor, memory. Not in the record: whoever asks wants to know how it
//! is at this moment.

use std::time::SystemTime;

use serde_json::json;

use crate::kinds;
use crate::os::{self, Identity, Processes, Usage};
use crate::record::gap::size;
use crate::wire::unit::Unit;
use crate::{record, time};

/// Fills in `ports`, `ready` and `metadata.resources` of those of `units` that live. One look at all
/// processes and one at all ports serve however many units.
pub(crate) fn add(units: &mut [Unit]) {
    let all = Processes::now();
    let living = |unit: &Unit| unit.process.as_ref().filter(|own| all.has(own)).map(|own| own.pid);
    let (found, trees): (Vec<&mut Unit>, Vec<Vec<u32>>) = units
        .iter_mut()
        .filter_map(|unit| living(unit).map(|root| (unit, pids(&all.tree(root)))))
        .unzip();
    let ports = os::listening_ports_of(&trees);
    for (unit, (tree, ports)) in found.into_iter().zip(trees.iter().zip(ports)) {
        of_tree(unit, tree, ports, all.usage(tree));
    }
}

fn pids(tree: &[Identity]) -> Vec<u32> {
    tree.iter().map(|process| process.pid).collect()
}

fn of_tree(unit: &mut Unit, tree: &[u32], ports: Vec<u16>, usage: Usage) {
    unit.ports = ports;
    unit.ready |= is_ready_by_port(unit);
    let started = time::parse(&unit.started_at).unwrap_or(SystemTime::UNIX_EPOCH);
    let age = SystemTime::now().duration_since(started).unwrap_or_default().as_millis().max(1);
    let percent = u128::from(usage.cpu_ms) * 1000 / age;
    let resources = json!({
        "cpu_ms": usage.cpu_ms,
        "cpu_percent": f64::from(u32::try_from(percent).unwrap_or(u32::MAX)) / 10.0,
        "memory_bytes": usage.memory,
        "processes": tree.len(),
    });
    unit.metadata.insert("resources".to_owned(), resources);
}

/// Fills in what the kind of each of `units` tells, with at most `room` bytes of output for each.
pub(crate) fn add_kinds(units: &mut [Unit], room: usize) {
    for unit in units {
        let folder = record::folder_of(unit);
        kinds::tell(unit, &folder, room);
    }
}

/// What takes no more than a look: a port, when nothing else was said to make it ready.
fn is_ready_by_port(unit: &Unit) -> bool {
    match unit.terms.ready_when.as_deref() {
        None | Some("port") => !unit.ports.is_empty(),
        Some(spec) => {
            let port = spec.strip_prefix("port:").and_then(|port| port.parse().ok());
            port.is_some_and(|port| unit.ports.contains(&port))
        }
    }
}

/// `12.5%`: the share of one processor since it started.
pub(crate) fn cpu(unit: &Unit) -> String {
    let percent = unit.metadata.get("resources").and_then(|r| r.get("cpu_percent")?.as_f64());
    percent.map(|percent| format!("{percent:.1}%")).unwrap_or_default()
}

/// `340.2 MB`, as every size is told.
pub(crate) fn memory(unit: &Unit) -> String {
    let bytes = unit.metadata.get("resources").and_then(|r| r.get("memory_bytes")?.as_u64());
    bytes.map(size).unwrap_or_default()
}
