//! Rebuilds the crate when an embedded file changes or appears; does nothing else.

fn main() {
    for folder in ["mappings", "schemas", "tests/fixtures"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
