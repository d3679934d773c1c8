//! What `session.begin` and `session.end` answer.

use serde::{Deserialize, Serialize};

use crate::id::UnitId;

/// The answer to `session.begin`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Begun {
    /// The name that the session is kept under. It may be another one of its names.
    pub session: String,
    /// Its other names, newest first.
    pub aliases: Vec<String>,
}

/// The answer to `session.end`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    /// Whether it was known to live.
    pub ended: bool,
    /// The units that end with it: they are being stopped.
    pub stopping: Vec<UnitId>,
}
