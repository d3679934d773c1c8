//! What a generated script makes, mends and leaves alone. The trees that it must spare are made for it,
//! and it runs in a namespace of its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::{Sandbox, stderr, stdout, succeed, tool, wait_until};

/// Programs that a folder named by mistake could hold, and what it must still hold afterwards.
const PROGRAMS: [&str; 3] = ["bin/python3-config", "bin/python3.11", "lib/python3/mine.py"];

fn tree(root: &Path) {
    for name in PROGRAMS {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "not to be touched\n").unwrap();
    }
}

/// Every path below `root`, with what a file holds and where a link leads.
fn listing(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        let text = match (kind.is_symlink(), kind.is_file()) {
            (true, _) => format!("-> {}", fs::read_link(&path).unwrap().display()),
            (_, true) => String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
            _ => String::new(),
        };
        found.push(format!("{} {text}", path.display()));
        if kind.is_dir() {
            found.extend(listing(&path));
        }
    }
    found.sort();
    found
}

/// A `bin` folder with a python3 that makes environments at once, a pip that only tells what it was
/// asked, and nothing of ig or uv.
fn stubs(world: &Sandbox) -> PathBuf {
    let python = "#!/bin/bash\n\
        if [ \"$1 $2\" = '-m venv' ]; then\n\
          mkdir -p \"$3/bin\" && cp \"$0\" \"$3/bin/python\" && cp \"$0\" \"$3/bin/pip\" && echo home >\"$3/pyvenv.cfg\"; exit\n\
        fi\n\
        if [ \"$1 $2\" = '-m pip' ]; then printf '%s\\n' \"${*:3}\" >>\"$HOME/pip.log\"; exit; fi\n\
        printf 'python:'; printf ' %s' \"$@\"; echo\n";
    world.program("../stubs/python3", python);
    world.home().join("stubs")
}

fn script(world: &Sandbox, words: &[&str]) -> PathBuf {
    let head = ["gen", "pytest", "x", "--force"];
    world.ok(&head.iter().chain(words).copied().collect::<Vec<_>>());
    world.project().join("scripts/x.sh")
}

/// Runs `script` without ig, in a namespace of its own.
fn run(world: &Sandbox, script: &Path) -> Option<Output> {
    let mut command = world.namespaced()?;
    let path = format!("{}:/usr/bin:/bin", stubs(world).display());
    Some(command.arg(script).env("PATH", path).stdin(Stdio::null()).output().unwrap())
}

/// What it is about, the words after `ig gen`, and how it comes about.
type Case<'a> = (String, Vec<&'a str>, Box<dyn Fn() + 'a>);

#[test]
fn what_is_no_environment_of_this_project_is_left_as_it_is() {
    let world = Sandbox::new();
    let home = world.home().to_path_buf();
    let elsewhere = home.join("elsewhere");
    let project = world.project();
    let own = project.join(".venv");
    let fresh = || {
        let _ = fs::remove_dir_all(&own);
        let _ = fs::remove_file(&own);
        let _ = fs::remove_dir_all(&elsewhere);
        tree(&elsewhere);
        tree(&home.join(".local"));
    };
    let half = |link: &str, target: &str| {
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
        let path = own.join(link);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(elsewhere.join(target), path).unwrap();
    };
    let named = elsewhere.to_str().unwrap().to_owned();
    let links: [(&str, &str); 5] = [
        ("bin", "bin"),
        ("lib", "lib"),
        ("lib/python3.11", "lib/python3"),
        ("lib/python3.11/site-packages", "lib/python3"),
        (".ig-x", "bin/python3.11"),
    ];
    let prepare_link = || symlink("../.local", &own).unwrap();
    let prepare_files = || tree(&own);
    let prepare_parent = || {
        let _ = fs::remove_file(project.join("envs"));
        symlink("../elsewhere", project.join("envs")).unwrap();
    };
    let mut cases: Vec<Case> = vec![
        ("a folder of programs".into(), vec!["--venv", &named], Box::new(|| {})),
        ("~/.local".into(), vec!["--venv", "~/.local"], Box::new(|| {})),
        ("a committed link".into(), vec![], Box::new(prepare_link)),
        ("a folder of something else".into(), vec![], Box::new(prepare_files)),
        ("below a link".into(), vec!["--venv", "envs/bin"], Box::new(prepare_parent)),
    ];
    for (link, target) in links {
        cases.push((format!("{link} is a link"), vec![], Box::new(move || half(link, target))));
    }
    for (what, words, prepare) in cases {
        fresh();
        prepare();
        let script = script(&world, &words);
        let trees = || (listing(&elsewhere), listing(&home.join(".local")), listing(&project));
        let before = trees();
        let Some(output) = run(&world, &script) else { return };
        assert_eq!(trees(), before, "{what}\n{}", stderr(&output));
        assert_eq!(output.status.code(), Some(2), "{what}");
        let told = stderr(&output);
        assert!(told.contains("is not a Python environment") && told.contains("--venv"), "{told}");
        assert!(!home.join("pip.log").exists(), "{what}: something was installed");
    }
}

