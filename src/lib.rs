//! `IdlerGear`: see what runs in your other terminals, from any terminal and from your AI agent.
//!
//! The map, in the order data flows. The first half is std, serde and a few small crates, and is
//! all that `ig-agent` may use; the second is switched by the feature `full`.

pub mod ending;
pub mod error;
pub mod hash;
pub mod id;
pub mod neutral;
pub mod os;
pub mod paths;
pub mod quoting;
pub mod secure_fs;
pub mod time;

pub mod agent;
pub mod autostart;
pub mod config;
pub mod git;
pub mod outbox;
pub mod record;
pub mod run;
pub mod socket;
pub mod stop;
pub mod terminal;
pub mod trust;
pub mod wire;

#[cfg(feature = "full")]
pub mod cli;
#[cfg(feature = "full")]
pub mod daemon;
#[cfg(feature = "full")]
pub mod r#gen;
#[cfg(feature = "full")]
pub mod init;
#[cfg(feature = "full")]
mod kinds;
#[cfg(feature = "full")]
pub mod logs;
#[cfg(feature = "full")]
pub mod port;
#[cfg(feature = "full")]
pub mod prune;
#[cfg(feature = "full")]
pub mod shlib;
#[cfg(feature = "full")]
pub mod start;
#[cfg(feature = "full")]
pub mod suggest;
#[cfg(feature = "full")]
pub mod wait;
