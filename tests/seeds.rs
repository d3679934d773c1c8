//! The command lines of the documents that this product implements, as they are written there,
//! under both names of the program, against a live daemon.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::{Sandbox, stdout, succeed, tool, wait_until};

/// "CLI Commands" 1 and 2.
const GENERATE: &str = r#"
idlergear run generate-script django-dev "python manage.py runserver" \
    --venv ./venv \
    --requirement django \
    --env DJANGO_SETTINGS_MODULE=settings \
    --stream-logs
idlergear run generate-script test "pytest -v --cov" \
    --requirement pytest \
    --requirement pytest-cov
idlergear run generate-script worker "celery -A app worker" \
    --venv ./venv \
    --requirement celery \
    --env CELERY_BROKER_URL=redis://localhost:6379
idlergear run generate-script test "pytest -v" --template pytest
idlergear run generate-script dev "python manage.py runserver" --template django-dev
idlergear run generate-script api "uvicorn main:app" --template fastapi-dev
"#;

/// "Daemon Registration": a script that does it all by itself, in the program's own words.
const REGISTRATION: &str = r#"
set -euo pipefail
AGENT_NAME=by-hand AGENT_TYPE=dev-script SCRIPT_NAME=by-hand.sh
AGENT_ID=$(idlergear daemon register "$AGENT_NAME" \
    --type "$AGENT_TYPE" \
    --metadata "{\"script\": \"$SCRIPT_NAME\", \"pid\": $$}")
cleanup() {
    idlergear daemon unregister "$AGENT_ID"
}
trap cleanup EXIT INT TERM
idlergear daemon agents
"#;

/// "Helper Functions", in a script that sources the library.
const HELPERS: &str = r#"
set -euo pipefail
source "$(ig lib --path)"
idlergear_register helpers
idlergear_send "Database migration complete"
idlergear_log "Processing batch 5/10"
idlergear_status "busy"
touch registered
until [ -e done ]; do sleep 0.05; done
"#;

/// "Real-World Workflow".
const WORKFLOW: &str = r#"
idlergear run generate-script backend "python manage.py runserver" \
    --template django-dev --stream-logs
idlergear run generate-script frontend "npm run dev" \
    --env NODE_ENV=development --stream-logs
idlergear run generate-script worker "celery -A app worker" \
    --requirement celery --stream-logs
"#;

/// A script as the document has it, or with `ig` for `idlergear` where a command starts.
fn under(name: &str, script: &str) -> String {
    script
        .replace("idlergear run", &format!("{name} run"))
        .replace("idlergear daemon", &format!("{name} daemon"))
}

fn bash(world: &Sandbox, script: &str) -> String {
    succeed(&world.bash(script), &[script])
}

