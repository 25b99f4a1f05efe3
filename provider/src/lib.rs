//! Clients of speech and language providers without any IO: each vendor's wire format is a pure codec, and one shared policy
//! decides on deadlines, retries, keep-alive and failover. Who drives them moves bytes ([`link`]) and time.
//!
//! Everything here is handed inputs with the time at which they happened (`handle_*`) and asked what it wants (`poll_*`); after
//! every input it is drained until it wants nothing more. It knows neither calls nor SIP.

pub mod asr;
pub mod audio;
pub mod link;
pub mod llm;
mod onset;
pub mod policy;
pub mod realtime;
pub mod secret;
pub mod tts;
