//! No harm by what a clone holds, nor by what `ig gen` makes of it: git runs nothing that a repository
//! names, scripts spare what is not theirs, templates stay within bounds.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

mod support;

#[path = "harm_gen/git.rs"]
mod git;
#[path = "harm_gen/scripts.rs"]
mod scripts;
#[path = "harm_gen/templates.rs"]
mod templates;
