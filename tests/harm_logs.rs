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

/// A world with a daemon, in which `job` prints, logs and says what a terminal would act upon, and a
/// message waits for it.
fn noisy() -> World {
    let library = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("shell-lib/idlergear.sh");
    let script = format!(
        r". {}; idlergear_register job --type $'dev\a\e[2J' --meta $'note=\e]0;x\a\u202e'
        idlergear_log $'logged \e[31mred\e[0m \a \u202egnp.exe' 2>/dev/null
        idlergear_status busy $'at \e]0;title\a\u202ework'
        printf '\e(B\017\e[32mprinted\e[0m\e=\e7 \a \u202egnp.exe\n' ",
        library.display()
    );
    let world = started(&[], &format!("{script}; touch told; pause end; exit 3"));
    wait_until("it told", || world.project().join("told").exists());
    world.ok(&[
        "daemon",
        "send",
        "hey \u{1b}[31myou\u{1b}[0m \u{7} \u{202e}gnp.exe",
        "--to",
        "job",
    ]);
    wait_until("the daemon knows", || world.ok(&["daemon", "logs", "job"]).contains("printed"));
    world
}

#[test]
fn nothing_that_others_wrote_reaches_a_terminal_raw_behind_a_pipe_either() {
    let world = noisy();
    let harmless = |what: &str, text: &str| {
        let wrong = text
            .chars()
            .find(|letter| matches!(letter, '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{202e}'));
        assert_eq!(wrong, None, "{what}: {text:?}");
        // Names are spelt, so that no two are shown alike; texts are read.
        let text = text.replace("dev\\u{7}\\u{1b}[2J", "");
        assert!(!text.contains("\\u{1b}") && !text.contains("\\u{f}"), "{what}: {text}");
    };
    for args in [
        &["daemon", "logs", "job"][..],
        &["daemon", "logs"],
        &["daemon", "queue-list"],
        &["daemon", "messages"],
        &["daemon", "agents"],
        &["ps"],
        &["run", "list"],
        &["run", "status", "job"],
        &["logs", "job"],
        &["logs", "job", "--events"],
        &["output", "job"],
    ] {
        let shown = world.ok(args);
        harmless(&args.join(" "), &shown);
        assert!(
            shown.contains("job") || shown.contains("printed") || shown.contains("logged"),
            "{args:?}: {shown}"
        );
    }
    assert!(world.ok(&["daemon", "logs", "job"]).contains("printed \\u{7} \\u{202e}gnp.exe"));
    assert!(world.ok(&["daemon", "messages"]).contains("hey you \\u{7} \\u{202e}gnp.exe"));
    let wait = world.ig(&["wait", "job", "--until", "match:never", "--timeout", "300ms"]);
    harmless("wait", &stderr(&wait));
    assert!(stderr(&wait).contains("| printed"), "{}", stderr(&wait));
    let raw = ig(&world, &["logs", "job", "--raw"]).output().unwrap().stdout;
    assert!(raw.contains(&0x1b) && raw.contains(&7), "byte for byte");
    world.write("end", "");
    let mut signals = String::new();
    wait_until("the end is told", || {
        signals = stdout(&world.ig(&["signals", "--peek"]));
        signals.contains("failed")
    });
    harmless("signals", &signals);
}

#[test]
fn errors_and_headers_repeat_nothing_raw() {
    let world = Sandbox::with_project();
    let name = "x\u{1b}]0;evil\u{7}\u{202e}y";
    for args in [
        &["logs", name][..],
        &["ps", "--kind", "bash\u{7}"],
        &["config", name],
        &["run", "--banner", "--", "printf", name],
    ] {
        let said = stderr(&ig(&world, args).output().unwrap());
        let wrong = said.chars().find(|letter| matches!(letter, '\u{1b}' | '\u{7}' | '\u{202e}'));
        assert!(args[0] == "ps" || wrong.is_none(), "{args:?}: {said:?}");
        assert!(!said.is_empty(), "{args:?}");
    }
}

const VALUE: &str = "correct-horse-battery";

