//! Start, stop, races, and being killed.

use std::process::Stdio;

use rustix::process::Signal;

use crate::support::{Sandbox, stderr, stdout, succeed, tool, wait_until};
use crate::{Killed, Script, names};

#[test]
fn start_and_stop_say_what_they_did() {
    let world = Sandbox::with_project();
    let absent = world.ig(&["daemon", "status"]);
    assert_eq!(absent.status.code(), Some(1));
    assert_eq!(stderr(&absent), "ig: the daemon is not running\n  try: ig daemon start\n");
    assert_eq!(world.ok(&["daemon", "stop"]), "the daemon is not running\n");

    let said = world.ok(&["daemon", "start"]);
    let pid = world.daemon_pid().unwrap();
    assert_eq!(said, format!("the daemon is running (pid {pid})\n"));
    let again = world.ok(&["daemon", "start"]);
    assert_eq!(again, format!("the daemon is already running (pid {pid})\n"));
    assert_eq!(world.json(&["daemon", "status", "--json"])["pid"], pid);

    let restarted = world.ok(&["daemon", "restart"]);
    let second = world.daemon_pid().unwrap();
    assert_ne!(pid, second);
    assert_eq!(restarted, format!("the daemon is running (pid {second})\n"));
    assert_eq!(world.ok(&["daemon", "stop"]), format!("the daemon has stopped (pid {second})\n"));
    assert_eq!(world.daemon_pid(), None);
    assert!(!world.home().join("run/idlergear/daemon.sock").exists());
}