/// A project with a server, a front end and a worker of its own.
fn shop() -> Sandbox {
    let world = Sandbox::with_project();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/django/.");
    assert!(
        Command::new("cp").arg("-R").arg(example).arg(world.project()).status().unwrap().success()
    );
    // The document's command names no port. The usual one may be taken on this machine.
    let own_port = format!(
        "from django.core.management.commands.runserver import Command\n\
         Command.default_port = '{}'\n",
        support::free_port()
    );
    world.write(
        "manage.py",
        &world.read("manage.py").replace("\nif __name__", &(own_port + "\nif __name__")),
    );
    world.write("package.json", r#"{"scripts": {"dev": "node dev.js"}}"#);
    world.write("dev.js", "console.log('front end up');\nsetInterval(() => {}, 1000);\n");
    world.write("app.py", "from celery import Celery\n\napp = Celery('app', broker='memory://')\n");
    world
}

/// A generated script in "another terminal".
fn terminal(world: &Sandbox, script: &str) -> Child {
    let mut command = world.command(script);
    support::let_python_install(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn agents(world: &Sandbox) -> Vec<String> {
    let listing = world.json(&["daemon", "agents", "--json"]);
    let name = |agent: &serde_json::Value| agent["name"].as_str().unwrap().to_owned();
    listing["agents"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn every_generate_line_makes_its_script() {
    for name in ["idlergear", "ig"] {
        let world = Sandbox::with_project();
        bash(&world, &format!("set -e\n{}", under(name, GENERATE)));
        let script = world.read("scripts/django-dev.sh");
        for part in [
            "python manage.py runserver \"$@\"",
            "django",
            "DJANGO_SETTINGS_MODULE='settings'",
            "--stream",
        ] {
            assert!(script.contains(part), "no {part} in\n{script}");
        }
        assert!(
            world.read("scripts/worker.sh").contains("CELERY_BROKER_URL='redis://localhost:6379'")
        );
        assert!(world.read("scripts/test.sh").contains("exec pytest -v \"$@\""));
        assert!(world.read("scripts/dev.sh").contains("exec python manage.py runserver \"$@\""));
        assert!(world.read("scripts/api.sh").contains("exec uvicorn main:app \"$@\""));
        for script in ["django-dev", "test", "worker", "dev", "api"] {
            let path = world.project().join(format!("scripts/{script}.sh"));
            assert!(Command::new("bash").arg("-n").arg(path).status().unwrap().success());
        }
    }
}

#[test]
fn run_start_registers_by_itself() {
    for name in ["idlergear", "ig"] {
        let world = Sandbox::with_project();
        bash(&world, &format!("{name} daemon start && {name} run start 'sleep 60' --name sleeper"));
        wait_until("it is listed", || agents(&world) == ["sleeper"]);
        world.ok(&["stop", "sleeper"]);
        wait_until("it is gone", || agents(&world).is_empty());
    }
}

#[test]
fn a_script_registers_by_hand_and_is_gone_afterwards() {
    for name in ["idlergear", "ig"] {
        let world = Sandbox::with_project();
        let listed = bash(&world, &under(name, REGISTRATION));
        assert!(listed.contains("by-hand") && listed.contains("dev-script"), "{listed}");
        wait_until("it is gone", || agents(&world).is_empty());
    }
}

#[test]
fn helpers_are_heard() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let other = bash(&world, "ig daemon register listener --metadata \"{\\\"pid\\\": $PPID}\"");
    let mut command = world.command("bash");
    let mut script = command.args(["-c", HELPERS]).spawn().unwrap();
    wait_until("it has spoken", || world.project().join("registered").exists());
    let unit = world.json(&["run", "status", "helpers", "--json"]);
    assert_eq!(unit["presence"], "busy");
    assert!(world.ok(&["daemon", "logs", "helpers"]).contains("Processing batch 5/10"));
    let messages = world.ok(&["daemon", "messages"]);
    assert!(messages.contains("Database migration complete"), "{messages}");
    world.write("done", "");
    assert!(script.wait().unwrap().success());
    world.ok(&["daemon", "unregister", other.trim()]);
    wait_until("both are gone", || agents(&world).is_empty());
}

#[test]
fn the_real_world_workflow_works() {
    if ["npm", "node", "python3"].iter().any(|name| tool(name).is_none()) {
        return;
    }
    for name in ["idlergear", "ig"] {
        let world = shop();
        bash(&world, &format!("set -e\n{}", under(name, WORKFLOW)));
        bash(&world, &format!("{name} daemon start"));
        let scripts = ["./scripts/backend.sh", "./scripts/frontend.sh", "./scripts/worker.sh"];
        let mut terminals: Vec<Child> = scripts
            .map(|script| terminal(&world, world.project().join(script).to_str().unwrap()))
            .into();
        wait_until("all three are there", || agents(&world).len() == 3);
        for (unit, word) in [
            ("backend", "Starting development server"),
            ("frontend", "front end up"),
            ("worker", "[queues]"),
        ] {
            support::wait_patiently(&format!("{unit} says {word}"), || {
                let said = world.ok(&["logs", unit]);
                let ended = terminals.iter_mut().any(|t| t.try_wait().unwrap().is_some());
                assert!(!ended || said.contains(word), "one of them has ended; {unit}:\n{said}");
                said.contains(word)
            });
        }
        bash(&world, &format!("{name} daemon send \"API schema changed, restart if needed\""));
        let queue = bash(&world, &format!("{name} daemon queue-list"));
        for part in ["backend", "frontend", "worker", "API schema changed, restart if needed"] {
            assert!(queue.contains(part), "no {part} in\n{queue}");
        }
        for unit in ["backend", "frontend", "worker"] {
            world.ok(&["stop", unit]);
        }
        for terminal in &mut terminals {
            terminal.wait().unwrap();
        }
        wait_until("nobody is left", || agents(&world).is_empty());
        assert!(stdout(&world.ig(&["daemon", "messages"])).contains("API schema changed"));
    }
}
