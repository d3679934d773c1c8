//! `ig-agent`: what scripts call. Small, and quiet when there is no daemon.

fn main() -> std::process::ExitCode {
    idlergear::agent::main()
}
