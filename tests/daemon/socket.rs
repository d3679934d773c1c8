//! Where the socket is, who may come near, and what happens when its folder goes.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::support::{Sandbox, stderr, tool, wait_until};

fn socket(world: &Sandbox) -> PathBuf {
    world.home().join("run/idlergear/daemon.sock")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn modes_hold_under_any_umask() {
    for umask in ["000", "022", "077", "777"] {
        let world = Sandbox::with_project();
        let output = world.bash(&format!("umask {umask}; ig daemon start"));
        assert!(output.status.success(), "umask {umask}: {}", stderr(&output));
        let socket = socket(&world);
        assert_eq!(mode(&socket), 0o600, "umask {umask}");
        assert_eq!(mode(socket.parent().unwrap()), 0o700, "umask {umask}");
        assert_eq!(mode(&world.state()), 0o700, "umask {umask}");
        for file in ["state.db", "state.db-wal", "daemon.lock", "daemon.log"] {
            assert_eq!(mode(&world.state().join(file)), 0o600, "umask {umask}: {file}");
        }
    }
}

#[test]
fn an_open_folder_is_refused() {
    let world = Sandbox::with_project();
    let dir = world.home().join("run/idlergear");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    let output = world.ig(&["daemon", "start"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("is open to other users") && said.contains("chmod 700"), "{said}");
    assert_eq!(world.daemon_pid(), None);
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    world.ok(&["daemon", "start"]);
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    let output = world.ig(&["daemon", "status"]);
    assert!(stderr(&output).contains("is open to other users"), "{}", stderr(&output));
}

#[test]
fn a_foreign_folder_is_refused() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: making a folder of another user needs root");
        return;
    }
    let world = Sandbox::with_project();
    let dir = world.home().join("run/idlergear");
    fs::create_dir(&dir).unwrap();
    std::os::unix::fs::chown(&dir, Some(65_534), Some(65_534)).unwrap();
    let output = world.ig(&["daemon", "start"]);
    assert!(stderr(&output).contains("belongs to another user"), "{}", stderr(&output));
    assert_eq!(world.daemon_pid(), None);
}

#[test]
fn another_user_gets_nothing() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: becoming another user needs root");
        return;
    }
    let (Some(setpriv), Some(perl)) = (tool("setpriv"), tool("perl")) else { return };
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let connect = format!(
        "use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); \
         connect(S, pack_sockaddr_un(q({}))) or die \"refused: $!\"; print <S>",
        socket(&world).display()
    );
    let other = || {
        let mut command = world.command(setpriv.to_str().unwrap());
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        command.arg(&perl).args(["-e", &connect]).current_dir("/").output().unwrap()
    };
    let output = other();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("refused: Permission denied"), "{}", stderr(&output));
    // Even with every door open, the daemon asks who is there.
    for dir in [world.home(), &world.home().join("run"), &world.home().join("run/idlergear")] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(socket(&world), fs::Permissions::from_mode(0o666)).unwrap();
    let output = other();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("not_permitted"), "{said} {}", stderr(&output));
}

#[test]
fn a_path_over_the_kernels_limit_works() {
    let world = Sandbox::with_project();
    let deep = world.home().join("x".repeat(60)).join("y".repeat(60));
    idlergear::secure_fs::dir(&deep).unwrap();
    let socket = deep.join("daemon.sock");
    assert!(socket.as_os_str().len() > 107);
    let ig = |args: &[&str]| {
        let mut command = world.command("ig");
        command.args(args).env("IDLERGEAR_SOCKET", &socket).output().unwrap()
    };
    let output = ig(&["daemon", "start"]);
    if cfg!(target_os = "linux") {
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(ig(&["daemon", "status"]).status.success());
        assert_eq!(mode(&socket), 0o600);
        assert!(ig(&["daemon", "stop"]).status.success());
        assert!(!socket.exists());
    } else {
        assert!(stderr(&output).contains("is longer than"), "{}", stderr(&output));
    }
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let world = Sandbox::with_project();
    idlergear::secure_fs::dir(socket(&world).parent().unwrap()).unwrap();
    fs::write(socket(&world), "precious").unwrap();
    let output = world.ig(&["daemon", "start"]);
    assert!(stderr(&output).contains("there is a file where the socket belongs"));
    assert_eq!(fs::read_to_string(socket(&world)).unwrap(), "precious");
}

#[test]
fn another_daemons_socket_is_not_stolen() {
    let world = Sandbox::with_project();
    idlergear::secure_fs::dir(socket(&world).parent().unwrap()).unwrap();
    let _other = std::os::unix::net::UnixListener::bind(socket(&world)).unwrap();
    let output = world.ig(&["daemon", "start"]);
    assert!(stderr(&output).contains("another program listens"), "{}", stderr(&output));
    assert!(socket(&world).exists());
}

#[test]
fn shells_with_other_runtime_folders_meet_at_the_same_daemon() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let pid = world.daemon_pid().unwrap();
    let other = world.home().join("other");
    idlergear::secure_fs::dir(&other).unwrap();
    for runtime in [other.to_str().unwrap(), "", "/nonexistent"] {
        for verb in ["status", "start"] {
            let mut command = world.command("ig");
            command.args(["daemon", verb]).env("XDG_RUNTIME_DIR", runtime);
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains(&format!("pid {pid}")), "{runtime} {verb}: {said}");
        }
    }
}

#[test]
fn it_listens_again_when_its_folder_vanishes() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let pid = world.daemon_pid().unwrap();
    // It may be back while its folder is still being removed.
    let remove = |dir: &str| {
        wait_until("it is removed", || fs::remove_dir_all(world.home().join(dir)).is_ok());
    };
    remove("run/idlergear");
    wait_until("it is back", || socket(&world).exists());
    wait_until("it answers", || world.ig(&["daemon", "status"]).status.success());
    assert_eq!(mode(&socket(&world)), 0o600);
    // The whole runtime folder, as at a logout.
    remove("run");
    wait_until("it answers elsewhere", || world.ig(&["daemon", "status"]).status.success());
    assert_eq!(world.daemon_pid(), Some(pid));
    let again = world.ok(&["daemon", "start"]);
    assert_eq!(again, format!("the daemon is already running (pid {pid})\n"));
}

#[test]
fn a_socket_that_is_removed_comes_back() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    fs::remove_file(socket(&world)).unwrap();
    wait_until("it is back", || world.ig(&["daemon", "status"]).status.success());
}
