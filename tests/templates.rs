//! Every built-in template over the product of options: linted, formatted, run for real, and shown
//! to a reviewer as a snapshot.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::{Sandbox, stderr, stdout, tool};

const TEMPLATES: [&str; 6] =
    ["django-dev", "fastapi-dev", "flask-dev", "jupyter", "pytest", "script"];

/// Options that are on or off, each one a list of words.
const SWITCHES: [&[&str]; 6] = [
    &["--venv", "./my venv"],
    &["-r", "wheel==1", "-r", "dev/extra.txt"],
    &["-e", "GREETING=it's $(id)"],
    &["--stream-logs"],
    &["--no-register"],
    &["--port", "18734"],
];

/// A command that needs no shell and one that does.
const COMMANDS: [&[&str]; 2] =
    [&["--command", r"printf '%s\n' ran"], &["--command", r#"printf '%s\n' ran && test "$0""#]];

/// Every combination of options, as words after `ig gen TEMPLATE NAME`.
fn combinations() -> Vec<Vec<&'static str>> {
    let mut all = Vec::new();
    for bits in 0..1 << SWITCHES.len() {
        let on = SWITCHES.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
        let words: Vec<_> = on.flat_map(|(_, words)| words.iter().copied()).collect();
        all.push(words);
    }
    all
}

fn generate(world: &Sandbox, template: &str, name: &str, words: &[&str]) -> String {
    let head = ["gen", template, name, "--stdout"];
    world.ok(&head.iter().chain(words).copied().collect::<Vec<_>>())
}

/// All scripts of the sweep, in one folder.
fn sweep(world: &Sandbox) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for template in TEMPLATES {
        for (index, words) in combinations().iter().enumerate() {
            let command = COMMANDS[index % 2];
            let own = template != "script" && index % 3 == 0;
            let command: &[&str] = if own { &[] } else { command };
            let words: Vec<_> = words.iter().chain(command).copied().collect();
            let name = format!("{template}-{index}");
            let text = generate(world, template, &name, &words);
            paths.push(world.write(&format!("scripts/{name}.sh"), &text));
        }
    }
    paths
}

fn clean(output: &Output, tool: &str) {
    let (out, err) = (stdout(output), stderr(output));
    assert!(output.status.success() && out.is_empty() && err.is_empty(), "{tool}\n{out}\n{err}");
}

#[test]
fn every_script_is_lint_free_and_formatted() {
    let world = Sandbox::new();
    let scripts = sweep(&world);
    assert_eq!(scripts.len(), TEMPLATES.len() * 64);
    for script in &scripts {
        clean(&Command::new("bash").arg("-n").arg(script).output().unwrap(), "bash -n");
    }
    if let Some(shellcheck) = tool("shellcheck") {
        clean(&Command::new(shellcheck).args(&scripts).output().unwrap(), "shellcheck");
    }
    if let Some(shfmt) = tool("shfmt") {
        let mut shfmt = Command::new(shfmt);
        clean(&shfmt.args(["-i", "2", "-d"]).args(&scripts).output().unwrap(), "shfmt");
    }
}

/// A `bin` folder with what scripts need from outside and nothing of ig: pip and uv that only tell
/// what they were asked, a venv that costs nothing. It is made once in a world.
fn stubs(world: &Sandbox) -> PathBuf {
    let folder = world.home().join("stubs");
    if folder.exists() {
        return folder;
    }
    let python = "#!/bin/bash\n\
        if [ \"$1 $2\" = '-m venv' ]; then mkdir -p \"$3/bin\" && cp \"$0\" \"$3/bin/python\" && cp \"$0\" \"$3/bin/pip\" && touch \"$3/pyvenv.cfg\"; exit; fi\n\
        if [ \"$1 $2\" = '-m pip' ]; then printf '%s\\n' \"pip: ${*:3}\" >>\"$HOME/pip.log\"; exit; fi\n\
        printf 'python:'; printf ' %s' \"$@\"; echo\n";
    world.program("../stubs/python3", python);
    folder
}

/// Runs a script from `/` with no ig on PATH.
fn run_alone(world: &Sandbox, script: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(script);
    world.enter(&mut command);
    let path = format!("{}:/usr/bin:/bin", stubs(world).display());
    command.env("PATH", path).current_dir("/").args(args).stdin(Stdio::null()).output().unwrap()
}

fn write_script(world: &Sandbox, name: &str, words: &[&str]) -> PathBuf {
    let head = ["gen"].iter().chain(words).copied().collect::<Vec<_>>();
    world.ok(&head);
    world.project().join(format!("scripts/{name}.sh"))
}

