//! `ig-agent`, verb by verb, without a daemon: quiet where it may be, strict where asked.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::net::TcpListener;
use std::process::{Command, Output};

use support::{Sandbox, free_port, stderr, stdout, succeed};

fn agent(world: &Sandbox, args: &[&str]) -> Output {
    let mut command = world.command("ig-agent");
    command.args(args).env("IDLERGEAR_NO_AUTOSTART", "1").output().unwrap()
}

fn ok(world: &Sandbox, args: &[&str]) -> String {
    succeed(&agent(world, args), args).trim().to_owned()
}

#[test]
fn without_a_daemon_it_says_nothing_and_succeeds() {
    let world = Sandbox::with_project();
    // Only what would be lost is told: a message waits for one, and that is said once.
    let told = stderr(&agent(&world, &["send", "hello"]));
    assert!(told.starts_with("ig-agent: the message is queued"), "{told}");
    let verbs: [&[&str]; 6] = [
        &["send", "hello"],
        &["send", "--to", "web", "hello"],
        &["recv", "--id", "b00000000"],
        &["log", "--id", "b00000000", "text"],
        &["status", "busy", "--id", "b00000000"],
        &["unregister", "b00000000"],
    ];
    for args in verbs {
        let output = agent(&world, args);
        assert_eq!(succeed(&output, args) + &stderr(&output), "", "{args:?}");
        let strict = agent(&world, &[args, &["--strict"]].concat());
        assert_eq!(strict.status.code(), Some(1), "{args:?} --strict");
        assert!(stderr(&strict).contains("the daemon is not running"), "{}", stderr(&strict));
    }
}

#[test]
fn reserved_kinds_cannot_be_started() {
    let world = Sandbox::with_project();
    for kind in ["dream", "remote_agent", "local_workflow", "in_process_teammate"] {
        let output = agent(&world, &["run", "--kind", kind, "--", "touch", "started"]);
        assert_eq!(output.status.code(), Some(125), "{kind}");
        let told = stderr(&output);
        assert!(told.contains(&format!("`{kind}` is reserved and cannot be started")), "{told}");
        assert!(told.contains("try: local_bash, local_agent, monitor, lsp"), "{told}");
    }
    assert!(!world.project().join("started").exists());
    assert!(!world.project().join(".idlergear/runs").exists());
}

