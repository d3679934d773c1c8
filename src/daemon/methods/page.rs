//! Listings in pieces that fit into a frame each.

use serde::Serialize;

use crate::wire::frame;
use crate::wire::unit::Unit;

/// Room for the items of one answer.
const ROOM: usize = frame::LIMIT - (64 << 10);

/// Counts the bytes of items until an answer is full.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Room {
    pub(super) fn new() -> Self {
        Self(ROOM)
    }

    /// Whether `item` fits too; takes its place when it does.
    pub(super) fn take(&mut self, item: &impl Serialize) -> bool {
        let size = serde_json::to_vec(item).map_or(0, |text| text.len() + 1);
        let left = self.0.checked_sub(size);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// The part of `units` (sorted) behind `after` that fits, and what to ask with for more.
pub(super) fn of_units(units: Vec<Unit>, after: Option<&str>) -> (Vec<Unit>, Option<String>) {
    let mut room = Room::new();
    let mut page: Vec<Unit> = Vec::new();
    for unit in units.into_iter().filter(|unit| after.is_none_or(|a| place(unit).as_str() > a)) {
        if !room.take(&unit) && !page.is_empty() {
            let next = page.last().map(place);
            return (page, next);
        }
        page.push(unit);
    }
    (page, None)
}

/// Where a unit stands in the order of listings.
fn place(unit: &Unit) -> String {
    format!("{} {}", unit.started_at, unit.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;
    use crate::wire::unit::Kind;

    #[test]
    fn pages_hold_everything_once() {
        let mut units: Vec<Unit> =
            (0..3000).map(|n| Unit::new(Kind::LocalBash, &format!("u{n}"))).collect();
        record::sort(&mut units);
        let (mut seen, mut after, mut pages) = (Vec::new(), None::<String>, 0);
        loop {
            let (page, next) = of_units(units.clone(), after.as_deref());
            assert!(frame::encode(&page).is_ok());
            seen.extend(page);
            pages += 1;
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert!(pages > 1);
        assert_eq!(seen, units);
    }
}
