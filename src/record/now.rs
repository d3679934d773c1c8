//! What can only be told when somebody asks: whether the script has changed since, and what git
//! had answered when the command started.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{folder_of, scripts};
use crate::hash::sha256;
use crate::secure_fs;
use crate::time;
use crate::wire::unit::Unit;

/// Bytes of a script that is read again for each listing; of a longer one, the time it was last
/// written tells whether it changed.
const READ: u64 = 8 << 20;

/// What is known of a script as it is now.
#[derive(Debug)]
enum Now {
    Hash(String),
    /// Too long to be read: when it was written.
    Written(SystemTime),
    Gone,
}

/// Looks at scripts, each once.
#[derive(Debug, Default)]
pub struct Look {
    scripts: HashMap<PathBuf, Now>,
}

impl Look {
    /// Fills in `git` and `stale` of `unit`.
    pub fn at(&mut self, unit: &mut Unit) {
        if unit.git.commit.is_none() {
            unit.git = scripts::git(&folder_of(unit)).unwrap_or_default();
        }
        unit.stale = self.is_stale(unit);
    }

    /// The script has another content now, or is gone.
    fn is_stale(&mut self, unit: &Unit) -> bool {
        let Some(path) = unit.script.path.as_ref().map(|path| unit.cwd.join(path)) else {
            return false;
        };
        match self.scripts.entry(path).or_insert_with_key(|path| now(path)) {
            Now::Hash(hash) => *hash != unit.script.sha256,
            Now::Written(at) => time::parse(&unit.started_at).is_none_or(|start| *at > start),
            Now::Gone => true,
        }
    }
}

/// The record says which file it is, and a record may be a stranger's: so nothing but a plain file is
/// opened, and not more of it read than a script has.
fn now(path: &Path) -> Now {
    let written = path.metadata().ok().filter(|meta| meta.is_file() && meta.len() > READ);
    if let Some(at) = written.and_then(|meta| meta.modified().ok()) {
        return Now::Written(at);
    }
    secure_fs::input(path, READ).map_or(Now::Gone, |text| Now::Hash(sha256(&text)))
}
