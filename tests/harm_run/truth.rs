//! What is told of a run is true.

use super::*;
use crate::support::pty::Terminal;
use crate::support::stderr;

#[test]
fn output_that_does_not_arrive_is_a_failure() {
    for (runner, name) in [("ig run -q", "ig"), ("ig-agent run", "ig-agent")] {
        let world = World::new();
        let bash = |line: &str| world.bash(&line.replace("RUN", runner));
        let output = bash("RUN --name job -- echo x >/dev/full; echo $?");
        assert_eq!(stdout(&output), "1\n", "{name}: {output:?}");
        let told = stderr(&output);
        let words = "cannot write the command's output: no space left on device";
        assert_eq!((told.matches(words).count(), told.matches("ig:").count()), (1, 1), "{told}");
        let unit = world.unit("job");
        let found = (&unit["status"], &unit["exit_code"], &unit["metadata"]["output_failed"]);
        assert_eq!(found, (&"failed".into(), &1.into(), &"no space left on device".into()));
        assert_eq!(world.ok(&["logs", "job"]), "x\n", "what was written is kept");
        // Its own code stands, and its next writes fail.
        let output = bash("RUN -- sh -c 'echo x; exit 7' >/dev/full; echo $?");
        assert_eq!(stdout(&output), "7\n", "{output:?}");
        let output = bash("RUN -- yes >/dev/full; [ $? != 0 ] && echo ended");
        assert_eq!(stdout(&output), "ended\n", "{output:?}");
        // A reader that has seen enough is no failure, and neither is lost chatter.
        let output = bash("RUN -- sh -c 'echo a; sleep 0.1; echo b' | true; echo ${PIPESTATUS[0]}");
        assert!(["0\n", "141\n"].contains(&stdout(&output).as_str()), "{output:?}");
        assert_eq!(stderr(&output), "");
        let output = bash("RUN -- sh -c 'echo x >&2; exit 0' 2>/dev/full; echo $?");
        assert_eq!(stdout(&output), "0\n", "{output:?}");
    }
}

#[test]
fn the_footer_begins_a_line_of_its_own() {
    let world = World::new();
    for (script, expected) in [("printf x", "x\n═══ COMPLETE"), ("echo x", "x\n═══ COMPLETE")]
    {
        let words = ["run", "--banner", "--", "sh", "-c", script];
        let in_terminal = Terminal::start(world.command("ig", &words)).end().output;
        let in_terminal = in_terminal.replace("\r\n", "\n");
        assert!(in_terminal.contains(expected), "{in_terminal}");
        // Both streams into one file, or the second alone.
        let line = format!("ig run --banner -- sh -c '{script}' >both 2>&1");
        world.bash(&line);
        assert!(world.0.read("both").contains(expected), "{}", world.0.read("both"));
        let line = format!("ig run --banner -- sh -c '{script} >&2' 2>told");
        world.bash(&line);
        assert!(world.0.read("told").contains(expected), "{}", world.0.read("told"));
        // Not after a line that ends elsewhere.
        let line = format!("ig run --banner -- sh -c '{script}' 2>told >out");
        world.bash(&line);
        assert!(!world.0.read("told").contains("\n\n═══ COMPLETE"), "{}", world.0.read("told"));
        assert_eq!(world.0.read("out"), stdout(&world.bash(script)), "no byte of ours");
    }
    for run in ["run", "run --no-pty"] {
        // A terminal shows its keys, and those that are driven by programs are set not to.
        let line = format!("stty echo; ig {run} --banner -- sh -c 'echo ready-$((1+1)); sleep 60'");
        let mut terminal = Terminal::start(world.command("bash", &["-c", &line]));
        terminal.expect("ready-2");
        terminal.send("\x03");
        let output = terminal.end().output.replace("\r\n", "\n");
        assert!(output.contains("^C\n═══ COMPLETE"), "{run}: {output}");
    }
}

#[test]
fn python_in_the_background_is_heard_at_once() {
    let Some(_) = support::tool("python3") else { return };
    let world = World::new();
    let script = "import time; print('up'); time.sleep(60)";
    world.ok(&["start", "job", "--", "python3", "-c", script]);
    wait_until("it is heard", || world.ok(&["logs", "job"]) == "up\n");
    world.ok(&["stop", "job"]);
    let show = "echo [$PYTHONUNBUFFERED]";
    let shown = |words: &[&str], set: Option<&str>| {
        let mut command = world.command("ig", words);
        if let Some(value) = set {
            command.env("PYTHONUNBUFFERED", value);
        }
        let output = command.arg(show).output().unwrap();
        stdout(&output) + &stderr(&output)
    };
    assert_eq!(shown(&["run", "-q", "--"], None), "[]\n", "in the foreground it is the user's");
    shown(&["start", "own", "--"], Some(""));
    world.ig(&["wait", "own", "--until", "exit"]);
    assert_eq!(world.ok(&["logs", "own"]), "[]\n", "the caller said what it wants");
}

/// The record is found by its id wherever its project is, and the daemon tells the true end.
#[test]
fn a_project_that_is_moved_while_a_unit_runs() {
    for start in [&["start", "job", "--"][..], &["run", "--name", "job", "--"]] {
        let world = World::new();
        let script = "until [ -e \"$HOME/go\" ]; do sleep 0.02; done; echo after; exit 3";
        let mut run = world.0.command("ig");
        run.args(start).args(["bash", "-c", script]).env("IDLERGEAR_SESSION", "s-1");
        let mut run = run.stdout(std::process::Stdio::null()).spawn().unwrap();
        let listed = || world.0.ig(&["daemon", "agents", "--json", "--all"]);
        wait_until("the daemon knows it", || stdout(&listed()).contains("\"job\""));
        let id = world.unit("job")["id"].as_str().unwrap().to_owned();
        let moved = world.0.home().join("moved");
        std::fs::rename(world.0.project(), &moved).unwrap();
        std::fs::create_dir(world.0.project()).unwrap();
        let status = |from: &std::path::Path| {
            let mut command = world.0.command("ig");
            command.args(["run", "status", &id, "--json"]).current_dir(from);
            serde_json::from_slice::<Value>(&command.output().unwrap().stdout).unwrap_or_default()
        };
        wait_until("it is found by its id", || status("/".as_ref())["status"] == "running");
        std::fs::write(world.0.home().join("go"), "").unwrap();
        run.wait().unwrap();
        wait_until("its end is told", || status(&moved)["exit_code"] == 3);
        let mut told = String::new();
        wait_until("its session is told", || {
            let mut command = world.0.command("ig");
            command.args(["signals", "--session", "s-1", "--json"]);
            told += &stdout(&command.output().unwrap());
            told.contains(&id)
        });
        assert!(told.contains("\"exit_code\":3") && !told.contains("\"killed\""), "{told}");
    }
}
