//! Sans-IO RTP.

pub mod codec;
pub mod frame;
pub mod jitter;
pub mod packet;
pub mod playout;
pub mod unwrap;
