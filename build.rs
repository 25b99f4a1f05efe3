//! Builds anew when a clip is added: the folder is compiled in.
#![allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]

fn main() {
    println!("cargo:rerun-if-changed=config/prompts");
    println!("cargo:rerun-if-changed=build.rs");
}
