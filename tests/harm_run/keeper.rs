//! What a command leaves behind lives on, and is kept.

use super::*;

/// Every way in which a command can be run: the words before it.
const WAYS: [(&str, &[&str]); 6] = [
    ("ig", &["run", "--name", "job", "--"]),
    ("ig-agent", &["run", "--name", "job", "--"]),
    ("ig", &["start", "job", "--"]),
    ("ig", &["run", "--pty", "--name", "job", "--"]),
    ("ig-agent", &["run", "--pty", "--name", "job", "--"]),
    ("ig", &["start", "job", "--pty", "--"]),
];

/// Leaves a loop behind that writes.
const LEAVES: &str = "(while :; do echo tick; sleep 0.02; done) & echo $! >pid; echo started";

fn ticks(world: &World) -> usize {
    world.ok(&["logs", "job"]).matches("tick").count()
}

#[test]
fn what_writes_on_lives_on_and_is_kept() {
    for (program, words) in WAYS {
        let world = World::new();
        let output = world.command(program, words).args(["bash", "-c", LEAVES]).output().unwrap();
        // That it came so far means that nobody holds our pipes.
        assert!(output.status.success(), "{words:?}: {output:?}");
        let left = world.process_in("pid");
        wait_until("the unit has ended", || world.unit("job")["status"] == "completed");
        let unit = world.unit("job");
        assert_eq!(unit["metadata"]["survivors"][0]["pid"], left.pid, "{words:?}: {unit:#}");
        let before = ticks(&world);
        wait_until("it is kept", || ticks(&world) > before + 10);
        assert!(left.is_alive(), "{words:?}");
        assert!(world.ok(&["sweep", "--json"]).contains(&left.pid.to_string()));
        let keeper = process(&unit, "keeper");
        // Of what is written no more is shown than what came while the unit lived.
        assert!(stdout(&output).matches("tick").count() <= before, "{words:?}");
        let cleared = world.ig(&["clear", "-y"]);
        assert!(stdout(&cleared).contains("forgot 0"), "{words:?}: {cleared:?}");
        end(&left);
        wait_until("the keeper ends with it", || !keeper.is_alive());
        assert_eq!(world.unit("job")["status"], "completed");
        // What the loop waited for may be there for a moment more.
        wait_until("it goes", || stdout(&world.ig(&["clear", "-y"])).contains("forgot 1"));
    }
}

/// The lines of what lives on have numbers after those of the unit.
#[test]
fn the_log_goes_on_where_the_runner_stopped() {
    for words in [&["run", "--name", "job", "--"][..], &["run", "--pty", "--name", "job", "--"]] {
        let world = World::new();
        let script =
            "seq 1 1000; (until [ -e go ]; do sleep 0.02; done; seq 1001 3000) & echo $! >pid";
        let output = world.command("ig", words).args(["bash", "-c", script]).output().unwrap();
        assert!(output.status.success());
        let left = world.process_in("pid");
        world.0.write("go", "");
        wait_until("it ends", || !left.is_alive());
        wait_until("all is kept", || {
            world.ok(&["logs", "job", "--number"]).trim_end().ends_with("3000  3000")
        });
        assert_eq!(world.ok(&["logs", "job"]), support::seq(3000));
        let grep = world.ok(&["logs", "job", "--grep", "^2999$", "--number"]);
        assert!(grep.contains("2999  2999"), "{grep}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_keeper_has_nothing_of_the_callers() {
    for words in [&["run", "--name", "job", "--"][..], &["run", "--pty", "--name", "job", "--"]] {
        let world = World::new();
        let script = "exec 5>inherited 6<&0; trap '' USR1; \"$@\"";
        let mut command = world.command("bash", &["-c", script, "bash", "ig"]);
        command.args(words).args(["bash", "-c", LEAVES]).output().unwrap();
        let left = world.process_in("pid");
        let keeper = process(&world.unit("job"), "keeper");
        let proc = |what: &str| std::path::PathBuf::from(format!("/proc/{}/{what}", keeper.pid));
        let link = |what: &str| std::fs::read_link(proc(what)).unwrap_or_default();
        wait_until("it is on its own", || {
            link("cwd").as_os_str() == "/" && link("fd/1").as_os_str() == "/dev/null"
        });
        for fd in std::fs::read_dir(proc("fd")).unwrap().flatten() {
            let target = std::fs::read_link(fd.path()).unwrap_or_default();
            let target = target.to_str().unwrap();
            let ours = target == "/dev/null"
                || target.starts_with("pipe:")
                || target.contains("/dev/p")
                || target.contains("/.idlergear/runs/");
            assert!(ours && !target.contains("inherited"), "{words:?}: {target}");
        }
        let stat = std::fs::read_to_string(proc("stat")).unwrap();
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        let own = keeper.pid.to_string();
        assert_eq!((fields[2], fields[3]), (own.as_str(), own.as_str()), "group and session");
        end(&left);
        wait_until("the keeper ends with it", || !keeper.is_alive());
    }
}

/// As in a terminal without us: it may write, it reads its end, and keeps its terminal.
#[test]
fn what_is_left_on_a_terminal_keeps_its_session() {
    let world = World::new();
    let script = "(trap 'echo hup >hup' HUP; until [ -e go ]; do sleep 0.02; done; \
                   read -r x 2>/dev/null </dev/tty; echo \"read=$?\"; echo tty >/dev/tty) & echo $! >pid";
    let words = ["run", "--pty", "--name", "job", "--", "bash", "-c", script];
    assert!(world.ig(&words).status.success());
    let left = world.process_in("pid");
    world.0.write("go", "");
    wait_until("it has ended", || !left.is_alive());
    wait_until("its words are kept", || world.ok(&["logs", "job"]).contains("tty"));
    assert_eq!(world.ok(&["logs", "job"]), "read=1\ntty\n");
    assert!(!world.0.project().join("hup").exists(), "nobody hangs it up");
}

/// What stands still when its command ends is let go on and hung up, as the kernel does without us.
#[test]
fn what_is_left_stopped_is_hung_up() {
    let world = World::new();
    let script = "(trap 'echo hung; exit' HUP; kill -STOP $BASHPID) & echo $! >pid; \
                  until grep -q ') T ' /proc/$!/stat; do sleep 0.02; done";
    let words = ["run", "--pty", "--name", "job", "--", "bash", "-c", script];
    assert!(world.ig(&words).status.success());
    wait_until("it is hung up", || world.ok(&["logs", "job"]).contains("hung"));
}

/// What several starts of one unit leave behind is all kept.
#[test]
fn what_earlier_starts_left_behind_lives_on() {
    for pty in [None, Some("--pty")] {
        let world = World::new();
        let script = "echo run >>runs; n=$(wc -l <runs); (while :; do echo tick-$n; sleep 0.05; done) & \
                      echo $! >pid$n; exit 1";
        let mut words = vec!["start", "job", "--restart", "on-failure:1"];
        words.extend(pty);
        words.extend(["--", "bash", "-c", script]);
        world.ok(&words);
        wait_until("it has ended", || world.unit("job")["status"] == "failed");
        let left = [world.process_in("pid1"), world.process_in("pid2")];
        let count = |tick: &str| world.ok(&["logs", "job"]).matches(tick).count();
        let before = [count("tick-1"), count("tick-2")];
        wait_until("both are kept", || {
            count("tick-1") > before[0] + 2 && count("tick-2") > before[1] + 2
        });
        left.iter().for_each(end);
    }
}
