//! From what a person typed to the unit that is meant; where that is in another project, it is said.

use crate::error::Result;
use crate::neutral;
use crate::record::{Folder, scope};
use crate::wire::unit::Unit;

pub(super) use scope::{Found, resolve};

/// A unit with a record.
pub(super) fn find(query: &str) -> Result<(Unit, Folder)> {
    let (unit, folder) = scope::find(query)?;
    tell_place(&unit);
    Ok((unit, folder))
}

/// The same with those whose record is damaged: their logs can still be read.
pub(super) fn find_any(query: &str) -> Result<(Unit, Folder)> {
    let (unit, folder) = scope::find_any(query)?;
    tell_place(&unit);
    Ok((unit, folder))
}

/// Says where `unit` is, when that is not here.
pub(super) fn tell_place(unit: &Unit) {
    if let Some(place) = scope::far(unit) {
        eprintln!("ig: `{}` ({}) is{place}", neutral::line(&unit.name), unit.id);
    }
}
