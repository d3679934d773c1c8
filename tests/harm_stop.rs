//! What `ig stop` and `ig sweep` may end, and what never: each in a pid namespace of its own, where a
//! mistake costs nobody anything.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use support::{Sandbox, stderr, stdout};

/// Words for the scripts: no daemon unless they start one.
const PRELUDE: &str = r#"
    export IDLERGEAR_NO_DAEMON=1
    # Waits until the command holds, 20 seconds at most.
    until_so() { local i; for i in $(seq 400); do "$@" && return 0; sleep 0.05; done; echo "waited in vain: $*"; return 1; }
    lives() { [ -e "/proc/$1" ] && [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)" != Z ]; }
    gone() { ! lives "$1"; }
    is() { if lives "$2"; then echo "$1 lives"; else echo "$1 is gone"; fi; }
    status() { ig run status "$1" --json | sed -n 's/^  "status": "\(.*\)",$/\1/p'; }
"#;

/// What `script` printed in a namespace of its own; None where there is none to be had.
fn run(world: &Sandbox, script: &str) -> Option<String> {
    let output = world.namespace(&format!("{PRELUDE}{script}\necho whole"))?;
    let told = format!("{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).ends_with("whole\n"), "the script did not come to its end:\n{told}");
    Some(told)
}

fn project() -> Sandbox {
    Sandbox::with_project()
}

#[test]
fn process_1_is_nobodys_to_register_or_to_stop() {
    let world = project();
    // The shell that registers has ended: its parent is process 1 by now.
    let script = r#"
        bash -c '(me=$BASHPID; until [ "$(ps -o ppid= $me | tr -d " ")" = 1 ]; do sleep 0.01; done
            exec ig daemon register h > out 2>&1) & exit' </dev/null
        until_so test -s out
        cat out
        ig stop h --grace 100ms; echo "stop $?"
        for metadata in '{"pid": 1}' '{"pid": 0}'; do
            ig daemon register m --metadata "$metadata"; echo "metadata $?"
        done
        ig-agent register p --pid 1; echo "agent $?"
        ig-agent register p --offer --pid 1; echo "agent $?"
        ig daemon register p --offer --metadata '{"pid": 1}'; echo "agent $?"
        ig stop m p --grace 100ms; echo "stop $?"
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("process 1"), "{told}");
    assert!(!told.contains("stop 0") && !told.contains("agent 0"), "{told}");
    assert!(
        told.starts_with("ig: cannot register process 1") && !told.contains("metadata 0"),
        "{told}"
    );
}

#[test]
fn a_forged_record_of_process_1_is_not_stopped() {
    let world = project();
    let script = r#"
        sleep 300 & it=$!
        id=$(ig daemon register x --metadata "{\"pid\": $it}")
        record=.idlergear/runs/$id/run.json
        start=$(sed 's/.*) //' /proc/1/stat | cut -d' ' -f20)
        # As somebody would write it who wants the machine stopped.
        python3 - "$record" "$start" <<'PY'
import json, sys
path, start = sys.argv[1], int(sys.argv[2])
unit = json.load(open(path))
boot = unit["process"]["boot"]
one = {"pid": 1, "start": start, "boot": boot}
unit.update(process=one, runner=one, pid=1, offered=True)
json.dump(unit, open(path, "w"))
PY
        ig stop x --grace 100ms; echo "stop $?"
        ig stop $id --force; echo "stop $?"
        is it $it
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("stop 1\nstop 1\nit lives") && told.contains("not_owned"), "{told}");
}

#[test]
fn whoever_registers_by_hand_offers_nothing() {
    let world = project();
    let script = r#"
        ig daemon register me >/dev/null
        ig stop me --grace 100ms; echo "me $?"
        ig stop me --force; echo "me $?"
        sleep 300 & it=$!
        ig daemon register it --metadata "{\"pid\": $it}" >/dev/null
        ig stop it --grace 100ms; echo "it $?"
        other=$(ig-agent register other --pid $it)
        ig stop $other --grace 100ms; echo "other $?"
        is it $it
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("me 1\nme 1\nit 1\nother 1\nit lives\n"), "{told}");
    assert_eq!(told.matches("not_owned").count(), 4, "{told}");
}

#[test]
fn nobody_offers_what_is_not_its_own() {
    let world = project();
    let script = r#"
        sleep 300 & it=$!
        setsid bash -c 'sleep 300 & echo $! > grandchild; wait' &
        until_so test -s grandchild
        for pid in $(cat grandchild) $PPID; do
            ig-agent register g --offer --pid $pid; echo "refused $?"
            ig daemon register g --offer --metadata "{\"pid\": $pid}"; echo "refused $?"
        done
        # A child of its own it may.
        id=$(ig-agent register child --offer --pid $it)
        ig stop $id --grace 1s; echo "child $?"
        is it $it
    "#;
    let Some(told) = run(&world, script) else { return };
    assert_eq!(told.matches("refused 2").count(), 4, "{told}");
    assert!(told.contains("child 0\nit is gone\n"), "{told}");
}

