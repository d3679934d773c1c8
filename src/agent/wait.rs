//! `wait`: until a unit is ready, or has ended. `ig` knows how: waiting is no hot path, and here it
//! would only make the helper larger.

use super::words::Words;
use super::{Outcome, lib};

pub(super) fn run(mut words: Words) -> Outcome {
    let words = words.rest()?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    lib::become_ig(&[&["wait-in-script"], words.as_slice()].concat())
}
