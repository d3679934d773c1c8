//! What a command finds set for signals is what it would find without us.

use super::*;

/// Sets what was asked for, and becomes a command: ignored signals, blocked signals.
const SET: &str = "import os, signal, sys
for number in eval(sys.argv[1]): signal.signal(number, signal.SIG_IGN)
# Python's own: it ignores these.
for number in {signal.SIGPIPE, signal.SIGXFSZ} - set(eval(sys.argv[1])):
    signal.signal(number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, eval(sys.argv[2]))
os.execvp(sys.argv[3], sys.argv[3:])";

/// The lines of the command's own status.
const SHOW: [&str; 4] = ["grep", "-E", "^Sig(Ign|Blk|Cgt)", "/proc/self/status"];

#[cfg(target_os = "linux")]
#[test]
fn signals_are_as_the_caller_set_them() {
    let Some(python) = support::tool("python3") else { return };
    let others = "{n for n in range(1, 65) if n not in (9, 19, 32, 33)}";
    let world = World::new();
    let show = |ignored: &str, blocked: &str, words: &[&str]| {
        let python = python.to_str().unwrap();
        let mut command = world.command(python, &["-c", SET, ignored, blocked]);
        let output = command.args(words).args(SHOW).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        stdout(&output).replace('\r', "")
    };
    let sets = ["()", "(1,)", "(2, 3)", "(13,)", "(17,)", "(25,)", "(10, 12, 15, 20, 28)", others];
    for set in sets {
        for (ignored, blocked) in [(set, "()"), ("()", set)] {
            let bare = show(ignored, blocked, &[]);
            for runner in ["ig", "ig-agent"] {
                for pty in ["--no-pty", "--pty"] {
                    let ours = show(ignored, blocked, &[runner, "run", pty, "--"]);
                    assert_eq!(ours, bare, "{runner} {pty}: ignored {ignored}, blocked {blocked}");
                }
            }
        }
    }
}
