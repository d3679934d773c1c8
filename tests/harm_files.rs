//! What a repository holds does no harm: no link in it is followed, nothing that ig did not make is
//! deleted or cut, nothing is read that is no plain file, and a record is read as a stranger's.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use support::{Sandbox, stderr, stdout};

/// `ig` that is killed when it hangs.
fn ig(world: &Sandbox, args: &[&str]) -> Output {
    let output = timed(world, "ig", args).output().unwrap();
    assert_ne!(output.status.code(), Some(137), "ig {args:?} hangs");
    output
}

fn timed(world: &Sandbox, program: &str, args: &[&str]) -> Command {
    let mut command = world.command("timeout");
    command.args(["-s", "KILL", "20"]).arg(Sandbox::bin_dir().join(program)).args(args);
    command.env("IDLERGEAR_NO_DAEMON", "1").stdin(Stdio::null());
    command
}

/// Runs `command` in `dir` on a terminal on which somebody says yes.
fn answered(world: &Sandbox, command: &str, dir: &Path) -> Output {
    let mut session = world.command("script");
    session.args(["-qec", command, "/dev/null"]).current_dir(dir);
    let mut child = session.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"y\n").unwrap();
    child.wait_with_output().unwrap()
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Writes a file in HOME, outside of the project.
fn outside(world: &Sandbox, name: &str, text: &str) -> PathBuf {
    let path = world.home().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn age(path: &Path) {
    let then = SystemTime::now() - Duration::from_hours(24 * 60);
    fs::File::open(path).unwrap().set_modified(then).unwrap();
}

/// A record that somebody made up, as JSON.
fn forged(id: &str, more: &Value) -> String {
    let mut record = json!({
        "id": id, "kind": "local_bash", "name": "forged", "status": "completed", "cwd": "/",
        "command": "true", "started_at": "2020-01-01T00:00:00Z", "ended_at": "2020-01-01T00:00:01Z",
        "exit_code": 0, "project": null,
        "logs": {"stdout": "stdout.log", "events": "events.log"},
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record.to_string()
}

fn prune(world: &Sandbox) -> Output {
    let runs = world.project().join(".idlergear/runs");
    let mut command = timed(world, "ig", &["prune", runs.to_str().unwrap()]);
    command.env("IDLERGEAR_LOGS_MAX_RUNS", "1").env("IDLERGEAR_LOGS_MAX_RUN_BYTES", "1");
    let output = command.output().unwrap();
    assert_ne!(output.status.code(), Some(137), "it hangs");
    output
}

#[test]
fn a_linked_folder_of_runs_deletes_nothing() {
    let world = Sandbox::with_project();
    for name in ["documents", "downloads", "workspace"] {
        outside(&world, &format!("{name}/thesis.txt"), "years of work");
        age(&world.home().join(name));
    }
    symlink(world.home(), world.project().join(".idlergear/runs")).unwrap();
    let before = fs::read_dir(world.home()).unwrap().count();
    let run = ig(&world, &["run", "true"]);
    assert_eq!(run.status.code(), Some(0));
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(told.contains("is a link that nobody has accepted"), "{told}");
    prune(&world);
    ig(&world, &["clear", "-y"]);
    ig(&world, &["clear"]);
    for name in ["documents", "downloads", "workspace"] {
        assert!(world.home().join(name).join("thesis.txt").exists(), "{name}");
    }
    let made = fs::read_dir(world.home()).unwrap().count() - before;
    assert!(made <= 1, "only `.local` may have come");
}

#[test]
fn folders_that_look_like_runs_and_are_none_of_ours_stay() {
    let world = Sandbox::with_project();
    let runs = world.project().join(".idlergear/runs");
    world.write(".idlergear/runs/documents/thesis.txt", "years of work");
    world.write(".idlergear/runs/b00000001/notes.txt", "notes");
    world.write(".idlergear/runs/b00000001/run.json", &forged("b00000001", &json!({})));
    age(&runs.join("documents"));
    for _ in 0..3 {
        ig(&world, &["run", "--", "true"]);
    }
    prune(&world);
    let cleared = ig(&world, &["clear", "-y"]);
    assert!(runs.join("documents/thesis.txt").exists());
    assert!(runs.join("b00000001/notes.txt").exists());
    assert!(stderr(&cleared).contains("did not make"), "{}", stderr(&cleared));
    let left = fs::read_dir(&runs).unwrap().flatten();
    let left = left.filter(|entry| entry.file_name().len() == 9).count();
    assert_eq!(left, 2, "our own are gone");
}

#[test]
fn linked_scripts_and_events_cost_nobody_a_file() {
    let world = Sandbox::with_project();
    let name = "a".repeat(64);
    let model = outside(&world, &format!("models/{name}"), "weights");
    let big = outside(&world, "diary", &"a line of it\n".repeat(60_000));
    symlink(world.home().join("models"), world.project().join(".idlergear/scripts")).unwrap();
    let folder = world.project().join(".idlergear/runs/b00000001");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("run.json"), forged("b00000001", &json!({}))).unwrap();
    symlink(&big, folder.join("events.log")).unwrap();
    symlink(&big, folder.join("events.log.000000000000000.0")).unwrap();
    fs::write(folder.join("events.cut"), "0 0\n").unwrap();
    ig(&world, &["run", "true"]);
    prune(&world);
    ig(&world, &["trim", folder.to_str().unwrap()]);
    ig(&world, &["clear", "-y"]);
    assert_eq!(fs::read_to_string(model).unwrap(), "weights");
    assert_eq!(fs::metadata(&big).unwrap().len(), 13 * 60_000);
}

#[test]
fn clear_reaches_no_other_project() {
    let world = Sandbox::with_project();
    let other = world.home().join("other");
    fs::create_dir_all(other.join(".idlergear")).unwrap();
    let there = |args: &[&str]| timed(&world, "ig", args).current_dir(&other).output().unwrap();
    there(&["run", "--name", "theirs", "--", "true"]);
    symlink(other.join(".idlergear/runs"), world.project().join(".idlergear/runs")).unwrap();
    ig(&world, &["clear"]);
    ig(&world, &["clear", "-y"]);
    prune(&world);
    let listed = stdout(&there(&["run", "list"]));
    assert!(listed.contains("theirs"), "{listed}");
}

#[test]
fn a_link_in_the_place_of_the_whole_folder_is_no_project() {
    let world = Sandbox::new();
    let (inner, target) = (world.project().join("inner"), world.home().join("elsewhere"));
    fs::create_dir_all(world.project().join(".idlergear")).unwrap();
    fs::create_dir_all(&inner).unwrap();
    fs::create_dir_all(&target).unwrap();
    symlink(&target, inner.join(".idlergear")).unwrap();
    let run = timed(&world, "ig", &["run", "--name", "x", "--", "echo", "hi"]);
    let run = { run }.current_dir(&inner).output().unwrap();
    assert_eq!((stdout(&run).as_str(), run.status.code()), ("hi\n", Some(0)));
    let told = stderr(&run);
    assert_eq!(told.matches("is a link").count(), 1, "{told}");
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0, "nothing was written there");
    assert!(!world.project().join(".idlergear/runs").exists(), "nor in the project around it");
    let kept = fs::read_dir(world.state().join("runs")).unwrap().flatten();
    let kept = kept.filter(|entry| entry.file_name().len() == 9).count();
    assert_eq!(kept, 1, "but with the user's");
}

#[test]
fn settings_are_not_eaten_and_do_not_hang() {
    let world = Sandbox::with_project();
    let settings = world.project().join(".idlergear/config.toml");
    symlink("/dev/stdin", &settings).unwrap();
    let mut command = timed(&world, "bash", &[]);
    let ig_path = Sandbox::bin_dir().join("ig");
    command = {
        let _ = command;
        let mut bash = world.command("bash");
        bash.args(["-c", "printf 'a\\nb\\n' | timeout -s KILL 20 \"$0\" run -- cat"]).arg(ig_path);
        bash.env("IDLERGEAR_NO_DAEMON", "1");
        bash
    };
    assert_eq!(stdout(&command.output().unwrap()), "a\nb\n");
    fs::remove_file(&settings).unwrap();
    symlink("/dev/zero", &settings).unwrap();
    assert_eq!(stdout(&ig(&world, &["run", "--", "echo", "hi"])), "hi\n");
    fs::remove_file(&settings).unwrap();
    make_fifo(&settings);
    let folder = world.project().join(".idlergear/runs/b00000001");
    fs::create_dir_all(&folder).unwrap();
    for name in ["run.json", "alerts", "events.log", "stdout.log", "index", "stop", "seals", "git"]
    {
        make_fifo(&folder.join(name));
    }
    fs::remove_file(world.project().join(".idlergear/runs/.pruned")).unwrap();
    make_fifo(&world.project().join(".idlergear/runs/.pruned"));
    for dir in ["profiles", "templates"] {
        fs::create_dir_all(world.project().join(".idlergear").join(dir)).unwrap();
    }
    make_fifo(&world.project().join(".idlergear/profiles/web.toml"));
    make_fifo(&world.project().join(".idlergear/templates/web.sh.j2"));
    for args in [
        &["run", "--", "echo", "hi"][..],
        &["ps", "--all"],
        &["run", "list"],
        &["run", "status", "b00000001"],
        &["logs", "b00000001"],
        &["output", "b00000001"],
        &["diff", "b00000001", "b00000001"],
        &["stop", "b00000001"],
        &["gen", "--list"],
        &["gen", "--check"],
        &["gen", "web", "--stdout"],
        &["gen", "--show", "web"],
        &["config"],
        &["trust", "--list"],
        &["trust"],
        &["up", "web"],
        &["clear", "-y"],
        &["sweep"],
        &["wait", "b00000001", "--until", "exit", "--timeout", "1s"],
    ] {
        ig(&world, args);
    }
    // A record that is plain, with a choice that is not.
    fs::remove_file(folder.join("run.json")).unwrap();
    fs::write(folder.join("run.json"), forged("b00000001", &json!({}))).unwrap();
    for args in [&["ps", "--all"][..], &["logs", "b00000001"], &["logs", "--events", "b00000001"]] {
        ig(&world, args);
    }
}

#[test]
fn what_is_read_is_bounded() {
    let world = Sandbox::with_project();
    let settings = world.project().join(".idlergear/config.toml");
    let profile = world.write(".idlergear/profiles/web.toml", "template = 'script'\n");
    for path in [&settings, &profile] {
        fs::File::create(path).unwrap().set_len(3 << 30).unwrap();
    }
    for args in
        [&["run", "--", "true"][..], &["gen", "--list"], &["config"], &["gen", "web", "--stdout"]]
    {
        let mut bash = world.command("bash");
        // Whatever reads the file whole dies of it.
        bash.args(["-c", "ulimit -t 2; exec timeout -s KILL 20 \"$@\"", "bash"]);
        bash.arg(Sandbox::bin_dir().join("ig")).args(args).env("IDLERGEAR_NO_DAEMON", "1");
        let code = bash.output().unwrap().status.code();
        assert!(matches!(code, Some(0..=2)), "{args:?}: {code:?}");
    }
}

#[test]
fn a_forged_record_shows_no_other_file() {
    let world = Sandbox::with_project();
    let secret = outside(&world, "id_rsa", "PRIVATE KEY\n");
    for (id, sha256) in [("b00000001", "../../../id_rsa"), ("b00000002", "../../../../id_rsa")] {
        let folder = world.project().join(".idlergear/runs").join(id);
        fs::create_dir_all(&folder).unwrap();
        let logs = json!({"stdout": secret, "stderr": "../../../../id_rsa", "events": secret});
        let more = json!({"script": {"path": "x", "sha256": sha256}, "logs": logs});
        fs::write(folder.join("run.json"), forged(id, &more)).unwrap();
        for name in
            ["stdout.log", "stderr.log", "output.log", "events.log", "events.log.000000000000000.0"]
        {
            symlink(&secret, folder.join(name)).unwrap();
        }
        symlink(&secret, folder.join("stdout.log.000000000000001")).unwrap();
    }
    for args in [
        &["diff", "b00000001", "b00000002"][..],
        &["diff", "--json", "b00000001", "b00000002"],
        &["logs", "b00000001"],
        &["logs", "b00000001", "--stdout"],
        &["logs", "b00000001", "--stderr"],
        &["logs", "b00000001", "--events"],
        &["logs", "b00000001", "--raw"],
        &["logs", "b00000001", "--grep", "."],
        &["logs", "b00000001", "--tail", "5"],
        &["output", "b00000001"],
        &["run", "logs", "b00000001"],
        &["run", "status", "b00000001", "--json"],
        &["ps", "--all", "--json"],
        &["wait", "b00000001", "--until", "match:PRIVATE", "--timeout", "1s"],
    ] {
        let output = ig(&world, args);
        let said = stdout(&output) + &stderr(&output);
        assert!(!said.contains("PRIVATE KEY"), "{args:?}: {said}");
    }
}

#[test]
fn a_record_from_elsewhere_names_no_cgroup() {
    let world = Sandbox::with_project();
    let limits = json!({"metadata": {"limits": {"cgroup": "/sys/fs/cgroup/ig-of-another"}}});
    world.write(".idlergear/runs/b00000001/run.json", &forged("b00000001", &limits));
    let shown = stdout(&ig(&world, &["run", "status", "b00000001", "--json"]));
    assert!(shown.contains("b00000001") && !shown.contains("ig-of-another"), "{shown}");
}

#[test]
fn a_record_of_another_folder_is_none() {
    let world = Sandbox::with_project();
    world.write(".idlergear/runs/b00000001/run.json", &forged("b00000002", &json!({})));
    let listed: Value = stdout(&ig(&world, &["run", "list", "--json"])).parse().unwrap();
    let unit = &listed["units"][0];
    assert_eq!((&unit["id"], &unit["status"]), (&json!("b00000001"), &json!("unknown")));
}

#[test]
fn a_damaged_record_stays_in_sight_with_its_log() {
    let world = Sandbox::with_project();
    let mut run = timed(&world, "ig", &["run", "--name", "job", "--", "echo", "hello"]);
    assert!(run.output().unwrap().status.success());
    let runs = world.project().join(".idlergear/runs");
    let is_id = |name: &str| name.len() == 9;
    let id = fs::read_dir(&runs).unwrap().flatten();
    let id = id.map(|e| e.file_name().into_string().unwrap()).find(|name| is_id(name)).unwrap();
    let record = runs.join(&id).join("run.json");
    let whole = fs::read_to_string(&record).unwrap();
    let newer = whole.replace("\"completed\"", "\"hibernating\"");
    for text in ["", "{", "[]", "null", &whole[..whole.len() / 2], &newer] {
        fs::write(&record, text).unwrap();
        let listed: Value = stdout(&ig(&world, &["run", "list", "--json"])).parse().unwrap();
        let unit = &listed["units"][0];
        assert_eq!((&unit["id"], &unit["status"]), (&json!(id), &json!("unknown")), "{text}");
        assert!(unit["description"].as_str().unwrap().contains("damaged"), "{unit}");
        for query in [&id[..], &id[..5]] {
            let logs = ig(&world, &["logs", query]);
            assert_eq!(stdout(&logs), "hello\n", "{text}: {}", stderr(&logs));
        }
        let status = stdout(&ig(&world, &["run", "status", &id]));
        assert!(status.contains("damaged"), "{status}");
    }
    assert_eq!(stdout(&ig(&world, &["clear", "-y"])), "forgot 1 ended unit\n");
}

#[test]
fn a_folder_of_another_user_below_tmp_is_not_written_to() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED (needs root): a squatted folder below the temp folder");
        assert!(std::env::var_os("IDLERGEAR_REQUIRE_TOOLS").is_none());
        return;
    }
    let world = Sandbox::new();
    let (bare, tmp) = (world.home().join("bare"), world.home().join("tmp"));
    fs::create_dir(&bare).unwrap();
    let squatted = tmp.join("idlergear-0");
    let squat: [fn(&Path); 3] = [
        |path| {
            fs::create_dir(path).unwrap();
            std::os::unix::fs::chown(path, Some(1234), Some(1234)).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        },
        |path| {
            fs::create_dir(path).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        },
        |path| symlink("../bare", path).unwrap(),
    ];
    for make in squat {
        make(&squatted);
        for args in [
            &["run", "--", "echo", "hi"][..],
            &["daemon", "start"],
            &["daemon", "serve"],
            &["start", "x", "--", "true"],
            &["port", "8000"],
            &["ps"],
            &["clear", "-y"],
            &["daemon", "send", "x"],
        ] {
            let mut command = timed(&world, "ig", args);
            command
                .env_remove("HOME")
                .env_remove("XDG_RUNTIME_DIR")
                .env_remove("IDLERGEAR_NO_DAEMON");
            let output = command.output().unwrap();
            assert_ne!(output.status.code(), Some(137), "{args:?} hangs");
            if args[0] == "run" {
                assert_eq!(stdout(&output), "hi\n", "the command runs");
            }
            let inside: Vec<_> = fs::read_dir(&squatted).unwrap().flatten().collect();
            assert!(inside.is_empty(), "{args:?} wrote {inside:?}");
        }
        let kind = fs::symlink_metadata(&squatted).unwrap();
        assert!(kind.is_symlink() || kind.mode() & 0o777 == 0o777);
        let removed =
            if kind.is_symlink() { fs::remove_file(&squatted) } else { fs::remove_dir(&squatted) };
        removed.unwrap();
    }
}

