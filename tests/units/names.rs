//! Names are unique among live units, and `ig up` is the same unit however often it is called.

use crate::World;
use crate::support::{Sandbox, stderr, stdout};

#[test]
fn a_name_without_one_is_made_and_a_taken_one_is_refused() {
    let world = World::new();
    let ids = [(); 3].map(|()| world.start(&["--", "sleep", "60"]));
    assert_eq!(world.names(&["ps", "--json"]), ["sleep", "sleep-2", "sleep-3"]);
    let refused = world.ig(&["start", "sleep-2", "--", "sleep", "61"]);
    assert_eq!(refused.status.code(), Some(1));
    let words = format!("`sleep-2` runs already: {}, pid ", ids[1]);
    assert!(stderr(&refused).contains(&words), "{}", stderr(&refused));
    world.ok(&["stop", "sleep-2"]);
    // Nobody alive has it now.
    world.start(&["sleep-2", "--", "sleep", "61"]);
    for name in ["", " ", "a\nb", "-x", "\u{202e}x"] {
        let refused = world.ig(&["run", "start", "true", &format!("--name={name}")]);
        assert_eq!(refused.status.code(), Some(2), "{name:?}");
    }
    for id in world.names(&["ps", "--json"]) {
        world.ok(&["stop", &id]);
    }
}

#[test]
fn up_is_the_same_unit_again_and_again() {
    let world = World::new();
    let up = |command: &str| world.ig(&["up", "web", "--", command]);
    let first = up("sleep 60");
    let id = stdout(&first);
    assert!(stderr(&first).starts_with("started web (pid "), "{}", stderr(&first));
    let again = up("sleep 60");
    assert_eq!((stdout(&again), again.status.code()), (id.clone(), Some(0)));
    assert!(stderr(&again).starts_with("web runs already: pid "), "{}", stderr(&again));
    assert_eq!(stdout(&world.ig(&["up", "web"])), id);

    let other = up("sleep 61");
    assert_eq!(other.status.code(), Some(1));
    let words = format!(
        "ig: `web` ({}) runs another command than the one asked for\n  - sleep 60\n  + sleep 61\n",
        id.trim()
    );
    assert!(stderr(&other).starts_with(&words), "{}", stderr(&other));

    world.ok(&["stop", "web"]);
    let anew = up("sleep 61");
    assert_ne!(stdout(&anew), id);
    assert_eq!(world.names(&["ps", "--json"]), ["web"]);
    world.ok(&["stop", "web"]);
}

#[test]
fn many_ups_at_once_start_one() {
    let world = World::new();
    let ups: Vec<_> = (0..8)
        .map(|_| {
            let mut command = world.command(&["up", "web", "--", "sleep 60"]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    let mut ids: Vec<String> =
        ups.into_iter().map(|up| stdout(&up.wait_with_output().unwrap())).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(world.names(&["run", "list", "--json"]), ["web"]);
    world.ok(&["stop", "web"]);
}

#[test]
fn up_alone_runs_the_generated_script() {
    let world = World::new();
    let missing = world.ig(&["up", "web"]);
    assert!(stderr(&missing).contains("no unit, script or profile called `web`"));
    world.0.write(".idlergear/profiles/web.toml", "command = \"sleep 60\"\n");
    let unmade = world.ig(&["up", "web"]);
    assert!(stderr(&unmade).contains("try: ig gen web, then ig up web"), "{}", stderr(&unmade));
    std::fs::remove_dir_all(world.0.project().join(".idlergear/profiles")).unwrap();
    world.ok(&["gen", "script", "web", "--command", "sleep 60"]);
    let id = world.ok(&["up", "web"]);
    assert!(world.unit(id.trim())["script"]["path"].as_str().unwrap().ends_with("scripts/web.sh"));
    assert_eq!(world.ok(&["up", "web"]), id);
    // However it is called, it is the same script.
    assert_eq!(world.ok(&["up", "web", "--", "./scripts/web.sh"]), id);
    assert_eq!(world.ig(&["up", "web", "--", "./scripts/web.sh", "more"]).status.code(), Some(1));
    world.ok(&["stop", "web"]);
}

#[test]
fn projects_have_names_of_their_own() {
    let (one, other) = (World::new(), Sandbox::with_project());
    one.start(&["web", "--", "sleep 60"]);
    let mut command = one.command(&["start", "web", "--", "sleep 60"]);
    assert!(command.current_dir(other.project()).output().unwrap().status.success());
    for dir in [one.0.project(), other.project()] {
        let mut command = one.command(&["stop", "web"]);
        assert!(command.current_dir(dir).output().unwrap().status.success());
    }
}

#[test]
fn what_is_said_of_a_name_can_be_typed() {
    let world = World::new();
    let started = world.ig(&["start", "it's two", "--", "sleep 60"]);
    let said = stderr(&started);
    assert!(said.contains(r"end it with `ig stop 'it'\''s two'`"), "{said}");
    world.ok(&["stop", "it's two"]);
    let folder = world.ig(&["start", "--", "/tmp"]);
    assert_eq!(folder.status.code(), Some(126));
    assert!(stderr(&folder).contains("it is a folder") && !stderr(&folder).contains("chmod"));
}

#[test]
fn up_says_what_a_unit_that_runs_already_does_not_have() {
    let world = World::new();
    let up = |wishes: &[&str]| {
        let answer = world.ig(&[&["up", "web"], wishes, &["--", "sleep", "60"]].concat());
        assert!(answer.status.success());
        stderr(&answer)
    };
    up(&["--group", "g"]);
    assert!(!up(&["--group", "g", "--restart", "no"]).contains("asked for now"));
    let said = up(&["--group", "g", "--limit", "memory=100M", "--restart", "always"]);
    assert!(said.contains("without the --restart, --limit asked for now: ig stop b"), "{said}");
    world.ok(&["stop", "web"]);
}

#[test]
fn a_damaged_record_is_called_damaged() {
    let world = World::new();
    let id = world.start(&["web", "--", "exit 1"]);
    world.end_of(&id);
    let record = world.0.project().join(format!(".idlergear/runs/{id}/run.json"));
    std::fs::write(&record, "{\"id\": \"b").unwrap();
    assert_eq!(world.ok(&["run", "list"]).matches("unknown").count(), 1);
    for verb in ["logs", "stop"] {
        let told = stderr(&world.ig(&[verb, &id]));
        assert!(told.starts_with("ig: the record is damaged: "), "{told}");
        assert!(told.contains("run.json"), "{told}");
    }
    let named = stderr(&world.ig(&["logs", "web"]));
    assert!(named.starts_with("ig: nothing here is called `web`"), "{named}");
}
