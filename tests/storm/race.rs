//! Fifty daemons at once, none of which asks first: the lock alone decides.

use std::process::Stdio;

use serde_json::json;

use crate::raw::Raw;
use crate::support::{Sandbox, wait_patiently, wait_until};
use crate::{Killed, all_is_well, start};

fn serve(world: &Sandbox) -> Killed {
    let mut command = world.command("ig");
    command.args(["daemon", "serve"]).stdin(Stdio::null());
    Killed::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

fn is_running(daemon: &mut Killed) -> bool {
    daemon.0.try_wait().unwrap().is_none()
}

#[test]
fn of_fifty_daemons_one_lives_whoever_was_there_before() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let unit = start(&world, "job", "until [ -e over ]; do sleep 0.05; done; exit 3");
    // The first race begins at a daemon's death, the next in the midst of one.
    world.kill_daemon();
    let mut daemons: Vec<Killed> = Vec::new();
    for round in 1..=3 {
        daemons.extend((0..50).map(|_| serve(&world)));
        if round < 3 {
            wait_until("somebody has won", || world.daemon_pid().is_some());
            world.kill_daemon();
        }
    }
    wait_patiently("one is left", || {
        daemons.iter_mut().filter_map(|daemon| is_running(daemon).then_some(())).count() == 1
    });
    let last = daemons.iter_mut().find_map(|daemon| is_running(daemon).then(|| daemon.0.id()));
    wait_until("it says that it is the one", || world.daemon_pid() == last);
    let seen = Raw::greeted(&world).ok("unit.get", &json!({ "id": unit }));
    assert_eq!(seen["status"], "running");
    world.write("over", "");
    wait_until("the end is known", || {
        Raw::greeted(&world).ok("unit.get", &json!({ "id": unit }))["exit_code"] == 3
    });
    all_is_well(&world);
    world.ok(&["daemon", "stop"]);
    wait_until("the last one has ended", || !daemons.iter_mut().any(is_running));
    assert!(!world.home().join("run/idlergear/daemon.sock").exists());
}