#[test]
fn another_users_process_cannot_be_registered_to_be_stopped() {
    let world = project();
    let script = r#"
        command -v setpriv >/dev/null && [ "$(id -u)" = 0 ] || { echo "no other user"; exit; }
        export T=$(mktemp -d -p /dev/shm); chmod 1777 $T
        setpriv --reuid 65534 --clear-groups sleep 300 & it=$!
        until_so grep -q 'Uid:.65534' /proc/$it/status
        ig-agent register theirs --offer --pid $it; echo "offer $?"
        # Below a unit of ours it is still theirs.
        id=$(ig start web -- 'setpriv --reuid 65534 --clear-groups bash -c "trap \"\" TERM; echo \$\$ > $T/theirs; while :; do sleep 0.1; done" & wait' 2>/dev/null)
        until_so test -s $T/theirs
        ig stop $id --grace 300ms; echo "stop $?"
        is theirs $(cat $T/theirs)
        kill -9 $(cat $T/theirs); rm -r $T
        kill $it
    "#;
    let Some(told) = run(&world, script) else { return };
    if told.contains("no other user") {
        return;
    }
    assert!(told.contains("offer 2\n"), "{told}");
    assert!(told.contains("stop 1\ntheirs lives\n") && told.contains("another user"), "{told}");
}

const LIBRARY: &str = r#"source "$(ig lib --path)"; idlergear_register "$1" || exit 9"#;

#[test]
fn a_script_that_registers_itself_is_stopped_with_its_descendants() {
    let world = project();
    world.write(
        "lib.sh",
        &format!(
            "{LIBRARY}\nsleep 301 & echo $! > child; (setsid sleep 302 & echo $! > far); wait\n"
        ),
    );
    let script = r#"
        bash lib.sh mine & it=$!
        sleep 300 & bystander=$!
        until_so test -s child -a -s far
        ig stop mine --grace 5s; echo "stop $?"
        is it $it; is child $(cat child); is far $(cat far); is bystander $bystander
        kill $bystander
    "#;
    let Some(told) = run(&world, script) else { return };
    let whole = "it is gone\nchild is gone\nfar is gone\nbystander lives\n";
    assert!(told.contains(&format!("stop 0\n{whole}")), "{told}");
}

#[test]
fn an_interactive_shell_is_never_stopped() {
    if support::tool("script").is_none() {
        return;
    }
    let world = project();
    // By the library, by hand, and by hand with an offer; on a terminal, as a person would.
    let script = r#"
        cat > typed <<'EOF'
source "$(ig lib --path)"
idlergear_register person >/dev/null
ig stop person --grace 100ms
ig daemon register hand >/dev/null
ig stop hand --grace 100ms
ig daemon register --offer bold
ig-agent register bolder --offer --pid $$
ig stop bold --grace 100ms
ig stop bolder --grace 100ms
echo "survived: $((40 + 2))"
exit
EOF
        script -qec 'bash --norc -i' /dev/null < typed
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("survived: 42"), "{told}");
    assert!(told.contains("interactive shell"), "{told}");
}

#[test]
fn a_unit_started_inside_another_is_its_own() {
    let world = project();
    // By `ig run`, by `ig start`, by the library.
    let script = r#"
        cat > outer.sh <<'EOF'
source "$(ig lib --path)"
ig run --name a -- bash -c 'echo $$ > a.pid; exec sleep 301' &
ig start b -- 'echo $$ > b.pid; exec sleep 302' >/dev/null 2>&1
idlergear_run --name c -- bash -c 'echo $$ > c.pid; exec sleep 303' &
ig run --no-register --name d -- bash -c 'echo $$ > d.pid; exec sleep 305' &
sleep 304 & echo $! > own.pid
wait
EOF
        id=$(ig start outer -- bash outer.sh 2>/dev/null)
        until_so test -s a.pid -a -s b.pid -a -s c.pid -a -s d.pid -a -s own.pid
        ig stop $id --grace 2s; echo "stop $?"
        for name in a b c d own; do is $name $(cat $name.pid); done
        ig sweep --all --grace 300ms
        for name in a b c d; do is $name $(cat $name.pid); done
        ig stop a b --grace 2s; echo "stop $?"
    "#;
    let Some(told) = run(&world, script) else { return };
    let inner = "a lives\nb lives\nc lives\nd lives\n";
    assert!(told.contains(&format!("stop 0\n{inner}own is gone\n{inner}stop 0\n")), "{told}");
}

