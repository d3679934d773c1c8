//! One file per wire method, and here the one match that finds it.

mod agent_list;
mod agent_log;
mod agent_register;
mod agent_unregister;
mod agent_update_status;
mod daemon_status;
mod daemon_stop;
mod event_subscribe;
mod message_ack;
mod message_list;
pub(super) mod message_send;
mod page;
mod session_begin;
mod session_end;
mod signal_drain;
mod signal_pending;
mod unit_alerts;
mod unit_evict;
mod unit_get;
mod unit_list;
mod unit_output;
mod unit_stop;

use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::connection::Reply;
use super::world::World;
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::Request;
use crate::wire::unit::Unit;

/// What a method answers.
type Answer<T> = Result<T, RpcError>;

/// When an answer comes.
pub(super) enum Answered {
    Now(Reply),
    /// When this work is done.
    Later(JoinHandle<Reply>),
}

/// Answers one call. `hello` never comes this far: the connection answers it.
pub(super) fn dispatch(world: &mut World, pid: Option<u32>, request: Request) -> Answered {
    let result = match request {
        Request::Hello(_) => Err(RpcError::new(ErrorCode::InvalidRequest, "`hello` comes once")),
        Request::DaemonStatus(_) => value(Ok(daemon_status::handle(world))),
        Request::DaemonStop(_) => value(Ok(daemon_stop::handle(world))),
        Request::AgentRegister(params) => value(agent_register::handle(world, pid, params)),
        Request::AgentUnregister(params) => value(agent_unregister::handle(world, &params)),
        Request::AgentUpdateStatus(params) => value(agent_update_status::handle(world, &params)),
        Request::AgentLog(params) => value(agent_log::handle(world, &params)),
        Request::AgentList(params) => value(Ok(agent_list::handle(world, &params))),
        Request::MessageSend(params) => value(message_send::handle(world, &params)),
        Request::MessageList(params) => value(message_list::handle(world, &params)),
        Request::MessageAck(params) => value(message_ack::handle(world, &params)),
        Request::UnitList(params) => value(Ok(unit_list::handle(world, &params))),
        Request::UnitGet(params) => value(unit_get::handle(world, &params)),
        Request::UnitOutput(params) => value(unit_output::handle(world, &params)),
        Request::UnitStop(params) => match unit_stop::handle(world, pid, &params) {
            Ok(work) => return Answered::Later(work),
            Err(error) => Err(error),
        },
        Request::UnitEvict(params) => value(unit_evict::handle(world, &params)),
        Request::UnitAlerts(params) => value(unit_alerts::handle(world, &params)),
        Request::SessionBegin(params) => value(session_begin::handle(world, &params)),
        Request::SessionEnd(params) => value(session_end::handle(world, &params)),
        Request::SignalDrain(params) => return Answered::Now(signal_drain::handle(world, &params)),
        Request::SignalPending(params) => value(signal_pending::handle(world, &params)),
        Request::EventSubscribe(params) => {
            return Answered::Now(event_subscribe::handle(world, params));
        }
    };
    Answered::Now(Reply::of(result))
}

fn value<T: Serialize>(answer: Answer<T>) -> Answer<Value> {
    serde_json::to_value(answer?)
        .map_err(|e| RpcError::new(ErrorCode::InternalError, e.to_string()))
}

fn invalid(message: impl Into<String>) -> RpcError {
    RpcError::new(ErrorCode::InvalidParams, message)
}

/// Refuses what would make listings unwieldy; `limit` in bytes.
fn check_size(what: &str, size: usize, limit: usize) -> Answer<()> {
    if size <= limit {
        return Ok(());
    }
    Err(invalid(format!("the {what} has {size} bytes; the limit is {limit}")))
}

/// The live unit that `query` means.
fn live(world: &World, query: &str, project: Option<&std::path::Path>) -> Answer<Unit> {
    let unit = world.state.find(query, project)?;
    if unit.status.is_terminal() {
        let words = format!("`{query}` has ended: {}", unit.status.word());
        return Err(RpcError::new(ErrorCode::AlreadyTerminal, words));
    }
    Ok(unit)
}
