//! Which unit a person or program means, among those that are given: pure.
//!
//! An exact id is looked for first, in any of its forms: bare, with `run_` in front, or as the paste
//! token `ig:<id>@<hash8>`. Then an exact name: live before ended, of ended ones the newest. Then the
//! beginning of an id. Where more than one is left, none is taken.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::id::UnitId;
use crate::neutral;
use crate::wire::unit::Unit;

/// The shortest id prefix that is looked up.
const SHORTEST_PREFIX: usize = 4;

/// Units of other projects that are named at most.
const MOST_ELSEWHERE: usize = 3;

/// Where all names are.
const LISTS: &str = "ig run list, ig ps --all";

/// What was asked for, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    text: &'a str,
    id: &'a str,
    hash: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// Takes `query` apart.
    pub fn of(query: &'a str) -> Self {
        let token = query.trim().strip_prefix("ig:");
        let (id, hash) = match token.map(|token| token.split_once('@')) {
            Some(Some((id, hash))) => (id, Some(hash)),
            Some(None) => (token.unwrap_or(query), None),
            None => (query, None),
        };
        Self { text: query, id: id.strip_prefix("run_").unwrap_or(id), hash }
    }

    /// The id, if all of one was given.
    pub fn id(&self) -> Option<UnitId> {
        UnitId::parse(self.id)
    }

    /// Whether it can be nothing but an id.
    pub fn is_id_alone(&self) -> bool {
        self.id().is_some() && self.id != self.text
    }

    /// `unit` has that id; the hash of a paste token has to be its own too.
    pub fn confirm(&self, unit: &Unit) -> Result<()> {
        let own = unit.script.sha256.as_str();
        match self.hash {
            Some(hash) if hash.is_empty() || !own.starts_with(hash) => Err(Error::new(format!(
                "the hash in `{}` is not that of {} ({}): {}",
                neutral::line(self.text.trim()),
                unit.id,
                neutral::line(&unit.name),
                neutral::line(own.get(..8).unwrap_or(own)),
            ))
            .next(format!("{} alone, when that is the one you mean", unit.id))),
            _ => Ok(()),
        }
    }

    /// Whether it can be the beginning of an id, and is that of `unit`.
    fn begins(&self, unit: &Unit) -> bool {
        self.id.len() >= SHORTEST_PREFIX && unit.id.as_str().starts_with(self.id)
    }
}

/// The one of `units` that `query` means.
///
/// # Errors
/// None of them, or more than one: the kind of the error says which.
pub fn find<'a>(units: &'a [Unit], query: &str) -> Result<&'a Unit> {
    let asked = Asked::of(query);
    if let Some(unit) = units.iter().find(|unit| unit.id.as_str() == asked.id) {
        return asked.confirm(unit).map(|()| unit);
    }
    let named: Vec<&Unit> = units.iter().filter(|unit| unit.name == query).collect();
    let live: Vec<&Unit> = named.iter().copied().filter(|unit| is_live(unit)).collect();
    let newest = named.into_iter().max_by_key(|unit| &unit.started_at);
    match (live.as_slice(), newest) {
        ([], Some(unit)) => return Ok(unit),
        ([], None) => {}
        ([one], _) => return Ok(one),
        (many, _) => return Err(ambiguous(query, many)),
    }
    let begun: Vec<&Unit> = units.iter().filter(|unit| asked.begins(unit)).collect();
    match begun.as_slice() {
        [] => Err(not_found(units, query)),
        [one] => asked.confirm(one).map(|()| *one),
        many => Err(ambiguous(query, many)),
    }
}

fn is_live(unit: &Unit) -> bool {
    !unit.status.is_terminal()
}

