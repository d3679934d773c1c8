//! One small question to a server of this machine: HTTP/1.1, no TLS, loopback only.

use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::check::A_MOMENT;

/// How long a server may take to answer before it is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Enough for a status line.
const ENOUGH: usize = 1024;

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The host as it was written.
    host: String,
    /// The port; none for the unit's own.
    pub(super) port: Option<u16>,
    /// The path, with its slash.
    path: String,
}

impl Address {
    /// `http://localhost:8000/health`, also after another `http:`; `http:8000/health`; `http:/health`
    /// for the unit's own port.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix("http:").filter(|rest| rest.contains("://")).unwrap_or(text);
        if text.starts_with("https:") {
            return Err("https cannot be asked; give the http port, or use exec:curl".to_owned());
        }
        let rest = text.strip_prefix("http:").unwrap_or(text);
        let (place, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        };
        let bare = !rest.starts_with("//") && place.bytes().all(|b| b.is_ascii_digit());
        let (host, port) = match place.rsplit_once(':') {
            _ if bare => ("localhost", place),
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (place, "80"),
        };
        let port = match port {
            "" => None,
            digits => Some(digits.parse().map_err(|_| format!("`{digits}` is no port"))?),
        };
        let path = if path.is_empty() { "/" } else { path };
        let address = Self {
            host: if host.is_empty() { "localhost" } else { host }.to_owned(),
            port,
            path: path.to_owned(),
        };
        address.hosts()?;
        if path.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err("a path has no white space".to_owned());
        }
        Ok(address)
    }

    /// Addresses of this machine, and of no other.
    fn hosts(&self) -> Result<Vec<IpAddr>, String> {
        if self.host == "localhost" {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) if address.is_loopback() => Ok(vec![address]),
            _ => Err(format!(
                "only this machine is asked: localhost, 127.0.0.1 or [::1], not `{}`",
                self.host
            )),
        }
    }

    /// The status that a server on `port` answers with.
    pub(super) fn ask(&self, port: u16, left: Duration) -> Result<u16, String> {
        let mut failure = String::new();
        for host in self.hosts()? {
            match self.ask_at(SocketAddr::new(host, port), left) {
                Ok(status) => return Ok(status),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn ask_at(&self, address: SocketAddr, left: Duration) -> Result<u16, String> {
        let patience = left.clamp(A_MOMENT, PATIENCE);
        let deadline = Instant::now() + patience;
        let words = |e: std::io::Error| {
            e.to_string().split(" (os").next().unwrap_or_default().to_lowercase()
        };
        let mut stream = TcpStream::connect_timeout(&address, patience).map_err(words)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: ig\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            self.path,
            self.host,
            address.port()
        );
        stream.set_write_timeout(Some(patience)).map_err(words)?;
        stream.write_all(request.as_bytes()).map_err(words)?;
        let mut answer = Vec::new();
        let mut buffer = [0; ENOUGH];
        while answer.len() < ENOUGH && !answer.contains(&b'\n') {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("no answer".to_owned());
            }
            stream.set_read_timeout(Some(left)).map_err(words)?;
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
                Err(_) => return Err("no answer".to_owned()),
            }
        }
        status(&answer).ok_or_else(|| "the answer is no HTTP".to_owned())
    }
}

/// The number in `HTTP/1.1 204 No Content`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = String::from_utf8_lossy(answer);
    let mut words = line.split_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "http://{}:{port}{}", self.host, self.path),
            None => write!(f, "http:{}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for (text, told) in [
            ("http:8000", "http://localhost:8000/"),
            ("http:8000/health?x=1", "http://localhost:8000/health?x=1"),
            ("http:/health", "http:/health"),
            ("http://127.0.0.1:8000/a", "http://127.0.0.1:8000/a"),
            ("http:http://[::1]:9/", "http://[::1]:9/"),
            ("http://localhost", "http://localhost:80/"),
            ("http://[::1]/x", "http://[::1]:80/x"),
        ] {
            assert_eq!(Address::parse(text).map(|a| a.to_string()), Ok(told.to_owned()), "{text}");
        }
        for text in [
            "https://localhost/",
            "http:https://localhost/",
            "http://example.com/",
            "http://10.0.0.1:80/",
            "http:99999",
            "http://localhost:80/a b",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_status_is_in_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 301\r\n"), Some(301));
        assert_eq!(status(b"SSH-2.0-x 200\r\n"), None);
        assert_eq!(status(b""), None);
    }
}
