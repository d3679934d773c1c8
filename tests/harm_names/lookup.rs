//! An id is good anywhere, a name in its project only, and two live units of one name are told apart
//! by nobody but the person who asked.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::World;
use crate::support::{stderr, stdout, tool, wait_until};

#[test]
fn a_name_never_reaches_into_another_project() {
    let world = World::with_daemon();
    let id = world.start_in(&world.other(), &["web", "--", "sleep 60"]);
    let place = world.other().display().to_string();
    let verbs: [&[&str]; 7] = [
        &["stop", "web"],
        &["kill", "web"],
        &["logs", "web"],
        &["output", "web"],
        &["run", "status", "web"],
        &["alerts", "web", "--alert-on-kill"],
        &["diff", "web", "web"],
    ];
    for verb in verbs {
        let refused = world.ig(verb);
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(1), "{verb:?}: {said}");
        let words = format!("`web` is not in this project; it is in {place} as {id} (running)");
        assert!(said.contains(&words) && said.contains(&format!("try: its id: {id}")), "{said}");
    }
    // Nor does the beginning of an id.
    assert_eq!(world.ig(&["stop", &id[..6]]).status.code(), Some(1));
    assert_eq!(world.status(&id), "running");
    let stopped = world.ig(&["stop", &id]);
    assert!(stopped.status.success(), "{}", stderr(&stopped));
    assert!(stderr(&stopped).contains(&format!("({id}) in {place}")), "{}", stderr(&stopped));
}

#[test]
fn an_id_is_good_anywhere_in_each_of_its_forms() {
    let world = World::with_daemon();
    let id = world.start_in(&world.other(), &["web", "--", "echo there; sleep 60"]);
    let status = world.ok(&["run", "status", &id, "--json"]);
    let unit: Value = serde_json::from_str(&status).unwrap();
    let hash = unit["script"]["sha256"].as_str().unwrap()[..8].to_owned();
    wait_until("it has written", || world.ok(&["output", &id]) == "there\n");
    let place = format!("in {}", world.other().display());
    for word in [id.clone(), format!("run_{id}"), format!("ig:{id}@{hash}"), format!("ig:{id}")] {
        let logs = world.ig(&["logs", &word]);
        assert_eq!(stdout(&logs), "there\n", "{word}: {}", stderr(&logs));
        assert!(stderr(&logs).contains(&place), "{word}: {}", stderr(&logs));
        let near = world.ig_in(&world.other(), &["logs", &word]);
        assert_eq!((stdout(&near).as_str(), stderr(&near).as_str()), ("there\n", ""), "{word}");
    }
    let token = format!("ig:{id}@00000000");
    for verb in ["logs", "stop"] {
        let wrong = world.ig(&[verb, &token]);
        assert_eq!(wrong.status.code(), Some(1));
        let words = format!("the hash in `{token}` is not that of {id} (web): {hash}");
        assert!(stderr(&wrong).contains(&words), "{}", stderr(&wrong));
    }
    assert_eq!(world.status(&id), "running");
    world.ok(&["stop", &format!("ig:{id}@{hash}")]);
}

#[test]
fn an_ended_unit_of_another_project_is_found_by_its_id() {
    let world = World::with_daemon();
    let id = world.start_in(&world.other(), &["job", "--", "echo gone; exit 3"]);
    let link = world.sandbox.state().join("live").join(&id);
    wait_until("its end is noted", || link.symlink_metadata().is_err());
    assert_eq!(world.ok(&["logs", &id]), "gone\n");
    assert_eq!(world.ig(&["logs", "job"]).status.code(), Some(1));
}

#[test]
fn of_two_live_units_of_one_name_neither_is_taken() {
    let world = World::new();
    let ids = [world.twin("web", &["sleep", "60"]), world.twin("web", &["sleep", "61"])];
    let verbs: [&[&str]; 9] = [
        &["stop", "web"],
        &["logs", "web"],
        &["output", "web"],
        &["run", "status", "web"],
        &["alerts", "web"],
        &["wait", "web", "--timeout", "1s"],
        &["diff", "web"],
        &["up", "web"],
        &["up", "web", "--", "sleep 60"],
    ];
    for verb in verbs {
        let refused = world.ig(verb);
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(1), "{verb:?}: {said}");
        assert!(said.starts_with("ig: `web` could be any of "), "{verb:?}: {said}");
        for (id, command) in ids.iter().zip(["sleep 60", "sleep 61"]) {
            assert!(said.contains(&format!("{id} ({command})")), "{verb:?}: {said}");
        }
    }
    let taken = stderr(&world.ig(&["start", "web", "--", "sleep 62"]));
    assert!(ids.iter().all(|id| taken.contains(id)) && !taken.contains("ig stop web"), "{taken}");
    assert!(ids.iter().all(|id| world.status(id) == "running"));
    world.ok(&["stop", &ids[0]]);
    // Live before ended.
    assert!(world.ok(&["run", "status", "web", "--json"]).contains(&ids[1]));
    world.ok(&["stop", "web"]);
    assert_eq!(world.status(&ids[1]), "killed");
}