/// The active environment is used only when it is this project's.
#[test]
fn another_projects_active_environment_is_not_filled() {
    let world = Sandbox::new();
    let other = world.home().join("other/.venv");
    tree(&other);
    fs::write(other.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
    let before = listing(&other);
    let script = script(&world, &[]);
    let run = |active: &Path| {
        let mut command = world.namespaced()?;
        let path = format!("{}:/usr/bin:/bin", stubs(&world).display());
        command.arg(&script).env("PATH", path).env("VIRTUAL_ENV", active);
        let output = command.stdin(Stdio::null()).output().unwrap();
        succeed(&output, &["the script"]);
        Some(output)
    };
    if run(&other).is_none() {
        return;
    }
    assert_eq!(listing(&other), before);
    assert!(world.project().join(".venv/bin/python").exists());
    fs::remove_dir_all(world.project().join(".venv")).unwrap();
    run(&world.project().join("env"));
    assert!(world.project().join("env/bin/python").exists());
    assert!(!world.project().join(".venv").exists(), "its own one is active");
    // Not by a detour either.
    let detour = world.project().join("../other/.venv");
    let mut command = world.namespaced().unwrap();
    let path = format!("{}:/usr/bin:/bin", stubs(&world).display());
    command.arg(&script).env("PATH", path).env("VIRTUAL_ENV", detour);
    assert_eq!(command.stdin(Stdio::null()).output().unwrap().status.code(), Some(2));
    assert_eq!(listing(&other), before);
}

#[test]
fn a_moved_project_and_a_link_to_the_script_work() {
    let world = Sandbox::new();
    let script = script(&world, &[]);
    let pip = || fs::read_to_string(world.home().join("pip.log")).unwrap();
    let Some(output) = run(&world, &script) else { return };
    succeed(&output, &["first"]);
    assert!(stderr(&output).contains("setting up"), "what takes long is told");
    let again = run(&world, &script).unwrap();
    assert_eq!(
        (stdout(&again).as_str(), stderr(&again).as_str()),
        ("python: -m pytest -q -ra\n", "")
    );
    assert_eq!(pip(), "install -q pytest\n");
    // By a link that lies elsewhere: the project is still the script's.
    let link = world.home().join("tmp/link");
    symlink(&script, &link).unwrap();
    succeed(&run(&world, &link).unwrap(), &["by a link"]);
    assert_eq!(pip(), "install -q pytest\n");
    assert!(!world.home().join(".venv").exists() && !world.home().join("tmp/.venv").exists());
    // What was installed names the old place: it is all installed again, once.
    let moved = world.home().join("moved");
    fs::rename(world.project(), &moved).unwrap();
    fs::create_dir(world.project()).unwrap();
    for _ in 0..2 {
        succeed(&run(&world, &moved.join("scripts/x.sh")).unwrap(), &["moved"]);
        assert_eq!(pip(), "install -q pytest\ninstall -q --force-reinstall pytest\n");
    }
}

/// The real thing: bin scripts name the place where they were made.
#[test]
fn the_templates_run_their_tools_by_module() {
    let world = Sandbox::new();
    for (template, tool) in
        [("flask-dev", "flask"), ("fastapi-dev", "uvicorn"), ("jupyter", "jupyterlab")]
    {
        let text = world.ok(&["gen", template, "--stdout"]);
        assert!(text.contains(&format!("exec python -m {tool} ")), "{template}");
    }
}

/// A folder with the real python3 and nothing of uv.
fn real_python(world: &Sandbox) -> Option<PathBuf> {
    let python = tool("python3")?;
    let asked = Command::new(python).args(["-c", "import sys; print(sys.executable)"]).output();
    let real = stdout(&asked.unwrap());
    let folder = world.home().join("python");
    fs::create_dir_all(&folder).unwrap();
    symlink(real.trim(), folder.join("python3")).unwrap();
    Some(folder)
}

/// Ctrl-C, or worse, in the first set-up: the next start finishes it.
#[test]
fn an_interrupted_set_up_is_repaired() {
    let world = Sandbox::new();
    let Some(python) = real_python(&world) else { return };
    let words = ["gen", "script", "x", "--venv", ".venv", "--command", "python -m pip --version"];
    world.ok(&words);
    let script = world.project().join("scripts/x.sh");
    let venv = world.project().join(".venv");
    let command = || {
        let mut command = Command::new(&script);
        world.enter(&mut command);
        command.env("PATH", format!("{}:/usr/bin:/bin", python.display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let has = |pattern: &str| {
        let find = format!("compgen -G '{}/{pattern}' >/dev/null", venv.display());
        Command::new("bash").args(["-c", &find]).status().unwrap().success()
    };
    let moments = [
        ("pyvenv.cfg", Signal::KILL),
        ("bin/python", Signal::INT),
        ("lib/python*/site-packages/pip/_vendor", Signal::KILL),
    ];
    for (moment, signal) in moments {
        let _ = fs::remove_dir_all(&venv);
        let mut child = command().process_group(0).spawn().unwrap();
        wait_until("it is so far", || has(moment));
        let group = Pid::from_raw(child.id().cast_signed()).unwrap();
        kill_process_group(group, signal).unwrap();
        assert!(!child.wait().unwrap().success(), "{moment}: it was done already");
        let output = command().output().unwrap();
        let out = succeed(&output, &[moment]);
        assert!(out.starts_with("pip ") && out.contains(".venv"), "{moment}: {out}");
        let again = command().output().unwrap();
        assert_eq!((stdout(&again), stderr(&again)), (out, String::new()), "{moment}");
    }
}

/// An environment whose interpreter is gone is made again; nothing else in it goes.
#[test]
fn only_links_that_lead_nowhere_are_removed() {
    let world = Sandbox::new();
    let script = script(&world, &[]);
    let Some(output) = run(&world, &script) else { return };
    succeed(&output, &["first"]);
    let venv = world.project().join(".venv");
    fs::write(venv.join("bin/python-tool"), "mine\n").unwrap();
    fs::remove_file(venv.join("bin/python")).unwrap();
    symlink("/nowhere/python", venv.join("bin/python")).unwrap();
    succeed(&run(&world, &script).unwrap(), &["mended"]);
    assert_eq!(fs::read_to_string(venv.join("bin/python-tool")).unwrap(), "mine\n");
}

/// Whatever answers in the place of the runner, the script asks for it once.
#[test]
fn a_script_asks_for_a_runner_once() {
    let world = Sandbox::with_project();
    world.ok(&["gen", "script", "x", "--command", "echo ran"]);
    let count = world.home().join("count");
    let asked = format!("echo >>{}; [ $(wc -l <{0}) -lt 9 ] || exit 9\n", count.display());
    for act in [
        // It cannot do its part, and the script takes its place.
        "while [ \"$1\" != -- ]; do shift; done; shift; unset IDLERGEAR_RUNNER_PID; exec \"$@\"",
        // Something stands between it and the script.
        "while [ \"$1\" != -- ]; do shift; done; shift; \"$@\"; exit",
    ] {
        let _ = fs::remove_file(&count);
        let text = format!("#!/bin/bash\n[ \"$1\" = run ] || exit 1\n{asked}{act}\n");
        world.program("../fake/ig-agent", &text);
        let mut command = Command::new(world.project().join("scripts/x.sh"));
        world.enter(&mut command);
        let path = format!("{}:/usr/bin:/bin", world.home().join("fake").display());
        let output = command.env("PATH", path).stdin(Stdio::null()).output().unwrap();
        assert_eq!(stdout(&output), "ran\n", "{}", stderr(&output));
        assert_eq!(fs::read_to_string(&count).unwrap(), "\n");
    }
    // A script inside another is a run of its own.
    world.ok(&["gen", "script", "outer", "--command", "scripts/x.sh && true"]);
    let mut command = world.command("scripts/outer.sh");
    succeed(&command.env("IDLERGEAR_NO_DAEMON", "1").output().unwrap(), &["outer"]);
    assert_eq!(world.json(&["run", "list", "--json"])["units"].as_array().unwrap().len(), 2);
}

/// bash 3.2, which macOS has, makes and runs the same.
#[test]
fn the_set_up_works_in_an_old_bash() {
    let Some(bash) = std::env::var_os("IDLERGEAR_BASH32") else {
        eprintln!("SKIPPED: IDLERGEAR_BASH32 names no bash 3.2");
        return;
    };
    let world = Sandbox::new();
    world.write("requirements.txt", "six\n");
    for words in [&[][..], &["--venv", "my venv"], &["-e", "A=b c"]] {
        let script = script(&world, words);
        let mut command = Command::new(&bash);
        world.enter(&mut command);
        let path = format!("{}:/usr/bin:/bin", stubs(&world).display());
        let output = command.arg(&script).arg("a b").env("PATH", path).output().unwrap();
        assert_eq!(stdout(&output), "python: -m pytest -q -ra a b\n", "{}", stderr(&output));
        assert!(output.status.success());
    }
    // Nothing to install at all: an empty list is an error in that bash under `set -u`.
    fs::remove_file(world.project().join("requirements.txt")).unwrap();
    world.ok(&["gen", "script", "bare", "--venv", "v", "--command", "echo ran"]);
    let mut command = Command::new(&bash);
    world.enter(&mut command);
    let path = format!("{}:/usr/bin:/bin", stubs(&world).display());
    let output = command.arg("scripts/bare.sh").env("PATH", path).output().unwrap();
    assert_eq!(stdout(&output), "ran\n", "{}", stderr(&output));
}

/// npm keeps what follows for itself, up to `--`.
#[test]
fn arguments_reach_what_npm_runs() {
    let world = Sandbox::new();
    for (command, line) in [
        ("npm run dev", "exec npm run dev -- \"$@\""),
        ("npm test", "exec npm test -- \"$@\""),
        ("npm --prefix web run dev", "exec npm --prefix web run dev -- \"$@\""),
        ("npm run dev -- --host", "exec npm run dev -- --host \"$@\""),
        ("pnpm run dev", "exec pnpm run dev \"$@\""),
        ("npm ci", "exec npm ci \"$@\""),
        (
            "cd web && A=1 npm run dev",
            "exec bash -c 'cd web && A=1 npm run dev -- \"$@\"' x \"$@\"",
        ),
    ] {
        let text = world.ok(&["gen", "script", "x", "--stdout", "--command", command]);
        assert_eq!(text.lines().last(), Some(line), "{command}");
    }
}

#[test]
fn a_script_keeps_its_mode() {
    let world = Sandbox::new();
    let script = script(&world, &[]);
    for (mode, expected) in [(0o700, 0o700), (0o750, 0o750), (0o600, 0o700), (0o644, 0o755)] {
        for words in [&["-e", "A=1"][..], &[]] {
            fs::set_permissions(&script, fs::Permissions::from_mode(mode)).unwrap();
            self::script(&world, words);
            let now = fs::metadata(&script).unwrap().permissions().mode() & 0o7777;
            assert_eq!(now, expected, "{mode:o} {words:?}");
        }
    }
}

/// Whatever bash sets itself cannot be set for it, and is refused with the reason.
#[test]
fn names_that_bash_keeps_are_refused() {
    let world = Sandbox::new();
    let listed = Command::new("bash").env_clear().args(["-c", "compgen -v"]).output().unwrap();
    let names = stdout(&listed);
    assert!(names.contains("BASHPID"));
    for name in names.lines().filter(|name| !["PATH", "HOME"].contains(name)) {
        let text = format!("export {name}=x; exec env");
        let set = Command::new("bash").env("PATH", "/usr/bin:/bin").args(["-euc", &text]).output();
        let can_be_set = stdout(&set.unwrap()).lines().any(|line| line == format!("{name}=x"));
        let output = world.ig(&["gen", "pytest", "--stdout", "-e", &format!("{name}=x")]);
        if !can_be_set {
            assert_eq!(output.status.code(), Some(2), "{name}");
            assert!(stderr(&output).contains("belongs to bash"), "{}", stderr(&output));
        }
    }
}

#[test]
fn a_django_script_fits_on_a_screen() {
    let world = Sandbox::new();
    let text = world.ok(&["gen", "django-dev", "--stdout"]);
    assert!(text.lines().count() <= 60, "{} lines", text.lines().count());
}

/// Two scripts that share an environment take turns, and the second says what it waits for.
#[test]
fn whoever_waits_for_another_set_up_says_so() {
    let Some(flock) = tool("flock") else { return };
    let world = Sandbox::new();
    let script = script(&world, &[]);
    let venv = world.project().join(".venv");
    fs::create_dir(&venv).unwrap();
    let held = world.home().join("held");
    let mut holder = Command::new(flock);
    holder.arg(&venv).args(["bash", "-c", "touch \"$1\"; read -r", "bash"]).arg(&held);
    let mut holder = holder.stdin(Stdio::piped()).spawn().unwrap();
    wait_until("the lock is held", || held.exists());
    let told = world.home().join("told");
    let mut command = Command::new(&script);
    world.enter(&mut command);
    let path = format!("{}:/usr/bin:/bin", stubs(&world).display());
    command.env("PATH", path).stdin(Stdio::null()).stdout(Stdio::null());
    let mut waiting = command.stderr(fs::File::create(&told).unwrap()).spawn().unwrap();
    let has = |word: &str| fs::read_to_string(&told).is_ok_and(|text| text.contains(word));
    wait_until("it says that it waits", || has("waiting: another script is setting up"));
    assert!(!venv.join("bin/python").exists(), "it does not go on");
    drop(holder.stdin.take());
    assert!(holder.wait().is_ok() && waiting.wait().unwrap().success());
    assert!(venv.join("bin/python").exists());
}
