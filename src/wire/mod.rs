//! The protocol: JSON-RPC 2.0, one object per line, spoken over the daemon's Unix socket.
//!
//! std and serde only, shared by `ig`, `ig-agent` and the daemon. [`request`] holds what may be
//! asked, [`reply`] what comes back, [`frame`] the lines, [`client`] a blocking caller. [`unit`] is what most of
//! it is about, with its `kind` and its `state`, [`signal`] what is told of it, [`read`] takes one from JSON, and [`raw`] holds what no
//! JSON text can; `session` holds what sessions are answered.

pub mod client;
pub mod frame;
mod kind;
pub mod raw;
pub mod read;
pub mod reply;
pub mod request;
#[cfg(feature = "full")]
pub mod session;
pub mod signal;
mod state;
pub mod unit;

/// The version that `hello` exchanges. It grows only when old clients would misunderstand.
pub const PROTOCOL: u32 = 1;
