//! A world of its own for each test: HOME, state, socket, project, and whatever daemon it starts.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

pub mod example;
pub mod pty;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use idlergear::os::Identity;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT};
use tempfile::TempDir;

/// How long a condition may take to come true before a test fails. Nobody who passes waits so long: it
/// is there for machines that are much slower than ours, or have much else to do.
pub const PATIENCE: Duration = Duration::from_mins(2);

static HEED_SIGNALS: Once = Once::new();

/// Has what we start take the signals that our own caller ignores (`nohup`, `&` in a script), which
/// it would ignore too: a signal with a handler is one with its default for a new program.
fn heed_signals() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    for signal in [SIGHUP, SIGINT, SIGQUIT] {
        if ignored >> (signal - 1) & 1 == 1 {
            signal_hook::flag::register(signal, Arc::default()).unwrap();
        }
    }
}

/// A private world. Dropping it ends the daemon that was started in it.
pub struct Sandbox {
    root: TempDir,
}

impl Sandbox {
    /// An empty HOME and, below it, an empty project folder (no `.idlergear/`).
    pub fn new() -> Self {
        HEED_SIGNALS.call_once(heed_signals);
        let root = tempfile::Builder::new().prefix("ig-").tempdir().unwrap();
        for dir in ["project", "run", "tmp"] {
            std::fs::create_dir(root.path().join(dir)).unwrap();
        }
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(root.path().join("run"), private).unwrap();
        Self { root }
    }

    /// Like [`Sandbox::new`], with a `.idlergear/` in the project folder.
    pub fn with_project() -> Self {
        let sandbox = Self::new();
        std::fs::create_dir(sandbox.project().join(".idlergear")).unwrap();
        sandbox
    }

    pub fn home(&self) -> &Path {
        self.root.path()
    }

    pub fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    pub fn state(&self) -> PathBuf {
        self.root.path().join(".local/state/idlergear")
    }

    /// The folder that holds the programs under test.
    pub fn bin_dir() -> PathBuf {
        assert_cmd::cargo::cargo_bin("ig-agent").parent().unwrap().to_path_buf()
    }

    /// `program` (one of ours by name, or any other) in this world, in the project folder.
    pub fn command(&self, program: &str) -> Command {
        let ours = Self::bin_dir().join(program);
        let mut command = Command::new(if ours.is_file() { ours } else { program.into() });
        self.enter(&mut command);
        command
    }

    /// Puts any command into this world.
    pub fn enter(&self, command: &mut Command) {
        let path = format!("{}:{}", Self::bin_dir().display(), std::env::var("PATH").unwrap());
        command
            .current_dir(self.project())
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", path)
            .env("TMPDIR", self.home().join("tmp"))
            .env("XDG_RUNTIME_DIR", self.home().join("run"))
            .env("USER", "tester")
            .env("TZ", "UTC")
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color");
    }

    /// Runs `ig` with `args` to its end.
    pub fn ig(&self, args: &[&str]) -> Output {
        self.command("ig").args(args).output().unwrap()
    }

    /// Runs `ig` with `args`, demands success, returns stdout.
    pub fn ok(&self, args: &[&str]) -> String {
        succeed(&self.ig(args), args)
    }

    /// Runs `ig ... --json` with `args`, demands success, returns the value.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// Runs a bash script text in this world.
    pub fn bash(&self, script: &str) -> Output {
        self.command("bash").args(["-c", script]).output().unwrap()
    }

    /// Runs a bash script text in this world and in a pid and mount namespace of its own: whatever it
    /// ends, sweeps or deletes by mistake is its own, and nothing of it outlives the call. None, told
    /// loudly, where no such namespace can be had; with `IDLERGEAR_REQUIRE_TOOLS=1` that is a failure.
    ///
    /// The script is not process 1 itself, and whatever is orphaned goes to process 1.
    pub fn namespace(&self, script: &str) -> Option<Output> {
        let mut command = self.namespaced()?;
        Some(command.args(["bash", "-c", script]).output().unwrap())
    }

    /// [`Sandbox::namespace`] as a command that is to get the words of what runs in there.
    pub fn namespaced(&self) -> Option<Command> {
        let unshare = tool("unshare")?;
        let own = ["--pid", "--fork", "--mount", "--mount-proc", "--kill-child"];
        let as_user = ["--user", "--map-root-user"];
        let ways = [own.to_vec(), [as_user.as_slice(), own.as_slice()].concat()];
        let works = |way: &&Vec<&str>| {
            let mut probe = Command::new(&unshare);
            probe.args(*way).arg("true").output().is_ok_and(|done| done.status.success())
        };
        let Some(way) = ways.iter().find(works) else {
            assert!(
                std::env::var("IDLERGEAR_REQUIRE_TOOLS").is_err(),
                "a pid namespace is needed: run as root, or unset IDLERGEAR_REQUIRE_TOOLS to skip"
            );
            eprintln!("SKIPPED: no pid namespace can be had here");
            return None;
        };
        // One that hangs ends too: `timeout` is outside, and ending `unshare` ends all inside.
        let mut command = self.command("timeout");
        command.args(["-k", "5", "120"]).arg(&unshare).args(way);
        // Process 1 only waits, so that the script is a process like any other.
        command.args(["bash", "-c", "\"$@\"; exit $?", "init"]);
        Some(command)
    }