#[test]
fn fifty_that_start_at_once_are_one() {
    let world = Sandbox::with_project();
    let start = || {
        let mut command = world.command("ig");
        command.args(["daemon", "start"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let starters: Vec<_> = (0..50).map(|_| start()).collect();
    let outputs: Vec<_> = starters.into_iter().map(|c| c.wait_with_output().unwrap()).collect();
    let pid = world.daemon_pid().unwrap();
    let said: Vec<String> = outputs.iter().map(|o| succeed(o, &["daemon", "start"])).collect();
    let first = format!("the daemon is running (pid {pid})\n");
    let others = format!("the daemon is already running (pid {pid})\n");
    assert_eq!(said.iter().filter(|s| **s == first).count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|s| **s == others).count(), 49, "{said:?}");
}

#[test]
fn a_race_after_a_crash_has_one_winner_too() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    world.kill_daemon();
    assert!(world.home().join("run/idlergear/daemon.sock").exists());
    let start = || {
        let mut command = world.command("ig");
        command.args(["daemon", "start"]).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let starters: Vec<_> = (0..20).map(|_| start()).collect();
    for starter in starters {
        succeed(&starter.wait_with_output().unwrap(), &["daemon", "start"]);
    }
    assert!(world.ok(&["daemon", "status"]).contains("running"));
}

#[test]
fn agents_are_found_again_after_a_crash() {
    let world = Sandbox::with_project();
    let script = Script::start(&world, "web");
    let mut dying = Script::start(&world, "dying");
    wait_until("both are listed", || names(&world) == ["web", "dying"]);
    world.ok(&["daemon", "agent-status", &script.id, "busy", "migrating"]);
    world.kill_daemon();
    world.ok(&["daemon", "log", "web", "while nobody listens"]);
    dying.kill();
    assert_eq!(names(&world), ["web"]);
    let agents = world.ok(&["daemon", "agents"]);
    assert!(agents.contains("busy migrating"), "{agents}");
    assert_eq!(world.ok(&["daemon", "logs", "web"]), "while nobody listens\n");
    assert!(!world.state().join("live").join(&dying.id).exists());
}

#[test]
fn it_dies_at_every_step_and_loses_nobody() {
    let world = Sandbox::with_project();
    let mut scripts = Vec::new();
    for round in 0..6 {
        scripts.push(Script::begin(&world, &format!("s{round}")));
        if round % 2 == 0 {
            wait_until("it is listed", || names(&world).len() == round + 1);
        }
        world.kill_daemon();
    }
    assert_eq!(names(&world), ["s0", "s1", "s2", "s3", "s4", "s5"]);
}

#[test]
fn a_hanging_daemon_is_stopped_all_the_same() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let pid = world.daemon_pid().unwrap();
    let daemon = idlergear::os::Identity::of(pid).unwrap();
    idlergear::os::signal(&daemon, Signal::STOP);
    let slow = world.ig(&["daemon", "status"]);
    assert_eq!(slow.status.code(), Some(1));
    assert!(stderr(&slow).contains("does not answer"), "{}", stderr(&slow));
    world.ok(&["daemon", "restart"]);
    assert!(!daemon.is_alive());
    assert_ne!(world.daemon_pid().unwrap(), pid);
}

#[test]
fn signals_end_it_in_order() {
    let world = Sandbox::with_project();
    for signal in [Signal::TERM, Signal::INT] {
        world.ok(&["daemon", "start"]);
        let daemon = idlergear::os::Identity::of(world.daemon_pid().unwrap()).unwrap();
        idlergear::os::signal(&daemon, signal);
        wait_until("it is gone", || !daemon.is_alive());
        assert!(!world.home().join("run/idlergear/daemon.sock").exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_of_its_caller_leaks() {
    for how in [&["daemon", "start"][..], &["daemon", "start", "--foreground"]] {
        let world = Sandbox::with_project();
        let mut command = world.command("ig");
        command.args(how).env("SECRET_TOKEN", "hunter2").env("VIRTUAL_ENV", "/nowhere");
        let _caller = Killed::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
        wait_until("it answers", || world.ig(&["daemon", "status"]).status.success());
        let proc = format!("/proc/{}", world.daemon_pid().unwrap());
        let environment = std::fs::read(format!("{proc}/environ")).unwrap();
        let environment = String::from_utf8_lossy(&environment);
        assert!(environment.contains("HOME="), "{environment}");
        for name in ["SECRET_TOKEN", "VIRTUAL_ENV", "TERM="] {
            assert!(!environment.contains(name), "{how:?}: {environment}");
        }
        assert_eq!(std::fs::read_link(format!("{proc}/cwd")).unwrap().to_str(), Some("/"));
    }
}

#[test]
fn it_is_started_on_demand_unless_told_not_to() {
    let world = Sandbox::with_project();
    let refused =
        world.command("ig").args(["daemon", "agents"]).env("IDLERGEAR_NO_AUTOSTART", "1").output();
    let refused = refused.unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("ig daemon start"));
    assert_eq!(world.daemon_pid(), None);
    let agents = world.ig(&["daemon", "agents"]);
    assert_eq!((stdout(&agents).as_str(), agents.status.code()), ("", Some(0)));
    assert!(stderr(&agents).contains("nobody is here yet"));
    assert!(world.daemon_pid().is_some());
}

#[test]
fn the_state_folder_may_vanish() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let daemon = idlergear::os::Identity::of(world.daemon_pid().unwrap()).unwrap();
    std::fs::remove_dir_all(world.state()).unwrap();
    wait_until("it ends, so that there are never two", || !daemon.is_alive());
    world.ok(&["daemon", "start"]);
    assert!(world.daemon_pid().is_some());
}

#[test]
fn the_state_folder_may_vanish_before_it_is_watched() {
    let Some(strace) = tool("strace") else { return };
    let world = Sandbox::with_project();
    let mut slow = world.command(strace.to_str().unwrap());
    slow.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=inotify_add_watch"]);
    slow.args(["-e", "inject=inotify_add_watch:delay_enter=1500000", "ig", "daemon", "start"]);
    let mut starter = slow.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("it has the lock", || world.daemon_pid().is_some());
    let daemon = idlergear::os::Identity::of(world.daemon_pid().unwrap()).unwrap();
    // It may be making a file there, if we are late.
    wait_until("it is removed", || std::fs::remove_dir_all(world.state()).is_ok());
    wait_until("it ends, so that there are never two", || !daemon.is_alive());
    starter.wait().unwrap();
}

#[test]
fn without_a_runtime_folder_each_home_has_a_daemon_of_its_own() {
    let worlds = [Sandbox::with_project(), Sandbox::with_project()];
    let shared = tempfile::tempdir().unwrap();
    let ig = |world: &Sandbox, args: &[&str]| {
        let mut command = world.command("ig");
        command.args(args).env_remove("XDG_RUNTIME_DIR").env("TMPDIR", shared.path());
        succeed(&command.output().unwrap(), args)
    };
    for world in &worlds {
        ig(world, &["daemon", "start"]);
    }
    ig(&worlds[1], &["daemon", "register", "somebody"]);
    assert_eq!(ig(&worlds[0], &["daemon", "agents"]), "");
    assert!(ig(&worlds[1], &["daemon", "agents"]).contains("somebody"));
    assert_ne!(worlds[0].daemon_pid(), worlds[1].daemon_pid());
}
