//! Which unit a verb speaks for, and where its files are.

use crate::error::{Error, Result};
use crate::paths;
use crate::record::Folder;

/// The unit a verb speaks for: the id given, else the unit we run in.
pub(super) fn id(given: Option<String>) -> Result<String> {
    given.or_else(|| paths::var("IDLERGEAR_AGENT_ID")).ok_or_else(|| {
        Error::new("this process belongs to no agent").next("ig-agent register NAME, or --id ID")
    })
}

/// Where the unit `id` keeps its files; none for an agent that only the daemon knows.
pub(super) fn folder(id: &str) -> Option<Folder> {
    Folder::of(id, paths::current_project().as_deref())
}
