//! The person at the machine is told too, where the settings ask for it: on a real session bus and in
//! a real terminal.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::pty::Terminal;
use crate::support::{Sandbox, tool, wait_until};
use crate::{Start, id, start, wait_for_ends};

/// Debian's own: it has the module with which `desktop.py` speaks to the bus.
const PYTHON: &str = "/usr/bin/python3";

/// A session bus, and what it shows.
struct Desktop {
    children: Vec<Child>,
    told: PathBuf,
}

impl Desktop {
    /// At the usual place, which nobody needs to name. None: a tool is missing.
    fn new(world: &Sandbox) -> Option<Self> {
        tool("notify-send")?;
        let bus = tool("dbus-daemon")?;
        let module = Command::new(tool(PYTHON)?).args(["-c", "import jeepney"]).output().unwrap();
        if !module.status.success() {
            assert!(std::env::var("IDLERGEAR_REQUIRE_TOOLS").is_err(), "jeepney is needed");
            eprintln!("SKIPPED: `python3-jeepney` is not installed");
            return None;
        }
        let socket = world.home().join("run/bus");
        let address = format!("unix:path={}", socket.display());
        let mut desktop = Self { children: Vec::new(), told: world.home().join("told") };
        let mut bus = world.command(bus.to_str().unwrap());
        bus.args(["--session", "--nofork", "--nopidfile", "--address", &address]);
        desktop.children.push(bus.stderr(Stdio::null()).spawn().unwrap());
        wait_until("there is a bus", || socket.exists());
        let mut server = world.command(PYTHON);
        server.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/signals/desktop.py"));
        server.arg(&desktop.told).env("DBUS_SESSION_BUS_ADDRESS", address);
        desktop.children.push(server.spawn().unwrap());
        let told = desktop.told.clone();
        wait_until("there is a desktop", || told.exists());
        Some(desktop)
    }

    fn notices(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.told).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn titles(&self) -> Vec<String> {
        let title = |notice: &Value| notice["title"].as_str().unwrap().to_owned();
        self.notices().iter().map(title).collect()
    }

