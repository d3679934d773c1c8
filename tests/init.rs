//! `ig init`: fits `.idlergear/` to a project, never touches what is there, and can be taken back.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use support::pty::Terminal;
use support::{Sandbox, stderr};

const MANAGE: &str = "from django.core.management import execute_from_command_line\n";

fn django() -> Sandbox {
    let world = Sandbox::new();
    world.write("manage.py", MANAGE);
    world
}

/// Every file below `dir` with its text, sorted.
fn snapshot(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            files.push((path.clone(), fs::read(&path).unwrap_or_default()));
        }
    }
    files.sort();
    files
}

fn names(world: &Sandbox) -> Vec<String> {
    let base = world.project().join(".idlergear");
    let short = |(path, _): &(PathBuf, _)| path.strip_prefix(&base).unwrap().display().to_string();
    snapshot(&base).iter().map(short).collect()
}

fn profile(world: &Sandbox, name: &str) -> toml::Table {
    toml::from_str(&world.read(&format!(".idlergear/profiles/{name}.toml"))).unwrap()
}

#[test]
fn the_plan_and_the_next_steps_are_told() {
    let world = django();
    let root = world.project().canonicalize().unwrap();
    assert_eq!(
        world.ok(&["init"]),
        format!(
            "project {}\n
  new    .idlergear/.gitignore         keeps runs out of git
  new    .idlergear/profiles/web.toml  Django: manage.py

wrote 2 files; what ig wrote itself is trusted

next:
  ig gen web --run          write scripts/web.sh and run it
  ig daemon agents          see it from any other terminal
  ig logs web               read what it said
",
            root.display()
        )
    );
    assert_eq!(profile(&world, "web")["template"].as_str(), Some("django-dev"));
    assert_eq!(world.ok(&["trust"]), "the one file of this project is trusted\n");
}

#[test]
fn each_kind_of_project_gets_its_profile() {
    let world = Sandbox::new();
    world.write("back/manage.py", MANAGE);
    world.write("shop/__init__.py", "from flask import Flask\n");
    world.write("app/main.py", "from fastapi import FastAPI\n\nservice = FastAPI()\n");
    world.write("tests/test_shop.py", "");
    world.write("notes/plot.ipynb", "{}");
    world.write("package.json", r#"{"scripts": {"dev": "vite", "test": "vitest", "x": "y"}}"#);
    world.write("pnpm-lock.yaml", "");
    world.write("venv/pyvenv.cfg", "");
    world.ok(&["init"]);
    let expected = [
        ("web", "django-dev", Some(("manage", "back/manage.py")), None),
        ("flask", "flask-dev", Some(("app", "shop")), None),
        ("fastapi", "fastapi-dev", Some(("app", "app.main:service")), None),
        ("test", "pytest", None, None),
        ("lab", "jupyter", None, None),
        ("dev", "script", None, Some("pnpm run dev")),
        ("node-test", "script", None, Some("pnpm run test")),
    ];
    for (name, template, var, command) in expected {
        let profile = profile(&world, name);
        assert_eq!(profile["template"].as_str(), Some(template));
        assert_eq!(profile.get("command").and_then(|c| c.as_str()), command);
        let venv = (template != "script").then_some("venv");
        assert_eq!(profile.get("venv").and_then(|v| v.as_str()), venv);
        if let Some((key, value)) = var {
            assert_eq!(profile["vars"][key].as_str(), Some(value));
        }
    }
    assert_eq!(names(&world).len(), expected.len() + 1);
}

#[test]
fn a_dry_run_writes_nothing_at_all() {
    let world = django();
    let before = snapshot(world.home());
    let plan = world.ok(&["init", "--templates", "--dry-run"]);
    assert!(plan.contains("new    .idlergear/templates/task.sh.j2"), "{plan}");
    assert!(plan.ends_with("nothing written: this is a dry run\n"), "{plan}");
    assert_eq!(snapshot(world.home()), before);
}

#[test]
fn running_it_again_changes_nothing_and_says_so() {
    let world = django();
    world.ok(&["init", "--templates"]);
    let before = snapshot(world.home());
    world.write("deep/er/x", "");
    fs::remove_dir_all(world.project().join("deep")).unwrap();
    let again = world.ok(&["init", "--templates"]);
    assert!(again.ends_with("\nnothing to do: all of it is there\n"), "{again}");
    assert_eq!(snapshot(world.home()), before);
}

#[test]
fn it_knows_the_project_from_a_folder_below() {
    let world = django();
    world.ok(&["init"]);
    world.write("deep/er/x", "");
    let mut command = world.command("ig");
    let output = command.arg("init").current_dir(world.project().join("deep/er")).output().unwrap();
    assert!(output.status.success());
    assert!(!world.project().join("deep/er/.idlergear").exists());
}

#[test]
fn what_is_there_is_never_written_over_nor_trusted() {
    let world = django();
    let mine = "template = \"script\"\ncommand = \"touch pwned\"\n";
    world.write(".idlergear/profiles/web.toml", mine);
    let said = world.ok(&["init"]);
    assert!(said.contains("yours  .idlergear/profiles/web.toml"), "{said}");
    assert_eq!(world.read(".idlergear/profiles/web.toml"), mine);
    assert_eq!(world.ig(&["trust"]).status.code(), Some(1));
}

#[test]
fn undo_takes_back_what_nobody_changed() {
    let world = django();
    let before = snapshot(&world.project());
    world.ok(&["init", "--templates"]);
    let undone = world.ok(&["init", "--undo"]);
    assert!(undone.ends_with("removed 3 files\n"), "{undone}");
    assert_eq!(snapshot(&world.project()), before);
    assert!(!world.project().join(".idlergear").exists());
    assert_eq!(snapshot(&world.state().join("trust")), []);
}

#[test]
fn undo_keeps_what_is_yours_and_the_ignore_file_with_it() {
    let world = django();
    world.ok(&["init", "--templates"]);
    let edited = world.read(".idlergear/profiles/web.toml") + "port = 9000\n";
    world.write(".idlergear/profiles/web.toml", &edited);
    world.write(".idlergear/runs/b1/stdout.log", "");
    let undone = world.ok(&["init", "--undo"]);
    assert!(undone.contains("removed 1 file\n") && undone.contains("kept .idlergear"), "{undone}");
    assert_eq!(names(&world), [".gitignore", "profiles/web.toml", "runs/b1/stdout.log"]);
    assert!(world.ok(&["init", "--undo"]).starts_with("nothing to undo"));
}

#[test]
fn git_sees_profiles_and_never_runs() {
    let Some(_) = support::tool("git") else { return };
    let world = django();
    world.ok(&["init", "--templates"]);
    for name in ["runs/b1/stdout.log", "state.db", "profiles/mine.toml", "config.toml"] {
        world.write(&format!(".idlergear/{name}"), "");
    }
    let listed = world.bash("git init -q . && git ls-files --others --exclude-standard .idlergear");
    assert_eq!(
        support::succeed(&listed, &["git"]),
        ".idlergear/.gitignore\n.idlergear/config.toml\n.idlergear/profiles/mine.toml\n\
         .idlergear/profiles/web.toml\n.idlergear/templates/task.sh.j2\n"
    );
}

#[test]
fn it_asks_on_a_terminal_and_takes_no_for_an_answer() {
    let world = django();
    for (answer, there) in [("n\n", false), ("\x04", false), ("\n", true)] {
        let mut command = world.command("ig");
        command.arg("init");
        let mut terminal = Terminal::start(command);
        terminal.expect("[Y/n]");
        terminal.send(answer);
        assert_eq!(terminal.end().code, Some(0));
        assert_eq!(world.project().join(".idlergear").exists(), there, "{answer:?}");
    }
}

#[test]
fn home_and_the_root_are_no_projects() {
    let world = Sandbox::new();
    for dir in [world.home(), Path::new("/")] {
        let output = world.command("ig").arg("init").current_dir(dir).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("cannot be a project"), "{}", stderr(&output));
    }
}

