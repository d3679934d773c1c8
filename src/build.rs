//! `include_dir!` notices edits but not new files; cargo has to be told to look.

fn main() {
    println!("cargo:rerun-if-changed=templates");
    println!("cargo:rerun-if-changed=shell-lib");
}
