//! Messages: to one, to all, to nobody; kept until read, over restarts.

use serde_json::json;

use crate::Script;
use crate::raw::Raw;
use crate::support::{Sandbox, stderr, wait_until};

fn marked(world: &Sandbox, script: &Script) -> bool {
    world.state().join("inbox").join(&script.id).exists()
}

/// Unread messages of a script, as `ig-agent recv` asks for them.
fn unread(raw: &mut Raw, id: &str) -> Vec<(u64, String)> {
    let listing = raw.ok("message.list", &json!({ "agent": id, "unread": true }));
    let messages = listing["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|m| (m["seq"].as_u64().unwrap(), m["text"].as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn one_message_reaches_one() {
    let world = Sandbox::with_project();
    let (web, api) = (Script::start(&world, "web"), Script::start(&world, "api"));
    let sent = world.ok(&["daemon", "send", "restart, please", "--to", "web"]);
    assert_eq!(sent, "sent to web\n");
    assert!(marked(&world, &web) && !marked(&world, &api));
    let queue = world.ok(&["daemon", "queue-list"]);
    assert!(queue.contains(&format!("web ({}): 1 unread message\n", web.id)), "{queue}");
    assert!(queue.contains("  > tester: restart, please\n"), "{queue}");
    assert!(queue.contains(&format!("api ({}): no unread messages\n", api.id)), "{queue}");

    let mut raw = Raw::greeted(&world);
    let got = unread(&mut raw, &web.id);
    assert_eq!(got[0].1, "restart, please");
    raw.ok("message.ack", &json!({ "agent": web.id, "seqs": [got[0].0] }));
    assert!(!marked(&world, &web));
    assert!(unread(&mut raw, &web.id).is_empty());
    let listing = world.ok(&["daemon", "messages"]);
    assert!(listing.contains("tester -> web  read\n  restart, please\n"), "{listing}");
}

#[test]
fn all_means_all_here_but_the_sender() {
    let world = Sandbox::with_project();
    let (web, api) = (Script::start(&world, "web"), Script::start(&world, "api"));
    assert_eq!(world.ok(&["daemon", "send", "schema changed"]), "sent to web, api\n");
    let mut command = world.command("ig");
    command.args(["daemon", "send", "from web"]).env("IDLERGEAR_AGENT_ID", &web.id);
    assert!(command.output().unwrap().status.success());
    let mut raw = Raw::greeted(&world);
    assert_eq!(unread(&mut raw, &web.id).len(), 1);
    assert_eq!(unread(&mut raw, &api.id).len(), 2);
    let elsewhere = world.command("ig").args(["daemon", "send", "x"]).current_dir("/").output();
    assert!(
        String::from_utf8_lossy(&elsewhere.unwrap().stdout).contains("no agent is running here")
    );
}

#[test]
fn what_nobody_could_read_is_kept_and_listed() {
    let world = Sandbox::with_project();
    let said = world.ok(&["daemon", "send", "is anybody here"]);
    assert!(said.starts_with("no agent is running here"), "{said}");
    let listing = world.json(&["daemon", "messages", "--json"]);
    assert_eq!(listing["messages"][0]["to"], json!(null));
    assert_eq!(listing["messages"][0]["text"], "is anybody here");
    assert!(world.ok(&["daemon", "queue-list"]).contains("to nobody"));
    let unknown = world.ig(&["daemon", "send", "x", "--to", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("nothing here is called `nobody`"), "{}", stderr(&unknown));
}

#[test]
fn messages_and_marks_survive_a_crash() {
    let world = Sandbox::with_project();
    let web = Script::start(&world, "web");
    for n in 0..5 {
        world.ok(&["daemon", "send", &format!("message {n}"), "--to", &web.id]);
    }
    world.kill_daemon();
    std::fs::remove_file(world.state().join("inbox").join(&web.id)).unwrap();
    std::fs::write(world.state().join("inbox/bstranger"), "").unwrap();
    world.ok(&["daemon", "start"]);
    assert!(marked(&world, &web), "the mark is made again");
    assert!(!world.state().join("inbox/bstranger").exists());
    let texts: Vec<String> =
        unread(&mut Raw::greeted(&world), &web.id).into_iter().map(|m| m.1).collect();
    assert_eq!(texts, (0..5).map(|n| format!("message {n}")).collect::<Vec<_>>());
}

#[test]
fn a_dead_agents_mark_goes_and_its_messages_stay() {
    let world = Sandbox::with_project();
    let mut web = Script::start(&world, "web");
    world.ok(&["daemon", "send", "too late", "--to", "web"]);
    assert!(marked(&world, &web));
    web.kill();
    wait_until("the mark is gone", || !marked(&world, &web));
    assert!(world.ok(&["daemon", "messages"]).contains("too late"));
    let refused = world.ig(&["daemon", "send", "x", "--to", "web"]);
    assert!(stderr(&refused).contains("has ended: killed"), "{}", stderr(&refused));
}

#[test]
fn nothing_in_a_message_moves_the_cursor() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "send", "\u{1b}[2Jgone\u{202e}\nsecond line"]);
    let shown = world.ok(&["daemon", "messages"]);
    assert!(shown.contains("  gone\\u{202e}\n  second line\n"), "{shown:?}");
    let raw = world.json(&["daemon", "messages", "--json"]);
    assert_eq!(raw["messages"][0]["text"], "\u{1b}[2Jgone\u{202e}\nsecond line");
}

#[test]
fn the_bound_takes_the_read_first() {
    let world = Sandbox::with_project();
    let web = Script::start(&world, "web");
    world.ok(&["daemon", "start"]);
    let mut raw = Raw::greeted(&world);
    let send = |raw: &mut Raw, text: String| {
        raw.ok("message.send", &json!({ "to": web.id, "from": "t", "text": text }));
    };
    for n in 0..100 {
        send(&mut raw, format!("old {n}"));
    }
    let seqs: Vec<u64> = unread(&mut raw, &web.id).iter().map(|m| m.0).take(50).collect();
    raw.ok("message.ack", &json!({ "agent": web.id, "seqs": seqs }));
    for n in 0..9_950 {
        send(&mut raw, format!("new {n}"));
    }
    let mut texts = Vec::new();
    let mut after = json!(null);
    loop {
        let page = raw.ok("message.list", &json!({ "agent": web.id, "after": after }));
        texts.extend(page["messages"].as_array().unwrap().iter().map(|m| m["text"].clone()));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(texts.len(), 10_000);
    assert_eq!(texts[0], "old 50", "the read ones went, nothing unread did");
    assert_eq!(texts[9_999], "new 9949");
    assert_eq!(
        raw.refused("message.send", &json!({ "text": "x".repeat(70_000) })),
        "invalid_params"
    );
}
