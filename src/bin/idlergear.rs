//! `idlergear`: `ig` under its long name. It becomes the `ig` beside it, so that the program is built
//! and stored once.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use idlergear::error::exit;

fn main() -> ExitCode {
    let beside = std::env::current_exe().map(|exe| exe.with_file_name("ig"));
    let program = beside.ok().filter(|path| path.is_file()).unwrap_or_else(|| "ig".into());
    let error = Command::new(&program).args(std::env::args_os().skip(1)).exec();
    eprintln!(
        "idlergear: cannot run `{}`: {error}\n  try: install `ig` beside it",
        program.display()
    );
    ExitCode::from(exit::NOT_FOUND)
}