#[test]
fn every_script_runs_without_ig_from_any_folder() {
    let world = Sandbox::new();
    world.write("dev/extra.txt", "rich\n");
    for template in TEMPLATES {
        for (index, words) in combinations().iter().enumerate() {
            let command = COMMANDS[index % 2];
            let name = format!("{template}-{index}");
            let mut all = vec!["gen", template, &name];
            all.extend(words.iter().chain(command));
            world.ok(&all);
            let script = world.project().join(format!("scripts/{name}.sh"));
            let output = run_alone(&world, &script, &[]);
            assert_eq!(stdout(&output), "ran\n", "{all:?}\n{}", stderr(&output));
            let told = stderr(&output);
            let is_set_up =
                |line: &str| line.starts_with("setting up ") && line.contains("minutes");
            assert!(told.lines().all(is_set_up) && told.lines().count() < 2, "{all:?}\n{told}");
            assert!(output.status.success());
        }
    }
}

/// With ig there: the same output, and a run on record.
#[test]
fn every_script_runs_under_ig() {
    let world = Sandbox::with_project();
    world.write("dev/extra.txt", "rich\n");
    let stubs = stubs(&world);
    for template in TEMPLATES {
        for (index, words) in combinations().iter().enumerate().step_by(13) {
            let name = format!("{template}-{index}");
            let mut all = vec!["gen", template, &name];
            all.extend(words.iter().chain(COMMANDS[index % 2]));
            world.ok(&all);
            let mut command = world.command("bash");
            let path =
                format!("{}:{}:/usr/bin:/bin", stubs.display(), Sandbox::bin_dir().display());
            command.env("PATH", path).env("IDLERGEAR_NO_DAEMON", "1").current_dir("/");
            command.arg(world.project().join(format!("scripts/{name}.sh")));
            let output = command.stdin(Stdio::null()).output().unwrap();
            assert_eq!(stdout(&output), "ran\n", "{all:?}\n{}", stderr(&output));
            let registered = !words.contains(&"--no-register");
            let listed = world.ok(&["run", "list", "--json"]).contains(&format!("\"{name}\""));
            assert_eq!(listed, registered, "{all:?}");
        }
    }
}

/// The helpers work in the lines that a user keeps in the script, with ig and without.
#[test]
fn kept_lines_can_use_the_helpers() {
    let world = Sandbox::with_project();
    let script = write_script(&world, "x", &["script", "x", "--command", "true"]);
    let kept =
        "# ig:keep\nidlergear_log 'half done'\nidlergear_status busy\nidlergear_send hello\n";
    let text = std::fs::read_to_string(&script).unwrap().replace("# ig:keep\n", kept);
    world.program("scripts/x.sh", &text);
    let output = run_alone(&world, &script, &[]);
    assert_eq!((stderr(&output).as_str(), output.status.code()), ("half done\n", Some(0)));
    let output = world.command("scripts/x.sh").env("IDLERGEAR_NO_DAEMON", "1").output().unwrap();
    assert!(output.status.success() && stderr(&output).contains("half done"));
    assert!(world.ok(&["logs", "x", "--events"]).contains("half done"));
}

/// A script that carries the library is as clean and runs as well, with ig and without.
#[test]
fn standalone_scripts_carry_the_library() {
    let world = Sandbox::with_project();
    for template in TEMPLATES {
        let words = ["gen", template, template, "--standalone", "--command", "printf 'ran\\n'"];
        world.ok(&words);
        let script = world.project().join(format!("scripts/{template}.sh"));
        assert_eq!(stdout(&run_alone(&world, &script, &[])), "ran\n");
        if let Some(shellcheck) = tool("shellcheck") {
            clean(&Command::new(shellcheck).arg(&script).output().unwrap(), "shellcheck");
        }
        if let Some(shfmt) = tool("shfmt") {
            let output = Command::new(shfmt).args(["-i", "2", "-d"]).arg(&script).output();
            clean(&output.unwrap(), "shfmt");
        }
    }
}

#[test]
fn the_templates_own_commands_get_port_and_arguments() {
    let world = Sandbox::new();
    for (template, said) in [
        ("django-dev", "python: manage.py runserver 127.0.0.1:8000 --x a b\n"),
        (
            "fastapi-dev",
            "python: -m uvicorn main:app --reload --host 127.0.0.1 --port 8000 --x a b\n",
        ),
        ("flask-dev", "python: -m flask --debug run --host 127.0.0.1 --port 5000 --x a b\n"),
        ("jupyter", "python: -m jupyterlab --no-browser --ip 127.0.0.1 --port 8888 --x a b\n"),
        ("pytest", "python: -m pytest -q -ra --x a b\n"),
    ] {
        let script = write_script(&world, template, &[template]);
        let output = run_alone(&world, &script, &["--x", "a b"]);
        assert_eq!(stdout(&output), said, "{}", stderr(&output));
    }
    let script = write_script(&world, "app", &["flask-dev", "app", "--set", "app=my app:x"]);
    let output = run_alone(&world, &script, &[]);
    let said = "python: -m flask --app my app:x --debug run --host 127.0.0.1 --port 5000\n";
    assert_eq!(stdout(&output), said);
}

