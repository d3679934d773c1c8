//! `port`: a TCP port that is free, claimed for the calling script. `ig` knows how: a script asks once,
//! and here it would only make the helper larger.

use super::words::Words;
use super::{Outcome, lib};

pub(super) fn run(words: Words) -> Outcome {
    lib::ask_ig("port-in-script", words)
}
