//! What can be waited for, as people write it. Pure.

use std::time::Duration;

use regex::Regex;

use super::http::Address;

/// `--until`: what somebody waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Until {
    /// It is ready: by its own terms, else by its own word, else by a port of its own.
    Ready,
    /// It has ended.
    Exit,
    /// It has written nothing for so long.
    Idle(Duration),
    /// Something can be seen of it.
    Seen(Spec),
}

/// Something that can be seen of a unit.
#[derive(Debug, Clone)]
pub enum Spec {
    /// Its own processes listen: on this port, or on any.
    Port(Option<u16>),
    /// A server of its own answers with 2xx or 3xx.
    Http(Address),
    /// It wrote such a line.
    Match(Regex),
    /// There is such a file.
    File(String),
    /// This command succeeds.
    Exec(String),
}

impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Until {
    /// What `text` asks for.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "ready" => Ok(Self::Ready),
            None if text == "exit" => Ok(Self::Exit),
            Some(("idle", length)) => humantime::parse_duration(length)
                .map(Self::Idle)
                .map_err(|_| format!("`{length}` is no length of time, such as 30s")),
            _ => Spec::parse(text).map(Self::Seen).map_err(|error| match error.as_str() {
                "" => format!("it is ready, exit, idle:30s, {FORMS}"),
                _ => error,
            }),
        }
    }

    /// What a unit did when it came true: `was ready`, `met match:up`.
    pub(super) fn done(&self) -> String {
        match self {
            Self::Ready => "was ready".to_owned(),
            Self::Exit => "ended".to_owned(),
            Self::Idle(length) => format!("was idle for {}", super::short(*length)),
            Self::Seen(spec) => format!("met `{}`", spec.text()),
        }
    }

    /// What it is then: `is ready`, `meets match:up`.
    pub fn so(&self) -> String {
        match self {
            Self::Ready => "is ready".to_owned(),
            Self::Exit => "has ended".to_owned(),
            Self::Idle(length) => format!("is idle for {}", super::short(*length)),
            Self::Seen(spec) => format!("meets `{}`", spec.text()),
        }
    }

    /// The contrary: `is not ready`.
    pub(super) fn lacking(&self) -> String {
        match self {
            Self::Ready => "is not ready".to_owned(),
            Self::Exit => "still runs".to_owned(),
            Self::Idle(length) => format!("was never idle for {}", super::short(*length)),
            Self::Seen(spec) => format!("does not meet `{}`", spec.text()),
        }
    }

    /// How long to wait between two looks at most: being asked costs a server, and starts a process.
    pub(super) fn pace(&self) -> Duration {
        match self {
            Self::Seen(Spec::Http(_) | Spec::Exec(_)) | Self::Ready => Duration::from_secs(1),
            _ => Duration::from_millis(200),
        }
    }
}

/// The forms of a [`Spec`].
const FORMS: &str = "port[:N], http:URL, match:RE, file:PATH or exec:CMD";

impl Spec {
    /// The spec in `text`. The error is empty when it has none of the forms.
    fn parse(text: &str) -> Result<Self, String> {
        let (form, rest) =
            text.split_once(':').map_or((text, None), |(form, rest)| (form, Some(rest)));
        match (form, rest.filter(|rest| !rest.is_empty())) {
            ("port", None) if rest.is_none() => Ok(Self::Port(None)),
            ("port", Some(number)) => match number.parse() {
                Ok(port) if port > 0 => Ok(Self::Port(Some(port))),
                _ => Err(format!("`{number}` is no port, 1 to 65535")),
            },
            ("http" | "https", Some(_)) => Address::parse(text).map(Self::Http),
            ("match", Some(pattern)) => Regex::new(pattern)
                .map(Self::Match)
                .map_err(|e| format!("`{pattern}` is no regular expression: {}", first_reason(&e))),
            ("file", Some(path)) => Ok(Self::File(path.to_owned())),
            ("exec", Some(command)) => Ok(Self::Exec(command.to_owned())),
            _ => Err(String::new()),
        }
    }

    /// The spec of a record, which was checked when it was written.
    pub(super) fn of_record(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }

    /// Whether `text` is one, for a command line.
    pub fn check(text: &str) -> Result<String, String> {
        match Self::parse(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) if error.is_empty() => Err(format!("it is {FORMS}")),
            Err(error) => Err(error),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Port(None) => "port".to_owned(),
            Self::Port(Some(port)) => format!("port:{port}"),
            Self::Http(address) => address.to_string(),
            Self::Match(pattern) => format!("match:{pattern}"),
            Self::File(path) => format!("file:{path}"),
            Self::Exec(command) => format!("exec:{command}"),
        }
    }
}

/// The last line of what regex says is the reason; the others draw a picture.
fn first_reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_told_again() {
        for text in [
            "port",
            "port:8000",
            "match:^up: \\d+$",
            "file:a b",
            "exec:test -e x",
            "http:8000/health",
        ] {
            let Ok(Until::Seen(spec)) = Until::parse(text) else { panic!("{text}") };
            assert_eq!(Until::parse(&spec.text()), Ok(Until::Seen(spec)));
        }
        assert_eq!(Until::parse("idle:1m"), Ok(Until::Idle(Duration::from_mins(1))));
        assert_eq!(
            (Until::parse("ready"), Until::parse("exit")),
            (Ok(Until::Ready), Ok(Until::Exit))
        );
    }

    #[test]
    fn nonsense_is_refused_with_what_is_possible() {
        for text in [
            "",
            "up",
            "port:",
            "port:0",
            "port:70000",
            "port:x",
            "match:",
            "match:(",
            "idle:",
            "idle:soon",
            "http:",
            "https://localhost:1/",
            "http://example.com:80/",
            "file:",
            "exec:",
            "ready:now",
        ] {
            assert!(Until::parse(text).is_err_and(|words| !words.is_empty()), "{text}");
        }
        assert!(Until::parse("match:(").unwrap_err().contains("unclosed group"));
    }
}
