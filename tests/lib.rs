//! `ig lib`: the library's text and where it lies.

mod support;

use support::Sandbox;

#[test]
fn path_names_a_file_with_this_very_library() {
    let world = Sandbox::new();
    let path = world.ok(&["lib", "--path"]);
    let text = std::fs::read_to_string(path.trim()).unwrap();
    assert_eq!(text, world.ok(&["lib", "--print"]));
    assert_eq!(path, world.ok(&["lib"]));
}
