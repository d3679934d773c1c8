//! Messages for a daemon that cannot take them now are delivered later, once each.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Output;

use idlergear::os::{self, Identity};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::{Sandbox, stderr, succeed, wait_until};

/// Sends by both programs; nobody starts a daemon for it. Returns what was said.
fn send(world: &Sandbox, program: &str, text: &str) -> String {
    let output = try_to_send(world, program, text);
    succeed(&output, &[program, text]);
    stderr(&output)
}

fn try_to_send(world: &Sandbox, program: &str, text: &str) -> Output {
    let verb: &[&str] = if program == "ig" { &["daemon", "send"] } else { &["send"] };
    let mut command = world.command(program);
    command.args(verb).arg(text).env("IDLERGEAR_NO_AUTOSTART", "1").output().unwrap()
}

/// The texts of all messages, in order.
fn texts(world: &Sandbox) -> Vec<String> {
    let listing = world.json(&["daemon", "messages", "--all", "--json"]);
    let messages = listing["messages"].as_array().unwrap();
    messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

fn outbox(world: &Sandbox) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.state().join("outbox")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn daemon(world: &Sandbox) -> Identity {
    Identity::of(world.daemon_pid().unwrap()).unwrap()
}

/// All that was sent is there, once, and nothing waits any more; also after a restart.
fn delivered(world: &Sandbox, expected: &[&str]) {
    wait_until("it was delivered", || texts(world) == expected);
    assert_eq!(outbox(world), Vec::<PathBuf>::new());
    world.ok(&["daemon", "restart"]);
    assert_eq!(texts(world), expected);
}

#[test]
fn a_stopped_daemon_gets_its_messages_when_it_goes_on() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let daemon = daemon(&world);
    os::signal(&daemon, Signal::STOP);
    let said = send(&world, "ig-agent", "one");
    assert!(
        said.starts_with("ig-agent: the message is queued: the daemon does not answer"),
        "{said}"
    );
    // Those that come right after wait for nothing, and say nothing again.
    assert_eq!(send(&world, "ig-agent", "two"), "");
    send(&world, "ig", "three");
    let mode = fs::metadata(&outbox(&world)[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    os::signal(&daemon, Signal::CONT);
    delivered(&world, &["one", "two", "three"]);
}

#[test]
fn a_daemon_that_is_killed_meanwhile_leaves_them_to_the_next() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    os::signal(&daemon(&world), Signal::STOP);
    send(&world, "ig", "one");
    world.kill_daemon();
    let said = send(&world, "ig-agent", "two");
    assert!(said.is_empty() || said.contains("not running"), "{said}");
    world.ok(&["daemon", "start"]);
    delivered(&world, &["one", "two"]);
}

#[test]
fn without_a_daemon_they_wait_for_one() {
    for program in ["ig", "ig-agent"] {
        let world = Sandbox::with_project();
        let said = send(&world, program, "hello");
        assert!(said.contains("the message is queued: the daemon is not running"), "{said}");
        let mut never = world.command("ig-agent");
        never.args(["send", "never asked"]).env("IDLERGEAR_NO_DAEMON", "1");
        let said = stderr(&never.output().unwrap());
        assert!(said.contains("queued: IDLERGEAR_NO_DAEMON is set"), "{said}");
        world.ok(&["daemon", "start"]);
        delivered(&world, &["hello", "never asked"]);
    }
}

/// What stands in the daemon's place and answers each call with the next of `answers`; then it hangs up.
fn impostor(world: &Sandbox, answers: Vec<Value>) -> std::thread::JoinHandle<Vec<Value>> {
    let folder = world.home().join("run/idlergear");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    let path = folder.join("daemon.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let mut asked = Vec::new();
        // Whether somebody is there is looked up first.
        while asked.is_empty() {
            let mut reader = BufReader::new(listener.accept().unwrap().0);
            for answer in answers.iter().map(Some).chain([None]) {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap() == 0 {
                    break;
                }
                let request: Value = serde_json::from_str(&line).unwrap();
                let id = request["id"].clone();
                asked.push(request);
                let Some(answer) = answer else { break };
                let mut answer = answer.clone();
                (answer["id"], answer["jsonrpc"]) = (id, json!("2.0"));
                writeln!(reader.get_mut(), "{answer}").unwrap();
            }
        }
        fs::remove_file(path).unwrap();
        asked
    })
}

