//! `message.send`: text for one agent or for all, kept until read.

use serde_json::json;

use super::{Answer, check_size, live};
use crate::daemon::journal::note;
use crate::daemon::subscribers::Topic;
use crate::daemon::world::World;
use crate::time;
use crate::wire::reply::{Addressee, ErrorCode, Message, RpcError, Sent};
use crate::wire::request::{MessageSend, Scope};
use crate::wire::unit::Unit;

/// The longest text, bytes.
const TEXT_LIMIT: usize = 64 << 10;
/// The longest name of a sender, bytes.
const NAME_LIMIT: usize = 200;

pub(super) fn handle(world: &mut World, params: MessageSend) -> Answer<Sent> {
    check_size("text", params.text.len(), TEXT_LIMIT)?;
    let from = params.from.unwrap_or_default();
    check_size("sender's name", from.len(), NAME_LIMIT)?;
    world.scan();
    let units = match &params.to {
        Some(query) => vec![live(world, query, params.scope.project.as_deref())?],
        None => world.state.addressees(&params.scope, &from),
    };
    if units.is_empty() {
        keep(world, &message(&from, None, &params.text), None, &params.scope)?;
    }
    for unit in &units {
        keep(world, &message(&from, Some(unit), &params.text), Some(unit), &params.scope)?;
    }
    let addressee = |unit: Unit| Addressee { id: unit.id.to_string(), name: unit.name };
    Ok(Sent { to: units.into_iter().map(addressee).collect() })
}

fn message(from: &str, to: Option<&Unit>, text: &str) -> Message {
    Message {
        seq: 0,
        at: time::now(),
        from: from.to_owned(),
        to: to.map(|unit| unit.id.to_string()),
        to_name: to.map(|unit| unit.name.clone()),
        text: text.to_owned(),
        read: false,
    }
}

/// Queue first, then notify.
fn keep(world: &mut World, message: &Message, to: Option<&Unit>, scope: &Scope) -> Answer<()> {
    let mut message = message.clone();
    let project = to.map_or(&scope.project, |unit| &unit.project);
    let lost = world
        .store
        .add_message(&mut message, project.as_deref())
        .map_err(|error| RpcError::new(ErrorCode::InternalError, error.to_string()))?;
    if lost > 0 {
        note(format_args!("too many messages: {lost} that nobody had read had to go"));
    }
    if let Some(unit) = to {
        world.mark(&unit.id);
    }
    let topic = Topic {
        unit: to.map(|unit| &unit.id),
        project: project.as_ref(),
        ..Topic::to_nobody("message")
    };
    world.subscribers.publish(&topic, || json!(message));
    Ok(())
}
