//! Agents that live on the wire only: no folder tells of them, the daemon alone knows them.

use crate::paths;
use crate::wire::client::Client;
use crate::wire::request::{Request, Which};
use crate::wire::unit::Unit;

/// The one that `query` means, and a connection to say more about it. A daemon that is not there has
/// none, so it is not started.
pub(super) fn find(query: &str) -> Option<(Client, Unit)> {
    let mut client = Client::connect("ig").ok()?;
    let which = Which { id: query.to_owned(), project: paths::current_project() };
    let unit: Unit = client.call(&Request::UnitGet(which)).ok()?;
    unit.logs.events.is_none().then_some((client, unit))
}
