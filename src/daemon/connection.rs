//! One client: lines in, answers and events out. A fault here is this client's alone.
//!
//! Bounds: a frame is [`frame::LIMIT`] bytes, `hello` must come within [`GREETING`], an answer must
//! be taken within [`PATIENCE`], and events wait in a bounded queue (see `subscribers`).

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::leases::Guard;
use super::subscribers::{self, Queue};
use crate::wire::frame;
use crate::wire::reply::{ErrorCode, RpcError, Welcome};
use crate::wire::request::{METHODS, Request};
use crate::wire::{self};

/// How long a client may be silent before it says `hello`.
const GREETING: Duration = Duration::from_secs(10);
/// How long a client may take to read an answer; or, cut off, to hear why.
const PATIENCE: Duration = Duration::from_secs(10);
/// Answers with signals that a client may hold; older ones are given back.
const HELD: usize = 64;

/// A request on its way to the world, and where its answer goes.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) request: Request,
    /// The process that asks, where the system tells.
    pub(super) pid: Option<u32>,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// What the world answers.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) result: Result<Value, RpcError>,
    /// Events for this connection from now on.
    pub(super) queue: Option<Arc<Queue>>,
    /// The signals in it.
    pub(super) signals: Option<Parcel>,
}

/// Signals in an answer: they were told once it was written, or once the caller says so.
#[derive(Debug)]
pub(super) enum Parcel {
    WhenWritten(Guard),
    WhenSaid(Guard),
}

impl Reply {
    /// An answer and nothing else.
    pub(super) fn of(result: Result<Value, RpcError>) -> Self {
        Self { result, queue: None, signals: None }
    }
}

/// A connected client.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    pid: Option<u32>,
    calls: mpsc::Sender<Call>,
    received: Vec<u8>,
    skipping: bool,
    greeted: bool,
    queue: Option<Arc<Queue>>,
    /// Signals that this client reads; given back when it goes.
    held: VecDeque<Guard>,
}

enum Line {
    Text(Vec<u8>),
    TooLong,
    End,
}

/// What a request line comes to.
struct Asked {
    id: Option<Value>,
    request: Result<Request, RpcError>,
}

impl Connection {
    /// None when another user is at the other end.
    pub(super) fn new(stream: UnixStream, calls: mpsc::Sender<Call>) -> Option<Self> {
        let peer = stream.peer_cred().ok()?;
        if peer.uid() != rustix::process::geteuid().as_raw() {
            let refusal = RpcError::new(ErrorCode::NotPermitted, "this daemon is another user's");
            let _ = stream.try_write(&answer(&Value::Null, Err(refusal)).0);
            return None;
        }
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
        let received = Vec::new();
        Some(Self {
            stream,
            pid,
            calls,
            received,
            skipping: false,
            greeted: false,
            queue: None,
            held: VecDeque::new(),
        })
    }

    /// Serves until the client goes, or has to go.
    pub(super) async fn serve(mut self) {
        loop {
            let queue = self.queue.clone();
            let goes_on = tokio::select! {
                line = self.expected_line() => self.take(line).await,
                frame = next_frame(queue.as_deref()) => self.give(frame, queue.as_deref()).await,
            };
            if !goes_on {
                return;
            }
        }
    }

    async fn expected_line(&mut self) -> Line {
        if self.greeted {
            return self.line().await;
        }
        timeout(GREETING, self.line()).await.unwrap_or(Line::End)
    }

