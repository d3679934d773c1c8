//! Which of a project's profiles, templates and settings may act: those trusted by path **and**
//! content. A repository can run nothing by being cloned, and one changed byte asks again.
//!
//! [`check`] stands before every use; [`grant`] is for what ig itself has just written. A person
//! grants with `ig trust` or at the prompt ([`ask`]), on a terminal, never from inside an AI client
//! and never from the repository: no flag, variable or setting of a project grants anything.

#[cfg(feature = "full")]
mod ask;
#[cfg(feature = "full")]
mod files;
mod granted;
#[cfg(feature = "full")]
mod links;
#[cfg(feature = "full")]
mod rules;
#[cfg(feature = "full")]
mod store;

pub use granted::read;

#[cfg(feature = "full")]
pub use files::of_project;
#[cfg(feature = "full")]
pub use links::accept_links;
#[cfg(feature = "full")]
pub use rules::{check, forget, grant, is_trusted, refused, revoke};
#[cfg(feature = "full")]
pub use store::{Grant, granted};