#[test]
fn a_secret_in_the_words_of_a_command_is_listed_nowhere() {
    let world = World(Sandbox::with_project());
    world.ok(&["daemon", "start"]);
    let mut start = world.command("ig");
    let script = "until [ -e end ]; do sleep 0.02; done; exit 3";
    let ready = format!("exec:test -e up --token {VALUE}");
    start.args(["start", "job", "--ready", &ready, "--", "bash", "-c", script, "mysql"]);
    start.args([
        &format!("-p{VALUE}"),
        "--api-key",
        "s3cr3t-on-argv",
        "postgres://app:s3cr3t-in-url@db/x",
    ]);
    start.args(["--token=s3cr3t-option"]);
    succeed(&start.env("DB_PASSWORD", VALUE).output().unwrap(), &["start"]);
    let secrets = [VALUE, "s3cr3t-on-argv", "s3cr3t-in-url", "s3cr3t-option"];
    let hides = |what: &str, text: &str| {
        let told = secrets.iter().find(|secret| text.contains(**secret));
        assert_eq!(told, None, "{what}: {text}");
    };
    wait_until("the daemon knows", || world.ok(&["daemon", "agents"]).contains("job"));
    for args in [
        &["ps"][..],
        &["ps", "--json"],
        &["run", "list"],
        &["run", "list", "--json"],
        &["run", "status", "job"],
        &["run", "status", "job", "--json"],
        &["daemon", "agents", "--json"],
        &["alerts", "job", "--json"],
    ] {
        let shown = world.ok(args);
        assert!(shown.contains("job") || args.contains(&"alerts"), "{args:?}: {shown}");
        hides(&args.join(" "), &shown);
    }
    let listed = world.ok(&["ps", "--json"]);
    assert!(listed.contains("-p[masked DB_PASSWORD]"), "{listed}");
    let other = world.ig(&["up", "job", "--", "true"]);
    hides("up", &stderr(&other));
    let again = world
        .command("ig")
        .args(["up", "job", "--json", "--", "bash", "-c", script, "mysql"])
        .args([
            &format!("-p{VALUE}"),
            "--api-key",
            "s3cr3t-on-argv",
            "postgres://app:s3cr3t-in-url@db/x",
        ])
        .arg("--token=s3cr3t-option")
        .output()
        .unwrap();
    hides("up --json", &succeed(&again, &["the same command is still known as the same"]));
    // What is shown is never written back.
    let record = fs::read_to_string(folder(&world).join("run.json")).unwrap();
    assert!(secrets.iter().all(|secret| record.contains(secret)), "{record}");
    world.write("end", "");
    let wait = world.ig(&["wait", "job", "--json"]);
    hides("wait", &(stdout(&wait) + &stderr(&wait)));
    let mut signals = String::new();
    wait_until("the end is told", || {
        signals = stdout(&world.ig(&["signals", "--peek", "--json"]));
        signals.contains("exit_code")
    });
    hides("signals", &signals);
    let record = fs::read_to_string(folder(&world).join("run.json")).unwrap();
    assert!(secrets.iter().all(|secret| record.contains(secret)), "{record}");
}

#[test]
fn what_a_script_registers_with_and_sends_is_masked_where_it_is_listed() {
    let world = World(Sandbox::with_project());
    world.ok(&["daemon", "start"]);
    let library = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("shell-lib/idlergear.sh");
    let script = format!(
        r#". {}; idlergear_register job --meta "dsn=mysql://app:$DB_PASSWORD@db" --meta token=s3cr3t-meta
        idlergear_send --to job "use $DB_PASSWORD, token=s3cr3t-message"
        until [ -e end ]; do sleep 0.02; done; idlergear_recv >got"#,
        library.display()
    );
    let mut start = world.command("ig");
    start.args(["start", "job", "--", "bash", "-c", &script]).env("DB_PASSWORD", VALUE);
    succeed(&start.output().unwrap(), &["start"]);
    wait_until("it was sent", || world.ok(&["daemon", "messages"]).contains("use "));
    for args in [
        &["daemon", "messages"][..],
        &["daemon", "messages", "--json"],
        &["daemon", "queue-list"],
        &["daemon", "queue-list", "--json"],
        &["daemon", "agents", "--json"],
        &["ps", "--json"],
    ] {
        let shown = world.ok(args);
        assert!(!shown.contains(VALUE) && !shown.contains("s3cr3t-"), "{args:?}: {shown}");
    }
    world.write("end", "");
    world.ig(&["wait", "job"]);
    let got = world.read("got");
    assert!(got.contains(VALUE), "who it is for gets it whole: {got}");
}

#[test]
fn only_what_went_wrong_looks_like_errors() {
    let world = ran(r#"for n in $(seq 23); do echo "test_x.py::test_error_$n PASSED [ 50%]"; done
        echo '{"level":30,"msg":"error page"}'; echo '{"level":50,"msg":"no database"}'; seq 5"#);
    let output = ig(&world, &["logs", "job", "--errors"]).output().unwrap();
    assert_eq!(
        stdout(&output).matches("PASSED").count(),
        1,
        "only what is around it: {}",
        stdout(&output)
    );
    assert!(stdout(&output).contains("no database") && !stderr(&output).contains("no lines"));
    let green = ran(
        r#"for n in $(seq 23); do echo "test errors::error_$n ... ok"; done; echo '23 passed, 0 failed'"#,
    );
    let output = ig(&green, &["logs", "job", "--errors"]).output().unwrap();
    assert_eq!(stdout(&output), "");
    assert!(output.status.success());
    let said = stderr(&output);
    assert!(said.contains("no lines look like errors") && said.contains("--tail 50"), "{said}");
}
