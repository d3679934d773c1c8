//! `signal.pending`: how many signals wait for a session, and how loudly.

use super::Answer;
use super::signal_drain::arrive;
use crate::daemon::world::World;
use crate::wire::request::Drainer;
use crate::wire::signal::Pending;

pub(super) fn handle(world: &mut World, params: &Drainer) -> Answer<Pending> {
    let session = arrive(world, params)?;
    Ok(world.pending(&session))
}
