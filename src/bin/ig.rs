//! `ig`.

fn main() -> std::process::ExitCode {
    idlergear::cli::main()
}
