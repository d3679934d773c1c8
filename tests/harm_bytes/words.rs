//! Words and paths are bytes.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Sandbox, free_port, stderr, stdout, succeed, wait_until};
use crate::{ODD, ODD_HEX, alone, last, os, run};

const PRINTF: &str = "7072696e7466";

#[test]
fn a_command_gets_the_words_that_were_typed() {
    let world = Sandbox::with_project();
    for program in ["ig", "ig-agent"] {
        let mut command = alone(&world, program);
        command.args(["run", "--", "printf", "%s"]).arg(os(ODD));
        assert_eq!(run(&mut command).stdout, ODD, "{program}");
        let unit = last(&world);
        assert_eq!(unit["argv"], json!(["printf", "%s", "caf\u{fffd} \u{fffd}"]));
        assert_eq!(unit["raw"], json!({"argv": [PRINTF, "2573", ODD_HEX]}), "{program}");
        assert_eq!(unit["command"], r"printf %s $'caf\351 \377'");
    }
    // Where everything is text, nothing is said of bytes.
    run(alone(&world, "ig").args(["run", "printf", "%s", "café"]));
    assert_eq!(last(&world).get("raw"), None);
}

#[test]
fn a_string_for_the_shell_may_hold_any_byte() {
    let world = Sandbox::with_project();
    let mut text = b"printf '%s' '".to_vec();
    text.extend_from_slice(ODD);
    text.push(b'\'');
    for program in ["ig", "ig-agent"] {
        let mut command = alone(&world, program);
        command.arg("run").arg(os(&text));
        assert_eq!(run(&mut command).stdout, ODD, "{program}");
        let unit = last(&world);
        assert_eq!(unit["script"]["sha256"], idlergear::hash::sha256(&text));
        assert!(unit["command"].as_str().unwrap().starts_with("bash -c $'printf "), "{unit}");
    }
}

#[test]
fn what_starts_in_the_background_gets_them_too() {
    let world = Sandbox::with_project();
    let mut start = alone(&world, "ig");
    start.args(["start", "odd", "--", "sh", "-c", "printf %s \"$1\"; exec sleep 60", "sh"]);
    run(start.arg(os(ODD)));
    wait_until("it has written", || {
        run(alone(&world, "ig").args(["logs", "odd", "--raw"])).stdout == ODD
    });
    let unit = last(&world);
    assert_eq!(unit["raw"]["argv"][4], ODD_HEX);
    // The same words mean the same unit, whoever reads its record.
    let up = |word: &[u8]| {
        let mut up = alone(&world, "ig");
        up.args(["up", "odd", "--", "sh", "-c", "printf %s \"$1\"; exec sleep 60", "sh"]);
        up.arg(os(word)).output().unwrap()
    };
    let same = up(ODD);
    assert_eq!(stdout(&same).trim(), unit["id"].as_str().unwrap(), "{}", stderr(&same));
    assert!(!up(b"caf\xea \xff").status.success(), "these are other words");
    world.ok(&["stop", "odd"]);
}

#[test]
fn the_shell_library_and_generated_scripts_pass_them_on() {
    let world = Sandbox::with_project();
    let script = "source \"$(ig lib --path)\"; idlergear_run --name odd -- printf %s \"$1\"";
    let mut bash = alone(&world, "bash");
    assert_eq!(run(bash.args(["-c", script, "bash"]).arg(os(ODD))).stdout, ODD);
    assert_eq!(last(&world)["raw"]["argv"][2], ODD_HEX);
    run(alone(&world, "ig").args(["gen", "script", "show", "--command", "printf %s"]));
    let made = world.project().join("scripts/show.sh");
    assert_eq!(run(alone(&world, made.to_str().unwrap()).arg(os(ODD))).stdout, ODD);
    let raw = last(&world)["raw"]["argv"].clone();
    assert_eq!(raw.as_array().unwrap().last().unwrap(), ODD_HEX);
    let mut made = alone(&world, "ig");
    made.args(["gen", "script", "two", "--command", "printf %s", "--run", "--"]).arg(os(ODD));
    assert_eq!(run(&mut made).stdout, ODD);
}

#[test]
fn names_and_values_in_the_environment_may_be_anything() {
    let world = Sandbox::with_project();
    for program in ["ig", "ig-agent"] {
        let mut command = alone(&world, program);
        command.args(["run", "--", "env"]);
        command.env(os(b"caf\xe9"), os(ODD)).env("OTHER", os(ODD));
        let seen = run(&mut command).stdout;
        let line = [b"caf\xe9=", ODD].concat();
        assert!(seen.split(|byte| *byte == b'\n').any(|seen| seen == line), "{program}");
        let names = last(&world)["env_names"].to_string();
        assert!(names.contains("caf\u{fffd}") && names.contains("OTHER"), "{names}");
    }
}

/// A world whose HOME and project are called by bytes that are no text.
struct Odd {
    world: Sandbox,
    home: PathBuf,
    project: PathBuf,
}

