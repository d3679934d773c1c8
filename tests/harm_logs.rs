//! Reading back tells the truth: the last state of a line that is written over, all of a long one, a
//! line that came in pieces, and every line whatever became of the index.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use support::{Sandbox, seq, stderr, stdout, succeed, wait_until};

/// A world whose unit `job` ends with it.
struct World(Sandbox);

impl std::ops::Deref for World {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.0
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.0.ig(&["stop", "job", "--force"]);
    }
}

fn ig(world: &Sandbox, args: &[&str]) -> Command {
    let mut command = world.command("ig");
    command.args(args).env("IDLERGEAR_NO_DAEMON", "1");
    command
}

fn shown(world: &Sandbox, args: &[&str]) -> String {
    succeed(&ig(world, args).output().unwrap(), args)
}

/// A project with one run of `script` in it, called `job`.
fn ran(script: &str) -> Sandbox {
    let world = Sandbox::with_project();
    ig(&world, &["run", "--name", "job", "--", "bash", "-c", script]).output().unwrap();
    world
}

/// Starts a unit `job` that runs `script`, and a `pause` in it waits until there is a file of that name.
fn started(options: &[&str], script: &str) -> World {
    let world = World(Sandbox::with_project());
    let script = format!("pause() {{ until [ -e \"$1\" ]; do sleep 0.02; done; }}; {script}");
    let args = [&["start", "job"], options, &["--", "bash", "-c", &script]].concat();
    succeed(&world.ig(&args), &args);
    world
}

/// The folder of the only run.
fn folder(world: &Sandbox) -> PathBuf {
    let runs = fs::read_dir(world.project().join(".idlergear/runs")).unwrap().flatten();
    runs.map(|entry| entry.path()).find(|path| path.join("run.json").exists()).unwrap()
}

/// 1,400 states of one line, 150 kB of them.
const BAR: &str =
    r"for n in $(seq 1400); do printf '\r%3d%%|%080d| step %d/1400 ' $((n / 14)) 0 $n; done";

#[test]
fn a_progress_bar_shows_its_last_state_in_every_reader() {
    let world = started(&[], &format!("{BAR}; pause go; exit 3"));
    wait_until("it wrote", || {
        let path = folder(&world).join("stdout.log");
        fs::read(path).is_ok_and(|bytes| bytes.ends_with(b"1400/1400 "))
    });
    let says_last = |what: &str, text: &str| {
        assert!(text.contains("step 1400/1400"), "{what}: {text}");
        assert!(!text.contains("step 1/1400"), "{what}: {text}");
        assert!(text.len() < 60_000, "{what}: {} bytes", text.len());
    };
    says_last("logs", &shown(&world, &["logs", "job"]));
    says_last("logs --json", &shown(&world, &["logs", "job", "--json"]));
    says_last("logs --tail", &shown(&world, &["logs", "job", "--tail", "1"]));
    says_last("logs --grep", &shown(&world, &["logs", "job", "--grep", "step 1400"]));
    says_last("output", &shown(&world, &["output", "job"]));
    let wait = ig(&world, &["wait", "job", "--until", "match:never", "--timeout", "300ms"]);
    says_last("wait", &stderr(&{ wait }.output().unwrap()));
    world.write("go", "");
    let mut signals = String::new();
    wait_until("the end is told", || {
        signals = stdout(&world.ig(&["signals", "--peek", "--json"]));
        signals.contains("exit_code")
    });
    says_last("signals", &signals);
    says_last("logs, ended", &shown(&world, &["logs", "job"]));
    says_last("status", &shown(&world, &["run", "status", "job", "--json"]));
    says_last("daemon logs", &world.ok(&["daemon", "logs", "job"]));
}

#[test]
fn a_long_line_is_searched_to_its_end_and_says_what_is_left_out() {
    let long = "head -c $1 /dev/zero | tr '\\0' x";
    let script = format!(
        "long() {{ {long}; }}; long 65533; printf NEEDLE; long 200000; printf 'AT THE END'; echo; \
         long 70000; echo; echo short NEEDLE"
    );
    let world = ran(&script);
    let lines = |args: &[&str]| -> Vec<String> {
        let args = [&["logs", "job"], args].concat();
        shown(&world, &args).lines().map(str::to_owned).collect()
    };
    let found = lines(&["--grep", "xNEEDLEx"]);
    assert_eq!(found.len(), 1);
    assert!(found[0].len() < 70_000 && found[0].ends_with("left out]"), "{} bytes", found[0].len());
    assert_eq!(lines(&["--grep", "AT THE END$"]).len(), 1);
    assert_eq!(lines(&["--grep", "NEEDLE", "--json"]).len(), 2);
    assert_eq!(lines(&["--grep", "NEEDLE$"]), ["short NEEDLE"]);
    assert_eq!(lines(&["--grep", "^NEEDLE|^AT|\\bAT THE"]), Vec::<String>::new());
    assert_eq!(lines(&["--grep", "^x+$"]).len(), 1);
    assert_eq!(lines(&["--grep", "NEEDLE", "--tail", "1"]), ["short NEEDLE"]);
    let meets = |until: &str| {
        let until = format!("match:{until}");
        ig(&world, &["wait", "job", "--until", &until, "--timeout", "5s"]).output().unwrap()
    };
    assert!(meets("xNEEDLEx").status.success());
    assert!(meets("x.?AT THE END$").status.success());
    assert!(!meets("^AT THE END").status.success());
}

