//! `ig wait`: for what can be seen of a unit, for its end, and no longer than was said.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::net::TcpListener;
use std::process::Output;

use support::{Sandbox, stderr, stdout, succeed, tool, wait_until};

/// A project whose unit `u` ends with it, also when a test fails.
struct World(Sandbox);

impl std::ops::Deref for World {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.0
    }
}

impl Drop for World {
    fn drop(&mut self) {
        ig(&self.0, &["stop", "u", "--force"]);
    }
}

fn ig(world: &Sandbox, args: &[&str]) -> Output {
    world.command("ig").args(args).env("IDLERGEAR_NO_DAEMON", "1").output().unwrap()
}

/// Starts a unit called `u`; returns its id.
fn start(world: &Sandbox, options: &[&str], command: &str) -> String {
    let args = [&["start", "u"], options, &["--", command]].concat();
    succeed(&ig(world, &args), &args).trim().to_owned()
}

fn wait(world: &Sandbox, until: &str) -> Output {
    ig(world, &["wait", "u", "--until", until, "--timeout", "20s"])
}

/// Waits for what does not come; returns what was said about it, first line.
fn in_vain(world: &Sandbox, until: &str) -> String {
    let output = ig(world, &["wait", "u", "--until", until, "--timeout", "300ms"]);
    assert_eq!(output.status.code(), Some(124), "{}", stderr(&output));
    stderr(&output).lines().next().unwrap().to_owned()
}

fn end(world: &Sandbox) {
    let args = ["stop", "u", "--grace", "1s"];
    succeed(&ig(world, &args), &args);
}

/// A server on a port of its own choice, which it tells; `/` answers, all else is 404.
const SERVER: &str = "python3 -u -m http.server 0 --bind 127.0.0.1 & wait";

fn port_of(world: &Sandbox) -> u16 {
    wait_until("it listens", || wait(world, "port").status.success());
    let listing = stdout(&ig(world, &["ps", "--json"]));
    let listing: serde_json::Value = serde_json::from_str(&listing).unwrap();
    u16::try_from(listing["units"][0]["ports"][0].as_u64().unwrap()).unwrap()
}

#[test]
fn a_port_counts_only_when_the_units_own_tree_listens() {
    if tool("python3").is_none() {
        return;
    }
    let world = World(Sandbox::with_project());
    start(&world, &[], SERVER);
    let port = port_of(&world);
    assert!(wait(&world, "ready").status.success());
    assert!(wait(&world, &format!("port:{port}")).status.success());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = listener.local_addr().unwrap().port();
    let said = in_vain(&world, &format!("port:{ours}"));
    let held = format!(
        "does not meet `port:{ours}` after 0.3s: it does not listen on port {ours} (but on {port}); \
         port {ours} is held by pid {} (",
        std::process::id()
    );
    assert!(said.contains(&held), "{said}");
    assert!(in_vain(&world, &format!("http:{ours}/")).contains("is held by pid"));
    let other = ig(&world, &["start", "other", "--", "sleep 60"]);
    assert!(other.status.success());
    let spec = format!("port:{port}");
    let waited = ig(&world, &["wait", "other", "--until", &spec, "--timeout", "0.3s"]);
    let said = stderr(&waited);
    assert!(said.contains(&format!("port {port} is held by u (b")), "{said}");
    assert!(ig(&world, &["stop", "other"]).status.success());
    end(&world);
}

#[test]
fn who_has_the_port_of_a_server_that_could_not_start_is_named() {
    let world = Sandbox::with_project();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ready = format!("port:{port}");
    start(&world, &["--ready", &ready], "echo taken >&2; exit 98");
    let waited = wait(&world, "ready");
    assert_eq!(waited.status.code(), Some(1));
    let told = stderr(&waited);
    let holder = format!("exit code 98; port {port} is held by pid {} (", std::process::id());
    assert!(told.contains(&holder), "{told}");
}

#[test]
fn http_wants_an_answer_that_is_no_failure() {
    if tool("python3").is_none() {
        return;
    }
    let world = World(Sandbox::with_project());
    start(&world, &["--ready", "http:/"], SERVER);
    let port = port_of(&world);
    assert!(wait(&world, "ready").status.success());
    for url in [format!("http://127.0.0.1:{port}/"), format!("http:{port}"), "http:/".to_owned()] {
        assert!(wait(&world, &url).status.success(), "{url}");
    }
    let said = in_vain(&world, "http:/nowhere");
    assert!(said.ends_with(&format!("port {port} answers 404")), "{said}");
    end(&world);
}

