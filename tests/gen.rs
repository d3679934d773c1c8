//! `ig gen` and `ig run generate-script`: every option, who wins, what is refused, what is kept.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::os::unix::fs::PermissionsExt;

use support::pty::Terminal;
use support::{Sandbox, stderr, stdout};

fn refused(world: &Sandbox, args: &[&str], code: i32) -> String {
    let output = world.ig(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{}", stderr(&output));
    assert_eq!(stdout(&output), "", "{args:?}");
    stderr(&output)
}

#[test]
fn a_script_is_made_executable_and_made_again_only_when_it_changes() {
    let world = Sandbox::new();
    let first = world.ig(&["gen", "pytest"]);
    assert_eq!(stdout(&first), "scripts/pytest.sh\n");
    assert_eq!(stderr(&first), "made: scripts/pytest.sh\n");
    let path = world.project().join("scripts/pytest.sh");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    let second = world.ig(&["gen", "pytest"]);
    assert_eq!(stderr(&second), "unchanged: scripts/pytest.sh\n");
    let third = world.ig(&["gen", "pytest", "-e", "A=1"]);
    assert_eq!(stderr(&third), "made again: scripts/pytest.sh\n");
}

#[test]
fn every_option_of_the_seeds_is_understood_by_both_commands() {
    let world = Sandbox::new();
    let options = [
        "--venv",
        "./venv",
        "--requirement",
        "django",
        "-r",
        "celery",
        "--env",
        "A=x y",
        "-e",
        "B=2",
        "--stream-logs",
        "--agent-name",
        "web",
        "--agent-type",
        "server",
        "--port",
        "9000",
        "--output",
        "made/it.sh",
    ];
    let gen_ = ["gen", "script", "dev", "--command", "python manage.py runserver"];
    let run = ["run", "generate-script", "dev", "python manage.py runserver"];
    let mut texts = Vec::new();
    for head in [&gen_[..], &run[..]] {
        let words: Vec<_> = head.iter().chain(&options).copied().collect();
        assert_eq!(world.ok(&words), "made/it.sh\n");
        texts.push(world.read("made/it.sh"));
    }
    assert_eq!(texts[0], texts[1]);
    for part in [
        "venv=$PWD/venv\n",
        "requirements=(django celery)",
        "export A='x y'",
        "export B='2'",
        "--name web --type server \\\n    --stream --",
        "PORT=${PORT:-9000}",
        "exec python manage.py runserver \"$@\"",
    ] {
        assert!(texts[0].contains(part), "{part}\n{}", texts[0]);
    }
}

#[test]
fn a_template_keeps_the_given_command_and_requirements_and_adds_its_own() {
    let world = Sandbox::new();
    let words = ["run", "generate-script", "test", "pytest -v --cov", "--template", "pytest"];
    world.ok(&[&words[..], &["-r", "pytest-cov", "-e", "X=1"]].concat());
    let text = world.read("scripts/test.sh");
    assert!(text.contains("requirements=(pytest pytest-cov)"), "{text}");
    assert!(text.contains("exec pytest -v --cov \"$@\""), "{text}");
    let words = ["run", "generate-script", "api", "uvicorn main:app", "--template", "fastapi-dev"];
    world
        .ok(&[&words[..], &["-e", "PYTHONUNBUFFERED=0", "-e", "Y=2", "-r", "fastapi==0.1"]]
            .concat());
    let text = world.read("scripts/api.sh");
    assert!(text.contains("export PYTHONUNBUFFERED='0'\nexport Y='2'\n"), "{text}");
    assert!(text.contains("requirements=('uvicorn[standard]' fastapi==0.1)"), "{text}");
    assert!(!text.contains("PORT=$(idlergear_port"), "the given command has no port: {text}");
}

#[test]
fn several_words_are_a_program_and_its_arguments() {
    let world = Sandbox::new();
    world.ok(&[
        "run",
        "generate-script",
        "x",
        "-o",
        "x.sh",
        "--no-register",
        "--",
        "printf",
        "%s|",
        "a b",
        "$(id)",
        "it's",
    ]);
    let output = world.bash("PATH=/usr/bin:/bin ./x.sh tail");
    assert_eq!(stdout(&output), "a b|$(id)|it's|tail|");
}

#[test]
fn the_strongest_word_wins_and_show_says_whose_it_was() {
    let world = Sandbox::with_project();
    world.write(
        ".idlergear/profiles/base.toml",
        "template = 'django-dev'\nvenv = '.v'\nport = 8100\n[env]\nA = '1'\nB = '1'\n",
    );
    world.write(".idlergear/profiles/web.toml", "extends = 'base'\nabout = 'the shop'\nport = 8200\n[env]\nB = '2'\n[agent]\nname = 'shop'\n");
    let shown = world.ok(&["gen", "--show", "web", "-e", "B=3", "--port", "9000"]);
    for line in [
        "web: the shop",
        "template django-dev built-in",
        "venv .v profile .idlergear/profiles/base.toml",
        "port 9000 flag",
        "env.A 1 profile .idlergear/profiles/base.toml",
        "env.B 3 flag",
        "env.PYTHONUNBUFFERED 1 template django-dev",
        "agent.name shop profile .idlergear/profiles/web.toml",
        "agent.type dev-script default",
        "requirements django template django-dev",
        "vars.manage manage.py template django-dev",
    ] {
        let has = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ") == line;
        assert!(shown.lines().any(has), "{line}\n{shown}");
    }
    let json = world.json(&["gen", "--show", "web", "--json"]);
    let port = json["values"].as_array().unwrap().iter().find(|v| v["key"] == "port").unwrap();
    assert_eq!(port["value"], "8200");
    assert_eq!(port["origin"], "profile .idlergear/profiles/web.toml");
}

#[test]
fn a_profile_fills_in_every_key() {
    let world = Sandbox::new();
    world.write(
        "../.config/idlergear/profiles/all.toml",
        "template = 'flask-dev'\nvenv = '~/v'\nrequirements = ['x y']\nstream_logs = true\nport = 4\n\
         agent = 'me'\n[env]\nP = { expand = '${HOME}/$x' }\nN = 3\n[vars]\napp = 'my:app'\n",
    );
    let text = world.ok(&["gen", "all", "--stdout"]);
    for part in [
        "venv=$HOME/v\n",
        "requirements=(flask 'x y')",
        "export P=\"${HOME}/\\$x\"",
        "export N='3'",
        "--name me --type dev-script \\\n    --stream --",
        "PORT=${PORT:-4}",
        "exec python -m flask --app my:app --debug run",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let text = world.ok(&["gen", "all", "--stdout", "--no-stream-logs", "--command", "flask run"]);
    assert!(!text.contains("--stream ") && text.contains("exec flask run \"$@\""));
}

#[test]
fn shadowing_is_announced_and_a_shadow_can_extend_what_it_hides() {
    let world = Sandbox::new();
    let templates = "../.config/idlergear/templates";
    world.write(
        &format!("{templates}/pytest.sh.j2"),
        "#%# about: ours\n#% extends \"pytest.sh.j2\"\n#% block command\n# ours\n{{ super() }}\n#% endblock\n",
    );
    let output = world.ig(&["gen", "pytest"]);
    assert!(
        stderr(&output).contains("`pytest` hides the built-in template"),
        "{}",
        stderr(&output)
    );
    let text = world.read("scripts/pytest.sh");
    assert!(text.contains("# ours\n") && text.contains("exec python -m pytest"), "{text}");
    world.write(
        "../.config/idlergear/profiles/pytest.toml",
        "template = 'script'\ncommand = 'true'\n",
    );
    let output = world.ig(&["gen", "pytest", "--stdout"]);
    assert!(stderr(&output).contains("hides the user template and the built-in template"));
    assert!(stdout(&output).contains("exec true \"$@\""));
}

#[test]
fn the_list_is_for_people_and_for_programs() {
    let world = Sandbox::new();
    world.write("../.config/idlergear/profiles/web.toml", "template = 'django-dev'\n");
    let list = world.ok(&["gen", "--list"]);
    assert!(list.starts_with("Profiles\n  web"), "{list}");
    assert!(list.contains("  django-dev   the Django development server"), "{list}");
    assert!(!list.contains("_base"));
    let json = world.json(&["gen", "--list", "--json"]);
    assert_eq!(json["templates"].as_array().unwrap().len(), 6);
    assert_eq!(json["profiles"][0]["source"], "user");
}

#[test]
fn check_and_update_know_every_script_of_the_project() {
    let world = Sandbox::new();
    world.write("../.config/idlergear/profiles/web.toml", "template = 'pytest'\n");
    world.ok(&["gen", "web", "-e", "A=1\n2"]);
    world.ok(&["gen", "script", "x", "--command", "npm run dev", "-o", "deep/er/run me"]);
    world.write("scripts/mine.sh", "#!/bin/bash\n");
    let check = world.ig(&["gen", "--check"]);
    assert!(check.status.success());
    assert_eq!(stdout(&check), "");
    assert_eq!(stderr(&check), "fresh: deep/er/run me\nfresh: scripts/web.sh\n");
    world.write("../.config/idlergear/profiles/web.toml", "template = 'pytest'\nport = 1234\n");
    let check = world.ig(&["gen", "--check"]);
    assert_eq!(check.status.code(), Some(1));
    assert!(stdout(&check).contains("+PORT=${PORT:-1234}"), "{}", stdout(&check));
    let json: serde_json::Value =
        serde_json::from_slice(&world.ig(&["gen", "--check", "--json"]).stdout).unwrap();
    assert_eq!(json["scripts"][1]["state"], "stale");
    let update = world.ig(&["gen", "--update"]);
    assert_eq!(stderr(&update), "unchanged: deep/er/run me\nmade again: scripts/web.sh\n");
    assert!(world.ig(&["gen", "--check"]).status.success());
    assert!(world.read("scripts/web.sh").contains("export A='1\n2'"));
    assert!(world.ig(&["gen", "web", "-e", "A=1\n2", "--check"]).status.success());
    assert_eq!(world.ig(&["gen", "web", "--check"]).status.code(), Some(1));
}

#[test]
fn hand_edits_are_refused_and_kept_lines_survive() {
    let world = Sandbox::new();
    world.ok(&["gen", "pytest"]);
    let text = world.read("scripts/pytest.sh").replace("# ig:end", "ulimit -n 4096\n# ig:end");
    world.write("scripts/pytest.sh", &text);
    world.ok(&["gen", "pytest", "-e", "A=1"]);
    let kept = world.read("scripts/pytest.sh");
    assert!(kept.contains("# ig:keep\nulimit -n 4096\n# ig:end") && kept.contains("export A='1'"));
    world.write("scripts/pytest.sh", &kept.replace("-ra", "-rA"));
    let told = refused(&world, &["gen", "pytest"], 1);
    assert!(told.contains("-exec python -m pytest -q -rA"), "{told}");
    assert!(told.contains("`scripts/pytest.sh` was edited since ig wrote it"), "{told}");
    assert_eq!(world.ig(&["gen", "--update"]).status.code(), Some(1));
    assert!(world.read("scripts/pytest.sh").contains("-rA"));
    world.ok(&["gen", "pytest", "--force"]);
    let forced = world.read("scripts/pytest.sh");
    assert!(!forced.contains("-rA") && forced.contains("ulimit -n 4096"));
}

#[test]
fn a_file_that_ig_did_not_write_is_left_alone() {
    let world = Sandbox::new();
    world.write("scripts/pytest.sh", "#!/bin/bash\necho mine\n");
    let told = refused(&world, &["gen", "pytest"], 1);
    assert!(told.contains("-echo mine") && told.contains("was not written by ig"), "{told}");
    assert_eq!(world.read("scripts/pytest.sh"), "#!/bin/bash\necho mine\n");
    let diff = world.ok(&["gen", "pytest", "--diff"]);
    assert!(diff.contains("-echo mine"));
    assert_eq!(world.read("scripts/pytest.sh"), "#!/bin/bash\necho mine\n");
    world.ok(&["gen", "pytest", "--force"]);
    assert!(world.read("scripts/pytest.sh").contains("ig:made"));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_written() {
    let world = Sandbox::new();
    let long = format!("template = 'pytest'\nenv.A = '{}'\n", "x".repeat(131_070));
    world.write("../.config/idlergear/profiles/long.toml", &long);
    for (args, said) in [
        (&["gen", "djagno-dev"][..], "`django-dev`"),
        (&["gen", "../etc", "x"], "no name for a template"),
        (&["gen"], "which template or profile?"),
        (&["gen", "script"], "needs a command"),
        (&["gen", "script", "x", "--command", " "], "the command is empty"),
        (&["gen", "pytest", "../x"], "has a slash"),
        (&["gen", "pytest", ".x"], "starts with `-` or `.`"),
        (&["gen", "pytest", ""], "is empty"),
        (&["gen", "pytest", "a\nb"], "control character"),
        (&["gen", "pytest", "-e", "1A=x"], "no name for a variable"),
        (&["gen", "pytest", "-e", "A"], "has no `=`"),
        (&["gen", "pytest", "-e", "UID=0"], "`UID` belongs to bash"),
        (&["gen", "pytest", "-e", "RANDOM=0"], "`RANDOM` belongs to bash"),
        (&["gen", "pytest", "-e", "BASH_ENV=x"], "`BASH_ENV` belongs to bash"),
        (&["gen", "pytest", "-e", "IDLERGEAR_RUN_ID=x"], "belongs to ig"),
        (&["gen", "pytest", "-r=-e ."], "cannot start with `-`"),
        (&["gen", "pytest", "-r", ""], "a requirement is empty"),
        (&["gen", "long"], "has 131070 bytes, 131069 at most"),
        (&["gen", "pytest", "-e", "A=x\n# ig:end"], "marks ig's own lines"),
        (&["gen", "pytest", "--port", "0"], "0"),
        (&["gen", "pytest", "--port", "70000"], "70000"),
        (&["gen", "pytest", "--set", "x=1"], "no variable `x`"),
        (&["gen", "flask-dev", "--set", "ap=1"], "`app`"),
        (&["gen", "pytest", "--agent-name", ""], "agent"),
        (&["gen", "pytest", "--venv", ""], "the venv is empty"),
        (&["gen", "pytest", "-o", "x\ny.sh"], "no path"),
        (&["run", "generate-script", "x"], "which command"),
    ] {
        let told = refused(&world, args, 2);
        assert!(told.contains(said), "{args:?}\n{told}");
    }
    assert_eq!(std::fs::read_dir(world.project()).unwrap().count(), 0);
}

#[test]
fn mistakes_in_profiles_and_templates_are_told_with_file_and_line() {
    let world = Sandbox::new();
    let config = "../.config/idlergear";
    for (name, text, said) in [
        ("profiles/a.toml", "template = 'pytest'\nvenvv = 'x'\n", "a.toml:2\n  try: `venv`"),
        ("profiles/b.toml", "port = 'x'\n", "b.toml:1"),
        ("profiles/c.toml", "template = 'flask-dev'\n[vars]\nap = 'x'\n", "c.toml:3\n  try: `app`"),
        ("profiles/d.toml", "extends = 'd'\n", "`d`, which is unknown"),
        ("profiles/e.toml", "extends = 'f'\n", "extends `f`, which is unknown"),
        ("profiles/g.toml", "template = 'pytset'\n", "`pytest`"),
        ("profiles/h.toml", "[env]\nPPID = '1'\n", "h.toml:2"),
        ("templates/i.sh.j2", "#!/bin/bash\necho {{ comand }}\n", "i.sh.j2:2\n  try: `command`"),
        ("templates/j.sh.j2", "#%# abuot: x\n", "j.sh.j2:1\n  try: `about`"),
        ("templates/k.sh.j2", "#% extends \"../../x\"\n", "k.sh.j2:1"),
        ("templates/l.sh.j2", "#% for x in\n", "l.sh.j2:1"),
    ] {
        world.write(&format!("{config}/{name}"), text);
        let stem = std::path::Path::new(name).file_name().unwrap().to_str().unwrap();
        let output = world.ig(&["gen", stem.split('.').next().unwrap(), "--command", "x"]);
        assert!(!output.status.success());
        assert!(stderr(&output).contains(said), "{name}\n{}", stderr(&output));
    }
    assert_eq!(std::fs::read_dir(world.project()).unwrap().count(), 0);
}

#[test]
fn run_hands_over_to_the_script_with_its_arguments() {
    let world = Sandbox::new();
    let words = [
        "gen",
        "script",
        "x",
        "--no-register",
        "--command",
        "printf '%s|'",
        "--run",
        "--",
        "a b",
        "-c",
    ];
    let output = world.ig(&words);
    assert_eq!(stdout(&output), "a b|-c|");
    let words = ["gen", "script", "y", "--no-register", "--command", "exit 7", "--run"];
    assert_eq!(world.ig(&words).status.code(), Some(7));
}

#[test]
fn a_projects_profile_is_read_by_anyone_but_used_only_when_trusted() {
    let world = Sandbox::with_project();
    world.write(".idlergear/profiles/web.toml", "template = 'script'\ncommand = 'id'\n");
    assert!(world.ok(&["gen", "web", "--stdout"]).contains("exec id \"$@\""));
    assert!(world.ok(&["gen", "web", "--diff"]).contains("+exec id"));
    world.ok(&["gen", "--show", "web"]);
    let told = refused(&world, &["gen", "web"], 1);
    assert!(told.contains(".idlergear/profiles/web.toml") && told.contains("ig trust"), "{told}");
    assert!(!world.project().join("scripts").exists());
}

#[test]
fn a_yes_on_the_terminal_lets_a_projects_profile_be_used() {
    let world = Sandbox::with_project();
    world.write(".idlergear/profiles/web.toml", "template = 'ours'\ncommand = 'id'\n");
    world.write(".idlergear/templates/ours.sh.j2", "#% extends \"_base.sh.j2\"\n");
    let mut command = world.command("ig");
    command.args(["gen", "web"]);
    let mut terminal = Terminal::start(command);
    terminal.expect("[y/N]");
    terminal.send("y\n");
    assert_eq!(terminal.end().code, Some(0));
    assert!(world.read("scripts/web.sh").contains("exec id"));
    world.ok(&["gen", "web"]);
    world.write(".idlergear/templates/ours.sh.j2", "#% extends \"_base.sh.j2\"\n# more\n");
    refused(&world, &["gen", "web"], 1);
}

#[test]
fn inside_a_project_the_script_is_the_projects_and_a_venv_is_meant_from_here() {
    let world = Sandbox::with_project();
    world.write("app/x", "");
    let mut command = world.command("ig");
    command.current_dir(world.project().join("app"));
    let output = command.args(["gen", "pytest", "--venv", "v"]).output().unwrap();
    assert_eq!(
        stdout(&output).trim(),
        world.project().join("scripts/pytest.sh").display().to_string()
    );
    assert!(world.read("scripts/pytest.sh").contains("venv=$PWD/app/v\n"));
}