    /// The next line. What was received of it stays when this is cancelled.
    async fn line(&mut self) -> Line {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let rest = self.received.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.received, rest);
                line.pop();
                if !std::mem::take(&mut self.skipping) {
                    return Line::Text(line);
                }
                continue;
            }
            if self.skipping {
                self.received.clear();
            } else if self.received.len() >= frame::LIMIT {
                self.skipping = true;
                self.received = Vec::new();
                return Line::TooLong;
            }
            if !self.receive().await {
                return Line::End;
            }
        }
    }

    /// Receives a little more. An idle connection holds no buffer.
    async fn receive(&mut self) -> bool {
        if self.received.is_empty() {
            self.received = Vec::new();
        }
        if self.stream.readable().await.is_err() {
            return false;
        }
        let received = self.read_some();
        // A client that floods us lets the others have their turn.
        tokio::task::yield_now().await;
        received
    }

    fn read_some(&mut self) -> bool {
        let mut chunk = [0_u8; 8192];
        match self.stream.try_read(&mut chunk) {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&chunk[..count]);
                true
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    async fn take(&mut self, line: Line) -> bool {
        let asked = match line {
            Line::End => return false,
            Line::Text(text) if text.iter().all(u8::is_ascii_whitespace) => return true,
            Line::Text(text) => parse(&text),
            Line::TooLong => Asked::refused(
                ErrorCode::FrameTooLarge,
                format!("a line may have {} bytes; this one was skipped", frame::LIMIT),
            ),
        };
        let mut parcel = None;
        let result = self.result(asked.request, &mut parcel).await;
        let Some(id) = asked.id else { return true };
        let (bytes, is_whole) = answer(&id, result);
        let is_sent = self.send(&bytes).await;
        if is_sent && is_whole {
            self.keep(parcel);
        }
        is_sent
    }

    /// The answer was written. What is not kept here is given back.
    fn keep(&mut self, parcel: Option<Parcel>) {
        match parcel {
            Some(Parcel::WhenWritten(guard)) => guard.taken(),
            Some(Parcel::WhenSaid(guard)) => {
                self.held.push_back(guard);
                if self.held.len() > HELD {
                    self.held.pop_front();
                }
            }
            None => {}
        }
    }

    async fn result(
        &mut self,
        request: Result<Request, RpcError>,
        parcel: &mut Option<Parcel>,
    ) -> Result<Value, RpcError> {
        match request? {
            Request::Hello(hello) if hello.protocol == wire::PROTOCOL => {
                self.greeted = true;
                let version = env!("CARGO_PKG_VERSION").to_owned();
                Ok(json!(Welcome { protocol: wire::PROTOCOL, version, pid: std::process::id() }))
            }
            Request::Hello(hello) => Err(RpcError::new(
                ErrorCode::VersionMismatch,
                format!(
                    "the daemon speaks protocol {}, the caller speaks {}",
                    wire::PROTOCOL,
                    hello.protocol
                ),
            )),
            _ if !self.greeted => {
                Err(RpcError::new(ErrorCode::NotPermitted, "the first call must be `hello`"))
            }
            request => self.ask(request, parcel).await,
        }
    }

    async fn ask(
        &mut self,
        request: Request,
        parcel: &mut Option<Parcel>,
    ) -> Result<Value, RpcError> {
        let gone = || RpcError::new(ErrorCode::InternalError, "the daemon is stopping");
        let (reply, answer) = oneshot::channel();
        let call = Call { request, pid: self.pid, reply };
        self.calls.send(call).await.map_err(|_| gone())?;
        let reply = answer.await.map_err(|_| gone())?;
        if reply.queue.is_some() {
            self.queue = reply.queue;
        }
        *parcel = reply.signals;
        reply.result
    }

    async fn send(&self, bytes: &[u8]) -> bool {
        timeout(PATIENCE, write(&self.stream, bytes, &mut 0)).await.unwrap_or(false)
    }

    async fn give(&self, frame: Option<subscribers::Frame>, queue: Option<&Queue>) -> bool {
        if let (Some(frame), Some(queue)) = (frame, queue) {
            return self.deliver(&frame, queue).await;
        }
        self.part(&[]).await;
        false
    }

    /// Writes one event, unless the queue behind it is cut meanwhile.
    async fn deliver(&self, frame: &[u8], queue: &Queue) -> bool {
        let mut done = 0;
        tokio::select! {
            written = write(&self.stream, frame, &mut done) => return written,
            () = queue.until_cut() => {}
        }
        self.part(&frame[done..]).await;
        false
    }

    /// Tells a subscriber that was cut off why, if it can still be told.
    async fn part(&self, unfinished: &[u8]) {
        let mut last = unfinished.to_vec();
        last.extend(subscribers::farewell());
        let _ = timeout(PATIENCE, write(&self.stream, &last, &mut 0)).await;
    }
}

async fn next_frame(queue: Option<&Queue>) -> Option<subscribers::Frame> {
    match queue {
        Some(queue) => queue.next().await,
        None => std::future::pending().await,
    }
}

/// Writes all of `bytes`; `done` says how far it came when it is cancelled.
async fn write(stream: &UnixStream, bytes: &[u8], done: &mut usize) -> bool {
    while *done < bytes.len() {
        if stream.writable().await.is_err() {
            return false;
        }
        match stream.try_write(&bytes[*done..]) {
            Ok(count) => *done += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
    true
}

impl Asked {
    /// A request that cannot even be told apart is answered with a null id.
    fn refused(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { id: Some(Value::Null), request: Err(RpcError::new(code, message)) }
    }
}

fn parse(line: &[u8]) -> Asked {
    let mut message: Value = match serde_json::from_slice(line) {
        Ok(message) => message,
        Err(error) => return Asked::refused(ErrorCode::ParseError, error.to_string()),
    };
    let Some(fields) = message.as_object_mut() else {
        let words = "a request is one JSON object; batches are not spoken";
        return Asked::refused(ErrorCode::InvalidRequest, words);
    };
    let id = fields.get("id").cloned();
    Asked { request: request(fields), id }
}

fn request(fields: &mut serde_json::Map<String, Value>) -> Result<Request, RpcError> {
    let Some(method) = fields.get("method").and_then(Value::as_str) else {
        return Err(RpcError::new(ErrorCode::InvalidRequest, "a request names its `method`"));
    };
    if !METHODS.contains(&method) {
        let words = format!("there is no method `{}`", method.escape_debug());
        return Err(RpcError::new(ErrorCode::MethodNotFound, words));
    }
    let params = fields.get("params").cloned().unwrap_or_else(|| json!({}));
    let call = json!({ "method": method, "params": params });
    serde_json::from_value(call).map_err(|error| {
        RpcError::new(ErrorCode::InvalidParams, format!("params of `{method}`: {error}"))
    })
}

/// The line for a result. False when it is too long, and only that is said.
fn answer(id: &Value, result: Result<Value, RpcError>) -> (Vec<u8>, bool) {
    let message = match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => failure(id, &error),
    };
    if let Ok(bytes) = frame::encode(&message) {
        return (bytes, true);
    }
    let words = "the answer does not fit into one frame; ask for less";
    let error = RpcError::new(ErrorCode::FrameTooLarge, words);
    (frame::encode(&failure(id, &error)).unwrap_or_default(), false)
}

fn failure(id: &Value, error: &RpcError) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": {
        "code": error.code.number(), "message": error.message, "data": { "name": error.code.name() } } })
}
