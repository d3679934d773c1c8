//! `daemon.status`: who we are and how much is going on.

use crate::daemon::world::World;
use crate::wire::reply::DaemonStatus;

pub(super) fn handle(world: &mut World) -> DaemonStatus {
    world.scan();
    DaemonStatus {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: world.started_at.clone(),
        socket: world.socket.clone(),
        units: world.state.live_count(),
        unread: world.store.count_unread(),
        subscribers: world.subscribers.count(),
    }
}
