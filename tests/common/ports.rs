//! Ports that no other test uses at the same time, be it of this process or of another.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;

/// A hundred consecutive ports. The first one is held as a TCP listener for as long as the block lives, which is what
/// keeps others away; the rest is free to use.
pub(crate) struct PortBlock {
    first: u16,
    _claim: TcpListener,
}

impl PortBlock {
    /// Claims a block that is free.
    pub(crate) fn claim() -> Self {
        // Processes begin their search at different places, so that they seldom try the same block.
        let start = std::process::id() % BLOCKS;
        for step in 0..BLOCKS {
            let number = u16::try_from((start + step) % BLOCKS).expect("BLOCKS is small");
            let first = LOWEST + number * SIZE;
            if let Ok(claim) = TcpListener::bind((Ipv4Addr::LOCALHOST, first)) {
                return Self { first, _claim: claim };
            }
        }
        panic!("all {BLOCKS} blocks of ports are in use");
    }

    /// The ports for the RTP of a server: the upper half.
    pub(crate) fn rtp(&self) -> RangeInclusive<u16> {
        self.first + SIZE / 2..=self.first + SIZE - 1
    }

    /// One port of the lower half, for a peer.
    pub(crate) fn peer(&self, number: u16) -> u16 {
        assert!((1..SIZE / 2).contains(&number), "a block has {} ports for peers", SIZE / 2 - 1);
        self.first + number
    }
}

/// Below the system's own range for unnamed ports (32768 and up on Linux), above what services use.
const LOWEST: u16 = 12_000;
/// 25 calls for a server and 49 ports for its peers.
const SIZE: u16 = 100;
/// As many as fit below 32,000.
const BLOCKS: u32 = 200;
