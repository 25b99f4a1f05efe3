//! caly

pub mod call;
