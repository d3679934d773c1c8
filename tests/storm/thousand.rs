//! A thousand scripts, each a process of its own, that come and go at the same moment.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;

use crate::raw::Raw;
use crate::support::{Sandbox, wait_patiently};
use crate::{Killed, all_is_well, drain, living, told, units};

const SCRIPTS: usize = 1000;

/// Registers once its input is closed, which happens to all of them at once.
const SCRIPT: &str = r#"read -r; ig-agent register "s$0" --pid $$ >/dev/null; exec sleep 600"#;

fn names(units: &[Value]) -> BTreeSet<String> {
    units.iter().map(|unit| unit["name"].as_str().unwrap().to_owned()).collect()
}

fn all_are(units: &[Value], status: &str) -> bool {
    units.iter().all(|unit| unit["status"] == status)
}

#[test]
fn a_thousand_register_at_once_and_are_killed_at_once() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let (input, gate) = std::io::pipe().unwrap();
    let script = |n: usize| {
        let mut command = world.command("bash");
        command.args(["-c", SCRIPT, &n.to_string()]).env("IDLERGEAR_SESSION", "s");
        Killed::spawn(command.stdin(input.try_clone().unwrap()).stderr(Stdio::inherit()))
    };
    let mut scripts: Vec<Killed> = (0..SCRIPTS).map(script).collect();
    let mut raw = Raw::greeted(&world);
    assert_eq!(living(&mut raw), 0);

    let begun = Instant::now();
    drop(gate);
    wait_patiently("all are known", || living(&mut raw) == SCRIPTS as u64);
    eprintln!("{SCRIPTS} scripts were known after {:?}", begun.elapsed());
    let expected: BTreeSet<String> = (0..SCRIPTS).map(|n| format!("s{n}")).collect();
    let known = units(&mut raw);
    assert_eq!((names(&known), known.len()), (expected.clone(), SCRIPTS));
    assert!(all_are(&known, "running"));
    crate::answers(&world);

    let begun = Instant::now();
    for script in &mut scripts {
        script.0.kill().unwrap();
    }
    wait_patiently("all ends are known", || living(&mut raw) == 0);
    eprintln!("{SCRIPTS} ends were known after {:?}", begun.elapsed());
    let ended = units(&mut raw);
    assert_eq!((names(&ended), ended.len()), (expected, SCRIPTS));
    assert!(all_are(&ended, "killed"));

    let signals = drain(&world);
    let dropped = signals.iter().filter_map(|s| s["digest"]["dropped"].as_object());
    let dropped: u64 = dropped.flat_map(|d| d.values()).filter_map(Value::as_u64).sum();
    let told = told(&signals).len();
    assert_eq!(told as u64 + dropped, SCRIPTS as u64, "each end is told or counted");
    eprintln!("{told} ends were told, {dropped} counted");
    drop(scripts);
    all_is_well(&world);
}
