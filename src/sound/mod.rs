//! Sound files as the samples of telephony: 8 kHz, mono, 16 bits.

pub mod convert;
pub mod wav;
