//! `ig init`: what a project is, and the profiles and templates that fit it.
//!
//! ```text
//! survey    what lies there, read within bounds
//! detect    what can be run (pure)
//! plan      what to write (pure)
//! apply     the files, never over somebody's own; and their removal
//! mark      how ig knows its own files again
//! ```

pub mod apply;
pub mod detect;
pub mod mark;
pub mod plan;
pub mod survey;