#[test]
fn a_unit_whose_runner_is_gone_is_not_part_of_the_unit_around_it() {
    let world = project();
    let script = r#"
        id=$(ig start outer -- 'ig start inner -- "sleep 309 & echo \$! > inner.child; echo \$\$ > inner.pid; wait" >/dev/null; sleep 300' 2>/dev/null)
        until_so test -s inner.pid -a -s inner.child
        runner=$(ps -o ppid= -p $(cat inner.pid) | tr -d ' ')
        kill -KILL $runner; until_so gone $runner
        # Its output has no reader now; it does not write.
        ig stop $id --grace 2s; echo "stop $?"
        is inner $(cat inner.pid); is child $(cat inner.child)
        ig stop inner --grace 2s; echo "stop $?"
        is inner $(cat inner.pid); is child $(cat inner.child)
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("stop 0\ninner lives\nchild lives\n"), "{told}");
    assert!(told.contains("stop 0\ninner is gone\nchild is gone\n"), "{told}");
}

#[test]
fn what_hides_from_its_unit_ends_with_it() {
    let world = project();
    for pty in ["", "--pty"] {
        let script = format!(
            r#"
            id=$(ig start deep {pty} -- 'env -i PATH="$PATH" setsid bash -c "sleep 78 & echo \$! > hidden; disown"
                env -i PATH="$PATH" setsid -f setsid -f sleep 79; exec sleep 300' 2>/dev/null)
            until_so test -s hidden
            until_so pgrep -x -f 'sleep 79' >/dev/null
            second=$(pgrep -x -f 'sleep 79')
            ig stop $id --grace 2s; echo "stop $?"
            is hidden $(cat hidden); is second $second
            rm hidden
            "#
        );
        let Some(told) = run(&world, &script) else { return };
        assert!(told.contains("stop 0\nhidden is gone\nsecond is gone\n"), "{pty} {told}");
    }
}

#[test]
fn what_is_older_than_the_runner_is_not_the_units() {
    let world = project();
    let script = r#"
        bash -c 'sleep 300 & echo $! > older; exec ig run --name x -- bash -c "echo \$\$ > unit; exec sleep 301"' &
        until_so test -s unit
        ig stop x --grace 2s; echo "stop $?"
        is older $(cat older); is unit $(cat unit)
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("stop 0\nolder lives\nunit is gone\n"), "{told}");
}

#[test]
fn a_unit_that_stops_itself_keeps_what_runs_the_stop() {
    let world = project();
    let script = r#"
        cat > inside.sh <<'EOF'
sleep 301 & echo $! > own.pid
echo $$ > shell.pid
ig stop inside --grace 1s > told 2>&1; echo "stop $?" >> told
touch done
sleep 300
EOF
        id=$(ig start inside -- bash inside.sh 2>/dev/null)
        until_so test -e done
        cat told
        is shell $(cat shell.pid); is own $(cat own.pid); status $id
        ig stop $id --grace 1s; echo "outside $?"
        is shell $(cat shell.pid)
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("it is an ancestor of this command"), "{told}");
    assert!(told.contains("stop 1\nshell lives\nown is gone\nrunning\n"), "{told}");
    assert!(told.contains("outside 0\nshell is gone\n"), "{told}");
}

#[test]
fn the_daemon_that_a_unit_happened_to_start_outlives_it() {
    let world = project();
    let script = r#"
        unset IDLERGEAR_NO_DAEMON
        id=$(ig start first -- 'sleep 300' 2>/dev/null)
        daemon() { ig daemon status 2>/dev/null | grep -o 'pid [0-9]*' | head -n 1 | cut -d' ' -f2; }
        there() { [ -n "$(daemon)" ]; }
        until_so there
        it=$(daemon)
        ig stop $id --grace 2s; echo "stop $?"
        is daemon $it
        # Also when the daemon itself is asked.
        ig daemon stop >/dev/null
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("stop 0\ndaemon lives\n"), "{told}");
}

#[test]
fn on_the_wire_the_same_rules_hold() {
    let world = project();
    let script = r#"
        unset IDLERGEAR_NO_DAEMON
        ig daemon start >/dev/null
        setsid -f bash -c 'echo $$ > stranger; exec sleep 300'
        until_so test -s stranger
        it=$(cat stranger)
        cat > ask.py <<'PY'
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["XDG_RUNTIME_DIR"] + "/idlergear/daemon.sock")
f = s.makefile("rw")
def call(method, **params):
    f.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n"); f.flush()
    answer = json.loads(f.readline())
    if "error" in answer:
        return "%s %s" % (answer["error"]["data"]["name"], answer["error"]["message"])
    return answer["result"]
