//! caly

pub mod call;

/// The command line.
pub mod cli;
