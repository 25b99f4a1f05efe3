//! Puts the blocks of both channels into place: a short stretch of the file that is still open, because a caller's block
//! may come up to half a second after the agent's of the same index. A stretch is closed as soon as both channels are past it,
//! which is most of the time after a few blocks: what waits here is memory of every call. No file and no clock here.

use std::io;

use super::tap::{BLOCK_SAMPLES, Block, Channel};
use super::wav::MAX_BLOCKS;

/// The open stretch of one recording.
#[derive(Debug, Default)]
pub(super) struct Window {
    base: u32,
    end: u32,
    /// Behind the last block of each channel, which come in order.
    caller_end: u32,
    agent_end: u32,
    bytes: Vec<u8>,
    is_silent: bool,
    late: u64,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { is_silent: true, ..Self::default() }
    }

    /// Puts one block into place. What must leave the window for it goes to `write`; a stretch in which nothing was ever placed is not written.
    pub(super) fn place(&mut self, block: &Block, write: &mut impl WriteBlocks) -> io::Result<()> {
        if block.index >= MAX_BLOCKS {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the recording is longer than a WAV file can be",
            ));
        }
        if block.index < self.base {
            self.late += 1;
            return Ok(());
        }
        if block.index - self.base >= WINDOW_BLOCKS {
            self.write_up_to(block.index - HOLD_BACK_BLOCKS, write)?;
        }
        self.end = self.end.max(block.index + 1);
        let channel_end = match block.channel {
            Channel::Caller => &mut self.caller_end,
            Channel::Agent => &mut self.agent_end,
        };
        *channel_end = (*channel_end).max(block.index + 1);
        let length = bytes(self.end - self.base);
        if self.bytes.len() < length {
            self.bytes.reserve(bytes(USUAL_BLOCKS).saturating_sub(self.bytes.len()));
            self.bytes.resize(length, 0);
        }
        let frames = self.bytes[bytes(block.index - self.base)..].chunks_exact_mut(FRAME_BYTES);
        for (frame, sample) in frames.zip(block.samples) {
            let [low, high] = sample.to_le_bytes();
            match block.channel {
                Channel::Caller => (frame[0], frame[1]) = (low, high),
                Channel::Agent => (frame[2], frame[3]) = (low, high),
            }
        }
        self.is_silent = false;
        Ok(())
    }

    /// Writes what nobody can change any more: both channels are past it, or it has waited for one of them for long enough.
    pub(super) fn write_ready(&mut self, write: &mut impl WriteBlocks) -> io::Result<()> {
        let waited = self.end.saturating_sub(HOLD_BACK_BLOCKS);
        self.write_up_to(waited.max(self.caller_end.min(self.agent_end)), write)
    }

    /// Writes everything.
    pub(super) fn write_all(&mut self, write: &mut impl WriteBlocks) -> io::Result<()> {
        self.write_up_to(self.end, write)
    }

    /// Length of the recording in blocks, as far as it is known.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// Blocks that came after their place had been written.
    pub(super) fn late(&self) -> u64 {
        self.late
    }

    fn write_up_to(&mut self, to: u32, write: &mut impl WriteBlocks) -> io::Result<()> {
        if to <= self.base {
            return Ok(());
        }
        let leaving = bytes(to - self.base).min(self.bytes.len());
        if leaving > 0 && !self.is_silent {
            write.write_blocks(self.base, &self.bytes[..leaving])?;
        }
        // What is left is short, and keeps no more memory than that until the next chunks come.
        self.bytes = self.bytes.split_off(leaving);
        self.base = to;
        if self.bytes.is_empty() {
            self.is_silent = true;
        }
        Ok(())
    }
}

/// Where finished stretches go.
pub(super) trait WriteBlocks {
    /// Writes whole blocks as they stand in the file, from block `first` on.
    fn write_blocks(&mut self, first: u32, blocks: &[u8]) -> io::Result<()>;
}

/// The size of `blocks` blocks of both channels.
fn bytes(blocks: u32) -> usize {
    usize::try_from(blocks).unwrap_or(usize::MAX).saturating_mul(BLOCK_SAMPLES * FRAME_BYTES)
}

/// One sample of each channel, 16 bits, little endian, the caller's first.
const FRAME_BYTES: usize = 4;

/// Half a second: the jitter buffer (at most 200 ms), the gap it waits for and a stall of the machine.
const HOLD_BACK_BLOCKS: u32 = 25;

/// What comes between two turns of the writer, and what its caller is behind: grown to that at once, not by halves.
const USUAL_BLOCKS: u32 = 20;