call("hello", protocol=int(sys.argv[1]), client="t/1")
for pid in (0, 1):
    print("pid", pid, call("agent.register", name="one", pid=pid))
print("plain", call("agent.register", name="plain", pid=int(sys.argv[2]))["name"])
print("stop", call("unit.stop", id="plain", grace_ms=100))
print("foreign", call("agent.register", name="foreign", pid=int(sys.argv[2]), offer=True))
print("self", call("agent.register", name="self", offer=True)["name"])
child = os.fork()
if child == 0:
    import time; time.sleep(300); os._exit(0)
print("child", call("agent.register", name="child", pid=child, offer=True)["name"])
print("stopped", call("unit.stop", id="child", grace_ms=1000)["left"])
print("reaped", os.WTERMSIG(os.waitpid(child, 0)[1]))
print("own", call("unit.stop", id="self", grace_ms=100))
PY
        python3 ask.py "$(ig daemon status --json 2>/dev/null | sed -n 's/.*"protocol": \([0-9]*\).*/\1/p' | grep . || echo 1)" $it
        is it $it
        ig stop plain --grace 100ms; echo "cli $?"
        ig daemon stop >/dev/null
    "#;
    let Some(told) = run(&world, script) else { return };
    for words in [
        "pid 0 invalid_params",
        "pid 1 invalid_params",
        "stop not_owned",
        "foreign invalid_params",
        "stopped []",
        "reaped 15",
        "own not_owned",
        "it lives",
        "cli 1",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn a_unit_whose_runner_was_killed_is_stopped_by_its_recorded_process() {
    let world = project();
    let script = r#"
        id=$(ig start lost -- '(setsid sleep 301 & echo $! > far); sleep 302 & echo $! > near; echo $$ > own; wait' 2>/dev/null)
        until_so test -s far -a -s near -a -s own
        runner=$(ps -o ppid= -p $(cat own) | tr -d ' ')
        kill -KILL $runner; until_so gone $runner
        sleep 300 & bystander=$!
        status $id
        ig stop $id --grace 2s; echo "stop $?"
        is own $(cat own); is near $(cat near); is far $(cat far); is bystander $bystander
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("running\nstop 0\nown is gone\nnear is gone\nfar is gone\n"), "{told}");
    assert!(told.contains("bystander lives"), "{told}");
}

#[test]
fn the_runner_waits_for_every_orphan_it_gets() {
    let world = project();
    let script = r#"
        id=$(ig start parent -- 'for i in $(seq 20); do (sleep 0.05 &) ; done; echo $$ > own; exec sleep 300' 2>/dev/null)
        until_so test -s own
        runner=$(ps -o ppid= -p $(cat own) | tr -d ' ')
        no_zombies() { ! ps -o stat= --ppid $runner | grep -q Z && ! pgrep -P $runner -f 'sleep 0.05' >/dev/null; }
        until_so no_zombies && echo "all were waited for"
        status $id
        ig stop $id
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("all were waited for\nrunning\n"), "{told}");
}

#[test]
fn of_several_those_that_are_there_are_stopped() {
    let world = project();
    let script = r#"
        a=$(ig start a -- sleep 300 2>/dev/null)
        b=$(ig start b -- sleep 300 2>/dev/null)
        ig stop a nosuch b; echo "stop $?"
        status $a; status $b
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("stop 1\nkilled\nkilled\n") && told.contains("`nosuch`"), "{told}");
}

#[test]
fn a_sweep_says_what_it_skips() {
    let world = project();
    let script = r#"
        id=$(ig start short -- true 2>/dev/null); ig wait $id --until exit >/dev/null 2>&1
        IDLERGEAR_RUN_ID=$id IDLERGEAR_PROJECT=$PWD bash -c 'ig sweep --all; echo "survived $$"'
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("skipped pid ") && told.contains("survived"), "{told}");
    assert!(told.contains(": it is an ancestor of this command"), "{told}");
}

#[test]
fn what_outlived_a_unit_is_told_with_its_status() {
    let world = project();
    let script = r#"
        id=$(ig start short -- '(setsid sleep 300 </dev/null >/dev/null 2>&1 & echo $! > left); until [ -s left ]; do sleep 0.02; done' 2>/dev/null)
        ig wait $id --until exit >/dev/null 2>&1
        ig run status $id | grep -F "pid $(cat left)"
        kill $(cat left)
    "#;
    let Some(told) = run(&world, script) else { return };
    assert!(told.contains("sleep 300"), "{told}");
}
