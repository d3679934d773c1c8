//! `signal.drain`: the signals that wait for a session, as many as fit into an answer.

use serde_json::json;

use super::page::Room;
use super::{Answer, invalid};
use crate::daemon::connection::{Parcel, Reply};
use crate::daemon::signals::is_session;
use crate::daemon::store::Wants;
use crate::daemon::world::World;
use crate::wire::request::{Drainer, SignalDrain};
use crate::wire::signal::{Signal, Signals};

pub(super) fn handle(world: &mut World, params: &SignalDrain) -> Reply {
    if let Err(error) = arrive(world, &params.drainer) {
        return Reply::of(Err(error));
    }
    let session = &params.drainer.session;
    world.drained(session, &params.ack);
    let (mut room, mut left) = (Room::new(), params.limit);
    let take = |signal: &Signal| {
        let fits = left > 0 && room.take(signal);
        left = left.saturating_sub(1);
        fits
    };
    let (signals, more, guard) = if params.peek {
        let none = std::collections::HashSet::new();
        let wants = Wants { session, after: params.after, except: &none };
        let (signals, more) = world.read_queue(&wants, take);
        (signals, more, None)
    } else {
        world.drain(session, take)
    };
    let parcel = if params.hold { Parcel::WhenSaid } else { Parcel::WhenWritten };
    let result = Ok(json!(Signals { schema: 1, signals, more }));
    Reply { signals: guard.map(parcel), ..Reply::of(result) }
}

/// A session says that it is there.
pub(super) fn arrive(world: &mut World, drainer: &Drainer) -> Answer<()> {
    let name = &drainer.session;
    if !is_session(name) {
        return Err(invalid("a `session` is named by up to 200 bytes, none of them a control"));
    }
    // What ended before it was asked for is in the answer.
    world.scan();
    world.refresh_all();
    world.touch(name, drainer.project.as_deref(), std::time::SystemTime::now());
    Ok(())
}
