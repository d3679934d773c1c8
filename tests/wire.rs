//! Hostile text over the wire: whatever a name or a message holds, it arrives byte for byte, runs
//! nothing, and never reaches a terminal raw.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use support::{Sandbox, succeed};

/// A client in nobody's language: it knows only lines of JSON.
struct Foreign {
    reader: BufReader<UnixStream>,
    id: u64,
}

impl Foreign {
    fn connect(world: &Sandbox) -> Self {
        let socket = world.home().join("run/idlergear/daemon.sock");
        let mut client =
            Self { reader: BufReader::new(UnixStream::connect(socket).unwrap()), id: 0 };
        client.call("hello", &json!({"protocol": 1}));
        client
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.id += 1;
        let call = json!({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params});
        writeln!(self.reader.get_mut(), "{call}").unwrap();
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["error"], Value::Null, "{call}");
        answer["result"].take()
    }
}

/// Text made of what breaks shells, terminals, JSON and SQL.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "$(touch pwned)",
        "`touch pwned`",
        "'; touch pwned; '",
        "\"",
        "\\",
        "\n",
        "\r",
        "\t",
        "\u{1b}[2J",
        "\u{202e}",
        "{{ 7*7 }}",
        "${HOME}",
        "!!",
        "-n",
        "--",
        "' OR 1=1 --",
        "ü",
        "日本",
        "\u{7f}",
        "%s%n",
        "}\n{\"jsonrpc\"",
        "plain",
        " ",
        "~",
        "*",
        "#",
        "\u{0}",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 1..8)
        .prop_map(|parts| parts.concat())
}

#[test]
fn any_text_arrives_as_it_was_sent() {
    let world = Sandbox::with_project();
    world.ok(&["daemon", "start"]);
    let mut runner =
        TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(hostile(), hostile()), |(name, text)| {
        let name = format!("n{name}");
        let mut client = Foreign::connect(&world);
        let project = world.project();
        let about = json!({
            "name": name, "type": name, "metadata": {"note": text},
            "project": project, "pid": std::process::id(),
        });
        let registered = client.call("agent.register", &about);
        let id = registered["id"].as_str().unwrap().to_owned();
        let listed = client.call("agent.list", &json!({"all": true}));
        let agents = listed["agents"].as_array().unwrap();
        let agent = agents.iter().find(|agent| agent["id"] == id.as_str()).unwrap();
        prop_assert_eq!(agent["name"].as_str(), Some(name.as_str()));
        prop_assert_eq!(agent["metadata"]["note"].as_str(), Some(text.as_str()));

        client.call("message.send", &json!({"to": id, "text": text, "project": project}));
        let shown = world.ok(&["daemon", "agents"]) + &world.ok(&["daemon", "messages"]);
        prop_assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']), "{:?}", shown);

        let got = world.command("ig-agent").args(["recv", "--id", &id]).output().unwrap();
        prop_assert_eq!(succeed(&got, &["ig-agent", "recv"]), format!("{text}\n"));
        client.call("agent.unregister", &json!({"id": id}));
        Ok(())
    });
    outcome.unwrap();
    assert!(!world.project().join("pwned").exists());
    assert!(world.json(&["daemon", "agents", "--json"])["agents"].as_array().unwrap().is_empty());
}
