//! A cloned repository can do nothing until a person has seen its files and said yes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;
use support::pty::{Ended, Terminal};
use support::{Sandbox, stderr};

const WEB: &str = ".idlergear/profiles/web.toml";

/// A clone that wants to run something.
fn hostile() -> Sandbox {
    let world = Sandbox::with_project();
    world.write(WEB, "template = \"script\"\ncommand = \"touch pwned\"\n");
    world.write(".idlergear/templates/evil.sh.j2", "touch pwned\n");
    world.write(".idlergear/config.toml", "[processes.execution]\nshell_path = \"/tmp/evil\"\n");
    world
}

/// `ig trust` at a terminal, answered with `answer`.
fn answered(world: &Sandbox, answer: &str) -> Ended {
    let mut command = world.command("ig");
    command.arg("trust");
    let mut terminal = Terminal::start(command);
    terminal.expect("[y/N]");
    terminal.send(&format!("{answer}\n"));
    terminal.end()
}

fn states(world: &Sandbox) -> Vec<(String, bool)> {
    let listing = world.json(&["trust", "--json"]);
    let state = |file: &Value| {
        let path = Path::new(file["path"].as_str().unwrap());
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, file["trusted"].as_bool().unwrap())
    };
    listing["files"].as_array().unwrap().iter().map(state).collect()
}

fn trusted(world: &Sandbox) -> usize {
    states(world).iter().filter(|(_, trusted)| *trusted).count()
}

#[test]
fn every_file_of_a_clone_is_untrusted() {
    let world = hostile();
    let names = ["config.toml", "web.toml", "evil.sh.j2"];
    assert_eq!(states(&world), names.map(|name| (name.to_owned(), false)));
}

#[test]
fn a_yes_on_the_terminal_grants_and_anything_else_does_not() {
    let world = hostile();
    for answer in ["", "n", "yess", "\x04"] {
        assert_eq!(answered(&world, answer).code, Some(1), "{answer:?}");
        assert_eq!(trusted(&world), 0);
    }
    let ended = answered(&world, "y");
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    assert!(ended.output.contains("touch pwned"), "what is granted was shown: {}", ended.output);
    assert_eq!(trusted(&world), 3);
    assert!(!world.project().join("pwned").exists());
}

