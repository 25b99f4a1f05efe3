//! The `caly` binary.
fn main() {}