/// Three seconds: the held-back half, and two full rings' worth of indices.
const WINDOW_BLOCKS: u32 = 150;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Default)]
    struct Written {
        bytes: BTreeMap<usize, u8>,
        writes: Vec<(u32, usize)>,
    }

    impl WriteBlocks for Written {
        fn write_blocks(&mut self, first: u32, blocks: &[u8]) -> io::Result<()> {
            for (offset, byte) in blocks.iter().enumerate() {
                assert!(self.bytes.insert(bytes(first) + offset, *byte).is_none(), "written twice");
            }
            self.writes.push((first, blocks.len() / bytes(1)));
            Ok(())
        }
    }

    impl Written {
        /// The first sample of a block.
        fn at(&self, index: u32, channel: Channel) -> i16 {
            let side = if channel == Channel::Caller { 0 } else { 2 };
            let byte = |offset| self.bytes.get(&(bytes(index) + side + offset)).copied().unwrap_or(0);
            i16::from_le_bytes([byte(0), byte(1)])
        }
    }

    fn block(channel: Channel, index: u32, value: i16) -> Block {
        Block { channel, index, samples: [value; BLOCK_SAMPLES] }
    }

    #[test]
    fn a_caller_half_a_second_behind_stands_beside_the_agent() {
        let (mut window, mut written) = (Window::new(), Written::default());
        for tick in 0..500_u32 {
            let value = i16::try_from(tick).unwrap() + 1;
            window.place(&block(Channel::Agent, tick, value), &mut written).unwrap();
            if let Some(index) = tick.checked_sub(24) {
                window
                    .place(&block(Channel::Caller, index, -i16::try_from(index).unwrap() - 1), &mut written)
                    .unwrap();
            }
            window.write_ready(&mut written).unwrap();
        }
        window.write_all(&mut written).unwrap();
        assert_eq!((window.end(), window.late()), (500, 0));
        for index in 0..500_u32 {
            let value = i16::try_from(index).unwrap() + 1;
            assert_eq!(written.at(index, Channel::Agent), value);
            let caller = if index < 476 { -value } else { 0 };
            assert_eq!(written.at(index, Channel::Caller), caller, "{index}");
        }
    }

    #[test]
    fn what_both_channels_are_past_is_written_and_takes_no_memory() {
        let (mut window, mut written) = (Window::new(), Written::default());
        for turn in 0..10 {
            for index in turn * 12..(turn + 1) * 12 {
                window.place(&block(Channel::Agent, index, 1), &mut written).unwrap();
                if let Some(index) = index.checked_sub(3) {
                    window.place(&block(Channel::Caller, index, 2), &mut written).unwrap();
                }
            }
            window.write_ready(&mut written).unwrap();
            assert_eq!(window.bytes.len(), bytes(3), "the three that the caller is behind");
            assert!(window.bytes.capacity() <= bytes(4), "{}", window.bytes.capacity());
        }
        assert!(written.writes.iter().skip(1).all(|(_, blocks)| *blocks == 12), "{:?}", written.writes);
        window.write_all(&mut written).unwrap();
        assert_eq!((window.end(), window.late()), (120, 0));
        assert_eq!((written.at(116, Channel::Caller), written.at(119, Channel::Agent)), (2, 1));
    }

    #[test]
    fn one_channel_alone_waits_no_longer_than_the_other_may_be_behind() {
        let (mut window, mut written) = (Window::new(), Written::default());
        for index in 0..100 {
            window.place(&block(Channel::Agent, index, 1), &mut written).unwrap();
            window.write_ready(&mut written).unwrap();
        }
        assert_eq!(window.bytes.len(), bytes(HOLD_BACK_BLOCKS));
        window.place(&block(Channel::Caller, 75, 2), &mut written).unwrap();
        window.write_ready(&mut written).unwrap();
        assert_eq!(window.bytes.len(), bytes(24), "he is at 76 now");
        assert_eq!(window.late(), 0);
    }

    #[test]
    fn a_block_later_than_that_is_silence_and_counted() {
        let (mut window, mut written) = (Window::new(), Written::default());
        for tick in 0..75 {
            window.place(&block(Channel::Agent, tick, 1), &mut written).unwrap();
        }
        window.write_ready(&mut written).unwrap();
        window.place(&block(Channel::Caller, 49, 7), &mut written).unwrap();
        window.place(&block(Channel::Caller, 50, 7), &mut written).unwrap();
        window.write_all(&mut written).unwrap();
        assert_eq!(window.late(), 1);
        assert_eq!(written.at(49, Channel::Caller), 0);
        assert_eq!(written.at(50, Channel::Caller), 7);
    }

    #[test]
    fn an_hour_of_nothing_costs_no_write_and_no_memory() {
        let (mut window, mut written) = (Window::new(), Written::default());
        window.place(&block(Channel::Agent, 3, 1), &mut written).unwrap();
        window.place(&block(Channel::Agent, 180_000, 2), &mut written).unwrap();
        assert!(window.bytes.len() <= bytes(WINDOW_BLOCKS));
        window.write_all(&mut written).unwrap();
        assert_eq!(window.end(), 180_001);
        assert_eq!((written.at(3, Channel::Agent), written.at(180_000, Channel::Agent)), (1, 2));
        assert!(written.bytes.len() < bytes(60));
    }

    #[test]
    fn an_index_beyond_any_file_is_an_error() {
        let (mut window, mut written) = (Window::new(), Written::default());
        assert!(window.place(&block(Channel::Agent, u32::MAX, 1), &mut written).is_err());
        assert!(window.place(&block(Channel::Agent, MAX_BLOCKS - 1, 1), &mut written).is_ok());
    }
}
