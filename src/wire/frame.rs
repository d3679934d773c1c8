//! Lines: how a JSON-RPC object travels, and how long one may be.

use std::io::{self, BufRead, Read, Write};

use serde::Serialize;

/// The longest frame, newline included: 1 MiB.
pub const LIMIT: usize = 1 << 20;

/// Why no frame could be read.
#[derive(Debug)]
pub enum FrameError {
    /// The other side closed the connection between frames.
    Closed,
    /// The line is longer than [`LIMIT`].
    TooLong,
    /// The system's word.
    Io(io::Error),
}

/// `message` as one line, or `TooLong`.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut line = serde_json::to_vec(message).map_err(|e| FrameError::Io(io::Error::other(e)))?;
    line.push(b'\n');
    if line.len() > LIMIT { Err(FrameError::TooLong) } else { Ok(line) }
}

/// Writes `message` as one line.
pub fn write(to: &mut impl Write, message: &impl Serialize) -> Result<(), FrameError> {
    to.write_all(&encode(message)?).map_err(FrameError::Io)
}

/// Reads one line, without its newline, and never more than [`LIMIT`] bytes of it.
pub fn read(from: &mut impl BufRead) -> Result<Vec<u8>, FrameError> {
    let mut line = Vec::new();
    let limit = u64::try_from(LIMIT).unwrap_or(u64::MAX);
    from.take(limit).read_until(b'\n', &mut line).map_err(FrameError::Io)?;
    match line.pop() {
        Some(b'\n') => Ok(line),
        Some(_) if line.len() + 1 >= LIMIT => Err(FrameError::TooLong),
        None | Some(_) => Err(FrameError::Closed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_back_one_by_one() {
        let mut bytes: &[u8] = b"{\"a\":1}\n{}\ntorn";
        assert_eq!(read(&mut bytes).unwrap(), b"{\"a\":1}");
        assert_eq!(read(&mut bytes).unwrap(), b"{}");
        assert!(matches!(read(&mut bytes), Err(FrameError::Closed)));
    }

    #[test]
    fn a_frame_has_a_limit_both_ways() {
        let long = "x".repeat(LIMIT);
        assert!(matches!(encode(&long), Err(FrameError::TooLong)));
        assert!(matches!(read(&mut long.as_bytes()), Err(FrameError::TooLong)));
        let fits = "x".repeat(LIMIT - 3);
        assert_eq!(encode(&fits).unwrap().len(), LIMIT);
    }
}
