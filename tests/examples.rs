//! The files under `examples/`: the tour does what the README says, and every script is clean.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use support::example::World;
use support::pty::Terminal;
use support::{succeed, tool, wait_until};

/// The tour that the README's first command ends with.
#[test]
fn the_tour_shows_the_main_job_and_leaves_nothing() {
    let Some(_) = tool("python3") else { return };
    let world = World::with("script");
    let tour = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tour.sh");
    let begun = Instant::now();
    let output = world.command(&tour).output().unwrap();
    let said = succeed(&output, &["tour.sh"]);
    eprintln!("tour: {:.1} s\n{said}", begun.elapsed().as_secs_f64());
    assert!(said.contains("{\"departures\": [") && said.contains("dev-script"), "{said}");
    world.nothing_is_left("the tour");
    assert_eq!(fs::read_dir(world.sandbox.home().join("tmp")).unwrap().count(), 0);
}

#[test]
fn ctrl_c_in_the_tour_cleans_up() {
    let Some(_) = tool("python3") else { return };
    let world = World::with("script");
    let tour = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tour.sh");
    let mut terminal = Terminal::start(world.command(tour));
    terminal.expect("$ ig-agent wait");
    wait_until("the environment is being made", || world.processes().join(" ").contains("venv"));
    terminal.send("\x03");
    let ended = terminal.end();
    assert_eq!((ended.code, ended.signal), (Some(130), None), "{}", ended.output);
    world.nothing_is_left("Ctrl-C in the tour");
    assert_eq!(fs::read_dir(world.sandbox.home().join("tmp")).unwrap().count(), 0);
}

/// Every script under `examples/` is clean, and so is what `ig gen` makes of the projects there.
#[test]
fn every_script_of_the_examples_is_clean() {
    let (Some(shellcheck), Some(shfmt)) = (tool("shellcheck"), tool("shfmt")) else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut scripts: Vec<PathBuf> = vec![root.join("tour.sh"), root.join("script/backup.sh")];
    let mut worlds = Vec::new();
    for project in ["django", "flask", "fastapi", "pytest"] {
        let world = World::with(project);
        world.sandbox.ok(&["init", "--templates", "--yes"]);
        for name in ["web", "test", "task"] {
            let profile = format!(".idlergear/profiles/{name}.toml");
            if name == "task" || world.sandbox.project().join(profile).exists() {
                world.sandbox.ok(&["gen", name]);
                scripts.push(world.sandbox.project().join(format!("scripts/{name}.sh")));
            }
        }
        worlds.push(world);
    }
    assert_eq!(scripts.len(), 2 + 4 + 4);
    for script in scripts {
        let checked = Command::new(&shellcheck).arg(&script).output().unwrap();
        succeed(&checked, &["shellcheck", script.to_str().unwrap()]);
        let formatted =
            Command::new(&shfmt).args(["-i", "2", "-ci", "-d"]).arg(&script).output().unwrap();
        succeed(&formatted, &["shfmt", script.to_str().unwrap()]);
    }
}
