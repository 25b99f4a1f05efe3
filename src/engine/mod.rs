//! The media engine: a few threads ("shards") that own their calls' media. A shard sleeps to absolute 5 ms slots, takes
//! what its sockets hold, runs each call's tick and sends one packet. Nothing wakes it between slots and nothing makes
//! it wait: neighbours are met in bounded rings.

pub mod clock;
mod ending;
mod entry;
mod flood;
mod opening;
mod pacing;
mod phase;
pub mod ports;
mod shard;
pub mod sockets;
mod surroundings;
#[cfg(test)]
mod tests;
mod tick;
mod wheel;

pub use pacing::PacingHistogram;
pub use shard::{Shard, ShardLinks, ShardStats, is_shard};
pub use surroundings::{Kernel, MediaIo, Surroundings};