#[test]
fn requirements_are_installed_once_and_again_when_they_change() {
    let world = Sandbox::new();
    let script = write_script(&world, "pytest", &["pytest", "-r", "dev/extra.txt"]);
    let installs = || std::fs::read_to_string(world.home().join("pip.log")).unwrap();
    let run = || assert!(run_alone(&world, &script, &[]).status.success());
    world.write("dev/extra.txt", "rich\n");
    run();
    run();
    let first = "pip: install -q pytest -r dev/extra.txt\n";
    assert_eq!(installs(), first);
    world.write("requirements.txt", "six\n");
    run();
    let second = first.replace('\n', " -r requirements.txt\n");
    assert_eq!(installs(), format!("{first}{second}"));
    world.write("dev/extra.txt", "rich>1\n");
    run();
    run();
    assert_eq!(installs(), format!("{first}{second}{second}"));
}

#[test]
fn a_venv_whose_python_is_gone_is_made_again() {
    let world = Sandbox::new();
    let script = write_script(&world, "pytest", &["pytest"]);
    assert!(run_alone(&world, &script, &[]).status.success());
    let python = world.project().join(".venv/bin/python");
    std::fs::remove_file(&python).unwrap();
    std::os::unix::fs::symlink("/nowhere/python", &python).unwrap();
    assert_eq!(stdout(&run_alone(&world, &script, &[])), "python: -m pytest -q -ra\n");
    let installs = std::fs::read_to_string(world.home().join("pip.log")).unwrap();
    assert_eq!(installs.lines().count(), 2);
}

#[test]
fn a_port_that_is_none_is_refused_and_one_that_is_asked_for_is_taken() {
    let world = Sandbox::new();
    let script = write_script(
        &world,
        "web",
        &["script", "web", "--port", "4000", "--command", "printenv PORT"],
    );
    for (port, out, code) in
        [("", "4000\n", 0), ("5000", "5000\n", 0), ("0", "", 2), ("x", "", 2), ("70000", "", 2)]
    {
        let mut command = Command::new(&script);
        world.enter(&mut command);
        let output = command.env("PATH", "/usr/bin:/bin").env("PORT", port).output().unwrap();
        assert_eq!((stdout(&output).as_str(), output.status.code()), (out, Some(code)), "{port}");
        assert_eq!(code == 2, stderr(&output).contains("PORT is a number from 1 to 65535"));
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let world = Sandbox::new();
    let words = ["-e", "B=2", "-e", "A=1", "-r", "x", "--venv", "v"];
    for template in &TEMPLATES[..5] {
        let first = generate(&world, template, "x", &words);
        assert_eq!(first, generate(&world, template, "x", &words));
        assert!(!first.contains(world.home().to_str().unwrap()), "an absolute path");
    }
}

#[test]
fn snapshots() {
    let world = Sandbox::new();
    for template in TEMPLATES {
        let words: &[&str] = if template == "script" { &["--command", "npm run dev"] } else { &[] };
        insta::assert_snapshot!(template, generate(&world, template, template, words));
    }
    let all: Vec<_> = SWITCHES.iter().flat_map(|words| words.iter().copied()).collect();
    let most: Vec<_> = all.iter().copied().filter(|word| *word != "--no-register").collect();
    insta::assert_snapshot!(
        "django-dev-with-options",
        generate(&world, "django-dev", "web", &most)
    );
}

/// `{{ }}` inside quotes would be quoted twice: the result is not the value.
#[test]
fn no_template_puts_a_value_inside_quotes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}: {line}", entry.path().display(), number + 1);
            assert!(!inside_quotes(line), "{place}");
            assert!(!line.contains("|raw"), "{place}");
        }
    }
}

fn inside_quotes(line: &str) -> bool {
    let mut open = None;
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        if rest.starts_with("{%") {
            rest = rest.split_once("%}").map_or("", |(_, rest)| rest);
            continue;
        }
        if rest.starts_with("{{") {
            if open.is_some() {
                return true;
            }
            rest = rest.split_once("}}").map_or("", |(_, rest)| rest);
            continue;
        }
        match (open, letter) {
            (None, '#') if line.trim_start().starts_with('#') => return false,
            (None, '\'' | '"') => open = Some(letter),
            (Some(quote), _) if quote == letter => open = None,
            _ => {}
        }
        rest = &rest[letter.len_utf8()..];
    }
    false
}
