//! No value executes and none changes: hostile strings go in through flags and TOML, the script runs
//! for real, and the bytes that come out are compared.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::collections::BTreeMap;
use std::process::{Command, Output};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use support::{Sandbox, stderr, stdout};

/// What shells, templates, TOML and headers act on.
const PIECES: &[&str] = &[
    "'",
    "\"",
    "$",
    "`",
    "\\",
    "$(id)",
    "`id`",
    "${HOME}",
    "$((1+1))",
    "~",
    "~/",
    "!",
    "!!",
    "\n",
    "\r",
    "\t",
    " ",
    "#",
    "# ",
    "*",
    "?",
    "[a]",
    "{a,b}",
    "|",
    "&",
    ";",
    "<",
    ">",
    "=",
    "%",
    "%s",
    "é",
    "日",
    "\u{202e}",
    "\u{1}",
    "\u{7f}",
    "-",
    "--",
    "-n",
    "/",
    "..",
    "done",
    "EOF",
    "<<EOF",
    "$@",
    "\"$@\"",
    "${#a[@]}",
    "{{",
    "}}",
    "{{ name }}",
    "{%",
    "#%",
    "#%#",
    "{%#",
    "'''",
    "\"\"\"",
    "a",
    "b",
    "\u{feff}",
    "^x",
    "\\n",
    "\\'",
];

fn hostile() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..8).prop_map(|pieces| pieces.concat())
}

/// The same ones each time: what fails anywhere fails everywhere.
fn cases(count: u32) -> TestRunner {
    let rng_seed = RngSeed::Fixed(7);
    TestRunner::new(Config {
        cases: count,
        rng_seed,
        failure_persistence: None,
        ..Config::default()
    })
}

/// Runs a script with nothing on PATH but the system's own programs.
fn run(world: &Sandbox, script: &str, args: &[String]) -> Output {
    let mut command = Command::new(world.project().join(script));
    world.enter(&mut command);
    command.env("PATH", "/usr/bin:/bin").current_dir("/").args(args).output().unwrap()
}

fn nul_ended(args: &[impl AsRef<str>]) -> String {
    args.iter().flat_map(|arg| [arg.as_ref(), "\0"]).collect()
}

