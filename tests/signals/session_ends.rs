//! Sessions end: by a word, with their client's process, by silence. What waits for them goes on, and
//! what ends with them ends.

use serde_json::json;

use crate::raw::Raw;
use crate::sessions::{
    Client, begin, begin_with, daemon, end, fail, ig_start, names, restart, status, stop,
};
use crate::support::{Sandbox, wait_until};
use crate::{drain, drainer, pending, start, wait_for_ends};

#[test]
fn what_waits_for_a_session_that_ends_goes_to_the_next() {
    let world = daemon();
    for session in ["mine", "other"] {
        begin(&world, session, &[]);
    }
    let unit = fail(&world, Some("mine"), "own");
    fail(&world, None, "shared");
    assert_eq!(Raw::greeted(&world).refused("unit.evict", &json!({ "id": unit })), "undrained");
    let mut hold = drainer(&world, "mine");
    hold["hold"] = json!(true);
    let mut held = Raw::greeted(&world);
    held.ok("signal.drain", &hold);
    assert_eq!(end(&world, "mine"), json!({ "ended": true, "stopping": [] }));
    assert_eq!(end(&world, "mine")["ended"], false, "once");
    assert_eq!(end(&world, "unheard of")["ended"], false);
    restart(&world);
    assert_eq!(names(&drain(&world, "other")), ["own", "shared"], "each once");
    assert!(drain(&world, "third").is_empty());
    assert!(drain(&world, "mine").is_empty(), "both were told to somebody");
    assert_eq!(Raw::greeted(&world).ok("unit.evict", &json!({ "id": unit }))["evicted"], true);
}

#[test]
fn what_waits_for_the_last_session_is_kept_for_it_too() {
    let world = daemon();
    begin(&world, "mine", &[]);
    fail(&world, Some("mine"), "before");
    end(&world, "mine");
    let unit = fail(&world, Some("mine"), "after");
    assert_eq!(pending(&world, "mine"), 2, "it shows itself again");
    assert_eq!(names(&drain(&world, "mine")), ["after", "before"]);
    assert_eq!(Raw::greeted(&world).ok("unit.evict", &json!({ "id": unit }))["evicted"], true);
}

#[test]
fn a_session_that_is_over_is_told_nothing_until_it_shows_itself_again() {
    let world = daemon();
    begin(&world, "other", &[]);
    let gate = world.home().join("gate");
    let script = format!("until [ -e {} ]; do sleep 0.02; done; exit 1", gate.display());
    start(&world, "mine", "job", &script);
    // An open connection is no sign of life of a session that said that it ended.
    let mut bell = Raw::greeted(&world);
    let listen = json!({ "session": "mine", "types": ["signal"], "project": world.project() });
    bell.ok("event.subscribe", &listen);
    end(&world, "mine");
    restart_keeps_it_over(&world);
    std::fs::write(&gate, "").unwrap();
    wait_for_ends(&world);
    assert_eq!(names(&drain(&world, "other")), ["job"]);
    fail(&world, None, "shared");
    assert_eq!(names(&drain(&world, "other")), ["shared"]);
    assert!(drain(&world, "mine").is_empty());
    fail(&world, None, "again");
    assert_eq!(names(&drain(&world, "mine")), ["again"], "now it lives again");
    fail(&world, Some("mine"), "own");
    assert_eq!((pending(&world, "mine"), pending(&world, "other")), (1, 1), "only `again`");
}

/// A unit that it owns and that started before its end does not make it live.
fn restart_keeps_it_over(world: &Sandbox) {
    restart(world);
    wait_until("the unit is known", || {
        Raw::greeted(world).ok("daemon.status", &json!({}))["units"] == 1
    });
}

#[test]
fn a_session_ends_with_its_client_and_what_it_alone_would_read_with_it() {
    let world = daemon();
    let mut client = Client::new(&world);
    begin_with(&world, "mine", client.pid());
    begin(&world, "other", &[]);
    let tree = "setsid sleep 600 & echo hello; wait";
    let mine = Some("mine");
    let monitor = ig_start(&world, mine, &["mon", "--kind", "monitor", "--", tree]);
    let lasting = ["lasting", "--kind", "monitor", "--persistent", "--", "sleep 600"];
    let live = [
        ig_start(&world, mine, &lasting),
        ig_start(&world, mine, &["job", "--", "sleep 600"]),
        ig_start(&world, None, &["nobodys", "--kind", "monitor", "--", "sleep 600"]),
    ];
    wait_until("it is heard", || pending(&world, "mine") == 1);
    drain(&world, "mine");
    let unit = Raw::greeted(&world).ok("unit.get", &json!({ "id": monitor }));
    assert_eq!(unit["terms"]["ends_with_session"], true);
    client.die();
    wait_until("the monitor has ended", || status(&world, &monitor) == "killed");
    let unit: idlergear::wire::unit::Unit =
        serde_json::from_value(Raw::greeted(&world).ok("unit.get", &json!({ "id": monitor })))
            .unwrap();
    wait_until("the whole tree has", || idlergear::stop::processes(&unit).is_empty());
    let marker = world.read(&format!(".idlergear/runs/{monitor}/stop"));
    assert_eq!(marker, "mine\n", "as if the session had asked");
    for unit in &live {
        assert_eq!(status(&world, unit), "running");
    }
    assert!(drain(&world, "other").is_empty(), "nobody else's business");
    assert!(drain(&world, "mine").is_empty());
    for unit in &live {
        stop(&world, unit);
    }
}

