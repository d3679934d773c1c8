//! Templates that come with a clone: rendered to be shown, before anybody trusted them.

use std::fs;
use std::process::Command;

use crate::support::{Sandbox, stderr, stdout, tool};

/// What `ig gen` may take of memory, KiB: its bound for templates, itself and some air.
const MEMORY: u64 = 400 << 10;

#[test]
fn the_memory_of_a_template_is_bounded() {
    let Some(python) = tool("python3") else { return };
    let world = Sandbox::with_project();
    let doubled = |line: &str| format!("{}{{{{ x }}}}\n", format!("{line}\n").repeat(34));
    let bombs = [
        doubled("#% set x = x ~ x").replacen("x ~ x", "'0123456789' ~ 'x'", 1),
        doubled("#% set x = [x, x]|join('-')").replacen("[x, x]", "['0123456789', 'x']", 1),
        doubled("#% set x = x|replace('x', x)")
            .replacen("x|replace", "'xx'|replace", 1)
            .replacen(", x)", ", 'xx')", 1),
        "{% set x = 'x' * 9999999999 %}{{ x }}\n".to_owned(),
        "{% set x = ('x' * 99999) * 99999 %}{{ x }}\n".to_owned(),
        doubled("#% set x = x + x").replacen("x + x", "[1, 2]", 1),
    ];
    // Runs its words, then says how they ended and the most memory that any of them had.
    let measure = "import resource, subprocess, sys\n\
        done = subprocess.run(sys.argv[1:], capture_output=True)\n\
        print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n\
        print(done.stderr.decode())";
    for (index, bomb) in bombs.iter().enumerate() {
        world.write(".idlergear/templates/bomb.sh.j2", &format!("#!/bin/bash\n{bomb}"));
        // Neither needs any trust.
        for how in if index == 0 { &["--stdout", "--diff"][..] } else { &["--stdout"] } {
            let mut command = Command::new(&python);
            world.enter(&mut command);
            command.args(["-c", measure]).arg(Sandbox::bin_dir().join("ig"));
            let output = command.args(["gen", "bomb", how]).output().unwrap();
            let (out, err) = (stdout(&output), stderr(&output));
            let mut numbers = out.lines().next().expect(&err).split(' ').map(str::parse::<u64>);
            let (code, memory) =
                (numbers.next().unwrap().unwrap(), numbers.next().unwrap().unwrap());
            assert!(memory < MEMORY, "bomb {index} took {memory} KiB\n{bomb}");
            assert_eq!(code, 1, "bomb {index}\n{out}");
            assert!(
                out.contains("the template `bomb` fails") && out.contains("bomb.sh.j2"),
                "{out}"
            );
        }
    }
}

/// What others do with memory is still told by file and line.
#[test]
fn mistakes_in_a_template_are_told_by_name_and_line() {
    let world = Sandbox::with_project();
    let write = |text: &str| world.write(".idlergear/templates/t.sh.j2", text);
    write("#!/bin/bash\necho {{ nmae }}\n");
    let told = stderr(&world.ig(&["gen", "t", "--stdout"]));
    assert!(told.contains("t.sh.j2:2") && told.contains("`name` instead of `nmae`"), "{told}");
    write("#!/bin/bash\n\necho {{ qqqqqq|lower }} {{ name }}\n");
    let told = stderr(&world.ig(&["gen", "t", "--stdout"]));
    assert!(told.contains("t.sh.j2:3") && told.contains("`qqqqqq`"), "{told}");
    assert!(told.contains("#%# var: NAME"), "{told}");
}

/// Written on another system, or checked out as such.
#[test]
fn foreign_ends_of_lines_make_no_broken_script() {
    let world = Sandbox::with_project();
    let template = "#%# name: t\n#%# about: x\n#%# var: word = hello -- said\n#!/bin/bash\n\
                    #% if word\necho {{ word }} \"$@\"\n#% endif\n";
    let path = world.write(".idlergear/templates/t.sh.j2", template);
    let plain = world.ok(&["gen", "t", "--stdout"]);
    for foreign in [template.replace('\n', "\r\n"), format!("\u{feff}{template}")] {
        fs::write(&path, foreign).unwrap();
        assert_eq!(world.ok(&["gen", "t", "--stdout"]), plain);
    }
    world.write(
        ".idlergear/profiles/p.toml",
        "template = \"script\"\r\ncommand = \"\"\"echo a\r\necho b\"\"\"\r\n",
    );
    assert!(!world.ok(&["gen", "p", "--stdout"]).contains('\r'));
}

#[test]
fn settings_that_count_are_shown_and_all_mistakes_told() {
    let world = Sandbox::new();
    let config = world.home().join(".config/idlergear");
    fs::create_dir_all(&config).unwrap();
    let text = "[logs]\nmax_runs = 'many'\nmax_age_days = -1\n[run]\nbanner = 'sometimes'\n";
    fs::write(config.join("config.toml"), text).unwrap();
    for (key, value) in
        [("logs.max_runs", "1000"), ("run.banner", "auto"), ("logs.max_age_days", "30")]
    {
        let output = world.ig(&["config", key]);
        assert_eq!((stdout(&output).trim_end(), output.status.code()), (value, Some(1)));
        let told = stderr(&output);
        for place in ["config.toml:2", "config.toml:3", "config.toml:5"] {
            assert!(told.contains(place), "{told}");
        }
    }
    fs::remove_file(config.join("config.toml")).unwrap();
    let mut command = world.command("ig");
    let output = command.env("IDLERGEAR_LOGS_MAX_RUNS", "x").args(["config", "logs.max_runs"]);
    let output = output.output().unwrap();
    assert_eq!(stdout(&output), "1000\n");
    assert!(
        stderr(&output).contains("`IDLERGEAR_LOGS_MAX_RUNS` is a number"),
        "{}",
        stderr(&output)
    );
}
