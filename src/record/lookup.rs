//! Which unit a person or program means: exact id, exact name, or an id prefix.

use crate::error::{Error, Result};
use crate::neutral;
use crate::wire::unit::Unit;

/// The shortest id prefix that is looked up.
const SHORTEST_PREFIX: usize = 4;

/// Where all names are.
const LISTS: &str = "ig run list, ig ps --all";

/// The unit that `query` means: exact id (`run_` in front allowed), exact name (live before ended,
/// newest first), id prefix of four or more. Two matches are an error that lists them.
pub fn find<'a>(units: &'a [Unit], query: &str) -> Result<&'a Unit> {
    match candidates(units, query).as_slice() {
        [] => Err(Error::new(format!("nothing here is called `{}`", neutral::line(query)))
            .next(advice(units, query))),
        [one] => Ok(one),
        many => Err(ambiguous(query, many)),
    }
}

/// What to ask instead.
#[cfg(feature = "full")]
fn advice(units: &[Unit], query: &str) -> String {
    let names = units.iter().rev().map(|unit| unit.name.as_str());
    let nearest = crate::suggest::nearest(query, names).map(neutral::line);
    nearest.map_or_else(|| LISTS.to_owned(), |name| format!("`{name}`, or one of {LISTS}"))
}

#[cfg(not(feature = "full"))]
fn advice(_units: &[Unit], _query: &str) -> String {
    LISTS.to_owned()
}

/// Every unit that `query` could mean; more than one only for a prefix.
pub fn candidates<'a>(units: &'a [Unit], query: &str) -> Vec<&'a Unit> {
    let id = query.strip_prefix("run_").unwrap_or(query);
    let exact = units.iter().find(|unit| unit.id.as_str() == id);
    if let Some(unit) = exact.or_else(|| by_name(units, query)) {
        return vec![unit];
    }
    let long_enough = id.len() >= SHORTEST_PREFIX;
    units.iter().filter(|u| long_enough && u.id.as_str().starts_with(id)).collect()
}

fn by_name<'a>(units: &'a [Unit], name: &str) -> Option<&'a Unit> {
    let rank = |unit: &&Unit| (!unit.status.is_terminal(), unit.started_at.clone());
    units.iter().filter(|unit| unit.name == name).max_by_key(rank)
}

fn ambiguous(query: &str, matches: &[&Unit]) -> Error {
    let list: Vec<String> = matches.iter().map(|u| format!("{} ({})", u.id, u.name)).collect();
    Error::new(format!("`{query}` could be any of {}", list.join(", "))).next("give more of the id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UnitId;
    use crate::wire::unit::{Kind, Status};

    fn unit(id: &str, name: &str, status: Status, started: &str) -> Unit {
        let mut unit = Unit::new(Kind::LocalBash, name);
        unit.id = UnitId::parse(id).unwrap();
        unit.status = status;
        started.clone_into(&mut unit.started_at);
        unit
    }

    #[test]
    fn id_then_live_name_then_prefix() {
        let units = [
            unit("baaaa0001", "web", Status::Running, "2026-01-01T00:00:00Z"),
            unit("baaaa0002", "web", Status::Failed, "2026-01-02T00:00:00Z"),
            unit("bcccc0003", "api", Status::Failed, "2026-01-03T00:00:00Z"),
            unit("bcccc0004", "api", Status::Completed, "2026-01-04T00:00:00Z"),
        ];
        let found = |query: &str| find(&units, query).map(|u| u.id.as_str().to_owned());
        assert_eq!(found("run_baaaa0002").unwrap(), "baaaa0002");
        assert_eq!(found("web").unwrap(), "baaaa0001");
        assert_eq!(found("api").unwrap(), "bcccc0004");
        assert!(found("baa").is_err());
        assert_eq!(
            found("bccc").unwrap_err().what(),
            "`bccc` could be any of bcccc0003 (api), bcccc0004 (api)"
        );
        assert!(found("nobody").is_err());
    }

    #[test]
    fn a_slip_is_answered_with_the_nearest_name() {
        let units = [unit("baaaa0001", "train", Status::Running, "2026-01-01T00:00:00Z")];
        let advice = |query: &str| find(&units, query).unwrap_err().to_string();
        assert!(advice("trian").ends_with("try: `train`, or one of ig run list, ig ps --all"));
        assert!(advice("server").ends_with("try: ig run list, ig ps --all"));
    }
}
