//! `event.subscribe`: what happened, as it happens, behind what happened before.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Answer;
use crate::daemon::connection::Reply;
use crate::daemon::history::merge;
use crate::daemon::subscribers::{Filter, Queue};
use crate::daemon::world::World;
use crate::id::UnitId;
use crate::wire::reply::LogLine;
use crate::wire::request::EventSubscribe;

/// Lines of history at most: they must leave room in the queue.
const TAIL_LIMIT: usize = 1000;

pub(super) fn handle(world: &mut World, params: EventSubscribe) -> Reply {
    match subscribe(world, params) {
        Ok((queue, history)) => {
            Reply { result: Ok(json!({ "history": history })), queue: Some(queue) }
        }
        Err(error) => Reply { result: Err(error), queue: None },
    }
}

/// The queue, and how many lines of history are in it.
fn subscribe(world: &mut World, params: EventSubscribe) -> Answer<(Arc<Queue>, usize)> {
    let project = params.scope.project.as_deref();
    let unit = params.unit.map(|query| world.state.find(&query, project)).transpose()?;
    let only = unit.as_ref().map(|unit| unit.id.clone());
    // Others hear of what is there by now; then history and news meet without a gap.
    world.scan();
    for id in world.state.live_ids() {
        world.catch_up(&id);
    }
    let filter = Filter {
        types: params.types,
        unit: only.clone(),
        output: params.output,
        scope: params.scope,
    };
    let history = if params.tail > 0 { history(world, &filter, params.tail) } else { Vec::new() };
    let count = history.len();
    let queue = world.subscribers.add(filter, history);
    follow(world, only.as_ref());
    Ok((queue, count))
}

fn history(world: &World, filter: &Filter, tail: usize) -> Vec<Value> {
    let tail = tail.min(TAIL_LIMIT);
    let units = match &filter.unit {
        Some(id) => world.state.get(id).map(|entry| entry.unit.clone()).into_iter().collect(),
        None => world.state.list(&filter.scope, false),
    };
    let lines = units.iter().fold(Vec::new(), |lines, unit| {
        let mut wanted = world.last_lines(unit, tail);
        wanted.retain(|line| filter.output || unit.stream_logs || line.stream == "events");
        merge(lines, wanted)
    });
    let skipped = lines.len().saturating_sub(TAIL_LIMIT);
    lines.into_iter().skip(skipped).map(|line: LogLine| json!(line)).collect()
}

/// Begins to follow output that nobody followed until now.
fn follow(world: &mut World, only: Option<&UnitId>) {
    let ids = only.map_or_else(|| world.state.live_ids(), |id| vec![id.clone()]);
    for id in ids {
        world.follow_output(&id);
    }
}
