//! `ig who PORT`: a unit with its tree, a stranger, or nobody.

use std::net::TcpListener;

use crate::World;
use crate::support::{stdout, tool, wait_until};

#[test]
fn a_unit_is_named_with_its_tree() {
    if tool("python3").is_none() {
        return;
    }
    let world = World::new();
    let serve = "python3 -m http.server 0 --bind 127.0.0.1 & wait";
    let mut start = world.command(&["start", "web", "--", serve]);
    start.env("IDLERGEAR_SESSION", "s-1");
    let id = stdout(&start.output().unwrap()).trim().to_owned();
    world.ok(&["wait", "web", "--until", "port"]);
    let port = world.json(&["ps", "--json"])["units"][0]["ports"][0].as_u64().unwrap().to_string();
    let told = world.ok(&["who", &port]);
    for part in [
        &format!("port {port}: web ({id}), for "),
        "started  by tester, session s-1",
        "<- listens",
        "end it   ig stop web",
    ] {
        assert!(told.contains(part), "no {part} in\n{told}");
    }
    let answer = world.json(&["who", &port, "--json"]);
    assert_eq!(
        (answer["owner"].as_str(), answer["unit"]["id"].as_str()),
        (Some("unit"), Some(id.as_str()))
    );
    assert_eq!(answer["tree"].as_array().unwrap().len(), 2);
    world.ok(&["stop", "web"]);
    wait_until("it is free", || world.ig(&["who", &port]).status.code() == Some(1));
}

#[test]
fn a_stranger_is_no_unit() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let told = world.ok(&["who", &port]);
    let us = format!("port {port}: pid {} (", std::process::id());
    assert!(told.starts_with(&us) && told.ends_with("), not started by ig\n"), "{told}");
    drop(listener);
    // What another test starts at that moment may hold it for as long as it takes to start.
    wait_until("nobody has it", || world.ig(&["who", &port]).status.code() == Some(1));
    assert_eq!(stdout(&world.ig(&["who", &port])), format!("port {port}: nobody\n"));
    assert_eq!(world.json_of_failure(&["who", &port, "--json"])["owner"], serde_json::Value::Null);
}

#[test]
fn a_claim_is_told_before_it_listens() {
    let world = World::new();
    let script = "ig-agent port 23000 --name api; sleep 60";
    world.start(&["api", "--", script]);
    wait_until("it has its port", || !world.ok(&["output", "api"]).is_empty());
    let port = world.ok(&["output", "api"]).trim().to_owned();
    let told = world.ok(&["who", &port]);
    assert!(told.contains("taken by api (") && told.contains("does not listen yet"), "{told}");
    world.ok(&["stop", "api"]);
}

impl World {
    fn json_of_failure(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&stdout(&self.ig(args))).unwrap()
    }
}