impl Odd {
    fn new() -> Self {
        let world = Sandbox::new();
        let home = world.home().join(os(b"h\xe9"));
        let project = home.join(os(b"pro\xffject"));
        fs::create_dir_all(project.join(".idlergear")).unwrap();
        Self { world, home, project }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.world.command(program);
        command.current_dir(&self.project).env("HOME", &self.home);
        command
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.command("ig").args(args).output().unwrap();
        succeed(&output, args)
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        let _ = self.command("ig").args(["daemon", "stop"]).output();
    }
}

fn path(hex: &Value) -> PathBuf {
    let hex = hex.as_str().expect("bytes").as_bytes();
    let text = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    OsString::from_vec(hex.chunks(2).map(text).collect()).into()
}

#[test]
fn a_project_with_any_name_keeps_its_records() {
    let odd = Odd::new();
    let script = odd.project.join(os(b"tr\xe4in.sh"));
    fs::write(&script, "echo one\n").unwrap();
    for program in ["ig", "ig-agent"] {
        let mut command = odd.command(program);
        command.env("IDLERGEAR_NO_DAEMON", "1").args(["run", "--", "bash"]).arg(&script);
        let output = run(&mut command);
        assert_eq!((stdout(&output), stderr(&output)), ("one\n".into(), String::new()));
    }
    let units = odd.json(&["run", "list", "--json"])["units"].clone();
    assert_eq!(units.as_array().unwrap().len(), 2);
    for unit in units.as_array().unwrap() {
        let raw = &unit["raw"];
        assert_eq!(path(&raw["cwd"]), odd.project);
        assert_eq!(path(&raw["project"]), odd.project);
        assert_eq!(path(&raw["script.path"]), script);
        assert_eq!(fs::read(path(&raw["logs.stdout"])).unwrap(), b"one\n");
        assert_eq!((&unit["name"], &unit["stale"]), (&json!("tr\u{fffd}in"), &json!(false)));
        let id = unit["id"].as_str().unwrap();
        assert_eq!(odd.ok(&["logs", id]), "one\n");
        assert!(odd.ok(&["run", "status", id]).contains("status   completed"));
    }
    fs::write(&script, "echo two\n").unwrap();
    let units = odd.json(&["run", "list", "--json"])["units"].clone();
    assert!(units.as_array().unwrap().iter().all(|unit| unit["stale"] == true));
}

#[test]
fn the_daemon_knows_units_in_a_project_with_any_name() {
    let odd = Odd::new();
    let script = "echo up; until [ -e end ]; do sleep 0.05; done; exit 3";
    let id = odd.ok(&["start", "web", "--", script]);
    wait_until("it is up", || odd.ok(&["logs", "web"]) == "up\n");
    wait_until("the daemon lists it", || {
        odd.json(&["daemon", "agents", "--json"])["agents"][0]["id"] == id.trim()
    });
    let agents = odd.json(&["daemon", "agents", "--json"]);
    assert_eq!(path(&agents["agents"][0]["raw"]["project"]), odd.project);
    // From a shell of its own, by the library.
    let script = "source \"$(ig lib --path)\"; idlergear_register helper; idlergear_log hello
        ig logs helper; ig daemon send --to web hi; idlergear_unregister";
    let output = odd.command("bash").args(["-c", script]).output().unwrap();
    let said = stdout(&output);
    assert!(said.contains(" hello\n") && said.ends_with("sent to web\n"), "{said}");
    odd.ok(&["daemon", "restart"]);
    let listed = odd.json(&["ps", "--json"]);
    assert_eq!(listed["units"][0]["id"], id.trim());
    fs::write(odd.project.join("end"), "").unwrap();
    wait_until("its end is told", || {
        let signals = odd.ok(&["signals", "--peek", "--json"]);
        signals.contains(id.trim())
    });
    assert_eq!(odd.ok(&["logs", "web"]), "up\n");
}

#[test]
fn a_port_is_claimed_in_a_project_with_any_name() {
    let odd = Odd::new();
    let base = free_port().to_string();
    let script = "first=$(ig-agent port \"$1\" --pid $$); second=$(ig-agent port \"$1\" --pid 1)
        echo $((first - $1)) $((second > first))";
    let output = odd.command("bash").args(["-c", script, "bash", &base]).output().unwrap();
    assert_eq!(stdout(&output), "0 1\n", "{}", stderr(&output));
}

#[test]
fn a_record_whose_bytes_do_not_fit_its_text_is_read_as_text() {
    let world = Sandbox::with_project();
    let mut command = alone(&world, "ig");
    run(command.args(["run", "printf", "%s"]).arg(os(ODD)));
    let id = last(&world)["id"].as_str().unwrap().to_owned();
    let file = world.project().join(".idlergear/runs").join(id).join("run.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(ODD_HEX, &"41".repeat(6))).unwrap();
    let unit = last(&world);
    assert_eq!((&unit["argv"][2], unit.get("raw")), (&json!("caf\u{fffd} \u{fffd}"), None));
    assert_eq!(os(ODD).as_bytes(), ODD);
}
