//! What can only be told when somebody asks: whether the script has changed since, and what git
//! had answered when the command started.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use super::{folder_of, scripts};
use crate::hash::sha256;
use crate::wire::unit::Unit;

/// Looks at scripts, each once.
#[derive(Debug, Default)]
pub struct Look {
    hashes: HashMap<PathBuf, Option<String>>,
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
        let hash = self
            .hashes
            .entry(path)
            .or_insert_with_key(|path| fs::read(path).ok().map(|text| sha256(&text)));
        hash.as_ref() != Some(&unit.script.sha256)
    }
}
