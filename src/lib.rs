//! The Caly server: a SIP/RTP media server for AI phone agents, as a library with a thin binary.
//!
//! The protocol cores are crates of their own (`caly_sip`, `caly_rtp`); `docs/architecture.md` tells how the parts
//! fit.

pub mod agent;
pub mod api;
pub mod app;
pub mod call;
pub mod capture;
pub mod cli;
pub mod config;
pub mod engine;
pub mod eval;
pub mod mind;
pub mod prompt;
pub mod pump;
pub mod recorder;
pub mod replay;
pub mod seed;
pub mod signaling;
pub mod sound;
pub mod store;
pub mod telemetry;
pub mod tools;
pub mod voice;
