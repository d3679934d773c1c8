//! Whole listings, page by page: one answer of the daemon has to fit into a frame.

use crate::error::Result;
use crate::wire::client::Client;
use crate::wire::reply::{Agents, Message, Messages};
use crate::wire::request::{AgentList, MessageList, Request, Scope};
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
