//! Whole listings, page by page: one answer of the daemon has to fit into a frame.

use crate::error::Result;
use crate::wire::client::Client;
use crate::wire::reply::{Agents, Message, Messages, Units};
use crate::wire::request::{AgentList, MessageList, Request, Scope, UnitList};
use crate::wire::unit::Unit;

/// Every live agent of `scope`, sorted by start.
pub(super) fn agents(client: &mut Client, scope: &Scope) -> Result<Vec<Unit>> {
    let (mut agents, mut after) = (Vec::new(), None);
    loop {
        let page: Agents =
            client.call(&Request::AgentList(AgentList { scope: scope.clone(), after }))?;
        agents.extend(page.agents);
        after = page.next;
        if after.is_none() {
            return Ok(agents);
        }
    }
}

/// Every unit of `scope` that the daemon knows to have ended.
pub(super) fn ended(client: &mut Client, scope: &Scope) -> Result<Vec<Unit>> {
    let (mut units, mut after) = (Vec::new(), None);
    loop {
        let wanted = UnitList { kind: None, ended: true, scope: scope.clone(), after };
        let page: Units = client.call(&Request::UnitList(wanted))?;
        units.extend(page.units.into_iter().filter(|unit| unit.status.is_terminal()));
        after = page.next;
        if after.is_none() {
            return Ok(units);
        }
    }
}

/// Every message that `wanted` describes, oldest first.
pub(super) fn messages(client: &mut Client, mut wanted: MessageList) -> Result<Vec<Message>> {
    let mut messages = Vec::new();
    loop {
        let page: Messages = client.call(&Request::MessageList(wanted.clone()))?;
        messages.extend(page.messages);
        wanted.after = page.next;
        if wanted.after.is_none() {
            return Ok(messages);
        }
    }
}
