//! `event.subscribe`: what happened, as it happens, behind what happened before.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Answer;
use crate::daemon::connection::Reply;
use crate::daemon::history::merge;
use crate::daemon::subscribers::{Filter, Queue};
use crate::daemon::world::World;
use crate::id::UnitId;
use crate::record::pieces;
use crate::wire::reply::LogLine;
use crate::wire::request::{Drainer, EventSubscribe};

/// Lines of history at most: they must leave room in the queue.
const TAIL_LIMIT: usize = 1000;

/// What a unit's folder may hold of logs.
const LOGS: [&str; 4] = ["events.log", "output.log", "stdout.log", "stderr.log"];

/// How often a log may grow while its history is read before that is taken as it is.
const TRIES: usize = 20;

pub(super) fn handle(world: &mut World, params: EventSubscribe) -> Reply {
    match subscribe(world, params) {
        Ok((queue, history)) => {
            Reply { queue: Some(queue), ..Reply::of(Ok(json!({ "history": history }))) }
        }
        Err(error) => Reply::of(Err(error)),
    }
}

/// The queue, and how many lines of history are in it.
fn subscribe(world: &mut World, params: EventSubscribe) -> Answer<(Arc<Queue>, usize)> {
    let unit = params.unit.map(|query| world.state.find_in(&query, &params.scope)).transpose()?;
    let only = unit.as_ref().map(|unit| unit.id.clone());
    match &params.session {
        Some(session) => {
            let (session, project) = (session.clone(), params.scope.project.clone());
            super::signal_drain::arrive(world, &Drainer { session, project })?;
        }
        None => world.scan(),
    }
    let filter = Filter {
        types: params.types,
        unit: only.clone(),
        output: params.output,
        session: params.session,
        scope: params.scope,
    };
    let history = meet(world, &filter, params.tail);
    let count = history.len();
    Ok((world.subscribers.add(filter, history), count))
}

/// Reads up to now for everybody, then the history for this one, until no file grew in between: so
/// that history and news meet without a gap and without a line told twice. A log that never rests
/// may repeat a line there.
fn meet(world: &mut World, filter: &Filter, tail: usize) -> Vec<Value> {
    let ids = filter.unit.as_ref().map_or_else(|| world.state.live_ids(), |id| vec![id.clone()]);
    let mut lines = Vec::new();
    for _ in 0..TRIES {
        let before = size(world, &ids);
        for id in &ids {
            world.catch_up(id);
            world.follow_for(filter, id);
        }
        lines = if tail > 0 { history(world, filter, tail) } else { Vec::new() };
        if size(world, &ids) == before {
            break;
        }
    }
    lines
}

/// Bytes of all logs of `ids`.
fn size(world: &World, ids: &[UnitId]) -> u64 {
    let folders = ids.iter().filter_map(|id| world.folder_of(id));
    let logs = folders.flat_map(|dir| LOGS.map(|name| dir.join(name)));
    logs.map(|log| pieces::end(&log)).sum()
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
