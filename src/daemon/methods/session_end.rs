//! `session.end`: a session is over. What waits for it goes to whoever comes next, and the units
//! that end with it are stopped beside the daemon's loop.

use super::Answer;
use super::session_begin::check_name;
use crate::daemon::world::World;
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::SessionEnd;
use crate::wire::session::Ended;

pub(super) fn handle(world: &mut World, params: &SessionEnd) -> Answer<Ended> {
    check_name(&params.session)?;
    // What it started and what ended before this is its own still.
    world.scan();
    world.notice_ends();
    let session = world.session_of(&params.session);
    let lost = || RpcError::new(ErrorCode::InternalError, "the end could not be kept");
    world.end_session(&session).ok_or_else(lost)
}
