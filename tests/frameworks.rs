//! The main job with the real tools: Django, Flask, FastAPI, Jupyter and pytest, installed from PyPI
//! by their own generated scripts, on the projects in `examples/`.
//!
//! Every server goes through the same life, and whatever it does is compared with the bare tool in
//! a terminal of its own: ig may add nothing and lose nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use idlergear::os::{self, Identity};
use rustix::process::Signal;
use support::example::{World, without_us};
use support::pty::{Ended, Terminal};
use support::{Sandbox, succeed, tool, wait_until};

/// Seconds that an installation from PyPI may take.
const INSTALLING: u64 = 600;

/// One framework: its example, and what it is without us.
struct Server {
    example: &'static str,
    template: &'static str,
    /// The bare tool in the same environment, `PORT` for the port.
    bare: &'static [&'static str],
    /// What root has to add, which CI often is.
    as_root: &'static [&'static str],
    /// A page and a word on it.
    page: (&'static str, &'static str),
    /// Keys that end it.
    quit: &'static str,
    /// The first port to look at; each framework has its own, for they run at once.
    base: u16,
}

/// A server that runs in a terminal and answers.
struct Live {
    terminal: Terminal,
    tree: Vec<Identity>,
}

impl Live {
    /// Starts `command` and waits until it answers on `port`.
    fn start(mut command: Command, server: &Server, port: u16) -> Self {
        if rustix::process::geteuid().is_root() {
            command.args(server.as_root);
        }
        let mut terminal = Terminal::start(command).patient(INSTALLING);
        let deadline = Instant::now() + Duration::from_secs(INSTALLING);
        let (path, word) = server.page;
        while !get(port, path).is_some_and(|answer| answer.contains(word)) {
            assert!(Instant::now() < deadline && terminal.is_running(), "{}", terminal.seen());
        }
        let mut tree = os::tree(terminal.pid());
        // The daemon that it happened to start is nobody's: it lives on.
        tree.retain(|process| !os::command_line(process.pid).contains(" daemon serve"));
        Self { terminal: terminal.patient(120), tree }
    }

    /// Presses the keys that end `server`.
    fn quit(mut self, server: &Server) -> Ended {
        for key in server.quit.chars() {
            self.terminal.send(&key.to_string());
            if key == '\x03' && server.quit.len() > 1 {
                self.terminal.expect("(y/[n])?");
            }
        }
        self.end()
    }

    /// Its own process ends by a signal, without `ig stop`: what it leaves behind is spared, as it would
    /// be without ig, and is found by `ig sweep`.
    fn signalled(self, world: &World, pid: u32, signal: Signal) -> Ended {
        assert!(os::signal(&Identity::of(pid).unwrap(), signal));
        let ended = self.terminal.end();
        world.sandbox.ig(&["sweep", "--all", "--grace", "5s"]);
        wait_until("every process of it is gone", || !self.tree.iter().any(Identity::is_alive));
        ended
    }

    fn end(self) -> Ended {
        let ended = self.terminal.end();
        wait_until("every process of it is gone", || !self.tree.iter().any(Identity::is_alive));
        ended
    }
}

/// One HTTP request; none while nobody answers.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

fn free_port(base: u16) -> u16 {
    (base..base + 100).find(|port| support::is_free(*port)).unwrap()
}

