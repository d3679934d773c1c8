//! Secrets stay in the log: no reader shows them but the byte-exact one.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Sandbox, stderr, stdout, succeed, wait_until};

const VALUE: &str = "correct horse battery";

/// `ig` without a daemon, and without the variable that holds the secret.
fn ig(world: &Sandbox, args: &[&str]) -> Command {
    let mut command = world.command("ig");
    command.args(args).env("IDLERGEAR_NO_DAEMON", "1");
    command
}

fn shown(world: &Sandbox, args: &[&str]) -> String {
    succeed(&ig(world, args).output().unwrap(), args)
}

/// A project with a run of `script` called `job`, which knew the secret.
fn ran(script: &str) -> Sandbox {
    let world = Sandbox::with_project();
    let mut run = ig(&world, &["run", "--name", "job", "--", "bash", "-c", script]);
    run.env("SHOP_API_TOKEN", VALUE).output().unwrap();
    world
}

/// Every file below `dir`.
fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_secret_of_the_run_is_hidden_from_who_does_not_know_it() {
    let world =
        ran("echo \"token is <$SHOP_API_TOKEN>\"; echo \"${SHOP_API_TOKEN:0:5} is no secret\"");
    let expected = "token is <[masked SHOP_API_TOKEN]>\ncorre is no secret\n";
    assert_eq!(shown(&world, &["logs", "job"]), expected);
    assert_eq!(shown(&world, &["output", "job"]), expected);
    for args in [["logs", "job", "-n"], ["logs", "job", "--json"]] {
        let shown = shown(&world, &args);
        assert!(!shown.contains(VALUE), "{args:?}: {shown}");
    }
    assert!(shown(&world, &["logs", "job", "--json"]).contains("[masked SHOP_API_TOKEN]"));
    assert_eq!(
        shown(&world, &["logs", "job", "--grep", "horse"]),
        "token is <[masked SHOP_API_TOKEN]>\n"
    );
    let raw = format!("token is <{VALUE}>\ncorre is no secret\n");
    assert_eq!(shown(&world, &["logs", "job", "--raw"]), raw, "byte for byte");
    let again = "echo \"another <$SHOP_API_TOKEN>\"";
    let mut run = ig(&world, &["run", "--name", "job", "--", "bash", "-c", again]);
    run.env("SHOP_API_TOKEN", VALUE).output().unwrap();
    let diff = shown(&world, &["diff", "job"]);
    assert!(diff.contains("+another <[masked SHOP_API_TOKEN]>") && !diff.contains(VALUE), "{diff}");
}

