//! Gives plain `cargo build` consumers the version as a constant; CMake does the shipping link.

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
}