#[test]
fn lines_files_and_commands() {
    let world = World(Sandbox::with_project());
    let script = "echo before; until [ -e go ]; do sleep 0.05; done
        echo 'now: 42'; touch made; until [ -e end ]; do sleep 0.05; done; printf last";
    let id = start(&world, &[], script);
    assert!(wait(&world, "match:^before$").status.success());
    let said = in_vain(&world, r"match:^now: \d+$");
    let words = format!(
        "ig: `u` ({id}) does not meet `match:^now: \\d+$` after 0.3s: none of its 1 lines matches"
    );
    assert_eq!(said, words);
    assert!(in_vain(&world, "file:made").ends_with("there is no `made`"));
    assert!(
        in_vain(&world, "exec:test -e made; exit $(($? * 7))").ends_with("the command ends with 7")
    );
    world.write("go", "");
    for until in [r"match:^now: \d+$", "file:made", "exec:test -e made"] {
        assert!(wait(&world, until).status.success(), "{until}");
    }
    world.write("end", "");
    assert_eq!(wait(&world, "exit").status.code(), Some(0));
    // What was seen stays seen, also of a line that no newline ends.
    assert!(wait(&world, "match:^last$").status.success());
    let early = wait(&world, "match:never");
    assert_eq!(early.status.code(), Some(1));
    assert!(stderr(&early).contains("ended before it met `match:never`: exit code 0"));
}

#[test]
fn exit_gives_the_units_own_code() {
    let world = World(Sandbox::with_project());
    for (command, code) in
        [("exit 0", 0), ("exit 37", 37), ("kill -TERM $$", 143), ("kill -SEGV $$", 139)]
    {
        let id = start(&world, &[], command);
        let output = ig(&world, &["wait", &id, "--until", "exit"]);
        assert_eq!(output.status.code(), Some(code), "{command}");
    }
    start(&world, &[], "sleep 60");
    assert!(in_vain(&world, "exit").ends_with("still runs after 0.3s"));
    end(&world);
    assert_eq!(wait(&world, "exit").status.code(), Some(143));
}

#[test]
fn an_early_death_tells_its_cause_and_last_lines() {
    let world = World(Sandbox::with_project());
    let id = start(
        &world,
        &["--ready", "port"],
        "for i in 1 2 3 4 5 6 7; do echo line $i >&2; done; exit 9",
    );
    let output = wait(&world, "ready");
    assert_eq!(output.status.code(), Some(1));
    let words = format!(
        "ig: `u` ({id}) ended before it was ready: exit code 9\n  | line 3\n  | line 4\n  | line 5\n  | line 6\n  | line 7\n  try: ig logs {id}\n"
    );
    assert_eq!(stderr(&output), words);
}

#[test]
fn ready_goes_by_the_units_terms() {
    let world = World(Sandbox::with_project());
    world.write("below/x", "");
    // Its own word does not count when it said what does; and paths are meant from its own folder.
    let script = "source \"$(ig-agent lib)\"; idlergear_ready; until [ -e go ]; do sleep 0.05; done; touch below/up; sleep 60";
    start(&world, &["--ready", "file:below/up"], script);
    assert!(in_vain(&world, "ready").contains("is not ready after 0.3s: there is no `below/up`"));
    world.write("go", "");
    let mut below = world.command("ig");
    below.args(["wait", "u"]).current_dir(world.project().join("below"));
    assert!(below.env("IDLERGEAR_NO_DAEMON", "1").output().unwrap().status.success());
    end(&world);

    start(
        &world,
        &[],
        "source \"$(ig-agent lib)\"; until [ -e go2 ]; do sleep 0.05; done; idlergear_ready; sleep 60",
    );
    assert!(
        in_vain(&world, "ready")
            .ends_with("it listens on no port, and has not said that it is ready")
    );
    world.write("go2", "");
    assert!(wait(&world, "ready").status.success());
    end(&world);
}

#[test]
fn idle_is_a_pause_in_its_output() {
    let world = World(Sandbox::with_project());
    start(&world, &[], "until [ -e quiet ]; do echo x; sleep 0.02; done; sleep 60");
    assert!(
        in_vain(&world, "idle:5s")
            .contains("was never idle for 5s after 0.3s: it wrote something ")
    );
    world.write("quiet", "");
    assert!(wait(&world, "idle:500ms").status.success());
    end(&world);
}

#[test]
fn what_makes_no_sense_is_refused_at_once() {
    let world = World(Sandbox::with_project());
    for (until, words) in [
        (
            "soon",
            "it is ready, exit, idle:30s, port[:N], http:URL, match:RE, file:PATH or exec:CMD",
        ),
        ("http://example.com/", "only this machine is asked"),
        ("match:(", "unclosed group"),
        ("port:99999", "`99999` is no port"),
    ] {
        let output = wait(&world, until);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    // What is not there may have yet to start.
    assert!(
        in_vain(&world, "ready").starts_with("ig: nothing here is called `u`; waiting up to 0.3s")
    );
}