#[test]
fn a_huge_script_is_not_read_for_a_listing() {
    let world = Sandbox::with_project();
    let script = world.write("big.sh", "echo hi\n");
    ig(&world, &["run", "--name", "big", "--script", "big.sh", "--", "bash", "big.sh"]);
    fs::File::options().write(true).open(&script).unwrap().set_len(3 << 30).unwrap();
    let mut bash = world.command("bash");
    bash.args(["-c", "ulimit -t 2; ig run list --json"]).env("IDLERGEAR_NO_DAEMON", "1");
    let listed: Value = stdout(&bash.output().unwrap()).parse().unwrap();
    assert_eq!(listed["units"][0]["stale"], true);
}

#[test]
fn a_script_that_is_a_fifo_is_read_by_its_shell_alone() {
    let world = Sandbox::with_project();
    make_fifo(&world.project().join("f"));
    let mut bash = world.command("bash");
    let script = "printf 'echo hello\\n' >f & timeout -s KILL 20 ig run -- bash f; wait";
    bash.args(["-c", script]).env("IDLERGEAR_NO_DAEMON", "1");
    let output = bash.output().unwrap();
    assert_eq!(stdout(&output), "hello\n", "{}", stderr(&output));
}

#[test]
fn one_file_that_leads_out_stops_no_trust_for_the_others() {
    let world = Sandbox::with_project();
    let file = outside(&world, "other.toml", "template = 'script'\n");
    world.write(".idlergear/profiles/good.toml", "template = 'script'\n");
    symlink(&file, world.project().join(".idlergear/profiles/bad.toml")).unwrap();
    let listed = stdout(&ig(&world, &["trust", "--list"]));
    assert!(listed.contains("good.toml  untrusted"), "{listed}");
    assert!(listed.contains("bad.toml  refused"), "{listed}");
    let output = answered(&world, "ig trust", &world.project());
    let listed = stdout(&ig(&world, &["trust", "--list"]));
    assert!(listed.contains("good.toml  trusted"), "{listed}\n{}", stdout(&output));
    assert!(listed.contains("bad.toml  refused"), "{listed}");
}

