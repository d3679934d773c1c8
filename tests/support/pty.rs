//! A command in a terminal of its own, driven like a person would: read, type, see how it ended.

use std::io::{ErrorKind, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;

use super::PATIENCE;

/// A terminal with one command in it; dropping it hangs up.
pub struct Terminal {
    session: OsSession,
    ended: Option<WaitStatus>,
    raw: Vec<u8>,
    seen: String,
    read_to: usize,
    patience: Duration,
}

/// How a command ended, and all it showed.
#[derive(Debug, Clone)]
pub struct Ended {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub output: String,
}

impl Terminal {
    pub fn start(command: Command) -> Self {
        let session = OsSession::spawn(command).unwrap();
        Self {
            session,
            ended: None,
            raw: Vec::new(),
            seen: String::new(),
            read_to: 0,
            patience: PATIENCE,
        }
    }

    /// Waits longer for what takes longer: installing, for one.
    #[must_use]
    pub fn patient(mut self, seconds: u64) -> Self {
        self.patience = Duration::from_secs(seconds);
        self
    }

    pub fn pid(&self) -> u32 {
        self.session.get_process().pid().as_raw().unsigned_abs()
    }

    /// Everything that was shown so far.
    pub fn seen(&self) -> &str {
        &self.seen
    }

    /// Whether it still runs; reads what it has to say, so that it can go on.
    pub fn is_running(&mut self) -> bool {
        while self.read_once() {}
        std::thread::sleep(Duration::from_millis(10));
        !self.has_ended()
    }

    /// Waits until `text` shows up after what was waited for before.
    pub fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(at) = self.seen[self.read_to..].find(text) {
                self.read_to += at + text.len();
                return;
            }
            let more = self.read();
            let late = Instant::now() > deadline;
            assert!(more && !late, "waited for {text:?}, saw:\n{}", self.seen);
        }
    }

    /// Types `text`; `\x03` is Ctrl-C, `\x1a` is Ctrl-Z.
    pub fn send(&mut self, text: &str) {
        self.session.write_all(text.as_bytes()).unwrap();
        self.session.flush().unwrap();
    }

    /// Makes the terminal another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.session.get_process_mut().set_window_size(columns, rows).unwrap();
    }

    /// Reads to the end; fails when there is none in time.
    pub fn end(mut self) -> Ended {
        let deadline = Instant::now() + self.patience;
        let status = loop {
            self.read();
            if let Some(status) = self.ended {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end; saw:\n{}", self.seen);
        };
        while self.read_once() {}
        let (code, signal) = match status {
            WaitStatus::Exited(_, code) => (Some(code), None),
            WaitStatus::Signaled(_, signal, _) => (None, Some(signal as i32)),
            other => panic!("neither ended nor running: {other:?}"),
        };
        Ended { code, signal, output: self.seen.clone() }
    }

    /// Reads what is there, or waits a moment. False once nothing can come any more.
    fn read(&mut self) -> bool {
        if self.read_once() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
        !self.has_ended() || self.read_once()
    }

    fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            let status = self.session.get_process().status().unwrap();
            self.ended = (status != WaitStatus::StillAlive).then_some(status);
        }
        self.ended.is_some()
    }

    fn read_once(&mut self) -> bool {
        let mut bytes = [0; 8192];
        match self.session.try_read(&mut bytes) {
            Ok(count) => {
                self.raw.extend_from_slice(&bytes[..count]);
                self.seen = String::from_utf8_lossy(&self.raw).into_owned();
                count > 0
            }
            Err(error) => error.kind() == ErrorKind::Interrupted,
        }
    }
}

/// Starts `command` as the leader of a terminal, reads until `text` is shown, and closes the
/// terminal: nothing is signalled but by the kernel.
pub fn hang_up_after(text: &str, command: &Command) {
    use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let open = || std::fs::OpenOptions::new().read(true).write(true).open(&name).unwrap();
    let mut leader = Command::new("setsid");
    leader.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
    leader.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    leader.current_dir(command.get_current_dir().unwrap());
    let mut child = leader.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
    drop(leader);
    let mut seen = String::new();
    while !seen.contains(text) {
        let mut bytes = [0; 1024];
        let count = rustix::io::read(&master, &mut bytes).unwrap();
        seen += &String::from_utf8_lossy(&bytes[..count]);
    }
    drop(master);
    child.wait().unwrap();
}
