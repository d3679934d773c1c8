//! News of files: which folders changed since we last looked.
//!
//! The watcher's thread only notes paths; a file that grows a thousand times is one note. Without a
//! watcher (its limits are the system's) the daemon looks by itself, see `World::needs_polling`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Watches folders, not what lies below them.
#[derive(Debug)]
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    notes: Arc<Notes>,
}

/// What the watcher's thread leaves for us.
#[derive(Debug, Default)]
pub(super) struct Notes {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    folders: HashSet<PathBuf>,
    /// Folders whose output somebody follows.
    output: HashSet<PathBuf>,
    /// Events were lost: everything must be looked at.
    lost: bool,
}

/// Folders that changed; all of them when the system lost count.
pub(super) enum Changed {
    Folders(HashSet<PathBuf>),
    Everything,
}

impl Notes {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for news.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn take(&self) -> Changed {
        let mut inner = self.inner();
        let folders = std::mem::take(&mut inner.folders);
        if std::mem::take(&mut inner.lost) {
            Changed::Everything
        } else {
            Changed::Folders(folders)
        }
    }

    fn note(&self, event: notify::Result<notify::Event>) {
        let mut inner = self.inner();
        match event {
            // Our own reading opens files; that is no news.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
            Ok(event) if event.need_rescan() => inner.lost = true,
            Ok(event) => {
                let before = inner.folders.len();
                event.paths.into_iter().for_each(|path| inner.add(path));
                if inner.folders.len() == before {
                    return;
                }
            }
            Err(_) => inner.lost = true,
        }
        drop(inner);
        self.changed.notify_one();
    }
}

impl Inner {
    fn add(&mut self, path: PathBuf) {
        let Some(dir) = path.parent().map(Path::to_path_buf) else { return };
        let name = path.file_name().unwrap_or_default();
        // Pieces of a long log have more behind these names.
        let is_output = ["output.log", "stdout.log", "stderr.log", "index"]
            .iter()
            .any(|base| name.as_encoded_bytes().starts_with(base.as_bytes()));
        if !is_output || self.output.contains(&dir) {
            self.folders.insert(dir);
        }
        // A folder that is itself gone or new is told by its own path.
        if !is_output {
            self.folders.insert(path);
        }
    }
}

impl Watch {
    pub(super) fn new() -> Self {
        let notes = Arc::new(Notes::default());
        let writer = notes.clone();
        let watcher = notify::recommended_watcher(move |event| writer.note(event)).ok();
        Self { watcher, notes }
    }

    pub(super) fn notes(&self) -> Arc<Notes> {
        self.notes.clone()
    }

    /// Watches `dir`; the value is its name in news, none when it cannot be watched.
    pub(super) fn add(&mut self, dir: &Path) -> Option<PathBuf> {
        let real = dir.canonicalize().ok()?;
        self.watcher.as_mut()?.watch(&real, RecursiveMode::NonRecursive).ok()?;
        Some(real)
    }

    pub(super) fn remove(&mut self, dir: &Path) {
        if let Some(watcher) = &mut self.watcher {
            let _ = watcher.unwatch(dir);
        }
        self.want_output(dir, false);
    }

    /// Whether growth of the output in `dir` is news.
    pub(super) fn want_output(&self, dir: &Path, wanted: bool) {
        let mut inner = self.notes.inner();
        if wanted {
            inner.output.insert(dir.to_path_buf());
        } else {
            inner.output.remove(dir);
        }
    }
}
