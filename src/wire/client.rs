//! A blocking caller with time limits: nobody waits for ever for a daemon that hangs.

use std::io::{BufReader, ErrorKind};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::frame::{self, FrameError};
use super::reply::{ErrorCode, Event, Welcome};
use super::request::{Hello, Request};
use crate::error::{Error, Result};
use crate::socket;

/// How long a daemon may take to answer one call.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection on which `hello` was answered.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<UnixStream>,
    next_id: u64,
    /// What the daemon said of itself.
    pub welcome: Welcome,
}

impl Client {
    /// Connects to the running daemon. `name` is the calling program, such as `ig`.
    pub fn connect(name: &str) -> Result<Self> {
        let stream = socket::connect()?;
        Self::over(stream, name)
    }

    fn over(stream: UnixStream, name: &str) -> Result<Self> {
        let limits = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        limits.map_err(|e| {
            Error::new(format!("cannot set a time limit on the daemon's socket: {e}"))
        })?;
        let welcome = Welcome { protocol: 0, version: String::new(), pid: 0 };
        let mut client = Self { reader: BufReader::new(stream), next_id: 1, welcome };
        let client_name = format!("{name}/{}", env!("CARGO_PKG_VERSION"));
        let hello = Hello { protocol: super::PROTOCOL, client: client_name };
        client.welcome = client.call(&Request::Hello(hello))?;
        Ok(client)
    }

    /// Calls one method and waits for its answer.
    pub fn call<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T> {
        let id = self.next_id;
        self.next_id += 1;
        let mut message = serde_json::to_value(request).map_err(|e| broken(&e.to_string()))?;
        message["jsonrpc"] = json!("2.0");
        message["id"] = json!(id);
        frame::write(self.reader.get_mut(), &message).map_err(|e| explain(&e))?;
        loop {
            let answer = self.read()?;
            if answer["id"] == json!(id) {
                return outcome(answer);
            }
        }
    }

    /// After `event.subscribe`: the next event. Waits for `limit` at most, for ever without one;
    /// `None` when the time is up.
    pub fn next_event(&mut self, limit: Option<Duration>) -> Result<Option<Event>> {
        let _ = self.reader.get_ref().set_read_timeout(limit);
        match frame::read(&mut self.reader) {
            Ok(line) => {
                let mut message: Value =
                    serde_json::from_slice(&line).map_err(|e| broken(&e.to_string()))?;
                let event = serde_json::from_value(message["params"].take());
                event.map(Some).map_err(|e| broken(&e.to_string()))
            }
            Err(FrameError::Io(e)) if is_timeout(&e) => Ok(None),
            Err(error) => Err(explain(&error)),
        }
    }

    fn read(&mut self) -> Result<Value> {
        let line = frame::read(&mut self.reader).map_err(|e| explain(&e))?;
        serde_json::from_slice(&line).map_err(|e| broken(&e.to_string()))
    }
}

fn outcome<T: DeserializeOwned>(mut answer: Value) -> Result<T> {
    if let Some(error) = answer.get("error") {
        return Err(refusal(error));
    }
    serde_json::from_value(answer["result"].take()).map_err(|e| broken(&e.to_string()))
}

/// The daemon's refusal in our form: its message already says what, where and what next.
fn refusal(error: &Value) -> Error {
    let message = error["message"].as_str().unwrap_or("the daemon refused, without saying why");
    let number = error["code"].as_i64().and_then(|n| i32::try_from(n).ok());
    let refusal = Error::new(message);
    match number.and_then(ErrorCode::from_number) {
        Some(ErrorCode::VersionMismatch) => refusal.next("ig daemon restart"),
        Some(ErrorCode::NotFound) => refusal.next("ig daemon agents --all"),
        _ => refusal,
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn broken(detail: &str) -> Error {
    Error::new(format!("the daemon's answer makes no sense: {detail}")).next("ig daemon restart")
}

fn explain(error: &FrameError) -> Error {
    match error {
        FrameError::Closed => {
            Error::new("the daemon closed the connection").next("ig daemon status")
        }
        FrameError::TooLong => {
            Error::new(format!("too much for one message: the limit is {} bytes", frame::LIMIT))
        }
        FrameError::Io(e) if is_timeout(e) => {
            Error::new("the daemon does not answer").next("ig daemon restart")
        }
        FrameError::Io(e) => {
            Error::new(format!("cannot talk to the daemon: {e}")).next("ig daemon status")
        }
    }
}
