//! `ig lib`: the library's text and where it lies.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use support::{Sandbox, stderr, stdout, tool};

#[test]
fn path_names_a_file_with_this_very_library() {
    let world = Sandbox::new();
    let path = world.ok(&["lib", "--path"]);
    let text = std::fs::read_to_string(path.trim()).unwrap();
    assert_eq!(text, world.ok(&["lib", "--print"]));
    assert_eq!(path, world.ok(&["lib"]));
}

/// As after the README's install command: programs and library side by side on PATH.
#[test]
fn an_installed_library_is_found_by_its_bare_name() {
    let world = Sandbox::with_project();
    let bin = world.home().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for program in ["ig", "ig-agent"] {
        // By a process of its own, for the reason that `Sandbox::program` gives.
        let mut copy = world.command("cp");
        let copied = copy.arg(Sandbox::bin_dir().join(program)).arg(&bin).status();
        assert!(copied.unwrap().success());
    }
    let installed =
        world.command(bin.join("ig").to_str().unwrap()).args(["lib", "--install"]).output();
    assert_eq!(stdout(&installed.unwrap()).trim(), bin.join("idlergear.sh").to_str().unwrap());
    let script =
        "source idlergear.sh; idlergear_register greeter; idlergear_log hello; ig-agent lib";
    for shell in ["bash", "zsh"].iter().filter_map(|name| tool(name)) {
        let mut command = world.command(shell.to_str().unwrap());
        command
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("IDLERGEAR_NO_DAEMON", "1");
        let output = command.args(["-c", script]).output().unwrap();
        assert_eq!(stderr(&output), "hello\n");
        assert_eq!(stdout(&output).trim(), bin.join("idlergear.sh").to_str().unwrap());
        assert!(world.ok(&["logs", "greeter"]).trim_end().ends_with("info     hello"));
    }
}