/// Whatever part of the log is read, and wherever its reader has to stop for breath.
#[test]
fn a_private_key_is_hidden_from_who_sees_only_its_middle() {
    let world = ran("seq -f 'a line of its own, and not a short one, %.0f' 1 1300; sleep 0.3
         echo -----BEGIN PRIVATE KEY-----; seq -f %064.0f 1 30; sleep 0.3; seq -f %064.0f 31 60
         echo -----END PRIVATE KEY-----; seq 20000");
    let raw = shown(&world, &["logs", "job", "--raw"]);
    let secret: Vec<&str> = raw.lines().filter(|line| line.len() == 64).collect();
    assert_eq!(secret.len(), 60);
    let middle = shown(&world, &["logs", "job", "--json", "--range", "1340:1340"]);
    let row: Value = serde_json::from_str(&middle).unwrap();
    let since = row["at"].as_str().unwrap();
    for args in [
        vec!["--tail", "20030"],
        vec!["--since", since],
        vec!["--range", "1340:1350"],
        vec!["--grep", "000"],
        vec!["--range", "1340:", "--json"],
        vec![],
    ] {
        let shown = shown(&world, &[&["logs", "job"], args.as_slice()].concat());
        assert!(shown.contains("[masked private key]"), "{args:?}: {shown}");
        let told = secret.iter().find(|line| shown.contains(**line));
        assert_eq!(told, None, "{args:?}");
    }
    // What the other stream says meanwhile changes nothing.
    let key = "echo -----BEGIN PRIVATE KEY-----; for i in 1 2 3 4; do sleep 0.05; printf 'MIIE%060d\n' $i;
        sleep 0.05; echo '[info] step.' >&2; done; echo -----END PRIVATE KEY-----";
    let world = ran(key);
    for args in [&["logs", "job"][..], &["output", "job"], &["logs", "job", "--tail", "8"]] {
        let shown = shown(&world, args);
        assert!(shown.contains("[info] step.") && !shown.contains("MIIE"), "{args:?}: {shown}");
    }
    let hashes = ran("seq 99 | while read -r n; do echo $n | sha256sum | cut -c 1-64; done");
    let last = shown(&hashes, &["logs", "job", "--tail", "50"]);
    assert!(last.lines().all(|line| line.len() == 64), "{last}");
}

#[test]
fn the_value_is_in_no_file_but_the_log() {
    let world = ran("echo \"$SHOP_API_TOKEN\"");
    for file in files(world.home()) {
        // What is only a link has its words in where it leads.
        let link = |_| fs::read_link(&file).unwrap().into_os_string().into_encoded_bytes();
        let text = fs::read(&file).unwrap_or_else(link);
        let has_it = memchr::memmem::find(&text, VALUE.as_bytes()).is_some();
        assert_eq!(has_it, file.ends_with("stdout.log"), "{}", file.display());
    }
    let key = files(world.home()).into_iter().find(|file| file.ends_with("seals.key")).unwrap();
    assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_the_reader_knows_and_what_was_listed_is_hidden() {
    let world = ran("echo one my-own-secret two; echo listed-value; echo my-own-secrets");
    let mut logs = ig(&world, &["logs", "job"]);
    logs.env("MY_PASSWORD", "my-own-secret").env("IDLERGEAR_LOGS_SECRETS", "x listed-value");
    let shown = stdout(&logs.output().unwrap());
    assert_eq!(shown, "one [masked MY_PASSWORD] two\n[masked secret]\n[masked MY_PASSWORD]s\n");
}

#[test]
fn tokens_are_known_by_their_shape() {
    let script =
        "echo 'postgres://app:s3cr3tpw@db/x'; echo 'ghp_0123456789abcdefghijABCDEFGHIJ012345';
        echo 'SyntaxError: unexpected token: identifier'; echo -----BEGIN RSA PRIVATE KEY-----;
        echo MIIEow0000; echo -----END RSA PRIVATE KEY-----; echo after";
    assert_eq!(
        shown(&ran(script), &["logs", "job"]).lines().collect::<Vec<_>>(),
        [
            "postgres://app:[masked password]@db/x",
            "[masked github token]",
            "SyntaxError: unexpected token: identifier",
            "-----BEGIN RSA PRIVATE KEY-----",
            "[masked private key]",
            "-----END RSA PRIVATE KEY-----",
            "after"
        ]
    );
}

#[test]
fn only_the_user_turns_it_off() {
    let world = ran("echo \"$SHOP_API_TOKEN\"");
    world.write(".idlergear/config.toml", "[logs]\nmask = false\n");
    assert!(!shown(&world, &["logs", "job"]).contains(VALUE), "a project cannot");
    fs::remove_file(world.project().join(".idlergear/config.toml")).unwrap();
    let user = world.home().join(".config/idlergear");
    fs::create_dir_all(&user).unwrap();
    fs::write(user.join("config.toml"), "[logs]\nmask = false\n").unwrap();
    assert_eq!(shown(&world, &["logs", "job"]), format!("{VALUE}\n"));
}

#[test]
fn nobody_who_is_told_of_an_end_is_told_a_secret() {
    let world = Sandbox::with_project();
    let script =
        "idle() { until [ -e go ]; do sleep 0.02; done; }; idle; echo \"$DB_PASSWORD\"; exit 3";
    let mut start = world.command("ig");
    start.args(["start", "job", "--", "bash", "-c", script]).env("DB_PASSWORD", VALUE);
    succeed(&start.output().unwrap(), &["start"]);
    world.write("go", "");
    let wait = world.ig(&["wait", "job", "--until", "match:never"]);
    assert!(stderr(&wait).contains("[masked DB_PASSWORD]"), "{}", stderr(&wait));
    let mut signals = String::new();
    wait_until("the end is told", || {
        signals = stdout(&world.ig(&["signals", "--peek", "--json"]));
        signals.contains("exit_code")
    });
    assert!(signals.contains("[masked DB_PASSWORD]") && !signals.contains(VALUE), "{signals}");
}

/// Starts a unit `job` that logs and prints its secret, and does so again once there is a file `go`.
fn tell_tale() -> Sandbox {
    let world = Sandbox::with_project();
    let library = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shell-lib/idlergear.sh");
    let script = format!(
        r#". {}; idlergear_register job
        tell() {{ idlergear_log "logged $1 $DB_PASSWORD" 2>/dev/null; echo "shown $1 $DB_PASSWORD"; }}
        tell early; echo "-----BEGIN RSA PRIVATE KEY-----"; idlergear_log "a line between"
        echo MIIEow0000; echo "-----END RSA PRIVATE KEY-----"; touch told
        until [ -e go ]; do sleep 0.02; done; tell late; printf 'unfinished %s' "$DB_PASSWORD""#,
        library.display()
    );
    world.ok(&["daemon", "start"]);
    let mut start = world.command("ig");
    start.args(["start", "job", "--", "bash", "-c", &script]).env("DB_PASSWORD", VALUE);
    succeed(&start.output().unwrap(), &["start"]);
    wait_until("it told", || world.project().join("told").exists());
    world
}

/// What a client in nobody's language gets.
fn on_the_wire(world: &Sandbox, method: &str, id: &str) -> String {
    let socket = world.home().join("run/idlergear/daemon.sock");
    let mut stream = BufReader::new(UnixStream::connect(socket).unwrap());
    let mut answer = String::new();
    for call in [
        r#"{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1}}"#.to_owned(),
        format!(r#"{{"jsonrpc":"2.0","id":2,"method":"{method}","params":{{"id":"{id}"}}}}"#),
    ] {
        writeln!(stream.get_mut(), "{call}").unwrap();
        answer.clear();
        stream.read_line(&mut answer).unwrap();
    }
    answer
}

#[test]
fn the_daemon_hands_out_no_secret_of_a_log() {
    let world = tell_tale();
    let mut shown = String::new();
    wait_until("all of it is there", || {
        shown = world.ok(&["daemon", "logs", "job"]);
        shown.contains("END RSA")
    });
    for line in ["logged early [masked DB_PASSWORD]", "shown early [masked DB_PASSWORD]"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(shown.contains("a line between"), "each stream is a text of its own: {shown}");
    assert!(shown.contains("[masked private key]") && !shown.contains("MIIE"), "{shown}");
    let agents = world.json(&["daemon", "agents", "--json"]);
    let id = agents["agents"][0]["id"].as_str().unwrap().to_owned();
    let told = on_the_wire(&world, "unit.output", &id);
    assert!(told.contains("shown early [masked DB_PASSWORD]"), "{told}");
    assert!(told.contains("logged early [masked DB_PASSWORD]"), "{told}");
    for text in [shown, told, world.ok(&["daemon", "logs", "--json"])] {
        assert!(!text.contains(VALUE), "{text}");
    }
    world.write("go", "");
    world.ig(&["wait", "job"]);
}

#[test]
fn what_a_script_says_of_itself_is_masked_too() {
    let world = Sandbox::with_project();
    let library = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shell-lib/idlergear.sh");
    let script = format!(
        r#". {}; idlergear_register job; touch up
        until [ -e go ]; do sleep 0.02; done
        idlergear_log '-----BEGIN RSA PRIVATE KEY-----' 2>/dev/null
        idlergear_status busy "with token=$DB_PASSWORD"; touch told
        until [ -e end ]; do sleep 0.02; done"#,
        library.display()
    );
    world.ok(&["daemon", "start"]);
    let mut start = world.command("ig");
    start.args(["start", "job", "--", "bash", "-c", &script]).env("DB_PASSWORD", VALUE);
    succeed(&start.output().unwrap(), &["start"]);
    wait_until("it is there", || world.ok(&["daemon", "agents"]).contains("job"));
    wait_until("it is up", || world.project().join("up").exists());
    world.write("go", "");
    wait_until("it told", || world.project().join("told").exists());
    let said = "with token=[masked DB_PASSWORD]";
    wait_until("the daemon knows", || world.ok(&["daemon", "agents"]).contains("busy"));
    for args in [&["daemon", "agents"][..], &["ps", "--json"], &["run", "status", "job"]] {
        let shown = world.ok(args);
        assert!(shown.contains(said), "{args:?}: {shown}");
    }
    world.write("end", "");
    world.ig(&["wait", "job"]);
    // Read from the record, which was written by one that masks nothing.
    wait_until("it has ended", || shown(&world, &["run", "status", "job"]).contains("completed"));
    assert!(shown(&world, &["run", "status", "job"]).contains(said));
    assert!(shown(&world, &["run", "list", "--json"]).contains(said));
}

#[test]
fn nobody_who_follows_through_the_daemon_is_told_a_secret() {
    let world = tell_tale();
    let mut follow = world.command("ig");
    let follow =
        follow.args(["daemon", "logs", "job", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    wait_until("somebody follows", || {
        let status: Value = world.json(&["daemon", "status", "--json"]);
        status["subscribers"].as_u64().is_some_and(|count| count > 0)
    });
    world.write("go", "");
    let shown = stdout(&follow.wait_with_output().unwrap());
    for line in ["logged late", "shown late", "unfinished"] {
        assert!(shown.contains(&format!("{line} [masked DB_PASSWORD]")), "{line}: {shown}");
    }
    assert!(!shown.contains(VALUE), "{shown}");
}
