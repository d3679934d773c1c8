//! Raw lines on the socket, for what no client of ours would send.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{PATIENCE, Sandbox};

/// A connection without manners.
pub(crate) struct Raw {
    pub(crate) reader: BufReader<UnixStream>,
}

impl Raw {
    pub(crate) fn connect(world: &Sandbox) -> Self {
        Self::at(&world.home().join("run/idlergear/daemon.sock"))
    }

    pub(crate) fn at(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    /// Connected and greeted.
    pub(crate) fn greeted(world: &Sandbox) -> Self {
        let mut raw = Self::connect(world);
        let answer = raw.call("hello", &json!({ "protocol": 1, "client": "test/0" }));
        assert_eq!(answer["result"]["protocol"], 1, "{answer}");
        raw
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    /// The next line; `Null` when the daemon closed.
    pub(crate) fn read(&mut self) -> Value {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => Value::Null,
            Ok(_) => serde_json::from_str(&line).unwrap(),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    pub(crate) fn ask(&mut self, line: &str) -> Value {
        self.send(line.as_bytes());
        self.send(b"\n");
        self.read()
    }

    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        let line = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        let answer = self.ask(&line.to_string());
        assert_eq!(answer["id"], 7, "{answer}");
        answer
    }

    /// Calls, and demands success.
    pub(crate) fn ok(&mut self, method: &str, params: &Value) -> Value {
        let mut answer = self.call(method, params);
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].take()
    }

    /// Calls, and returns the name of the error.
    pub(crate) fn refused(&mut self, method: &str, params: &Value) -> String {
        let answer = self.call(method, params);
        answer["error"]["data"]["name"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Reads events until one has this type.
    pub(crate) fn event(&mut self, event_type: &str) -> Value {
        loop {
            let message = self.read();
            assert!(!message.is_null(), "closed while waiting for {event_type}");
            if message["params"]["type"] == event_type {
                return message["params"].clone();
            }
        }
    }
}
