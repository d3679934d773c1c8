//! `wait`: until a unit is ready, or has ended. `ig` knows how: waiting is no hot path, and here it
//! would only make the helper larger.

use super::words::Words;
use super::{Outcome, lib};

pub(super) fn run(words: Words) -> Outcome {
    lib::ask_ig("wait-in-script", words)
}
