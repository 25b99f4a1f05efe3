//! How the jitter buffer behaves: a peer with a clock of its own, a seeded network, and ticks, all in virtual time.

// A failed unwrap here is a failed test.
#![allow(clippy::unwrap_used)]

mod drift;
mod in_order;
mod network;
mod numbering;
mod packet_lengths;
mod simulation;
mod sound;
mod stalls;
