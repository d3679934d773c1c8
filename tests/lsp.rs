//! Language servers as units: a real one from PyPI, through its whole life.
//!
//! On a port it is ready when it listens there; on stdio it lives only because its input stays open.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

#[allow(dead_code, reason = "this file needs only a part of it")]
#[path = "daemon/raw.rs"]
mod raw;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use idlergear::os::{self, Identity};
use raw::Raw;
use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Sandbox, free_port, let_python_install, succeed, tool, wait_until};

/// `pylsp`, installed once for all tests; none without Python.
fn pylsp() -> Option<PathBuf> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MADE.get_or_init(|| Some(install(&tool("python3")?))).clone()
}

fn install(python: &Path) -> PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pylsp-tool");
    let program = venv.join("bin/pylsp");
    if !program.exists() {
        let made = Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv).output();
        succeed(&made.unwrap(), &["venv"]);
        let mut pip = Command::new(venv.join("bin/pip"));
        let_python_install(&mut pip);
        let installed = pip.args(["install", "-q", "python-lsp-server"]).output().unwrap();
        succeed(&installed, &["pip install python-lsp-server"]);
    }
    program
}

/// The project of a language server, and the daemon that tells of it.
struct World {
    sandbox: Sandbox,
    pylsp: PathBuf,
}

impl World {
    fn new() -> Option<Self> {
        let (sandbox, pylsp) = (Sandbox::with_project(), pylsp()?);
        sandbox.ok(&["daemon", "start"]);
        Some(Self { sandbox, pylsp })
    }

    fn start(&self, args: &[&str]) -> String {
        self.sandbox.ok(&[&["start"], args].concat()).trim().to_owned()
    }

    /// The unit as the daemon tells it.
    fn get(&self, id: &str) -> Value {
        Raw::greeted(&self.sandbox).ok("unit.get", &json!({ "id": id }))
    }

    fn state(&self, id: &str) -> (String, u64) {
        let seen = self.get(id)["metadata"].clone();
        (seen["state"].as_str().unwrap().to_owned(), seen["restart_count"].as_u64().unwrap())
    }

    fn comes_to(&self, id: &str, state: &str, restarts: u64) {
        wait_until(&format!("{state}, restart {restarts}"), || {
            self.state(id) == (state.to_owned(), restarts)
        });
    }

    fn crash(&self, id: &str, signal: Signal) {
        crash(&self.process(id), signal);
    }

    fn process(&self, id: &str) -> Identity {
        serde_json::from_value(self.get(id)["process"].clone()).unwrap()
    }

    /// Nothing of this world is left but its daemon.
    fn nothing_is_left(&self) {
        let mark = format!("HOME={}", self.sandbox.home().display());
        let daemon = self.sandbox.daemon_pid();
        wait_until("nothing but the daemon is left", || {
            os::started_with(&mark, 0).iter().all(|process| Some(process.pid) == daemon)
        });
    }
}

impl Drop for World {
    /// Whatever a failed test leaves behind.
    fn drop(&mut self) {
        for unit in ["pyls", "twin"] {
            self.sandbox.ig(&["stop", unit, "--force"]);
        }
    }
}

/// Ends it as a crash would.
fn crash(process: &Identity, signal: Signal) {
    assert!(os::signal(process, signal));
    wait_until("it is dead", || !process.is_alive());
}

/// Greets the server on `port` as an editor does; returns its answer.
fn initialize(port: u16) -> Value {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
    let params = json!({ "processId": null, "rootUri": null, "capabilities": {} });
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let request = request.to_string();
    write!(stream, "Content-Length: {}\r\n\r\n{request}", request.len()).unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&answer);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        if let Ok(answer) = serde_json::from_str(body) {
            return answer;
        }
    }
}

#[test]
fn a_server_on_a_port_starts_crashes_comes_back_and_stops() {
    let Some(world) = World::new() else { return };
    let (port, gate) = (free_port(), world.sandbox.project().join("gate"));
    let pylsp = world.pylsp.display();
    let script = format!(
        "until [ -e gate ]; do sleep 0.05; done; exec {pylsp} --tcp --host 127.0.0.1 --port {port}"
    );
    let ready = format!("port:{port}");
    let options = ["--kind", "lsp", "--ready", &ready, "--restart", "on-failure:2"];
    let id = world.start(&[&["pyls"], &options[..], &["--", &script]].concat());
    assert!(id.starts_with('l'), "{id}");
    world.comes_to(&id, "starting", 0);

    std::fs::write(&gate, "").unwrap();
    world.sandbox.ok(&["wait", "pyls", "--timeout", "60s"]);
    assert_eq!(initialize(port)["result"]["serverInfo"]["name"], "pylsp");
    let seen = world.get(&id)["metadata"].clone();
    let expected = json!({
        "server_name": "pyls", "command": script, "state": "running", "exit_code": null,
        "restart_count": 0, "max_restarts": 2,
    });
    assert_eq!(seen, expected);
    let listed = world.sandbox.json(&["ps", "--kind", "lsp", "--json"])["units"].clone();
    assert_eq!((&listed[0]["id"], &listed[0]["ports"]), (&json!(id), &json!([port])));
    assert_eq!(listed[0]["ready"], true);
    let table = world.sandbox.ok(&["ps", "--kind", "lsp"]);
    assert!(table.contains("pyls") && table.contains(&port.to_string()), "{table}");
    let others = world.sandbox.json(&["ps", "--kind", "local_bash", "--json"]);
    assert_eq!(others["units"], json!([]));

    for (restarts, signal) in [(1, Signal::KILL), (2, Signal::SEGV)] {
        std::fs::remove_file(&gate).unwrap();
        world.crash(&id, signal);
        world.comes_to(&id, "starting", restarts);
        std::fs::write(&gate, "").unwrap();
        world.sandbox.ok(&["wait", "pyls", "--timeout", "60s"]);
        world.comes_to(&id, "running", restarts);
        assert_eq!(initialize(port)["result"]["serverInfo"]["name"], "pylsp");
    }
    let told = Raw::greeted(&world.sandbox).ok("unit.output", &json!({ "id": id }));
    let told = told["text"].as_str().unwrap().to_owned();
    assert!(told.starts_with("pyls: running, restart 2 of 2\n"), "{told}");

    world.crash(&id, Signal::SEGV);
    world.comes_to(&id, "error", 2);
    assert_eq!(world.get(&id)["description"], "given up after 2 of 2: SIGSEGV");
    world.nothing_is_left();
}

#[test]
fn a_server_on_stdio_lives_until_it_is_stopped() {
    let Some(world) = World::new() else { return };
    let pylsp = world.pylsp.display().to_string();
    let id = world.start(&["pyls", "--kind", "lsp", "--restart", "on-failure", "--", &pylsp, "-v"]);
    world.sandbox.ok(&["wait", "pyls", "--until", "match:Starting.*language server"]);
    // The same without an open input has nothing to do.
    let twin = world.start(&["twin", "--", &pylsp, "-v"]);
    let ended = world.sandbox.ig(&["wait", &twin, "--until", "exit"]);
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(world.state(&id), ("running".to_owned(), 0));
    assert_eq!(world.get(&id)["metadata"]["max_restarts"], 10);

    // It is the daemon's work neither to hold that input nor to start it again.
    let process = world.process(&id);
    world.sandbox.kill_daemon();
    crash(&process, Signal::KILL);
    world.sandbox.ok(&["daemon", "start"]);
    world.comes_to(&id, "running", 1);

    world.sandbox.ok(&["stop", "pyls"]);
    world.comes_to(&id, "stopped", 1);
    world.nothing_is_left();
}