#[test]
fn no_script_is_written_through_a_link_of_the_project() {
    let world = Sandbox::with_project();
    let bin = world.home().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(&bin, world.project().join("scripts")).unwrap();
    for more in [&[][..], &["-o", "scripts/x.sh"], &["-o", "scripts/deeper/x.sh", "--force"]] {
        let refused = ig(&world, &[&["gen", "script", "x", "--command", "true"], more].concat());
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains("leads out of the project"), "{}", stderr(&refused));
    }
    assert_eq!(fs::read_dir(&bin).unwrap().count(), 0);
    fs::remove_file(world.project().join("scripts")).unwrap();
    fs::create_dir(world.project().join("scripts")).unwrap();
    let script = world.project().join("scripts/x.sh");
    make_fifo(&script);
    assert_eq!(ig(&world, &["gen", "script", "x", "--command", "true"]).status.code(), Some(1));
    fs::remove_file(&script).unwrap();
    let diary = outside(&world, "diary", "PRIVATE\n");
    symlink(diary, &script).unwrap();
    let refused = ig(&world, &["gen", "script", "x", "--command", "true"]);
    assert!(!(stdout(&refused) + &stderr(&refused)).contains("PRIVATE"));
    fs::remove_file(&script).unwrap();
    symlink("/dev/zero", &script).unwrap();
    assert_eq!(ig(&world, &["gen", "script", "x", "--command", "true"]).status.code(), Some(1));
}