#[test]
fn what_is_waited_for_is_seen_far_behind_in_a_line_that_has_no_end_yet() {
    let world = started(
        &[],
        "head -c 300000 /dev/zero | tr '\\0' x; printf REA; pause go; printf 'DY> '; pause end",
    );
    wait_until("it wrote", || shown(&world, &["logs", "job", "--raw"]).ends_with("REA"));
    let mut wait = ig(&world, &["wait", "job", "--until", "match:READY", "--timeout", "30s"]);
    let wait = wait.stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    world.write("go", "");
    let wait = wait.wait_with_output().unwrap();
    assert!(wait.status.success(), "{}", stderr(&wait));
    world.write("end", "");
}

/// `READY` as it is written in two pieces, with and without an end; each seen by somebody who looks
/// in between.
#[test]
fn a_line_in_two_pieces_is_one_line_to_who_waits() {
    for (second, pattern) in
        [("echo DY", "^READY$"), ("printf DY", "^READY$"), ("printf 'DY\\n> '", "READY")]
    {
        let world = started(&[], &format!("printf REA; pause go; {second}; pause end"));
        wait_until("it wrote", || shown(&world, &["logs", "job"]).contains("REA"));
        let until = format!("match:{pattern}");
        let mut wait = ig(&world, &["wait", "job", "--until", &until, "--timeout", "20s"]);
        let wait = wait.stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        world.write("go", "");
        let wait = wait.wait_with_output().unwrap();
        assert!(wait.status.success(), "{second}: {}", stderr(&wait));
        world.write("end", "");
    }
}

#[test]
fn readiness_in_two_pieces_is_noted() {
    let script = "printf REA; pause go; echo DY; pause end";
    let world = started(&["--ready", "match:^READY$"], script);
    wait_until("it wrote", || shown(&world, &["logs", "job"]).contains("REA"));
    // The runner's helper has looked by then.
    std::thread::sleep(std::time::Duration::from_millis(500));
    world.write("go", "");
    wait_until("it is ready", || {
        let status = shown(&world, &["run", "status", "job", "--json"]);
        status.contains("\"ready\": true")
    });
    world.write("end", "");
}

#[test]
fn a_damaged_index_costs_no_line_and_that_is_said() {
    let world = ran(
        "for n in $(seq 40); do seq $((n * 2500 - 2499)) $((n * 2500)); sleep 0.02; done; echo last >&2",
    );
    let index = folder(&world).join("index");
    let good = fs::read(&index).unwrap();
    assert!(good.len() >= 20 * 32, "{} bytes", good.len());
    let middle = good.len() / 64 * 32;
    let flipped = |at: usize, mask: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= mask;
        bytes
    };
    let reversed: Vec<u8> = good.chunks(32).rev().flatten().copied().collect();
    let moved = [&good[32..], &good[..32]].concat();
    let mixed: Vec<u8> = good
        .iter()
        .scan(7_u8, |sum, byte| {
            *sum = sum.wrapping_mul(5).wrapping_add(byte | 1);
            Some(*sum)
        })
        .collect();
    let expected = seq(100_000) + "last\n";
    let read = |args: &[&str]| -> Output {
        ig(&world, &[&["logs", "job"], args].concat()).output().unwrap()
    };
    assert_eq!(stderr(&read(&[])), "");
    for (what, bytes) in [
        ("zeros", vec![0; good.len()]),
        ("ones", vec![0xff; good.len()]),
        ("mixed", mixed),
        ("reversed", reversed),
        ("moved", moved),
        ("time", flipped(middle, 1)),
        ("offset", flipped(middle + 9, 1)),
        ("line", flipped(middle + 16, 0x80)),
        ("length", flipped(middle + 25, 4)),
        ("stream", flipped(middle + 28, 3)),
        ("first", flipped(8, 1)),
        ("last", flipped(good.len() - 8, 1)),
    ] {
        fs::write(&index, bytes).unwrap();
        let all = read(&[]);
        let text = stdout(&all);
        assert!(
            all.status.success() && text.lines().count() == 100_001,
            "{what}: {} lines",
            text.lines().count()
        );
        assert!(text == expected, "{what}");
        let told = stderr(&all);
        assert!(told.contains("index") && told.contains("times"), "{what}: {told}");
        assert_eq!(stdout(&read(&["--tail", "2"])), "100000\nlast\n", "{what}");
        assert_eq!(stdout(&read(&["--range", "99999:100000"])), "99999\n100000\n", "{what}");
        assert_eq!(stdout(&read(&["--grep", "^77777$"])), "77777\n", "{what}");
        assert_eq!(stdout(&read(&["--stderr"])), "last\n", "{what}");
    }
    fs::remove_file(&index).unwrap();
    let lost = read(&[]);
    assert!(stdout(&lost) == expected && stderr(&lost).contains("times"), "{}", stderr(&lost));
}