#[test]
fn a_hostile_project_gets_no_say() {
    let world = Sandbox::new();
    let elsewhere = world.home().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("manage.py"), MANAGE).unwrap();
    symlink(&elsewhere, world.project().join("linked")).unwrap();
    symlink(elsewhere.join("manage.py"), world.project().join("manage.py")).unwrap();
    symlink("/dev/zero", world.project().join("app.py")).unwrap();
    assert!(world.bash("mkfifo main.py pyproject.toml").status.success());
    for dir in ["$(touch pwned)", "a\nb = 1", "x'\"\"\"y", "-rf"] {
        world.write(&format!("{dir}/manage.py"), MANAGE);
        world.write(&format!("{dir}/main.py"), "from fastapi import FastAPI\nx = FastAPI()\n");
    }
    world.write("package.json", "{\"scripts\": {\"dev\": \"x\", \"$(touch pwned)\": \"y\"}}");
    world.ok(&["init"]);
    assert_eq!(names(&world), [".gitignore", "profiles/dev.toml"]);
    assert_eq!(profile(&world, "dev")["command"].as_str(), Some("npm run dev"));
    assert!(!world.project().join("pwned").exists());
}

#[test]
fn links_in_place_of_its_folders_are_refused() {
    for (name, told) in [(".idlergear", "is a link"), (".idlergear/profiles", "is no folder")] {
        let world = django();
        let outside = world.home().join("outside");
        fs::create_dir(&outside).unwrap();
        let link = world.project().join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&outside, &link).unwrap();
        let refused = world.ig(&["init"]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains(told), "{}", stderr(&refused));
        assert_eq!(snapshot(&outside), []);
    }
}

#[test]
fn a_huge_project_is_no_trouble() {
    let world = django();
    let made = world.bash("mkdir many && cd many && seq 20000 | xargs touch && mkdir -p a/b/c/d/e");
    assert!(made.status.success());
    world.write("tests/test_a.py", &"#".repeat(10_000_000));
    world.ok(&["init"]);
    assert_eq!(names(&world), [".gitignore", "profiles/test.toml", "profiles/web.toml"]);
}

#[test]
fn files_are_private_whatever_the_umask() {
    let world = django();
    assert!(world.bash("umask 000; ig init").status.success());
    let mode =
        |name: &str| fs::metadata(world.project().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(".idlergear"), 0o700);
    assert_eq!(mode(".idlergear/profiles/web.toml"), 0o600);
}

#[test]
fn what_it_wrote_can_be_generated_at_once_and_runs() {
    let world = django();
    world.write("tests/test_a.py", "");
    world.ok(&["init", "--templates"]);
    for name in ["web", "test", "task"] {
        world.ok(&["gen", name]);
    }
    let mut task = world.command("bash");
    task.args(["scripts/task.sh", "+done"]).env("IDLERGEAR_NO_AUTOSTART", "1");
    let output = task.output().unwrap();
    assert_eq!(support::succeed(&output, &["task.sh"]), "done\n");
    assert!(stderr(&output).contains("hello"), "{}", stderr(&output));
}
