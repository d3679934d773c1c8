//! `ig wait NAME`: the live unit; else the last that ended, and how long ago that was; else the next.

use std::process::{Child, Stdio};

use crate::World;
use crate::support::{stderr, wait_until};

impl World {
    /// A wait that has begun to look.
    fn waiting(&self, args: &[&str]) -> Child {
        let mut command = self.command(&self.here(), &[&["wait"], args].concat());
        let mut wait = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut said = std::io::BufReader::new(wait.stderr.take().unwrap());
        let mut line = String::new();
        // It says at once what it waits for.
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        assert!(line.contains("waiting"), "{line}");
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        wait
    }
}

#[test]
fn what_is_not_there_yet_is_waited_for() {
    let world = World::new();
    let mut wait = world.waiting(&["later", "--until", "exit", "--timeout", "60s"]);
    world.start(&["later", "--", "exit 4"]);
    assert_eq!(wait.wait().unwrap().code(), Some(4));
    let never = world.ig(&["wait", "never", "--timeout", "300ms"]);
    assert_eq!(never.status.code(), Some(124));
    assert!(
        stderr(&never).contains("nothing called `never` appeared in 0.3s"),
        "{}",
        stderr(&never)
    );
    // What is in another project is not here.
    world.start_in(&world.other(), &["web", "--", "sleep 60"]);
    let elsewhere = world.ig(&["wait", "web", "--timeout", "300ms"]);
    assert_eq!(elsewhere.status.code(), Some(124), "{}", stderr(&elsewhere));
}

#[test]
fn an_old_end_is_told_with_its_age_and_new_waits_for_the_next() {
    let world = World::new();
    let old = world.start(&["x", "--", "exit 3"]);
    assert_eq!(world.ig(&["wait", &old, "--until", "exit"]).status.code(), Some(3));
    let mut said = String::new();
    let words = format!("`x` ({old}) ended ");
    wait_until("it is some time ago", || {
        let told = world.ig(&["wait", "x", "--until", "exit"]);
        assert_eq!(told.status.code(), Some(3));
        said = stderr(&told);
        said.contains(&words)
    });
    assert!(said.contains("s ago"), "{said}");
    assert!(said.contains("ig wait x --new"), "{said}");
    let mut wait = world.waiting(&["x", "--new", "--until", "exit", "--timeout", "60s"]);
    world.start(&["x", "--", "exit 5"]);
    assert_eq!(wait.wait().unwrap().code(), Some(5));
    let none = world.ig(&["wait", "x", "--new", "--timeout", "300ms"]);
    assert_eq!(none.status.code(), Some(124), "{}", stderr(&none));
}

#[test]
fn new_does_not_take_what_runs_already() {
    let world = World::new();
    let id = world.start(&["x", "--", "sleep 60"]);
    let none = world.ig(&["wait", "x", "--new", "--timeout", "300ms"]);
    assert_eq!(none.status.code(), Some(124), "{}", stderr(&none));
    let id_is_no_name = world.ig(&["wait", &id, "--new", "--timeout", "300ms"]);
    assert_eq!(id_is_no_name.status.code(), Some(2), "{}", stderr(&id_is_no_name));
    world.ok(&["stop", "x"]);
}

#[test]
fn a_plain_number_is_seconds() {
    let world = World::new();
    world.start(&["x", "--", "sleep 60"]);
    let until = ["wait", "x", "--until", "file:up", "--timeout", "90"];
    world.sandbox.write("up", "");
    assert!(world.ig(&until).status.success());
    let late = world.ig(&["wait", "x", "--until", "exit", "--timeout", "0"]);
    assert_eq!(late.status.code(), Some(124), "{}", stderr(&late));
    for refused in ["soon", "-1", ""] {
        let refused = world.ig(&["wait", "x", &format!("--timeout={refused}")]);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    }
    wait_until("it is stopped", || world.ig(&["stop", "x"]).status.success());
}
