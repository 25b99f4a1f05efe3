//! The jitter buffer's memory: a ring of payload bytes addressed by timestamp, and the packets in it in order of sequence.
//!
//! G.711 and G.722 have one byte for each timestamp unit, so a byte's place follows from its timestamp. Nothing is allocated
//! per packet, and frames are cut out at any offset whatever packet lengths the peer chose.

use std::collections::VecDeque;
use std::ops::Range;

#[derive(Clone, Debug)]
pub(super) struct Store {
    packets: VecDeque<Stored>,
    bytes: Box<[u8]>,
}

/// One packet of which the store holds the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) sequence: u64,
    pub(super) timestamp: u64,
    /// Length in timestamp units; 0 for a packet that carries no audio.
    pub(super) units: u32,
    /// Arrival in milliseconds since the buffer's first.
    pub(super) arrival_ms: u32,
}

/// What was cut out of the store.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assembled {
    /// The part of what was asked for that is there.
    pub(super) filled: Range<usize>,
    /// Arrival of the last packet in it, in milliseconds since the buffer's first.
    pub(super) arrival_ms: Option<u32>,
}

impl Stored {
    /// The timestamp just behind its last sample.
    pub(super) fn end(&self) -> u64 {
        self.timestamp.saturating_add(self.units.into())
    }
}

impl Store {
    /// A store for `capacity_units` of audio.
    pub(super) fn new(capacity_units: usize) -> Self {
        Self {
            packets: VecDeque::with_capacity(MAX_PACKETS),
            bytes: vec![0; capacity_units.max(1)].into_boxed_slice(),
        }
    }

    /// Stores a packet, dropping the oldest where there is no room. Says how many packets were dropped; `None` if the packet
    /// itself was, because it is older than all others or longer than the store.
    pub(super) fn insert(&mut self, packet: Stored, payload: &[u8]) -> Option<u64> {
        if payload.len() > self.bytes.len() {
            return None;
        }
        let mut dropped = 0;
        while !self.has_room_for(&packet) {
            if self.packets.front().is_none_or(|oldest| oldest.sequence > packet.sequence) {
                return None;
            }
            self.packets.pop_front();
            dropped += 1;
        }
        let newer = self.packets.iter().rev().take_while(|other| other.sequence > packet.sequence).count();
        self.packets.insert(self.packets.len() - newer, packet);
        self.write(packet.timestamp, payload);
        Some(dropped)
    }

    /// Copies the first unbroken run of audio in `from..from + out.len()` to its place in `out`, and says which part of `out`
    /// it fills.
    pub(super) fn assemble(&self, from: u64, out: &mut [u8]) -> Assembled {
        let until = from.saturating_add(out.len() as u64);
        let mut run: Option<Range<u64>> = None;
        let mut arrival_ms = None;
        for packet in self.packets.iter().take_while(|packet| packet.timestamp < until) {
            let (start, end) = (packet.timestamp.max(from), packet.end().min(until));
            match &mut run {
                _ if start >= end => continue,
                None => run = Some(start..end),
                Some(run) if start <= run.end => run.end = run.end.max(end),
                Some(_) => break,
            }
            arrival_ms = arrival_ms.max(Some(packet.arrival_ms));
        }
        let Some(run) = run else { return Assembled { filled: 0..0, arrival_ms: None } };
        let filled = (run.start - from) as usize..(run.end - from) as usize;
        if let Some(out) = out.get_mut(filled.clone()) {
            self.read(run.start, out);
        }
        Assembled { filled, arrival_ms }
    }

    pub(super) fn pop_front(&mut self) -> Option<Stored> {
        self.packets.pop_front()
    }

    pub(super) fn clear(&mut self) {
        self.packets.clear();
    }

    pub(super) fn front(&self) -> Option<&Stored> {
        self.packets.front()
    }

    pub(super) fn back(&self) -> Option<&Stored> {
        self.packets.back()
    }

    pub(super) fn packets(&self) -> impl Iterator<Item = &Stored> {
        self.packets.iter()
    }

    /// What it takes outside of itself.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.len() + self.packets.capacity() * size_of::<Stored>()
    }

    fn has_room_for(&self, packet: &Stored) -> bool {
        let (Some(front), Some(back)) = (self.packets.front(), self.packets.back()) else { return true };
        let start = front.timestamp.min(packet.timestamp);
        let end = back.end().max(packet.end());
        self.packets.len() < MAX_PACKETS && end.saturating_sub(start) <= self.bytes.len() as u64
    }

    fn write(&mut self, timestamp: u64, payload: &[u8]) {
        let place = self.place(timestamp);
        let until_wrap = payload.len().min(self.bytes.len() - place);
        let (head, tail) = payload.split_at(until_wrap);
        self.bytes[place..place + head.len()].copy_from_slice(head);
        self.bytes[..tail.len()].copy_from_slice(tail);
    }

    fn read(&self, timestamp: u64, out: &mut [u8]) {
        let place = self.place(timestamp);
        let until_wrap = out.len().min(self.bytes.len() - place);
        let (head, tail) = out.split_at_mut(until_wrap);
        head.copy_from_slice(&self.bytes[place..place + head.len()]);
        tail.copy_from_slice(&self.bytes[..tail.len()]);
    }

    fn place(&self, timestamp: u64) -> usize {
        (timestamp % self.bytes.len() as u64) as usize
    }
}

/// 400 ms of 10 ms packets, and the events among them.
pub(super) const MAX_PACKETS: usize = 64;