fn not_found(units: &[Unit], query: &str) -> Error {
    Error::new(format!("nothing here is called `{}`", neutral::line(query)))
        .next(advice(units, query))
        .of_kind(ErrorKind::NotFound)
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

/// `query` means each of `units`, and so none.
pub fn ambiguous(query: &str, units: &[&Unit]) -> Error {
    let twins = units.iter().all(|unit| unit.name == query);
    let list = units.iter().map(|unit| {
        // What tells twins apart is not their name.
        let what = if twins { &unit.command } else { &unit.name };
        format!("{} ({})", unit.id, neutral::cell(what, 60))
    });
    let list = list.collect::<Vec<_>>().join(", ");
    let next = if twins { "the id of the one you mean" } else { "give more of the id" };
    Error::new(format!("`{}` could be any of {list}", neutral::line(query)))
        .next(next)
        .of_kind(ErrorKind::Ambiguous)
}

/// `query` means nothing in the project `here`. Where it is the name of some of `units` in other
/// projects, that is said, for people to read: nothing follows from it.
pub fn elsewhere(units: &[Unit], query: &str, here: Option<&Path>) -> Option<Error> {
    let asked = Asked::of(query);
    let mut found: Vec<&Unit> = units
        .iter()
        .filter(|unit| unit.project.as_deref() != here)
        .filter(|unit| unit.name == query || asked.begins(unit))
        .collect();
    found.sort_by_key(|unit| (is_live(unit), &unit.started_at));
    found.reverse();
    let first = *found.first()?;
    // Of ended ones, the newest says it all.
    found.retain(|unit| is_live(unit) || unit.id == first.id);
    let more = found.len().saturating_sub(MOST_ELSEWHERE);
    let places: Vec<String> =
        found.iter().take(MOST_ELSEWHERE).map(|unit| place_of(unit)).collect();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let this = if here.is_some() { "in this project" } else { "here, outside of projects" };
    let next = if found.len() == 1 { format!("its id: {}", first.id) } else { "an id".to_owned() };
    Some(
        Error::new(format!(
            "`{}` is not {this}; it is {}{more}",
            neutral::line(query),
            places.join(" and ")
        ))
        .next(next)
        .of_kind(ErrorKind::NotFound),
    )
}

fn place_of(unit: &Unit) -> String {
    let place = unit.project.as_ref().map_or_else(
        || "outside of projects".to_owned(),
        |project| format!("in {}", neutral::line(&project.display().to_string())),
    );
    format!("{place} as {} ({})", unit.id, unit.status.word())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::unit::{Kind, Status};

    fn unit(id: &str, name: &str, status: Status, started: &str) -> Unit {
        let mut unit = Unit::new(Kind::LocalBash, name);
        unit.id = UnitId::parse(id).unwrap();
        unit.status = status;
        unit.command = format!("run {id}");
        unit.script.sha256 = "0123456789abcdef".to_owned();
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
        assert_eq!(found("bccc").unwrap_err().kind(), ErrorKind::Ambiguous);
        assert_eq!(found("nobody").unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_paste_token_is_an_id_whose_hash_is_looked_at() {
        let units = [unit("baaaa0001", "web", Status::Running, "2026-01-01T00:00:00Z")];
        for token in ["ig:baaaa0001@01234567", " ig:run_baaaa0001@01234567\n", "ig:baaaa0001"] {
            assert!(find(&units, token).is_ok(), "{token:?}");
            assert!(Asked::of(token).is_id_alone(), "{token:?}");
        }
        for token in ["ig:baaaa0001@01234568", "ig:baaaa0001@", "ig:baaa@ffff"] {
            let error = find(&units, token).unwrap_err();
            assert!(error.what().ends_with("is not that of baaaa0001 (web): 01234567"), "{error}");
        }
        assert!(!Asked::of("baaaa0001").is_id_alone() && !Asked::of("run_x").is_id_alone());
    }

    #[test]
    fn of_two_live_ones_none_is_taken() {
        let mut units = [
            unit("baaaa0001", "web", Status::Running, "2026-01-01T00:00:00Z"),
            unit("baaaa0002", "web", Status::Pending, "2026-01-02T00:00:00Z"),
        ];
        let error = find(&units, "web").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`web` could be any of baaaa0001 (run baaaa0001), baaaa0002 (run baaaa0002)\n  \
             try: the id of the one you mean"
        );
        assert_eq!(error.kind(), ErrorKind::Ambiguous);
        units[0].status = Status::Failed;
        assert_eq!(find(&units, "web").unwrap().id.as_str(), "baaaa0002");
    }

    #[test]
    fn what_is_elsewhere_is_only_told() {
        let mut units = [
            unit("baaaa0001", "web", Status::Failed, "2026-01-01T00:00:00Z"),
            unit("baaaa0002", "web", Status::Running, "2026-01-02T00:00:00Z"),
        ];
        units[0].project = Some("/a".into());
        let told = |units: &[Unit], here: &str| elsewhere(units, "web", Some(Path::new(here)));
        assert_eq!(
            told(&units, "/b").unwrap().to_string(),
            "`web` is not in this project; it is outside of projects as baaaa0002 (running)\n  \
             try: its id: baaaa0002"
        );
        units[0].status = Status::Running;
        let both = told(&units, "/b").unwrap();
        let words = "outside of projects as baaaa0002 (running) and in /a as baaaa0001 (running)";
        assert!(both.what().ends_with(words), "{both}");
        assert_eq!(both.kind(), ErrorKind::NotFound);
        assert!(told(&units[..1], "/a").is_none());
    }

    #[test]
    fn a_slip_is_answered_with_the_nearest_name() {
        let units = [unit("baaaa0001", "train", Status::Running, "2026-01-01T00:00:00Z")];
        let advice = |query: &str| find(&units, query).unwrap_err().to_string();
        assert!(advice("trian").ends_with("try: `train`, or one of ig run list, ig ps --all"));
        assert!(advice("server").ends_with("try: ig run list, ig ps --all"));
    }
}
