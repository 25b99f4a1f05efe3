//! Sans-IO SIP.
pub mod message;
pub mod sdp;
pub mod transport;
