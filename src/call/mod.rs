//! The call itself, without IO: routing, admission, negotiation, the call's states, its one cause and its log.

pub mod cause;
pub mod log;
