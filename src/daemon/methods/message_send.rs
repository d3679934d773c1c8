//! `message.send`: text for one agent or for all, kept until read.

use serde_json::json;

use super::{Answer, check_size, live};
use crate::daemon::journal::note;
use crate::daemon::subscribers::Topic;
use crate::daemon::world::World;
use crate::outbox::TEXT_LIMIT;
use crate::time;
use crate::wire::reply::{Addressee, ErrorCode, Message, RpcError, Sent};
use crate::wire::request::MessageSend;
use crate::wire::unit::Unit;

/// The longest name of a sender or of a message, bytes.
const NAME_LIMIT: usize = 200;

pub(super) fn handle(world: &mut World, params: &MessageSend) -> Answer<Sent> {
    world.scan();
    // Those that were put down before come before.
    world.take_outbox();
    let units = match &params.to {
        Some(query) => vec![live(world, query, params.scope.project.as_deref())?],
        None => addressees(world, params),
    };
    keep(world, params, units)
}

/// A message from the outbox: nobody waits for an answer, so it is kept as well where whom it was meant
/// for is not there any more.
pub(in crate::daemon) fn deliver_late(world: &mut World, params: &MessageSend) -> Answer<()> {
    let units = match &params.to {
        Some(query) => {
            let found = live(world, query, params.scope.project.as_deref());
            if let Err(error) = &found {
                note(format_args!("a message was kept for nobody: {}", error.message));
            }
            found.ok().into_iter().collect()
        }
        None => addressees(world, params),
    };
    keep(world, params, units).map(drop)
}

fn addressees(world: &World, params: &MessageSend) -> Vec<Unit> {
    world.state.addressees(&params.scope, params.from.as_deref().unwrap_or_default())
}

/// Queue first, then notify.
fn keep(world: &mut World, params: &MessageSend, units: Vec<Unit>) -> Answer<Sent> {
    check_size("text", params.text.len(), TEXT_LIMIT)?;
    for name in [&params.from, &params.id].into_iter().flatten() {
        check_size("sender's name", name.len(), NAME_LIMIT)?;
    }
    let mut messages: Vec<Message> = units.iter().map(|unit| message(params, Some(unit))).collect();
    if messages.is_empty() {
        messages.push(message(params, None));
    }
    let project = |index: usize| {
        units.get(index).map_or(&params.scope.project, |unit| &unit.project).as_deref()
    };
    let kept = world
        .store
        .add_messages(params.id.as_deref(), &mut messages, project)
        .map_err(|error| RpcError::new(ErrorCode::InternalError, error.to_string()))?;
    if let Some(lost) = kept {
        if lost > 0 {
            note(format_args!("too many messages: {lost} that nobody had read had to go"));
        }
        for (index, message) in messages.iter().enumerate() {
            announce(world, message, units.get(index), params);
        }
    }
    let addressee = |unit: Unit| Addressee { id: unit.id.to_string(), name: unit.name };
    Ok(Sent { to: units.into_iter().map(addressee).collect() })
}

fn message(params: &MessageSend, to: Option<&Unit>) -> Message {
    Message {
        seq: 0,
        at: time::now(),
        from: params.from.clone().unwrap_or_default(),
        to: to.map(|unit| unit.id.to_string()),
        to_name: to.map(|unit| unit.name.clone()).or_else(|| params.to.clone()),
        text: params.text.clone(),
        read: false,
    }
}

fn announce(world: &mut World, message: &Message, to: Option<&Unit>, params: &MessageSend) {
    if let Some(unit) = to {
        world.mark(&unit.id);
    }
    let topic = Topic {
        unit: to.map(|unit| &unit.id),
        project: to.map_or(&params.scope.project, |unit| &unit.project).as_ref(),
        ..Topic::to_nobody("message")
    };
    world.subscribers.publish(&topic, || json!(message));
}
