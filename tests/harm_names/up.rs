//! `ig up` beside a stop that takes its time, a script that was made again, and a profile.

use std::process::Stdio;

use crate::World;
use crate::support::{stderr, stdout, wait_until};

/// A unit that takes long to end: until the file `go` is there.
const SLOW: &str = "trap 'until [ -e go ]; do sleep 0.02; done; exit 0' TERM; echo up; \
                    while :; do sleep 0.02; done";

#[test]
fn up_during_a_slow_stop_starts_it_again() {
    let world = World::new();
    let first = world.start(&["web", "--", SLOW]);
    wait_until("its trap is set", || world.ok(&["output", &first]) == "up\n");
    let mut stop = world.command(&world.here(), &["stop", "web", "--grace", "100s"]);
    let mut stop = stop.stderr(Stdio::null()).spawn().unwrap();
    let marker = world.here().join(format!(".idlergear/runs/{first}/stop"));
    wait_until("it is asked to stop", || marker.exists());
    let mut up = world.command(&world.here(), &["up", "web", "--", SLOW]);
    let up = up.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    world.sandbox.write("go", "");
    let up = up.wait_with_output().unwrap();
    assert!(stop.wait().unwrap().success());
    assert!(up.status.success(), "{}", stderr(&up));
    let (said, second) = (stderr(&up), stdout(&up).trim().to_owned());
    assert!(second != first && said.contains("started web (pid "), "{said}");
    assert_eq!(
        (world.status(&first).as_str(), world.status(&second).as_str()),
        ("killed", "running")
    );
}

#[test]
fn a_start_during_a_slow_stop_says_that_it_is_stopping() {
    let world = World::new();
    let first = world.start(&["web", "--", SLOW]);
    wait_until("its trap is set", || world.ok(&["output", &first]) == "up\n");
    let mut stop = world.command(&world.here(), &["stop", "web", "--grace", "100s"]);
    let mut stop = stop.stderr(Stdio::null()).spawn().unwrap();
    let marker = world.here().join(format!(".idlergear/runs/{first}/stop"));
    wait_until("it is asked to stop", || marker.exists());
    let refused = world.ig(&["start", "web", "--", "sleep 60"]);
    assert_eq!(refused.status.code(), Some(1));
    let words = format!("`web` ({first}) is stopping");
    assert!(stderr(&refused).contains(&words), "{}", stderr(&refused));
    world.sandbox.write("go", "");
    assert!(stop.wait().unwrap().success());
}

#[test]
fn up_says_that_the_script_was_changed() {
    let world = World::new();
    world.ok(&["gen", "script", "web", "--command", "sleep 60"]);
    let id = world.ok(&["up", "web"]);
    assert!(!stderr(&world.ig(&["up", "web"])).contains("changed"));
    world.ok(&["gen", "script", "web", "--command", "sleep 61", "--force"]);
    let again = world.ig(&["up", "web"]);
    assert_eq!((again.status.code(), stdout(&again)), (Some(0), id));
    let said = stderr(&again);
    let words = "its script has changed since it started: ig stop web && ig up web";
    assert!(said.contains(words), "{said}");
    world.ok(&["stop", "web"]);
}

#[test]
fn a_readiness_check_that_only_the_profile_sets_is_no_demand() {
    let world = World::new();
    world.ok(&["gen", "script", "web", "--command", "sleep 60"]);
    let profile = "command = \"sleep 60\"\nready = \"file:up.txt\"\n";
    world.sandbox.write(".idlergear/profiles/web.toml", profile);
    let id = world.start(&["web", "--", "bash", "scripts/web.sh"]);
    let up = world.ig(&["up", "web"]);
    let said = stderr(&up);
    assert_eq!((up.status.code(), stdout(&up).trim()), (Some(0), id.as_str()), "{said}");
    assert!(!said.contains("--ready"), "{said}");
    let words = "`web` was started without its profile's readiness check; to use it: \
                 ig stop web && ig up web";
    assert!(said.contains(words), "{said}");
    // What was asked for still is a demand.
    let asked = stderr(&world.ig(&["up", "web", "--ready", "file:x"]));
    assert!(asked.contains("without the --ready asked for now"), "{asked}");
    world.ok(&["stop", "web"]);
}
