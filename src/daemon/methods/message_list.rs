//! `message.list`: messages, oldest first.

use super::page::Room;
use super::{Answer, invalid};
use crate::daemon::store::Wanted;
use crate::daemon::world::World;
use crate::wire::reply::{Message, Messages};
use crate::wire::request::MessageList;

pub(super) fn handle(world: &mut World, params: &MessageList) -> Answer<Messages> {
    world.take_outbox();
    let wanted = wanted(world, params)?;
    let (mut room, mut messages, mut next) = (Room::new(), Vec::<Message>::new(), None);
    world.noted(|store| {
        store.messages(&wanted, |message| {
            if !room.take(&message) && !messages.is_empty() {
                next = messages.last().map(|last| last.seq.to_string());
                return false;
            }
            messages.push(message);
            true
        })
    });
    Ok(Messages { schema: 1, messages, next })
}

fn wanted(world: &World, params: &MessageList) -> Answer<Wanted> {
    let scope = &params.scope;
    let recipient = match &params.agent {
        Some(query) => Some(world.state.find_in(query, scope)?.id.to_string()),
        None => None,
    };
    let everywhere = scope.all || recipient.is_some();
    let after = params.after.as_deref().unwrap_or("0").parse();
    Ok(Wanted {
        recipient,
        project: scope.project.clone(),
        everywhere,
        unread: params.unread,
        after: after.map_err(|_| invalid("`after` is the `next` of an answer before"))?,
    })
}
