//! Finds how long the agent's voice takes to come back, by how its loudness moves. Levels of 2.5 ms of both directions, as
//! logarithms and freed of what moves slower than a syllable, are correlated over every delay of up to 600 ms at once. That is cheap
//! enough to be done in every call, and finds an echo to within a few milliseconds; whether it is one is for the filter to show.

use crate::frame::FRAME_SAMPLES;
use crate::level::power;

/// What a call knows of delays.
#[derive(Debug)]
pub(super) struct DelayFinder {
    /// Levels of what was sent, twice in a row, so that any window of them is one slice.
    sent: Box<[f32; 2 * RING]>,
    sent_slow: f32,
    heard_slow: f32,
    /// The block that is the next to be sent, and behind the last one that was loud.
    next: u64,
    loud_until: u64,
    /// By delay, the longest first.
    products: Box<[f32; DELAYS]>,
    sent_squares: Box<[f32; DELAYS]>,
    heard_squares: f32,
    /// Frames in these sums; older ones count less and less.
    frames: f32,
    since_search: u32,
}

/// A delay that stands out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    /// In samples, to within a few milliseconds.
    pub(super) delay: u64,
    /// How alike the two directions are with it: 1 is the same.
    pub(super) likeness: f32,
}

impl DelayFinder {
    pub(super) fn new() -> Self {
        Self {
            sent: Box::new([0.0; 2 * RING]),
            sent_slow: SENT_FLOOR.log2(),
            heard_slow: HEARD_FLOOR.log2(),
            next: 0,
            loud_until: 0,
            products: Box::new([0.0; DELAYS]),
            sent_squares: Box::new([0.0; DELAYS]),
            heard_squares: 0.0,
            frames: 0.0,
            since_search: 0,
        }
    }

    /// Forgets what it has heard; what was sent stays.
    pub(super) fn reset(&mut self) {
        self.products.fill(0.0);
        self.sent_squares.fill(0.0);
        self.heard_squares = 0.0;
        self.frames = 0.0;
    }

    /// A frame that was sent.
    pub(super) fn send(&mut self, frame: &[i16; FRAME_SAMPLES]) {
        for block in frame.chunks_exact(BLOCK) {
            let power = power(block);
            let level = log2(power + SENT_FLOOR);
            self.sent_slow += SLOW * (level - self.sent_slow);
            let place = (self.next % RING as u64) as usize;
            let moved = level - self.sent_slow;
            self.sent[place] = moved;
            self.sent[place + RING] = moved;
            self.next += 1;
            if power > LOUD {
                self.loud_until = self.next;
            }
        }
    }

    /// A frame of the caller, whose first sample lies at `place` of what was sent. Now and then the delay that stands out.
    pub(super) fn hear(&mut self, place: u64, frame: &[i16; FRAME_SAMPLES]) -> Option<Candidate> {
        let first = place.div_ceil(BLOCK as u64);
        // Nothing that is so old can still come back; what is not sent yet cannot either.
        if first > self.loud_until + DELAYS as u64 {
            return None;
        }
        self.products.iter_mut().for_each(|sum| *sum *= FORGET);
        self.sent_squares.iter_mut().for_each(|sum| *sum *= FORGET);
        self.heard_squares *= FORGET;
        self.frames = self.frames * FORGET + 1.0;
        for (block, n) in frame.chunks_exact(BLOCK).zip(0_u64..) {
            let level = log2(power(block) + HEARD_FLOOR);
            self.heard_slow += SLOW * (level - self.heard_slow);
            self.correlate(first + n, level - self.heard_slow);
        }
        self.since_search += 1;
        if self.since_search < SEARCH_FRAMES {
            return None;
        }
        self.since_search = 0;
        self.search()
    }

    fn correlate(&mut self, block: u64, heard: f32) {
        self.heard_squares += heard * heard;
        let oldest = self.next.saturating_sub(RING as u64);
        let Some(from) = (block + 1).checked_sub(DELAYS as u64).filter(|&from| from >= oldest) else {
            return;
        };
        // What is not sent yet cannot come back.
        let known = DELAYS.min(usize::try_from(self.next.saturating_sub(from)).unwrap_or(DELAYS));
        let sent = &self.sent[(from % RING as u64) as usize..][..known];
        let sums = self.products.iter_mut().zip(self.sent_squares.iter_mut());
        for ((product, squares), &sent) in sums.zip(sent) {
            *product += heard * sent;
            *squares += sent * sent;
        }
    }

    fn search(&self) -> Option<Candidate> {
        if self.frames < FEWEST_FRAMES {
            return None;
        }
        let enough = self.heard_squares * 1e-3 + 1.0;
        let mut best = (0, 0.0);
        for (n, (product, squares)) in self.products.iter().zip(self.sent_squares.iter()).enumerate() {
            let product = product.max(0.0);
            // An echo of what was hardly ever there is a coincidence.
            let likeness = product * product / (squares.max(enough) * self.heard_squares + f32::MIN_POSITIVE);
            if likeness > best.1 {
                best = (n, likeness);
            }
        }
        let likeness = best.1.sqrt();
        let needed = (CHANCE / (self.frames * 0.5).sqrt()).max(LEAST_LIKENESS);
        let delay = ((DELAYS - 1 - best.0) * BLOCK) as u64;
        (likeness > needed).then_some(Candidate { delay, likeness })
    }
}

/// The logarithm to within 0.01, in a few operations that are the same on every machine.
fn log2(x: f32) -> f32 {
    let bits = x.to_bits();
    let exponent = (bits >> 23) as f32 - 127.0;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
    exponent + (-0.344_84 * mantissa + 2.024_66) * mantissa - 1.674_87
}

/// 2.5 ms.
const BLOCK: usize = 20;
/// 600 ms.
const DELAYS: usize = 240;
/// 960 ms, as long as the samples themselves are kept.
const RING: usize = 384;
/// About 80 ms.
const SLOW: f32 = 0.03;
/// Over 3 s.
const FORGET: f32 = 1.0 - 1.0 / 150.0;
const SEARCH_FRAMES: u32 = 4;
/// 700 ms: two who begin to speak at the same time are alike until then.
const FEWEST_FRAMES: f32 = 30.0;
/// In standard deviations of the likeness of two directions that have nothing to do with each other.
const CHANCE: f32 = 2.6;
const LEAST_LIKENESS: f32 = 0.3;
/// -50 dBFS: what is softer does not come back audibly.
const SENT_FLOOR: f32 = 1.0e4;
/// -72 dBFS, what a quiet line has.
const HEARD_FLOOR: f32 = 64.0;
/// -45 dBFS.
const LOUD: f32 = 3.4e4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_close_enough() {
        for x in [1.0_f32, 1.5, 3.0, 64.0, 1e4, 3.3e8] {
            assert!((log2(x) - x.log2()).abs() < 0.01, "{x}: {}", log2(x));
        }
    }
}