#[test]
fn what_makes_no_sense_ends_with_2_and_says_what_does() {
    let world = Sandbox::with_project();
    let lines: [&[&str]; 12] = [
        &[],
        &["regster"],
        &["register"],
        &["register", "a\nb"],
        &["register", "web", "--metadata", "[1]"],
        &["register", "web", "--meta", "novalue"],
        &["log", "--level", "loud", "--id", "b00000000", "x"],
        &["status", "sleepy", "--id", "b00000000"],
        &["send"],
        &["port"],
        &["port", "70000"],
        &["wait"],
    ];
    for args in lines {
        let output = agent(&world, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(!stderr(&output).is_empty());
    }
}

#[test]
fn a_life_from_register_to_unregister() {
    let world = Sandbox::with_project();
    let pid = std::process::id().to_string();
    let id = ok(
        &world,
        &[
            "register",
            "web",
            "--type",
            "dev",
            "--meta",
            "a=b",
            "--metadata",
            "{\"n\":1}",
            "--pid",
            &pid,
        ],
    );
    ok(&world, &["status", "busy", "migrating", "now", "--id", &id]);
    ok(&world, &["log", "--level", "warn", "--id", &id, "two\nlines"]);
    let folder = world.project().join(".idlergear/runs").join(&id);
    let folder = idlergear::record::Folder::at(folder);
    let unit = folder.observe().unwrap();
    assert_eq!((unit.name.as_str(), unit.agent_type.as_str()), ("web", "dev"));
    assert_eq!((unit.presence.word(), unit.description.as_str()), ("busy", "migrating now"));
    assert_eq!((&unit.metadata["a"], &unit.metadata["n"]), (&"b".into(), &1.into()));
    assert_eq!(world.state().join("live").join(&id).canonicalize().unwrap(), folder.path());
    assert_eq!(
        idlergear::record::events::read(&folder.events()).last().unwrap().text,
        "two\nlines"
    );
    ok(&world, &["unregister", &id, "--exit-code", "3"]);
    let unit = folder.observe().unwrap();
    assert_eq!((unit.status.word(), unit.exit_code), ("failed", Some(3)));
}

#[test]
fn stdin_is_logged_line_by_line() {
    let world = Sandbox::with_project();
    let script = "id=$(ig-agent register t --pid $$) && printf 'one\\ntwo\\\\\\nthree' |
        ig-agent log - --id \"$id\" && cut -f 5 .idlergear/runs/$id/events.log";
    let mut command = world.command("bash");
    let output = command.args(["-c", script]).env("IDLERGEAR_NO_AUTOSTART", "1").output().unwrap();
    assert_eq!(succeed(&output, &["log -"]), "one\ntwo\\\\\nthree\n");
}

#[test]
fn a_read_only_world_never_fails_a_script() {
    let world = Sandbox::new();
    world.write("file", "");
    let mut command = world.command("ig-agent");
    command.args(["register", "web"]).env("XDG_STATE_HOME", world.project().join("file"));
    let output = command.env("IDLERGEAR_NO_AUTOSTART", "1").output().unwrap();
    assert_eq!(succeed(&output, &["register"]), "");
    assert!(stderr(&output).starts_with("ig-agent: cannot make"), "{}", stderr(&output));
    assert_eq!(command.arg("--strict").output().unwrap().status.code(), Some(1));
}

#[test]
fn a_port_is_claimed_kept_and_remembered() {
    let world = Sandbox::with_project();
    let base = free_port().to_string();
    let mut first = sleeper();
    let mut second = sleeper();
    let claim = |pid: u32, more: &[&str]| {
        let pid = pid.to_string();
        agent(&world, &[&["port", &base, "--pid", &pid, "--name", "web"], more].concat())
    };
    assert_eq!(stdout(&claim(first.id(), &[])).trim(), base);
    let moved = claim(second.id(), &[]);
    let other = stdout(&moved).trim().to_owned();
    let told = format!("port {base} is taken by web (pid {}); using {other}\n", first.id());
    assert_eq!(stderr(&moved), told);
    let refused = claim(second.id(), &["--fixed"]);
    assert_eq!((refused.status.code(), stdout(&refused)), (Some(1), String::new()));
    assert!(stderr(&refused).contains("or start with another PORT"));
    // A dead claim holds nobody up, and its script gets the same port again.
    for child in [&mut first, &mut second] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut third = sleeper();
    assert_eq!(stdout(&claim(third.id(), &["--fixed"])).trim(), base);
    third.kill().unwrap();
    third.wait().unwrap();
}

#[test]
fn a_port_in_use_names_the_process() {
    let world = Sandbox::with_project();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let refused = agent(&world, &["port", &port, "--fixed"]);
    assert_eq!(refused.status.code(), Some(1));
    let told = format!("ig: port {port} is taken by pid {} (", std::process::id());
    assert!(stderr(&refused).starts_with(&told), "{}", stderr(&refused));
}

#[test]
fn wait_sees_a_listening_process() {
    let world = Sandbox::with_project();
    let pid = std::process::id().to_string();
    ok(&world, &["register", "server", "--pid", &pid]);
    let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ok(&world, &["wait", "server", "ready", "120"]);
    let late = agent(&world, &["wait", "server", "exit", "0"]);
    assert_eq!(late.status.code(), Some(124));
    assert!(stderr(&late).contains("still runs after 0s"), "{}", stderr(&late));
}

#[test]
fn lib_names_the_library() {
    let world = Sandbox::new();
    let path = ok(&world, &["lib"]);
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/shell-lib/idlergear.sh");
    assert_eq!(std::fs::read(path).unwrap(), std::fs::read(ours).unwrap());
}

fn sleeper() -> std::process::Child {
    Command::new("sleep").arg("600").spawn().unwrap()
}