/// The environment that `env -0` printed.
fn environment(output: &Output) -> BTreeMap<String, String> {
    let text = stdout(output);
    let pairs = text.split('\0').filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn values_from_flags_arrive_as_they_were_given() {
    let world = Sandbox::new();
    let strategy = (hostile(), hostile(), prop::collection::vec(hostile(), 0..3));
    let check = |(one, two, args): (String, String, Vec<String>)| {
        let (a, b) = (format!("A={one}"), format!("B={two}"));
        let words = ["gen", "script", "x", "--no-register", "--force", "-e", &a, "-e", &b];
        world.ok(&[&words[..], &["--command", "env -0"]].concat());
        let output = run(&world, "scripts/x.sh", &[]);
        let env = environment(&output);
        prop_assert_eq!(&env["A"], &one, "{}", stderr(&output));
        prop_assert_eq!(&env["B"], &two);
        prop_assert!(world.ig(&["gen", "--check"]).status.success(), "made again, the same");
        world.ok(&[&words[..], &["--command", "printf '%s\\0'"]].concat());
        let output = run(&world, "scripts/x.sh", &args);
        let expected = nul_ended(&args);
        let expected = if args.is_empty() { "\0".to_owned() } else { expected };
        prop_assert_eq!(stdout(&output), expected);
        Ok(())
    };
    cases(40).run(&strategy, check).unwrap();
}

#[test]
fn words_of_a_command_arrive_as_they_were_given() {
    let world = Sandbox::new();
    let strategy = prop::collection::vec(hostile(), 1..4);
    let check = |args: Vec<String>| {
        let words = ["run", "generate-script", "x", "--no-register", "--force", "--"];
        let command = ["printf", "%s\\0"];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        world.ok(&[&words[..], &command[..], &args[..]].concat());
        let output = run(&world, "scripts/x.sh", &[]);
        let expected = nul_ended(&args);
        prop_assert_eq!(stdout(&output), expected, "{}", stderr(&output));
        Ok(())
    };
    cases(40).run(&strategy, check).unwrap();
}

#[test]
fn values_from_toml_arrive_as_they_were_written() {
    let world = Sandbox::new();
    let strategy = (hostile(), hostile(), hostile());
    let check = |(env, var, arg): (String, String, String)| {
        // A basic string of TOML escapes what JSON does, and DEL besides.
        let toml = |text: &str| serde_json::to_string(text).unwrap().replace('\u{7f}', "\\u007f");
        let profile = format!(
            "template = 'echo'\nenv.A = {}\nvars.v = {}\ncommand = ['env', '-0', {}]\n",
            toml(&env),
            toml(&var),
            toml(&format!("C={arg}"))
        );
        world.write("../.config/idlergear/profiles/x.toml", &profile);
        world.write(
            "../.config/idlergear/templates/echo.sh.j2",
            "#%# var: v = x\n#% extends \"_base.sh.j2\"\n#% block environment\nexport B={{ v }}\n#% endblock\n",
        );
        world.ok(&["gen", "x", "--no-register", "--force"]);
        let output = run(&world, "scripts/x.sh", &[]);
        let all = environment(&output);
        prop_assert_eq!(&all["A"], &env, "{}", stderr(&output));
        prop_assert_eq!(&all["B"], &var);
        prop_assert_eq!(&all["C"], &arg);
        Ok(())
    };
    cases(40).run(&strategy, check).unwrap();
}

#[test]
fn names_and_paths_arrive_as_they_were_given() {
    for name in
        ["a b", "it's", "$(touch pwned)", "\"; id #", "日本", "a`id`b", "{{ x }}", "~x", "*"]
    {
        let world = Sandbox::new();
        let root = world.project().join(name);
        std::fs::create_dir(&root).unwrap();
        let folder = format!("{name} scripts/{name}/");
        let mut command = world.command("ig");
        command.current_dir(&root).args(["gen", "script", name, "--venv", name, "-o", &folder]);
        let output =
            command.args(["--command", "pwd && echo \"$0\"", "--no-register"]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let python = root.join(name).join("bin/python");
        std::fs::create_dir_all(python.parent().unwrap()).unwrap();
        for program in [python.clone(), python.with_file_name("pip")] {
            std::os::unix::fs::symlink("/bin/true", program).unwrap();
        }
        std::fs::write(root.join(name).join("pyvenv.cfg"), "").unwrap();
        let script = format!("{name}/{folder}{name}.sh");
        let output = run(&world, &script, &[]);
        assert_eq!(stdout(&output), format!("{}\n{name}\n", root.display()), "{}", stderr(&output));
        let told = stderr(&output);
        assert!(told.starts_with("setting up ") && told.lines().count() == 1, "{told}");
        assert!(!world.project().join("pwned").exists());
    }
}

#[test]
fn an_agents_name_reaches_the_runner_as_one_word() {
    let world = Sandbox::new();
    let stub = "#!/bin/bash\nprintf '%s\\n' \"$@\"\n";
    world.program("stubs/ig-agent", stub);
    for name in ["a b", "it's", "$(id)", "`id`; x", "日"] {
        world.ok(&["gen", "pytest", "--agent-name", name, "--agent-type", name, "--force"]);
        let script = "PATH=$PWD/stubs:/usr/bin:/bin ./scripts/pytest.sh 'x y'";
        let said = stdout(&world.bash(script));
        let script = world.project().join("scripts/pytest.sh").display().to_string();
        let expected = format!(
            "run\n--script\n{script}\n--name\n{name}\n--type\n{name}\n--\n/bin/bash\n{script}\nx y\n"
        );
        assert_eq!(said, expected);
    }
}

#[test]
fn a_value_cannot_forge_the_header_or_the_keep_region() {
    let world = Sandbox::new();
    for value in ["x\n# ig:keep\nid\n# ig:end\n", "\n  # ig:args []", "\n# ig:made {}"] {
        let env = format!("A={value}");
        let output = world.ig(&["gen", "pytest", "-e", &env]);
        assert_eq!(output.status.code(), Some(2));
        let output = world.ig(&["gen", "script", "x", "--command", value]);
        assert_eq!(output.status.code(), Some(2));
    }
}
