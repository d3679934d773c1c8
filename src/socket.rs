//! Finding the daemon's socket and trusting it.
//!
//! The lock file records where the living daemon listens, so a runtime folder that differs from
//! shell to shell, or vanishes, still leads everybody to the same one.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::os::Identity;
use crate::wire::raw;
use crate::wire::read::{Fields, json};
use crate::{paths, secure_fs};

/// Bytes of a socket path that every kernel takes (Linux 107, macOS 103; `sockaddr_un` of each).
const PATH_LIMIT: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// What the daemon writes into its lock file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recorded {
    /// The daemon.
    pub daemon: Identity,
    /// Where it listens.
    #[serde(with = "crate::wire::raw::place")]
    pub socket: PathBuf,
    /// Its program version.
    pub version: String,
}

/// The daemon that holds the lock now, if one does.
pub fn recorded() -> Option<Recorded> {
    let path = paths::daemon_lock();
    let file = secure_fs::open(&path).ok()?;
    // Any other failure says nothing of a holder.
    if flock(&file, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK) {
        return None;
    }
    let mut fields = Fields::of(json(&secure_fs::read(&path, secure_fs::SMALL).ok()?).ok()?);
    Some(Recorded {
        daemon: fields.identity("daemon")?,
        socket: raw::path(&fields.text("socket")?),
        version: fields.text("version")?,
    })
}

/// How long a daemon is tried that has no room for another caller, and how long is between.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

/// Connects to the daemon of this user, and to nobody else's.
pub fn connect() -> Result<UnixStream> {
    connect_within(PATIENCE)
}

/// The same, with a limit of your own on how long to wait for a place in its queue.
pub fn connect_within(limit: Duration) -> Result<UnixStream> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(stream) = attempt()? {
            return Ok(stream);
        }
        if Instant::now() >= deadline {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    Err(Error::new("the daemon does not answer").next("ig daemon restart"))
}

/// Whether a daemon is there, if only one that has no room for callers now. Never waits.
pub fn is_served() -> bool {
    attempt().is_ok()
}

/// One attempt; none when more callers wait for the daemon already than may.
fn attempt() -> Result<Option<UnixStream>> {
    let usual = paths::socket();
    match connect_at(&usual) {
        Ok(stream) => Ok(stream),
        Err(first) => match recorded().filter(|r| r.socket != usual) {
            Some(other) => connect_at(&other.socket),
            None => Err(first),
        },
    }
}

fn connect_at(path: &Path) -> Result<Option<UnixStream>> {
    if let Some(dir) = path.parent().filter(|dir| dir.exists()) {
        secure_fs::check_owned(dir)?;
    }
    let reach = Reachable::new(path)?;
    let stream = match connect_at_once(reach.path()) {
        Ok(stream) => stream,
        Err(Errno::AGAIN) => return Ok(None),
        Err(cause) => return Err(absent(path, &cause.into())),
    };
    let peer = peer_uid(&stream);
    let ours = rustix::process::geteuid().as_raw();
    if peer.is_some_and(|uid| uid != ours) {
        return Err(Error::new("the socket is served by another user").at(path.display()));
    }
    Ok(Some(stream))
}

/// The standard library's way would wait for as long as a stopped daemon has a full queue.
fn connect_at_once(path: &Path) -> rustix::io::Result<UnixStream> {
    use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    ioctl_fionbio(&socket, true)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    ioctl_fionbio(&socket, false)?;
    Ok(socket.into())
}

fn absent(path: &Path, cause: &std::io::Error) -> Error {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    match cause.kind() {
        NotFound | ConnectionRefused => {
            Error::new("the daemon is not running").next("ig daemon start")
        }
        _ => Error::io("connect to", path, cause).next("ig daemon restart"),
    }
}

/// The user at the other end.
#[cfg(target_os = "linux")]
pub fn peer_uid(stream: &UnixStream) -> Option<u32> {
    rustix::net::sockopt::socket_peercred(stream).ok().map(|peer| peer.uid.as_raw())
}

/// Not to be had through rustix here; the folder's owner and mode are the wall.
#[cfg(not(target_os = "linux"))]
pub fn peer_uid(_stream: &UnixStream) -> Option<u32> {
    None
}

/// A name for a socket that fits into the kernel's limit, however long its path is.
#[derive(Debug)]
pub struct Reachable {
    path: PathBuf,
    _dir: Option<File>,
}

impl Reachable {
    /// On Linux a long path is reached through a handle on its folder; elsewhere it is refused.
    pub fn new(path: &Path) -> Result<Self> {
        if path.as_os_str().as_bytes().len() <= PATH_LIMIT {
            return Ok(Self { path: path.to_path_buf(), _dir: None });
        }
        let too_long = || {
            Error::new(format!("the socket's path is longer than {PATH_LIMIT} bytes"))
                .at(path.display())
                .next("point IDLERGEAR_SOCKET at a shorter one")
        };
        if !cfg!(target_os = "linux") {
            return Err(too_long());
        }
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(too_long());
        };
        let handle =
            File::open(dir).map_err(|e| Error::io("open", dir, &e).next("ig daemon start"))?;
        let number = std::os::fd::AsRawFd::as_raw_fd(&handle);
        let short = PathBuf::from(format!("/proc/self/fd/{number}")).join(name);
        if short.as_os_str().as_bytes().len() > PATH_LIMIT {
            return Err(too_long());
        }
        Ok(Self { path: short, _dir: Some(handle) })
    }

    /// The name to bind or connect to; valid as long as `self` lives.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