#[test]
fn a_client_that_died_while_the_daemon_was_away_is_noticed() {
    let world = daemon();
    let mut client = Client::new(&world);
    begin_with(&world, "mine", client.pid());
    let monitor = ig_start(&world, Some("mine"), &["mon", "--kind", "monitor", "--", "sleep 600"]);
    fail(&world, Some("mine"), "job");
    restart(&world);
    assert_eq!(status(&world, &monitor), "running", "its client lives");
    world.kill_daemon();
    client.die();
    world.ok(&["daemon", "start"]);
    wait_until("the monitor has ended", || status(&world, &monitor) == "killed");
    assert_eq!(names(&drain(&world, "next")), ["job"]);
}

#[test]
fn a_conversation_that_goes_on_in_another_process_lives() {
    let world = daemon();
    let (mut first, mut second) = (Client::new(&world), Client::new(&world));
    begin_with(&world, "mine", first.pid());
    begin_with(&world, "mine", second.pid());
    let monitor = ig_start(&world, Some("mine"), &["mon", "--kind", "monitor", "--", "sleep 600"]);
    first.die();
    restart(&world);
    assert_eq!(status(&world, &monitor), "running");
    second.die();
    wait_until("the monitor has ended", || status(&world, &monitor) == "killed");
}

#[test]
fn a_session_ends_by_silence_unless_its_client_lives() {
    let world = daemon();
    let client = Client::new(&world);
    begin_with(&world, "open", client.pid());
    let [open, silent] = ["open", "silent"].map(|session| {
        ig_start(&world, Some(session), &[session, "--kind", "monitor", "--", "sleep 600"])
    });
    wait_until("both are known", || {
        Raw::greeted(&world).ok("daemon.status", &json!({}))["units"] == 2
    });
    world.ok(&["daemon", "stop"]);
    let db = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    db.execute("UPDATE sessions SET last_seen = last_seen - 86500", []).unwrap();
    drop(db);
    // As if they had been started the day before, too.
    for unit in [&open, &silent] {
        let record = world.project().join(".idlergear/runs").join(unit);
        let record = idlergear::record::Folder::at(record);
        let mut unit = record.load().unwrap();
        unit.started_at = "2020-01-01T00:00:00Z".to_owned();
        record.save(&unit).unwrap();
    }
    world.ok(&["daemon", "start"]);
    wait_until("the silent one's has ended", || status(&world, &silent) == "killed");
    assert_eq!(status(&world, &open), "running");
    fail(&world, Some("open"), "job");
    assert_eq!(names(&drain(&world, "open")), ["job"], "it lives");
    end(&world, "open");
    wait_until("it has ended", || status(&world, &open) == "killed");
}

#[test]
fn of_two_sessions_that_become_one_the_client_that_was_named_last_counts() {
    let world = daemon();
    let (mut first, mut second) = (Client::new(&world), Client::new(&world));
    begin_with(&world, "a", first.pid());
    begin_with(&world, "b", second.pid());
    begin(&world, "a", &["b"]);
    let monitor = ig_start(&world, Some("a"), &["mon", "--kind", "monitor", "--", "sleep 600"]);
    first.die();
    restart(&world);
    assert_eq!(status(&world, &monitor), "running");
    second.die();
    wait_until("the monitor has ended", || status(&world, &monitor) == "killed");
}

#[test]
fn a_session_that_ended_and_takes_in_another_lives() {
    let world = daemon();
    begin(&world, "a", &[]);
    end(&world, "a");
    begin(&world, "b", &["server"]);
    begin(&world, "a", &["b"]);
    begin(&world, "c", &["server"]);
    fail(&world, Some("b"), "job");
    assert_eq!(["a", "b", "c"].map(|name| pending(&world, name)), [1; 3], "all are one");
}
