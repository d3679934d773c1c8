//! A blocking caller with time limits: nobody waits for ever for a daemon that hangs.

use std::io::{BufReader, ErrorKind};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::frame::{self, FrameError};
use super::read::{Fields, json, object};
use super::reply::{ErrorCode, Event, Welcome};
use super::request::Request;
use crate::error::{self, Error, Result};
use crate::socket;

/// How long a daemon may take to answer one call.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the daemon made of a call.
#[derive(Debug)]
pub enum Answered {
    /// This came of it.
    Result(Value),
    /// It would not.
    Refused(Error),
}

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
        Self::over(stream, name, PATIENCE)
    }

    /// The same; it, and each call later, may take as long as `limit`.
    pub fn connect_within(name: &str, limit: Duration) -> Result<Self> {
        let stream = socket::connect_within(limit)?;
        Self::over(stream, name, limit)
    }

    fn over(stream: UnixStream, name: &str, limit: Duration) -> Result<Self> {
        let limits = stream
            .set_read_timeout(Some(limit))
            .and_then(|()| stream.set_write_timeout(Some(limit)));
        limits.map_err(|e| {
            Error::new(format!("cannot set a time limit on the daemon's socket: {e}"))
        })?;
        let welcome = Welcome { protocol: 0, version: String::new(), pid: 0 };
        let mut client = Self { reader: BufReader::new(stream), next_id: 1, welcome };
        let client_name = format!("{name}/{}", env!("CARGO_PKG_VERSION"));
        let hello = vec![("protocol", super::PROTOCOL.into()), ("client", client_name.into())];
        let mut said = Fields::of(client.ask("hello", hello)?);
        client.welcome = Welcome {
            protocol: said.number("protocol").unwrap_or_default(),
            version: said.text("version").unwrap_or_default(),
            pid: said.number("pid").unwrap_or_default(),
        };
        Ok(client)
    }

    /// Lets calls from now on take as long as `limit`: for those that wait for something.
    pub fn be_patient(&self, limit: Duration) {
        let _ = self.reader.get_ref().set_read_timeout(Some(limit));
    }

    /// Calls one method and waits for its answer.
    pub fn call<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T> {
        let request = serde_json::to_value(request).map_err(|e| broken(&e.to_string()))?;
        let mut request = Fields::of(request);
        let result = self.exchange(request.value("method"), request.value("params"))?;
        serde_json::from_value(result).map_err(|e| broken(&e.to_string()))
    }

    /// [`Self::call`] for the light half, which has no types for what is sent and answered.
    pub fn ask(&mut self, method: &str, params: Vec<(&str, Value)>) -> Result<Value> {
        self.exchange(method.into(), object(params))
    }

    /// [`Self::ask`] for those to whom it matters whether the daemon refused, or did not answer: then
    /// nobody knows what it did.
    pub fn offer(&mut self, method: &str, params: Vec<(&str, Value)>) -> Result<Answered> {
        let answer = self.answer(method.into(), object(params))?;
        Ok(outcome(answer).map_or_else(Answered::Refused, Answered::Result))
    }

    fn exchange(&mut self, method: Value, params: Value) -> Result<Value> {
        outcome(self.answer(method, params)?)
    }

    fn answer(&mut self, method: Value, params: Value) -> Result<Value> {
        let id = self.next_id;
        self.next_id += 1;
        let message = object(vec![
            ("jsonrpc", "2.0".into()),
            ("id", id.into()),
            ("method", method),
            ("params", params),
        ]);
        frame::write(self.reader.get_mut(), &message).map_err(|e| explain(&e))?;
        loop {
            let answer = self.read()?;
            if answer["id"].as_u64() == Some(id) {
                return Ok(answer);
            }
        }
    }

    /// After `event.subscribe`: the next event. Waits for `limit` at most, for ever without one;
    /// `None` when the time is up.
    pub fn next_event(&mut self, limit: Option<Duration>) -> Result<Option<Event>> {
        let _ = self.reader.get_ref().set_read_timeout(limit);
        match frame::read(&mut self.reader) {
            Ok(line) => {
                let mut message = json(&line).map_err(|e| broken(&e))?;
                let event = serde_json::from_value(message["params"].take());
                event.map(Some).map_err(|e| broken(&e.to_string()))
            }
            Err(FrameError::Io(e)) if is_timeout(&e) => Ok(None),
            Err(error) => Err(explain(&error)),
        }
    }

    fn read(&mut self) -> Result<Value> {
        let line = frame::read(&mut self.reader).map_err(|e| explain(&e))?;
        json(&line).map_err(|e| broken(&e))
    }
}

fn outcome(mut answer: Value) -> Result<Value> {
    if let Some(error) = answer.get("error") {
        return Err(refusal(error));
    }
    Ok(answer["result"].take())
}

/// The daemon's refusal in our form: its message already says what, where and what next.
fn refusal(error: &Value) -> Error {
    let message = error["message"].as_str().unwrap_or("the daemon refused, without saying why");
    let number = error["code"].as_i64().and_then(|n| i32::try_from(n).ok());
    let refusal = Error::new(message);
    match number.and_then(ErrorCode::from_number) {
        Some(ErrorCode::VersionMismatch) => refusal.next("ig daemon restart"),
        Some(ErrorCode::NotFound) => {
            refusal.next("ig daemon agents --all").of_kind(error::ErrorKind::NotFound)
        }
        Some(ErrorCode::Ambiguous) => {
            refusal.next("the id of the one you mean").of_kind(error::ErrorKind::Ambiguous)
        }
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