#[test]
fn a_daemon_of_another_version_takes_none_and_loses_none() {
    let world = Sandbox::with_project();
    let refusal = json!({ "error": { "code": -32004, "message": "this daemon speaks 9",
        "data": { "name": "version_mismatch" } } });
    let other = impostor(&world, vec![refusal]);
    let said = send(&world, "ig-agent", "hello");
    assert!(said.contains("the message is queued: this daemon speaks 9"), "{said}");
    other.join().unwrap();
    world.ok(&["daemon", "start"]);
    delivered(&world, &["hello"]);
}

/// Nobody can tell what became of the message: it may be in the database already.
#[test]
fn a_daemon_that_dies_in_that_moment_does_not_double_it() {
    for was_kept in [false, true] {
        let world = Sandbox::with_project();
        let greeting = json!({ "result": { "protocol": 1, "version": "0.1.0", "pid": 1 } });
        let dying = impostor(&world, vec![greeting]);
        let said = send(&world, "ig-agent", "hello");
        assert!(said.contains("the message is queued: the daemon closed"), "{said}");
        let asked = dying.join().unwrap();
        let params =
            asked.iter().find(|call| call["method"] == "message.send").unwrap()["params"].clone();
        if was_kept {
            let waiting = outbox(&world).pop().unwrap();
            let aside = world.home().join("tmp/message");
            fs::rename(&waiting, &aside).unwrap();
            world.ok(&["daemon", "start"]);
            Raw::greeted(&world).ok("message.send", &params);
            assert_eq!(texts(&world), ["hello"]);
            fs::rename(aside, waiting).unwrap();
            wait_until("it was taken", || outbox(&world).is_empty());
        } else {
            world.ok(&["daemon", "start"]);
        }
        delivered(&world, &["hello"]);
    }
}

#[test]
fn what_cannot_be_put_down_is_said_to_be_lost() {
    let world = Sandbox::with_project();
    send(&world, "ig-agent", "first");
    let first = outbox(&world).pop().unwrap();
    for number in 1..1000 {
        fs::copy(&first, first.with_file_name(format!("0-{number}.json"))).unwrap();
    }
    let output = try_to_send(&world, "ig", "too many");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the message is lost"), "{}", stderr(&output));
    assert_eq!(outbox(&world).len(), 1000);
    let told = stderr(&try_to_send(&world, "ig-agent", "too many"));
    assert!(told.contains("the message is lost"), "{told}");
    let long = try_to_send(&world, "ig", &"x".repeat(70_000));
    assert_eq!(long.status.code(), Some(2), "{}", stderr(&long));
    assert_eq!(try_to_send(&world, "ig", "").status.code(), Some(2));
    // All are one message, by its id.
    world.ok(&["daemon", "start"]);
    delivered(&world, &["first"]);
}

/// A file there that is no message does not stand in the way of the others.
#[test]
fn what_is_no_message_is_set_aside() {
    let world = Sandbox::with_project();
    let folder = world.state().join("outbox");
    send(&world, "ig-agent", "first");
    fs::write(folder.join("0.json"), "{").unwrap();
    fs::create_dir(folder.join("1.json")).unwrap();
    world.ok(&["daemon", "start"]);
    wait_until("the others were delivered", || texts(&world) == ["first"]);
    assert_eq!(fs::read_to_string(folder.join("0.unreadable")).unwrap(), "{");
}

#[test]
fn whoever_it_was_for_may_be_gone_by_then() {
    let world = Sandbox::with_project();
    let mut command = world.command("ig-agent");
    command.args(["send", "--to", "nobody", "hello"]).env("IDLERGEAR_NO_AUTOSTART", "1");
    succeed(&command.output().unwrap(), &["send"]);
    world.ok(&["daemon", "start"]);
    delivered(&world, &["hello"]);
    let shown = world.ok(&["daemon", "messages"]);
    assert!(shown.contains("tester -> nobody"), "{shown}");
}