/// How it ended, in the words of a shell.
fn how(ended: &Ended) -> (Option<i32>, Option<i32>) {
    (ended.code, ended.signal)
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

/// Tells how long each step took; `cargo test -- --nocapture` shows it.
struct Clock {
    server: &'static str,
    at: Instant,
}

impl Clock {
    fn tell(&mut self, step: &str) {
        eprintln!("{}: {step}: {:.1} s", self.server, self.at.elapsed().as_secs_f64());
        self.at = Instant::now();
    }
}

/// The whole life of a server.
fn live(server: &Server) {
    let Some(_) = tool("python3") else { return };
    let world = World::with(server.example);
    let port = free_port(server.base);
    let script = world.generate(server.template, Some(port));
    let start = || Live::start(world.command(&script), server, port);
    let mut clock = Clock { server: server.template, at: Instant::now() };

    let first = start();
    clock.tell("installed from PyPI, started, answered");
    let unit = world.unit();
    assert_eq!((&unit["name"], &unit["status"]), (&server.template.into(), &"running".into()));
    let ended = first.quit(server);
    world.nothing_is_left("the keys that end it");
    clock.tell("ended by its keys");

    let bare = how(&bare(&world, server, port));
    world.nothing_is_left("the bare tool");
    assert_eq!(how(&ended), bare, "as the bare tool ends; its last words:\n{}", ended.output);
    clock.tell("the bare tool, for comparison");

    starts_again_without_installing(&world, server, &script, port);
    clock.tell("second start, no installing");

    ends_with_its_unit(&world, server, &script, port);
    clock.tell("SIGTERM and SIGKILL of the unit");

    refuses_a_taken_port(&world, &script, port);
    clock.tell("refused a taken port");

    let mut command = world.command(&script);
    command.env("PATH", without_us());
    let alone = Live::start(command, server, port).quit(server);
    assert_eq!(how(&alone), bare);
    world.nothing_is_left("a life without ig");
    clock.tell("without ig on PATH");
}

/// The bare tool in the environment that the script has made.
fn bare(world: &World, server: &Server, port: u16) -> Ended {
    let bin = world.sandbox.project().join(".venv/bin");
    let mut command = world.command(bin.join(server.bare[0]));
    let port_text = port.to_string();
    command.args(server.bare[1..].iter().map(|word| word.replace("PORT", &port_text)));
    let path = format!("{}:{}", bin.display(), without_us());
    command.env("PATH", path).env("VIRTUAL_ENV", world.sandbox.project().join(".venv"));
    Live::start(command, server, port).quit(server)
}

/// pip and uv both refuse to run with settings like these, so whoever calls them fails.
fn starts_again_without_installing(world: &World, server: &Server, script: &Path, port: u16) {
    let stamp = world.sandbox.project().join(format!(".venv/.ig-{}", server.template));
    let before = modified(&stamp);
    let mut command = world.command(script);
    command.env("PIP_DEFAULT_TIMEOUT", "never").env("UV_CONFIG_FILE", "/nowhere");
    Live::start(command, server, port).quit(server);
    assert_eq!(modified(&stamp), before);
}

fn ends_with_its_unit(world: &World, server: &Server, script: &Path, port: u16) {
    for signal in [Signal::TERM, Signal::KILL] {
        let live = Live::start(world.command(script), server, port);
        let pid = u32::try_from(world.unit()["pid"].as_u64().unwrap()).unwrap();
        live.signalled(world, pid, signal);
        world.nothing_is_left(&format!("{signal:?}"));
        let status = world.unit()["status"].as_str().unwrap().to_owned();
        assert_ne!(status, "running");
        assert!(signal == Signal::TERM || status == "killed", "{status}");
    }
}

fn refuses_a_taken_port(world: &World, script: &Path, port: u16) {
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let ended = Terminal::start(world.command(script)).patient(INSTALLING).end();
    assert_ne!(ended.code, Some(0));
    let owner = format!("{}", std::process::id());
    assert!(ended.output.contains(&port.to_string()), "{}", ended.output);
    assert!(ended.output.contains(&owner), "the owner is named:\n{}", ended.output);
    drop(taken);
    world.nothing_is_left("a taken port");
}

#[test]
fn django() {
    live(&Server {
        example: "django",
        template: "django-dev",
        bare: &["python", "manage.py", "runserver", "127.0.0.1:PORT"],
        as_root: &[],
        page: ("/", "Departures"),
        quit: "\x03",
        base: 18_000,
    });
}

const FLASK: Server = Server {
    example: "flask",
    template: "flask-dev",
    bare: &["flask", "--debug", "run", "--host", "127.0.0.1", "--port", "PORT"],
    as_root: &[],
    page: ("/count?text=to+be+or+not+to+be", "\"to\""),
    quit: "\x03",
    base: 18_100,
};

#[test]
fn flask() {
    live(&FLASK);
}

/// Where there is uv, the script uses it and needs no pip.
#[test]
fn flask_by_uv() {
    let Some(python) = tool("python3") else { return };
    let world = World::with("flask");
    let uv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("uv-tool");
    if !uv.join("bin/uv").exists() {
        let made = world.command(python).args(["-m", "venv", "--clear"]).arg(&uv).output().unwrap();
        succeed(&made, &["venv"]);
        let pip = world.command(uv.join("bin/pip")).args(["install", "-q", "uv"]).output().unwrap();
        succeed(&pip, &["pip install uv"]);
    }
    let path = format!("{}:{}", uv.join("bin").display(), std::env::var("PATH").unwrap());
    let path = format!("{}:{path}", Sandbox::bin_dir().display());
    let port = free_port(18_400);
    let script = world.generate("flask-dev", Some(port));
    let mut clock = Clock { server: "flask-dev by uv", at: Instant::now() };
    let no_uv = ("UV_CONFIG_FILE", "/nowhere");
    for (step, setting) in [("installed", None), ("second start", Some(no_uv))] {
        let mut command = world.command(&script);
        command.env("PATH", &path).envs(setting);
        let ended = Live::start(command, &FLASK, port).quit(&FLASK);
        assert!(ended.code == Some(0) || ended.signal == Some(2), "{ended:?}");
        world.nothing_is_left(step);
        clock.tell(step);
    }
    let made_by = world.sandbox.read(".venv/pyvenv.cfg");
    assert!(made_by.lines().any(|line| line.starts_with("uv =")), "{made_by}");
}

#[test]
fn fastapi() {
    live(&Server {
        example: "fastapi",
        template: "fastapi-dev",
        bare: &["uvicorn", "main:app", "--reload", "--host", "127.0.0.1", "--port", "PORT"],
        as_root: &[],
        page: ("/convert/20?scale=celsius", "293.15"),
        quit: "\x03",
        base: 18_200,
    });
}

#[test]
fn jupyter() {
    live(&Server {
        example: "pytest",
        template: "jupyter",
        bare: &["jupyter", "lab", "--no-browser", "--ip", "127.0.0.1", "--port", "PORT"],
        as_root: &["--allow-root"],
        page: ("/api", "version"),
        quit: "\x03y\n",
        base: 18_300,
    });
}

/// A port nobody insisted on moves on, and the script says whose it is.
#[test]
fn a_taken_port_is_moved_when_nobody_asked_for_it() {
    let Some(_) = tool("python3") else { return };
    let world = World::with("flask");
    let script = world.generate("flask-dev", None);
    let taken = TcpListener::bind(("127.0.0.1", 5000));
    let mut terminal = Terminal::start(world.command(&script)).patient(INSTALLING);
    terminal.expect("Running on http://127.0.0.1:");
    terminal.expect("\n");
    terminal.send("\x03");
    let output = terminal.end().output;
    assert!(!output.contains("Running on http://127.0.0.1:5000"), "{output}");
    if taken.is_ok() {
        assert!(output.contains(&std::process::id().to_string()), "the owner is named:\n{output}");
    }
    world.nothing_is_left("a moved port");
}

#[test]
fn pytest() {
    let Some(_) = tool("python3") else { return };
    let world = World::with("pytest");
    let script = world.generate("pytest", None);
    let mut clock = Clock { server: "pytest", at: Instant::now() };
    let run = |args: &[&str]| {
        let mut command = world.command(&script);
        command.args(args);
        Terminal::start(command).patient(INSTALLING).end()
    };
    let ended = run(&[]);
    assert_eq!(how(&ended), (Some(0), None), "{}", ended.output);
    let counts = ["9 passed", "1 skipped"];
    assert!(counts.iter().all(|count| ended.output.contains(count)), "{}", ended.output);
    clock.tell("installed from PyPI and tested");
    assert_eq!(how(&run(&["-k", "nowhere"])), (Some(5), None));
    world.sandbox.write("tests/test_more.py", "import time\n\n\ndef test_slow():\n    print('now')\n    time.sleep(600)\n\n\ndef test_wrong():\n    assert 1 == 2\n");
    assert_eq!(how(&run(&["-k", "wrong"])), (Some(1), None));
    clock.tell("exit codes 5 and 1");

    let interrupted = |mut command: Command| {
        command.args(["-s", "-k", "slow"]);
        let mut terminal = Terminal::start(command).patient(INSTALLING);
        terminal.expect("now");
        let mut tree = os::tree(terminal.pid());
        // The daemon that it happened to start is nobody's: it lives on.
        tree.retain(|process| !os::command_line(process.pid).contains(" daemon serve"));
        terminal.send("\x03");
        let ended = terminal.end();
        wait_until("every process of it is gone", || !tree.iter().any(Identity::is_alive));
        how(&ended)
    };
    let mut bare = world.command(world.sandbox.project().join(".venv/bin/python"));
    bare.args(["-m", "pytest"]);
    assert_eq!(interrupted(world.command(&script)), interrupted(bare));
    let mut alone = world.command(&script);
    alone.env("PATH", without_us());
    assert_eq!(interrupted(alone), (Some(2), None));
    world.nothing_is_left("Ctrl-C");
    clock.tell("interrupted, bare, and without ig");
}
