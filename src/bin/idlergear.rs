//! `idlergear`: `ig` under its long name.

fn main() -> std::process::ExitCode {
    idlergear::cli::main()
}
