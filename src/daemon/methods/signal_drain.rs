//! `signal.drain`: the signals that wait for a session, as many as fit into an answer.

use serde_json::json;

use super::Answer;
use super::page::Room;
use super::session_begin::check_name;
use crate::daemon::connection::{Parcel, Reply};
use crate::daemon::store::Wants;
use crate::daemon::world::World;
use crate::wire::request::{Drainer, SignalDrain};
use crate::wire::signal::{Signal, Signals};

pub(super) fn handle(world: &mut World, params: &SignalDrain) -> Reply {
    let session = match arrive(world, &params.drainer) {
        Ok(session) => session,
        Err(error) => return Reply::of(Err(error)),
    };
    let session = session.as_str();
    world.drained(session, &params.ack);
    let (mut room, mut left) = (Room::new(), params.limit);
    let take = |signal: &Signal| {
        let fits = left > 0 && room.take(signal);
        left = left.saturating_sub(1);
        fits
    };
    let project = params.drainer.project.as_deref();
    if params.brief {
        world.brief(session, project);
    }
    let place = project.map(|project| project.to_string_lossy()).unwrap_or_default();
    let only = params.here.then_some(&*place);
    let (signals, more, guard) = if params.peek {
        let none = std::collections::HashSet::new();
        let wants = Wants { session, after: params.after, except: &none, only };
        let (signals, more) = world.read_queue(&wants, take);
        (signals, more, None)
    } else {
        world.drain(session, only, take)
    };
    let parcel = if params.hold { Parcel::WhenSaid } else { Parcel::WhenWritten };
    let elsewhere =
        only.and_then(|here| world.noted(|store| store.waiting_elsewhere(session, here)));
    let elsewhere = elsewhere.unwrap_or_default();
    let result = Ok(json!(Signals { schema: 1, signals, more, elsewhere }));
    Reply { signals: guard.map(parcel), ..Reply::of(result) }
}

/// A session says that it is there. Returns the name that it is kept under.
pub(super) fn arrive(world: &mut World, drainer: &Drainer) -> Answer<String> {
    check_name(&drainer.session)?;
    // What ended before it was asked for is in the answer; of a crowd, the first.
    world.scan();
    world.notice_ends();
    Ok(world.touch(&drainer.session, drainer.project.as_deref()))
}
