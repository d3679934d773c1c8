//! `--limit memory=2G,cpu=1`: what a unit may use.
//!
//! A cgroup holds the whole tree to it, where one can be had; else each process gets an rlimit, which
//! there is for memory only. Which of the two it became is told and kept in the record: a limit that
//! nobody holds is worse than none.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::{cgroup, scope};
use crate::error::Result;
use crate::wire::unit::Unit;

/// What was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limit {
    /// Bytes.
    pub memory: Option<u64>,
    /// Cores; half of one is 0.5.
    pub cpu: Option<f64>,
}

/// By what means it is held.
#[derive(Debug, Clone, PartialEq)]
pub enum Means {
    /// There is nothing to hold.
    None,
    /// A cgroup.
    Cgroup {
        /// Made for it.
        made: PathBuf,
        /// The runner goes back there.
        home: PathBuf,
        /// What it holds to.
        limit: Limit,
    },
    /// A cgroup that systemd makes for the runner and all it starts.
    Scope {
        /// Its name.
        name: String,
        /// What it holds to.
        limit: Limit,
    },
    /// An rlimit on each process.
    Rlimit(Limit),
}

impl Limit {
    /// The limit in `text`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut limit = Self::default();
        for part in text.split(',') {
            let (what, amount) = part.split_once('=').unwrap_or((part, ""));
            match what.trim() {
                "memory" => limit.memory = Some(bytes(amount.trim())?),
                "cpu" => limit.cpu = Some(cores(amount.trim())?),
                _ => return Err(format!("`{part}` is none of memory=SIZE, cpu=CORES")),
            }
        }
        Ok(limit)
    }

    /// Makes what is to hold it.
    pub fn prepare(&self) -> Result<Means> {
        if *self == Self::default() {
            return Ok(Means::None);
        }
        if let Some(name) = scope::name(self) {
            return Ok(Means::Scope { name, limit: *self });
        }
        Ok(match cgroup::make(self) {
            Some((made, home)) => Means::Cgroup { made, home, limit: *self },
            None => Means::Rlimit(*self),
        })
    }
}

impl Means {
    /// What to write before the runner's own words.
    pub(super) fn prefix(&self) -> Vec<String> {
        match self {
            Self::Scope { name, limit } => scope::words(name, limit),
            _ => Vec::new(),
        }
    }

    /// The words that tell the runner.
    pub(super) fn options(&self) -> Vec<String> {
        let facts = self.facts();
        if facts.is_empty() {
            Vec::new()
        } else {
            vec!["--limits".to_owned(), json!(facts).to_string()]
        }
    }

    /// As it stands in the record.
    fn facts(&self) -> Map<String, Value> {
        let facts = match self {
            Self::None => json!({}),
            Self::Cgroup { made, home, limit } => {
                json!({"by": "cgroup", "memory": limit.memory, "cpu": limit.cpu, "cgroup": made.to_string_lossy(), "home": home.to_string_lossy()})
            }
            Self::Scope { name, limit } => {
                json!({"by": "cgroup", "memory": limit.memory, "cpu": limit.cpu, "scope": format!("{name}.scope")})
            }
            Self::Rlimit(limit) => {
                let free: Vec<&str> = limit.cpu.iter().map(|_| "cpu").collect();
                json!({"by": "rlimit", "memory": limit.memory, "not_held": free})
            }
        };
        facts.as_object().cloned().unwrap_or_default()
    }

    /// Nothing was started.
    pub(super) fn undo(&self) {
        if let Self::Cgroup { made, .. } = self {
            let _ = std::fs::remove_dir(made);
        }
    }
}

/// Says on stderr how the limit of `unit` is held, and what is not.
pub(super) fn tell(unit: &Unit) {
    let Some(limits) = unit.metadata.get("limits").and_then(Value::as_object) else { return };
    if limits.contains_key("cgroup") {
        eprintln!("limit: held by a cgroup, for all its processes together");
        return;
    }
    if limits.get("memory").is_some_and(|memory| !memory.is_null()) {
        eprintln!(
            "limit: no cgroup can be had here; memory is held by an rlimit, for each process"
        );
    }
    for what in limits.get("not_held").and_then(Value::as_array).into_iter().flatten() {
        let what = what.as_str().unwrap_or_default();
        eprintln!("limit: no cgroup can be had here; {what} is NOT limited");
    }
}

/// `512M`, `2G`, `1.5GiB`: powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_lowercase();
    let power = match unit.trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(format!("`{text}` is no size, such as 512M or 2G")),
    };
    let number: f64 =
        digits.parse().map_err(|_| format!("`{text}` is no size, such as 512M or 2G"))?;
    let bytes = number * 1024_f64.powi(power);
    if !(bytes >= 1_048_576.0 && bytes <= 2_f64.powi(60)) {
        return Err(format!("`{text}` is not between 1M and 1048576T"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    Ok(bytes as u64)
}

fn cores(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().unwrap_or(0.0);
    if (0.01..=10_000.0).contains(&number) {
        return Ok(number);
    }
    Err(format!("`{text}` is no number of cores, such as 2 or 0.5"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_cores_are_read_and_nonsense_is_refused() {
        let limit = |memory, cpu| Ok(Limit { memory, cpu });
        assert_eq!(Limit::parse("memory=2G,cpu=1"), limit(Some(2 << 30), Some(1.0)));
        assert_eq!(Limit::parse("memory=1.5MiB"), limit(Some(3 << 19), None));
        assert_eq!(Limit::parse("cpu=0.5, memory=1048576"), limit(Some(1 << 20), Some(0.5)));
        let senseless = [
            "",
            "memory",
            "memory=",
            "memory=2X",
            "memory=-1G",
            "memory=1K",
            "memory=NaN",
            "memory=9999999T",
            "cpu=0",
            "cpu=-1",
            "cpu=NaN",
            "cpu=inf",
            "disk=1G",
            "memory=1G,,",
        ];
        for text in senseless {
            assert!(Limit::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_held_is_said() {
        let limit = Limit { memory: Some(1 << 30), cpu: Some(2.0) };
        let facts = Means::Rlimit(limit).facts();
        assert_eq!(facts["by"], "rlimit");
        assert_eq!(facts["not_held"], json!(["cpu"]));
        assert!(Means::None.options().is_empty());
    }
}
