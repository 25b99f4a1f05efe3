//! Sans-IO SIP.
mod dialog;
pub mod endpoint;
pub mod message;
pub mod sdp;
mod transaction;
pub mod transport;