#[test]
fn an_accepted_link_counts_until_it_leads_elsewhere() {
    let world = Sandbox::new();
    let root = world.project();
    let [one, other] = ["one", "other"].map(|name| world.home().join(name));
    fs::create_dir_all(&one).unwrap();
    fs::create_dir_all(other.join("runs")).unwrap();
    let link = |target: &Path, name: &str| {
        let _ = fs::remove_file(root.join(name));
        symlink(target, root.join(name)).unwrap();
    };
    let records = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().len() == 9).count()
    };
    link(&one, ".idlergear");
    // Nobody can accept it without a terminal.
    for args in [&["trust"][..], &["init", "-y"]] {
        let refused = ig(&world, args);
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains("is a link to"), "{}", stderr(&refused));
    }
    answered(&world, "ig trust", &root);
    let run = ig(&world, &["run", "--", "true"]);
    assert_eq!((stderr(&run).as_str(), records(&one.join("runs"))), ("", 1));
    assert_eq!(stdout(&ig(&world, &["clear", "-y"])), "forgot 1 ended unit\n");
    link(&other, ".idlergear");
    let run = ig(&world, &["run", "--", "true"]);
    assert!(stderr(&run).contains("is a link to"), "{}", stderr(&run));
    assert_eq!(records(&other.join("runs")), 0);
    // The same for the folder of runs alone.
    fs::remove_file(root.join(".idlergear")).unwrap();
    fs::create_dir(root.join(".idlergear")).unwrap();
    link(&other.join("runs"), ".idlergear/runs");
    let run = ig(&world, &["run", "--", "true"]);
    assert!(stderr(&run).contains("its record is in"), "{}", stderr(&run));
    answered(&world, "ig trust", &root);
    let run = ig(&world, &["run", "--", "true"]);
    assert_eq!((stderr(&run).as_str(), records(&other.join("runs"))), ("", 1));
    ig(&world, &["trust", "--revoke"]);
    ig(&world, &["run", "--", "true"]);
    assert_eq!(records(&other.join("runs")), 1);
}

