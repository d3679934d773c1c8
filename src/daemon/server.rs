//! The socket: bound where only this user comes near, and bound again when its folder vanishes.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::connection::{Call, Connection};
use super::journal::note;
use crate::error::{Error, Result};
use crate::socket::Reachable;
use crate::{paths, secure_fs};

/// How long accepting pauses when the system is out of file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// A bound socket and the task that accepts on it. Dropping it removes the file, if it is still ours.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) path: PathBuf,
    file: (u64, u64),
    accepting: AbortHandle,
}

impl Server {
    /// Binds at the usual place; needs the lock, since a stale socket is removed.
    pub(super) fn bind(calls: &mpsc::Sender<Call>) -> Result<Self> {
        let path = paths::socket();
        let dir = path.parent().unwrap_or(Path::new("/"));
        secure_fs::dir(dir).map_err(|e| Error::io("make", dir, &e))?;
        secure_fs::check_owned(dir)?;
        let reach = Reachable::new(&path)?;
        remove_stale(&path, &reach)?;
        let failed = |e: &std::io::Error| Error::io("listen at", &path, e);
        let listener = UnixListener::bind(reach.path()).map_err(|e| failed(&e))?;
        fs::set_permissions(reach.path(), fs::Permissions::from_mode(0o600))
            .map_err(|e| failed(&e))?;
        let file =
            file_at(reach.path()).ok_or_else(|| Error::new("the socket vanished at once"))?;
        let accepting = tokio::spawn(accept(listener, calls.clone())).abort_handle();
        Ok(Self { path, file, accepting })
    }

    /// Whether clients still find this socket at its path.
    pub(super) fn is_there(&self) -> bool {
        file_at(&self.path) == Some(self.file)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn file_at(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Removes what a daemon that is gone left; refuses to take the place of anything else.
fn remove_stale(path: &Path, reach: &Reachable) -> Result<()> {
    let Ok(meta) = fs::symlink_metadata(path) else { return Ok(()) };
    if !meta.file_type().is_socket() {
        return Err(Error::new("there is a file where the socket belongs")
            .at(path.display())
            .next("remove it, or point IDLERGEAR_SOCKET elsewhere"));
    }
    if std::os::unix::net::UnixStream::connect(reach.path()).is_ok() {
        return Err(Error::new("another program listens at our socket's place")
            .at(path.display())
            .next("stop it, or point IDLERGEAR_SOCKET elsewhere"));
    }
    fs::remove_file(reach.path()).map_err(|e| Error::io("remove the stale", path, &e))
}

/// Accepts for ever. Without file descriptors it pauses; what runs goes on.
async fn accept(listener: UnixListener, calls: mpsc::Sender<Call>) {
    let mut is_short = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                is_short = false;
                if let Some(connection) = Connection::new(stream, calls.clone()) {
                    tokio::spawn(connection.serve());
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_short, true) {
                    note(format_args!("cannot accept connections for now: {error}"));
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
