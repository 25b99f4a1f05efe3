//! Sans-IO RTP.

pub mod codec;
pub mod dtmf;
pub mod echo;
mod fft;
pub mod frame;
pub mod jitter;
pub mod latch;
pub mod level;
pub mod noise;
pub mod packet;
pub mod playout;
pub mod quality;
pub mod rtcp;
mod seed;
pub mod session;
pub mod tone;
pub mod unwrap;
