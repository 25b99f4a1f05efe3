//! Random numbers from a seed, and damage done with them: the same garbage in every run.

/// Vigna's SplitMix64.
#[derive(Debug)]
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn bytes(&mut self, at_most: usize) -> Vec<u8> {
        (0..self.below(at_most)).map(|_| self.next() as u8).collect()
    }

    /// Overwrites, removes or repeats some bytes. The method stays damaged too, so that none of it is a good BYE.
    pub(crate) fn damage(&mut self, message: &[u8]) -> Vec<u8> {
        let mut damaged = message.to_vec();
        for _ in 0..=self.below(8) {
            let place = self.below(damaged.len());
            match self.below(3) {
                0 => damaged[place] = self.next() as u8,
                1 => drop(damaged.remove(place)),
                _ => damaged.insert(place, damaged[place]),
            }
        }
        damaged
    }
}
