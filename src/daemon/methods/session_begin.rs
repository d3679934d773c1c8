//! `session.begin`: a session says that it is there, under which names, and which process is its
//! client's.

use super::{Answer, invalid};
use crate::daemon::sessions::is_session;
use crate::daemon::store::{ALIASES, Beginning};
use crate::daemon::world::World;
use crate::os::Identity;
use crate::wire::reply::{ErrorCode, RpcError};
use crate::wire::request::SessionBegin;
use crate::wire::session::Begun;

pub(super) fn handle(world: &mut World, params: &SessionBegin) -> Answer<Begun> {
    check_names(params)?;
    let client = params.pid.map(identity).transpose()?;
    // What ended before is in the queues that become one.
    world.scan();
    world.notice_ends();
    let what = Beginning {
        name: &params.session,
        project: params.project.as_deref(),
        client: client.as_ref(),
        aliases: &params.aliases,
    };
    let lost = || RpcError::new(ErrorCode::InternalError, "the session could not be kept");
    let session = world.begin_session(&what).ok_or_else(lost)?.session;
    let aliases = world.noted(|store| store.aliases(&session)).unwrap_or_default();
    Ok(Begun { session, aliases })
}

fn check_names(params: &SessionBegin) -> Answer<()> {
    if params.aliases.len() > ALIASES {
        return Err(invalid(format!("a session has at most {ALIASES} `aliases`")));
    }
    let mut names = std::iter::once(&params.session).chain(&params.aliases);
    names.try_for_each(|name| check_name(name))
}

/// Refuses what can be no session's name.
pub(super) fn check_name(name: &str) -> Answer<()> {
    if is_session(name) {
        return Ok(());
    }
    Err(invalid("a `session` is named by up to 200 bytes, none of them a control"))
}

fn identity(pid: u32) -> Answer<Identity> {
    Identity::of(pid).ok_or_else(|| invalid(format!("no process has pid {pid}")))
}
