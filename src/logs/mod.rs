//! Which lines of a log somebody asked for: a pattern, errors, the first, the last, so many bytes.
//! Pure; where the lines come from and how they are shown is not its business.
//!
//! What can be found without reading (the end, a moment, a number) is [`crate::record::output`]'s.

mod errors;
pub mod mask;
pub mod moment;
pub mod row;
pub mod search;
mod sieve;
mod source;
pub mod text;
mod trouble;

pub use row::Row;
pub use sieve::{Sieve, Wish};
pub use source::{Events, Output, Source, Want};
