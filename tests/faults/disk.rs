//! No room, no right to write, no file descriptors.

use super::*;

/// The log misses what came while the disk was full, says where, and goes on when there is room.
#[test]
fn a_full_disk_costs_the_command_nothing() {
    for runner in RUNNERS {
        let world = Sandbox::with_project();
        let job = "seq 1 300000; rm .idlergear/filler
                   until grep -qs again .idlergear/runs/*/stdout.log; do echo again; sleep 0.1; done
                   echo end; exit 3";
        world.write("job.sh", job);
        let script = "set -e
            mount -t tmpfs -o size=4m none .idlergear
            head -c 3500000 /dev/zero >.idlergear/filler
            code=0; $RUN --name job -- bash job.sh >out 2>err || code=$?
            echo $code >code
            ig run status job --json >status; ig logs job --number >log; ig logs job --json >rows";
        let Some(output) = with_mounts(&world, runner, script) else { return };
        succeed(&output, &[script]);
        let out = world.read("out");
        assert!(out.starts_with(&support::seq(300_000)) && out.ends_with("again\nend\n"));
        assert_eq!(world.read("code"), "3\n");
        let told = world.read("err");
        assert_eq!(told.matches("ig:").count(), 1, "{told}");
        assert!(told.contains("write the log"), "{told}");
        let log = world.read("log");
        assert!(log.contains("not kept: the disk did not take it"), "{log}");
        let count = out.lines().count();
        assert!(log.ends_with(&format!("{count}  end\n")), "{}", &log[log.len() - 200..]);
        let status: Value = serde_json::from_str(&world.read("status")).unwrap();
        let missed = status["logs"]["missed_lines"].as_u64().unwrap();
        let kept = log.lines().filter(|line| !line.contains("...")).count() as u64;
        // The line in which the disk was full is there in part.
        assert!((0..=1).contains(&(missed + kept - count as u64)), "{missed} {kept} {count}");
        assert!(world.read("rows").contains("\"bound\":\"disk\""));
    }
}

/// The last that is written of a run is how it ended: there must be room for that.
#[test]
fn how_a_command_ended_is_known_on_a_disk_that_it_filled() {
    for runner in RUNNERS {
        let world = Sandbox::with_project();
        let script = "set -e
            mount -t tmpfs -o size=1m none .idlergear
            code=0; $RUN --name job -- bash -c 'seq 1 400000; exit 3' >out 2>err || code=$?
            echo $code >code
            ig run status job --json >status; timeout 20 ig logs job --number >log";
        let Some(output) = with_mounts(&world, runner, script) else { return };
        succeed(&output, &[script]);
        assert_eq!((world.read("out"), world.read("code")), (support::seq(400_000), "3\n".into()));
        let told = world.read("err");
        assert_eq!(told.matches("ig:").count(), 1, "{told}");
        let status: Value = serde_json::from_str(&world.read("status")).unwrap();
        assert_eq!((&status["status"], &status["exit_code"]), (&"failed".into(), &3.into()));
        let log = world.read("log");
        let end = log.lines().last().unwrap();
        assert!(end.contains(" to 400,000 (") && end.contains("were not kept"), "{end}");
    }
}

/// On a disk that was full before there is not even room for a record.
#[test]
fn a_full_project_has_its_record_elsewhere() {
    for runner in RUNNERS {
        let world = Sandbox::with_project();
        let script = "mount -t tmpfs -o size=64k none .idlergear
            head -c 999999 /dev/zero >.idlergear/filler 2>/dev/null
            $RUN --name job -- bash -c \"$COMMAND\"";
        let Some(output) = with_mounts(&world, runner, script) else { return };
        warnings(&output, runner);
        assert!(stderr(&output).contains("its record is in"), "{}", stderr(&output));
        assert_eq!(json(&world, &["run", "status", "job", "--json"])["exit_code"], 3);
    }
}

/// Who writes into a pipe of ours must not die of what we cannot keep.
#[test]
fn what_cannot_be_kept_flows_through() {
    for stream in ["ig-agent stream", "ig-agent stream b00000000", "ig run stream b00000000"] {
        let world = Sandbox::with_project();
        let script = format!(
            "mount -t tmpfs -o size=64k none .idlergear
             export XDG_STATE_HOME=$PWD/.idlergear/state
             head -c 999999 /dev/zero >.idlergear/filler 2>/dev/null
             seq 1 300000 | {stream} >out 2>err; echo ${{PIPESTATUS[@]}}"
        );
        let Some(output) = with_mounts(&world, "", &script) else { return };
        assert_eq!(stdout(&output), "0 1\n", "{stream}: {}", world.read("err"));
        assert_eq!(world.read("out"), support::seq(300_000), "{stream}");
        assert_eq!(world.read("err").matches("ig:").count(), 1, "{}", world.read("err"));
    }
}

/// The steps of a run by hand: its record is there, and its disk is full by then.
#[test]
fn a_run_by_hand_goes_on_when_the_disk_is_full() {
    let world = Sandbox::with_project();
    let script = "mount -t tmpfs -o size=64k none .idlergear
        id=$(ig run register make 2>/dev/null)
        head -c 999999 /dev/zero >.idlergear/filler 2>/dev/null
        seq 1 300000 | ig run stream $id >out 2>err; echo ${PIPESTATUS[@]}
        ig run complete $id --exit-code 3 2>/dev/null; echo $?; ig run status $id --json >status";
    let Some(output) = with_mounts(&world, "", script) else { return };
    assert_eq!(stdout(&output), "0 0\n0\n", "{}", stderr(&output));
    assert_eq!(world.read("out"), support::seq(300_000));
    assert_eq!(world.read("err").matches("ig:").count(), 1, "{}", world.read("err"));
    let status: Value = serde_json::from_str(&world.read("status")).unwrap();
    assert_eq!((&status["status"], &status["exit_code"]), (&"failed".into(), &3.into()));
}

/// Some of the disk stays free for its owner.
#[test]
fn a_nearly_full_disk_is_not_filled() {
    let world = Sandbox::with_project();
    let script = "mount -t tmpfs -o size=8m none .idlergear
        export IDLERGEAR_LOGS_MIN_FREE_BYTES=100000
        ig run --name job -- seq 1 3000000 >out 2>err; df --output=avail -B1 .idlergear | tail -1";
    let Some(output) = with_mounts(&world, "", script) else { return };
    let free: u64 = stdout(&output).trim().parse().unwrap();
    assert!(free >= 100_000 || free == 0, "{free}");
    assert!(world.read("out").ends_with("\n3000000\n"));
    assert_eq!(world.read("err").matches("ig:").count(), 1, "{}", world.read("err"));
}

#[test]
fn a_read_only_project_has_its_record_elsewhere() {
    for runner in RUNNERS {
        let world = Sandbox::with_project();
        let script = "mount --bind . . && mount -o remount,ro,bind . && cd \"$PWD\" || exit 99
            $RUN --name job -- bash -c \"$COMMAND\"";
        let Some(output) = with_mounts(&world, runner, script) else { return };
        let warnings = warnings(&output, runner);
        assert!(warnings[0].contains("read-only"), "{warnings:?}");
        assert!(stderr(&output).contains("its record is in"), "{}", stderr(&output));
        assert_eq!(json(&world, &["run", "status", "job", "--json"])["exit_code"], 3);
    }
}

/// Nowhere at all to write to.
#[test]
fn without_any_place_the_command_runs_without_a_record() {
    for runner in RUNNERS {
        let world = Sandbox::with_project();
        let script = "for dir in \"$HOME\" /tmp /var/tmp; do
              mount --bind \"$dir\" \"$dir\" && mount -o remount,ro,bind \"$dir\" || exit 99
            done
            cd \"$PWD\" && $RUN -- bash -c \"$COMMAND\"";
        let Some(output) = with_mounts(&world, runner, script) else { return };
        assert_eq!(warnings(&output, runner).len(), 1);
    }
}

#[test]
fn another_users_folder_is_left_alone() {
    let Some(setpriv) = tool("setpriv") else { return };
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become somebody else");
        return;
    }
    let (nobody, bin) = ("65534", Sandbox::bin_dir());
    let reach = Command::new(&setpriv)
        .args(["--reuid", nobody, "--clear-groups", "test", "-x"])
        .arg(bin.join("ig"))
        .status();
    if !reach.unwrap().success() {
        eprintln!("SKIPPED: another user cannot reach the programs under test");
        return;
    }
    for runner in RUNNERS {
        let world = Sandbox::with_project();
        for dir in [world.home().to_path_buf(), world.home().join("run"), world.project()] {
            std::os::unix::fs::chown(dir, Some(65534), None).unwrap();
        }
        let script = format!(
            "exec setpriv --reuid {nobody} --clear-groups $RUN --name job -- bash -c \"$COMMAND\""
        );
        let output = bash(&world, runner, &script);
        let warnings = warnings(&output, runner);
        assert!(warnings[0].contains("permission denied"), "{warnings:?}");
        assert!(std::fs::read_dir(world.project().join(".idlergear")).unwrap().next().is_none());
    }
}

#[test]
fn too_few_file_descriptors_are_enough_for_the_command() {
    let Some(_) = tool("prlimit") else { return };
    let world = Sandbox::with_project();
    for runner in RUNNERS {
        for limit in 4..20 {
            let script =
                format!("exec prlimit --nofile={limit}:{limit} $RUN -- bash -c \"$COMMAND\"");
            warnings(&bash(&world, runner, &script), &format!("{runner} with {limit}"));
        }
    }
}