#[test]
fn one_changed_byte_asks_again() {
    let world = hostile();
    answered(&world, "y");
    world.write(WEB, "template = \"script\"\ncommand = \"touch pwneD\"\n");
    assert_eq!(trusted(&world), 2);
    let refused = world.ig(&["trust"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        stderr(&refused),
        format!(
            "ig: a file of this project has changed since you trusted it\n  at {WEB}\n  try: ig trust, in a terminal\n"
        )
    );
}

#[test]
fn the_same_content_elsewhere_is_another_file() {
    let world = hostile();
    answered(&world, "y");
    std::fs::copy(world.project().join(WEB), world.project().join(".idlergear/profiles/api.toml"))
        .unwrap();
    let moved = world.home().join("moved");
    std::fs::rename(world.project(), &moved).unwrap();
    symlink(&moved, world.project()).unwrap();
    assert_eq!(trusted(&world), 0);
}

#[test]
fn nothing_grants_without_a_person_at_a_terminal() {
    let world = hostile();
    let mut piped = world.command("bash");
    let output = piped.args(["-c", "yes | ig trust"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    for name in ["CLAUDECODE", "CODEX_SANDBOX", "GEMINI_CLI", "AI_AGENT"] {
        let mut command = world.command("ig");
        command.arg("trust").env(name, "1");
        let ended = Terminal::start(command).end();
        assert_eq!(ended.code, Some(1));
        assert!(ended.output.contains("outside the AI client"), "{}", ended.output);
    }
    assert_eq!(trusted(&world), 0);
}

#[test]
fn a_repository_cannot_bring_its_own_trust() {
    let world = hostile();
    let root = world.project();
    answered(&world, "y");
    let inside = root.join("state");
    std::fs::create_dir_all(&inside).unwrap();
    let copy = format!("cp -r {}/. {}/idlergear", world.state().display(), inside.display());
    assert!(world.bash(&copy).status.success());
    // A work tree is one repository, however deep the project lies in it.
    world.write("deep/.idlergear/profiles/web.toml", "template = \"script\"\n");
    std::fs::create_dir(root.join(".git")).unwrap();
    for dir in [root.clone(), root.join("deep")] {
        let mut command = world.command("ig");
        command.arg("trust").env("XDG_STATE_HOME", &inside).current_dir(dir);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("cannot be kept inside the repository"));
    }
}

#[test]
fn links_pipes_and_giants_are_refused() {
    let world = Sandbox::with_project();
    world.write(".idlergear/profiles/ok.toml", "template = \"script\"\n");
    let profiles = world.project().join(".idlergear/profiles");
    let secret = world.home().join("secret.toml");
    std::fs::write(&secret, "template = \"script\"\n").unwrap();
    symlink(&secret, profiles.join("out.toml")).unwrap();
    let refused = world.ig(&["trust"]);
    assert!(stderr(&refused).contains("leads out of it"), "{}", stderr(&refused));
    std::fs::remove_file(profiles.join("out.toml")).unwrap();

    std::fs::write(profiles.join("big.toml"), "#".repeat(300 * 1024)).unwrap();
    assert!(stderr(&world.ig(&["trust"])).contains("262 kB"));
    std::fs::remove_file(profiles.join("big.toml")).unwrap();

    assert!(world.bash("mkfifo .idlergear/profiles/pipe.toml").status.success());
    assert_eq!(states(&world), [("ok.toml".to_owned(), false)]);
}

#[test]
fn what_is_shown_cannot_deceive() {
    let world = Sandbox::with_project();
    world.write(WEB, "# \x1b[2J\x1b[H all good \u{202e}\r\ncommand = \"id\"\n");
    let ended = answered(&world, "n");
    assert!(!ended.output.contains('\x1b') && !ended.output.contains('\u{202e}'));
    assert!(ended.output.contains("[2J") && ended.output.contains("command = \"id\""));
}

#[test]
fn revoking_takes_everything_back() {
    let world = hostile();
    answered(&world, "y");
    assert_eq!(world.ok(&["trust", "--revoke"]), "took back 3 grants\n");
    assert_eq!(trusted(&world), 0);
    assert!(world.ok(&["trust", "--list"]).contains("web.toml  untrusted"));
}

#[test]
fn a_store_open_to_others_does_not_count() {
    let world = hostile();
    answered(&world, "y");
    let store = world.state().join("trust");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(store, open).unwrap();
    let refused = world.ig(&["trust"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("is open to other users"), "{}", stderr(&refused));
}

/// Everything that could make the clone's files act.
const ACTS: [&[&str]; 8] = [
    &["gen", "web", "--run"],
    &["gen", "web"],
    &["gen", "web", "--force"],
    &["gen", "evil", "--run"],
    &["gen", "pytest", "--run"],
    &["gen", "mine", "--run"],
    &["gen", "--update"],
    &["run", "generate-script", "x", "true", "--template", "evil"],
];

#[test]
fn a_clone_runs_nothing_and_makes_no_script() {
    let world = hostile();
    let evil =
        "#%# about: x\n#% extends \"_base.sh.j2\"\n#% block command\ntouch pwned\n#% endblock\n";
    for name in ["evil", "pytest"] {
        world.write(&format!(".idlergear/templates/{name}.sh.j2"), evil);
    }
    // A user's own template that is led astray by the project's.
    let mine = world.home().join(".config/idlergear/templates");
    std::fs::create_dir_all(&mine).unwrap();
    std::fs::write(mine.join("mine.sh.j2"), "#% extends \"evil.sh.j2\"\n").unwrap();
    for act in ACTS {
        for client in [None, Some(("CLAUDECODE", "1"))] {
            let mut command = world.command("ig");
            command.args(act).envs(client);
            let output = command.output().unwrap();
            assert!(!world.project().join("pwned").exists(), "{act:?}");
            assert!(!world.project().join("scripts").exists(), "{act:?} wrote a script");
            if act != ["gen", "--update"] {
                assert_eq!(output.status.code(), Some(1), "{act:?}: {}", stderr(&output));
                assert!(stderr(&output).contains("not trusted yet"), "{}", stderr(&output));
            }
        }
    }
    assert!(
        world.ok(&["gen", "web", "--stdout"]).contains("touch pwned"),
        "showing needs no trust"
    );
}

#[test]
fn at_a_terminal_the_question_comes_before_the_script() {
    let world = hostile();
    for (answer, there) in [("n", false), ("y", true)] {
        let mut command = world.command("ig");
        command.args(["gen", "web"]);
        let mut terminal = Terminal::start(command);
        terminal.expect("[y/N]");
        terminal.send(&format!("{answer}\n"));
        let ended = terminal.end();
        assert_eq!(ended.code, Some(i32::from(!there)), "{}", ended.output);
        assert_eq!(world.project().join("scripts/web.sh").exists(), there);
    }
    assert!(!world.project().join("pwned").exists());
}