    /// The notification that comes after the first `count`.
    fn notice(&self, count: usize) -> Value {
        wait_until("it is shown", || self.notices().len() > count);
        self.notices()[count].clone()
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn set(world: &Sandbox, settings: &str) {
    let dir = world.home().join(".config/idlergear");
    std::fs::create_dir_all(&dir).unwrap();
    // In one step: the daemon may be reading it.
    std::fs::write(dir.join("new"), format!("[alerts]\n{settings}\n")).unwrap();
    std::fs::rename(dir.join("new"), dir.join("config.toml")).unwrap();
}

/// A project with a daemon and these settings.
fn world(settings: &str) -> Sandbox {
    let world = Sandbox::with_project();
    set(&world, settings);
    world.ok(&["daemon", "start"]);
    world
}

/// A shell in a terminal, which runs `script` and then waits.
fn terminal(world: &Sandbox, script: &str) -> Terminal {
    let mut shell = world.command("bash");
    shell.args(["-c", &format!("{script}; echo is-done; read line")]);
    let mut terminal = Terminal::start(shell);
    terminal.expect("is-done");
    terminal
}

/// Waits for the bell, which may have rung before the shell said that it is done.
fn hear(terminal: &mut Terminal) {
    wait_until("the bell rings", || terminal.is_running() && bells(terminal) > 0);
}

fn bells(terminal: &Terminal) -> usize {
    terminal.seen().matches('\u{7}').count()
}

#[test]
fn an_end_shows_on_the_desktop() {
    let world = world("desktop = true");
    let Some(desktop) = Desktop::new(&world) else { return };
    start(&world, "s", "web", "exit 3");
    let notice = desktop.notice(0);
    let title = notice["title"].as_str().unwrap();
    assert!(title.starts_with("web failed: exit code 3 after "), "{title}");
    assert_eq!(notice["body"], "~/project\nig logs web");
    assert_eq!(notice["app"], "IdlerGear");
    Start { name: "watch", kind: Some("monitor"), script: "exit 0", ..Start::default() }
        .run(&world);
    let notice = desktop.notice(1);
    assert!(notice["title"].as_str().unwrap().starts_with("watch completed after "), "{notice}");
}

#[test]
fn hostile_names_and_places_are_harmless_there() {
    let world = Sandbox::with_project();
    set(&world, "desktop = true");
    let Some(desktop) = Desktop::new(&world) else { return };
    // The address of the bus reaches the daemon, too.
    let bus = format!("unix:path={}", world.home().join("run/bus").display());
    let mut daemon = world.command("ig");
    daemon.args(["daemon", "start"]).env("DBUS_SESSION_BUS_ADDRESS", bus);
    assert!(daemon.output().unwrap().status.success());
    let place = world.project().join("<i>&\\033[31m$(touch y)");
    std::fs::create_dir_all(place.join(".idlergear")).unwrap();
    let names = [
        ("$(touch x)", "$(touch x)"),
        ("<b>loud</b>", "<b>loud</b>"),
        ("--help", "--help"),
        ("two\nlines", "two\\u{a}lines"),
        ("\u{1b}[31mred", "\\u{1b}[31mred"),
    ];
    for (count, (name, shown)) in names.into_iter().enumerate() {
        let start = Start { name, script: "exit 1", ..Start::default() };
        let unit = id(&crate::spawn(start.command(&world).current_dir(&place)));
        let notice = desktop.notice(count);
        let title = notice["title"].as_str().unwrap();
        assert!(title.starts_with(&format!("{shown} failed: exit code 1 after ")), "{title}");
        let expected = format!("~/project/&lt;i&gt;&amp;\\033[31m$(touch y)\nig logs {unit}");
        assert_eq!(notice["body"], expected);
    }
    assert!(!world.project().join("x").exists() && !place.join("y").exists());
}

#[test]
fn many_ends_at_once_are_few_notifications() {
    let world = world("desktop = true");
    let Some(desktop) = Desktop::new(&world) else { return };
    world.kill_daemon();
    for n in 0..20 {
        let job = format!("job{n}");
        let start = Start { name: &job, script: "exit 1", ..Start::default() };
        crate::spawn(start.command(&world).env("IDLERGEAR_NO_AUTOSTART", "1"));
        assert_eq!(world.ig(&["wait", &job, "--until", "exit"]).status.code(), Some(1));
    }
    world.ok(&["daemon", "start"]);
    wait_for_ends(&world);
    let ends = |title: &String| {
        let count = title.split_once(" units ended: ").map(|(count, _)| count.parse().unwrap());
        count.unwrap_or(1)
    };
    wait_until("all are told", || desktop.titles().iter().map(ends).sum::<usize>() == 20);
    assert!(desktop.titles().len() < 20, "{:?}", desktop.titles());
}

#[test]
fn a_desktop_that_hangs_holds_nobody_up() {
    let world = world("desktop = true");
    let Some(desktop) = Desktop::new(&world) else { return };
    let server = idlergear::os::Identity::of(desktop.children[1].id()).unwrap();
    idlergear::os::signal(&server, rustix::process::Signal::STOP);
    let log = || std::fs::read_to_string(world.state().join("daemon.log")).unwrap();
    for name in ["one", "two", "three", "four", "five"] {
        start(&world, "s", name, "exit 1");
    }
    wait_for_ends(&world);
    assert_eq!(crate::drain(&world, "s").len(), 5);
    wait_until("it is given up", || log().contains("did not end within 5 s"));
    idlergear::os::signal(&server, rustix::process::Signal::CONT);
    start(&world, "s", "late", "exit 1");
    wait_until("the next is shown", || !desktop.titles().is_empty());
}

#[test]
fn nothing_shows_for_an_end_that_was_asked_for_here() {
    let world = world("desktop = true");
    let Some(desktop) = Desktop::new(&world) else { return };
    let terms = Some(json!({ "alerts": { "on_kill": true } }));
    for (name, session) in [("by-hand", None), ("by-session", Some("mine"))] {
        Start {
            name,
            session: Some("mine"),
            terms: terms.clone(),
            script: "sleep 600",
            ..Start::default()
        }
        .run(&world);
        let mut stop = world.command("ig");
        stop.args(["stop", name]);
        if let Some(session) = session {
            stop.env("IDLERGEAR_SESSION", session);
        }
        assert!(stop.output().unwrap().status.success());
    }
    wait_for_ends(&world);
    start(&world, "mine", "web", "exit 1");
    assert!(desktop.notice(0)["title"].as_str().unwrap().starts_with("web failed"));
    assert_eq!(desktop.titles().len(), 1);
}

#[test]
fn what_cannot_be_shown_is_said_once_and_the_bell_rings_all_the_same() {
    let world = Sandbox::with_project();
    set(&world, "desktop = true\nbell = true");
    let mut daemon = world.command("ig");
    // Nothing but our own programs.
    daemon.args(["daemon", "start"]).env("PATH", Sandbox::bin_dir());
    assert!(daemon.output().unwrap().status.success());
    let mut terminal = terminal(&world, "true");
    for _ in 0..3 {
        drop(std::mem::replace(&mut terminal, self::terminal(&world, "ig run --quiet -- false")));
        hear(&mut terminal);
    }
    let log = std::fs::read_to_string(world.state().join("daemon.log")).unwrap();
    assert_eq!(log.matches("no desktop notification: `notify-send` is not").count(), 1, "{log}");
}

#[test]
fn both_are_off_until_they_are_asked_for() {
    let world = world("bell = true");
    let Some(desktop) = Desktop::new(&world) else { return };
    hear(&mut terminal(&world, "ig start -- false"));
    set(&world, "desktop = true");
    let mut silent = terminal(&world, "ig start job -- false");
    assert!(desktop.notice(0)["title"].as_str().unwrap().starts_with("job failed"));
    assert!(silent.is_running());
    assert_eq!((desktop.titles().len(), bells(&silent)), (1, 0));
}

#[test]
fn the_bell_rings_where_the_unit_was_started_and_once() {
    let world = world("bell = true");
    let gate = world.home().join("gate");
    let wait = format!("until [ -e {} ]; do sleep 0.02; done; exit 1", gate.display());
    let mut other = terminal(&world, "true");
    // Nothing of it is a stream of the unit's.
    let start = format!("ig start '$(x)<b>' -- '{wait}' < /dev/null > /dev/null 2>&1");
    let mut terminal = terminal(&world, &start);
    assert_eq!(bells(&terminal), 0);
    std::fs::write(gate, "").unwrap();
    hear(&mut terminal);
    assert!(terminal.is_running() && other.is_running());
    assert_eq!((bells(&terminal), bells(&other)), (1, 0));
    let seen = terminal.seen().replace("is-done", "");
    assert_eq!(seen.trim(), "\u{7}", "one byte and nothing else");
}

#[test]
fn a_terminal_that_is_somebody_elses_by_now_stays_silent() {
    let world = world("bell = true");
    let gate = world.home().join("gate");
    let wait = format!("until [ -e {} ]; do sleep 0.02; done; exit 1", gate.display());
    let first = terminal(&world, &format!("ig start first -- '{wait}'"));
    let record = world.json(&["run", "status", "first", "--json"]);
    let path = record["terminal"]["path"].as_str().unwrap().to_owned();
    assert!(path.starts_with("/dev/pts/"), "{path}");
    drop(first);
    // A new terminal gets the first free name; other tests take some, too.
    let mut others = Vec::new();
    for _ in 0..20 {
        let other = terminal(&world, "tty");
        let is_it = other.seen().contains(&format!("{path}\r"));
        others.push(other);
        if is_it {
            break;
        }
    }
    std::fs::write(gate, "").unwrap();
    wait_for_ends(&world);
    // What ended later rings later.
    hear(&mut terminal(&world, "ig run --quiet -- false"));
    for other in &mut others {
        assert!(other.is_running());
        assert_eq!(bells(other), 0);
    }
}
