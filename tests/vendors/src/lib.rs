//! Simulated vendors of speech and language, for tests. They are strict: what a real vendor refuses is refused here with its
//! status, error or close code, and written down as a complaint ([`seen::Seen`]), so that a test can assert that there was none.
//! They share no code with the product's clients; both were written from the vendors' documentation.
//!
//! A vendor is a machine without IO ([`vendor::Vendor`]). It is driven in virtual time through the orders that the product's
//! clients give ([`in_process`]), or by real servers on loopback ([`sockets`]).

pub mod audio;
pub mod faults;
pub mod framing;
pub mod hearing;
pub mod in_process;
pub mod listening;
pub mod seen;
pub mod stage;
pub mod strict;
pub mod vendor;
pub mod voice;

pub mod anthropic;
pub mod assemblyai;
pub mod cartesia;
pub mod deepgram_flux;
pub mod deepgram_flux_speak;
pub mod deepgram_listen;
pub mod deepgram_speak;
pub mod echo;
pub mod elevenlabs_contexts;
pub mod elevenlabs_scribe;
pub mod gemini_live;
pub mod model;
pub mod openai_chat;
pub mod openai_files;
pub mod openai_realtime;
pub mod openai_speech;
pub mod openai_transcription;
pub mod sarvam_listen;
pub mod sarvam_speak;
#[cfg(feature = "sockets")]
pub mod sockets;