#[test]
fn clear_asks_and_takes_the_scripts_along() {
    let world = Sandbox::with_project();
    world.write("x.sh", "echo hi\n");
    ig(&world, &["run", "--", "bash", "x.sh"]);
    let scripts = world.project().join(".idlergear/scripts");
    assert!(scripts.exists());
    let unasked = ig(&world, &["clear"]);
    assert_eq!(unasked.status.code(), Some(1));
    assert!(
        stderr(&unasked).contains("forget 1 ended unit with their logs"),
        "{}",
        stderr(&unasked)
    );
    assert!(scripts.exists());
    assert_eq!(stdout(&ig(&world, &["clear", "--yes"])), "forgot 1 ended unit\n");
    assert!(!scripts.exists());
    assert_eq!(stdout(&ig(&world, &["clear"])), "forgot 0 ended units\n");
}

#[test]
fn a_bound_that_is_not_kept_to_is_refused() {
    let world = Sandbox::with_project();
    let config = world.home().join(".config/idlergear/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "[logs]\nmax_run_bytes = 100000\n").unwrap();
    let told = ig(&world, &["config"]);
    assert!(stderr(&told).contains("at least 1048576"), "{}", stderr(&told));
}

#[test]
fn a_run_that_was_copied_is_nobodys_to_delete() {
    let world = Sandbox::with_project();
    for _ in 0..3 {
        ig(&world, &["run", "--", "true"]);
    }
    let copy = world.home().join("copy");
    let copied = Command::new("cp").arg("-a").arg(world.project()).arg(&copy).status().unwrap();
    assert!(copied.success());
    let there = |args: &[&str]| timed(&world, "ig", args).current_dir(&copy).output().unwrap();
    let told = there(&["clear", "-y"]);
    assert_eq!(stdout(&told), "forgot 0 ended units\n");
    assert!(stderr(&told).contains("kept 3 ended units"), "{}", stderr(&told));
    // One that was moved is still ours.
    let moved = world.home().join("moved");
    fs::rename(world.project(), &moved).unwrap();
    let told = timed(&world, "ig", &["clear", "-y"]).current_dir(&moved).output().unwrap();
    assert_eq!(stdout(&told), "forgot 3 ended units\n", "{}", stderr(&told));
}