#[test]
fn messages_and_the_wire_take_neither_of_two() {
    let world = World::with_daemon();
    let ids = [world.twin("web", &["sleep", "60"]), world.twin("web", &["sleep", "60"])];
    let sent = |to: &str| world.ig(&["daemon", "send", "hello", "--to", to]);
    wait_until("the daemon knows both", || ids.iter().all(|id| sent(id).status.success()));
    let refused = sent("web");
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    assert!(ids.iter().all(|id| stderr(&refused).contains(id)), "{}", stderr(&refused));
    let mut agent = world.sandbox.command("ig-agent");
    let refused = agent.args(["send", "--strict", "--to", "web", "hello"]).output().unwrap();
    assert!(!refused.status.success() && stderr(&refused).contains("could be any of"));
    for verb in [["daemon", "logs", "web"], ["daemon", "unregister", "web"]] {
        let refused = world.ig(&verb);
        assert_eq!(refused.status.code(), Some(1), "{verb:?}");
        assert!(stderr(&refused).contains("could be any of"), "{}", stderr(&refused));
    }
}

#[test]
fn the_wire_looks_into_no_other_project() {
    let world = World::with_daemon();
    for register in [World::register, World::register_on_the_wire] {
        register(&world, &world.other(), "helper");
    }
    let refused: [&[&str]; 4] = [
        &["daemon", "send", "hello", "--to", "helper"],
        &["daemon", "log", "helper", "hello"],
        &["daemon", "agent-status", "helper", "busy"],
        &["stop", "helper"],
    ];
    for verb in refused {
        let refused = world.ig(verb);
        assert_eq!(refused.status.code(), Some(1), "{verb:?}");
        assert!(
            stderr(&refused).contains("`helper` is not in this project"),
            "{}",
            stderr(&refused)
        );
    }
}

#[test]
fn a_unit_with_a_record_and_one_without_are_twins_too() {
    let world = World::with_daemon();
    let agent = world.register_on_the_wire(&world.here(), "web");
    let unit = world.twin("web", &["sleep", "60"]);
    for verb in [["stop", "web"], ["kill", "web"], ["alerts", "web"]] {
        let refused = world.ig(&verb);
        assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
        let said = stderr(&refused);
        assert!(said.contains("could be any of"), "{said}");
        assert!(said.contains(&unit) && said.contains(&agent), "{said}");
    }
    assert_eq!(world.status(&unit), "running");
    // Live before ended, wherever that is known.
    world.ok(&["stop", &unit]);
    assert!(world.ok(&["alerts", "web", "--json"]).contains(&agent));
}

#[test]
fn advice_names_an_id_where_a_name_would_not_do() {
    if tool("python3").is_none() {
        return;
    }
    let world = World::with_daemon();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let serve = ["python3", "-m", "http.server", &port, "--bind", "127.0.0.1"];
    let id = world.twin("web", &serve);
    wait_until("it listens", || world.ig(&["who", &port]).status.success());
    assert!(world.ok(&["who", &port]).contains("end it   ig stop web\n"));
    let there = stdout(&world.ig_in(&world.other(), &["who", &port]));
    assert!(there.contains(&format!("end it   ig stop {id}\n")), "{there}");
    world.twin("web", &["sleep", "60"]);
    let told = world.ok(&["who", &port]);
    assert!(told.contains(&format!("end it   ig stop {id}\n")), "{told}");
    let taken = world.bash(&format!("ig-agent port {port} --fixed --name x"));
    assert!(taken.contains(&format!("try: ig stop {id}, or ")), "{taken}");
}

#[test]
fn one_name_is_enough_to_compare_its_last_two_runs() {
    let world = World::new();
    let runs = ["one", "two", "three"].map(|word| {
        let id = world.start(&["job", "--", &format!("echo {word}")]);
        assert_eq!(world.ig(&["wait", &id, "--until", "exit"]).status.code(), Some(0));
        id
    });
    let answer: Value = serde_json::from_str(&world.ok(&["diff", "job", "--json"])).unwrap();
    assert_eq!((&answer["a"], &answer["b"]), (&json!(runs[1]), &json!(runs[2])));
    let answer: Value = serde_json::from_str(&world.ok(&["diff", &runs[1], "--json"])).unwrap();
    assert_eq!((&answer["a"], &answer["b"]), (&json!(runs[0]), &json!(runs[1])));
    let same = world.ig(&["diff", "job", "job"]);
    assert_eq!(same.status.code(), Some(1));
    let words = format!("`job` and `job` are the same run, {}", runs[2]);
    assert!(stderr(&same).contains(&words), "{}", stderr(&same));
    assert!(stderr(&same).contains("try: ig diff job, "), "{}", stderr(&same));
    let alone = world.ig(&["diff", &runs[0]]);
    assert!(stderr(&alone).contains("no run of `job` before"), "{}", stderr(&alone));
}

impl World {
    /// What a script of this project says on stderr.
    fn bash(&self, script: &str) -> String {
        stderr(&self.sandbox.bash(script))
    }
}
