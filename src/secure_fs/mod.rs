//! The one room through which every file and folder of ours is opened: what lies below a project's
//! `.idlergear/`, and what lies below the user's state folder.
//!
//! Callers pass a path. It is split at its root: the project's `.idlergear`, the state folder, or the
//! folder for users without a home; for any other path, the folder that the file is in. What this room
//! promises:
//!
//! - **Roots are resolved once.** A `.idlergear` that is itself a link, or the `runs` or `scripts` in
//!   it, counts only when a person accepted it by path and target ([`accepted`]). A state folder below
//!   the temp folder counts only while it is ours and closed to others.
//! - **Below a root no link is followed**, whatever a repository holds: `openat2` where the kernel has
//!   it, else step by step.
//! - **Nothing blocks, and nothing but a plain file is read or written**: no FIFO, socket or device.
//! - **What is read whole is bounded**: [`read`] takes the most bytes that there may be, [`SMALL`] for
//!   all that ig keeps short. Logs are opened ([`open`]) and read piece by piece.
//! - **What is written, renamed or removed is ours**: the folder that it is in, and the file, belong to
//!   this user. New files are 0600 and new folders 0700 whatever the umask.
//! - **What is deleted or cut was made by ig, on this machine**: [`made`] lists it by number of the file
//!   and moment it was made, in the user's private state. A mark in the folder could be forged.
//!
//! What a project offers as input (profiles, templates, settings) is read by [`input_of`]: it may be a
//! link, as long as that stays in the project. The user's own configuration ([`input`]) may be a link to
//! anywhere, and anybody's; it is a plain file and bounded all the same.

pub mod accepted;
mod beneath;
mod folders;
pub mod made;
mod place;
mod read;
mod remove;
mod write;

pub use folders::{check_owned, dir, new_dir};
pub use read::{
    SMALL, exists, input, input_of, is_dir, list, metadata, open, open_dir, open_input, read,
    read_link, text,
};
pub use remove::{remove_empty_dir, remove_file, rename};
pub use write::{
    append, create_new, hard_link, link, replace, replace_with_mode, rewrite, write_over,
};
