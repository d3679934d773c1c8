//! The daemon, driven as its users drive it: programs, scripts, and raw lines on its socket.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

#[path = "daemon/files.rs"]
mod files;
#[path = "daemon/flood.rs"]
mod flood;
#[path = "daemon/follow.rs"]
mod follow;
#[path = "daemon/life.rs"]
mod life;
#[path = "daemon/messages.rs"]
mod messages;
#[path = "daemon/raw.rs"]
mod raw;
#[path = "daemon/socket.rs"]
mod socket;
#[path = "daemon/units.rs"]
mod units;
#[path = "daemon/wire.rs"]
mod wire;

use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::Sandbox;

/// A script that registers as `name`, says its id, and sleeps; ended when dropped.
pub(crate) struct Script {
    pub(crate) child: Child,
    pub(crate) id: String,
}

impl Script {
    /// The daemon is there before: one that registering asks for, and nobody waits for, would come up
    /// in the midst of what the test does next.
    pub(crate) fn start(world: &Sandbox, name: &str) -> Self {
        world.ok(&["daemon", "start"]);
        Self::begin(world, name)
    }

    /// The same, whether there is a daemon or not.
    pub(crate) fn begin(world: &Sandbox, name: &str) -> Self {
        use std::io::{BufRead, BufReader};
        let text = format!(
            r#"ig daemon register {name} --type dev-script --metadata "{{\"pid\": $$}}"; exec sleep 600"#
        );
        let mut child = world
            .command("bash")
            .args(["-c", &text])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut id = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut id).unwrap();
        Self { child, id: id.trim().to_owned() }
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Names of the live agents of the project, in order.
pub(crate) fn names(world: &Sandbox) -> Vec<String> {
    let listing = world.json(&["daemon", "agents", "--json"]);
    assert_eq!(listing["schema"], 1);
    let name = |agent: &Value| agent["name"].as_str().unwrap().to_owned();
    listing["agents"].as_array().unwrap().iter().map(name).collect()
}

/// A child that is killed when the test is over.
pub(crate) struct Killed(pub(crate) Child);

impl Killed {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