    /// Writes a file below the project folder, with its parents.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.project().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes a program below the project folder, with its parents; an older one is written over. By
    /// a process of its own: what another test starts at this moment would hold a file of ours open
    /// for writing until it is itself, and a program that is open for writing cannot be started.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.project().join(name);
        let make = r#"mkdir -p "${1%/*}" && printf %s "$2" >"$1" && chmod 755 "$1""#;
        let mut made = self.command("bash");
        made.args(["-c", make, "bash"]).arg(&path).arg(text);
        succeed(&made.output().unwrap(), &["making", name]);
        path
    }

    /// Reads a file below the project folder.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.project().join(name)).unwrap()
    }

    /// The pid of this world's daemon, as its lock file records it.
    pub fn daemon_pid(&self) -> Option<u32> {
        let text = std::fs::read(self.state().join("daemon.lock")).ok()?;
        let recorded: serde_json::Value = serde_json::from_slice(&text).ok()?;
        let identity = serde_json::from_value(recorded.get("daemon")?.clone()).ok()?;
        let identity: Identity = identity;
        identity.is_alive().then_some(identity.pid)
    }

    /// Ends this world's daemon at once.
    pub fn kill_daemon(&self) {
        let Some(pid) = self.daemon_pid() else { return };
        let Some(identity) = Identity::of(pid) else { return };
        idlergear::os::signal(&identity, rustix::process::Signal::KILL);
        wait_until("the daemon is gone", || !identity.is_alive());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.kill_daemon();
        // One may be starting still, for a run that ended just now.
        let mark = format!("HOME={}", self.home().display());
        let is_daemon = |process: &Identity| {
            let command = idlergear::os::command_line(process.pid);
            ["ig daemon start", "ig daemon serve"].iter().any(|words| command.contains(words))
        };
        while let Some(daemon) = idlergear::os::started_with(&mark, 0).iter().find(|p| is_daemon(p))
        {
            idlergear::os::signal(daemon, rustix::process::Signal::KILL);
        }
    }
}

/// Demands that a command succeeded; returns its stdout.
pub fn succeed(output: &Output, what: &[&str]) -> String {
    assert!(
        output.status.success(),
        "{what:?} ended with {}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        stdout(output),
        stderr(output)
    );
    stdout(output)
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A port that nobody listens on, a hundred from that of any other call. It is below those that the
/// system gives to whoever asks for any; and it is not bound to try it, for what another test starts
/// at that moment would keep it so for a while.
pub fn free_port() -> u16 {
    static CALLS: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 120).unwrap();
    loop {
        let slot = (first + CALLS.fetch_add(1, Ordering::Relaxed)) % 120;
        let port = 20_000 + 100 * slot;
        if is_free(port) {
            return port;
        }
    }
}

/// Whether nobody answers on `port`.
pub fn is_free(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
}

/// What `seq` prints up to `last`.
pub fn seq(last: u32) -> String {
    (1..=last).fold(String::new(), |text, number| text + &number.to_string() + "\n")
}

/// Waits for a condition, never for a length of time.
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_for(PATIENCE, what, condition);
}

fn wait_for(patience: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {patience:?} and still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The same for what installs packages first.
pub fn wait_patiently(what: &str, condition: impl FnMut() -> bool) {
    wait_for(Duration::from_mins(10), what, condition);
}

/// Lets pip and uv install as this machine is set up to, from one cache for all tests.
pub fn let_python_install(command: &mut Command) {
    let known = ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NO_PROXY", "no_proxy"];
    let starts = ["PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
    let is_setting =
        |name: &str| known.contains(&name) || starts.iter().any(|start| name.starts_with(start));
    command.envs(std::env::vars().filter(|(name, _)| is_setting(name)));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    command.env("PIP_CACHE_DIR", cache.join("pip")).env("UV_CACHE_DIR", cache.join("uv"));
}

/// An external tool. Without it the caller skips, loudly; with `IDLERGEAR_REQUIRE_TOOLS=1` (CI)
/// its absence is a failure.
pub fn tool(name: &str) -> Option<PathBuf> {
    if let Ok(path) = which::which(name) {
        return Some(path);
    }
    assert!(
        std::env::var("IDLERGEAR_REQUIRE_TOOLS").is_err(),
        "`{name}` is needed: install it, or unset IDLERGEAR_REQUIRE_TOOLS to skip"
    );
    eprintln!("SKIPPED: `{name}` is not installed");
    None
}
