//! Random numbers of one seed: SplitMix64 (Steele, Lea, Flood 2014). The same seed gives the same evaluation, on any machine.

/// A sequence of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The sequence of a seed and a name, so that nothing changes when a trial is added elsewhere.
    pub(super) fn named(seed: u64, name: &str) -> Self {
        // FNV-1a: it only has to tell names apart.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        Self(seed ^ hash)
    }

    /// The next number.
    pub(super) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Evenly distributed in `0.0..1.0`.
    pub(super) fn fraction(&mut self) -> f32 {
        // 24 bits are all that an f32 holds.
        (self.next_u64() >> 40) as f32 / 16_777_216.0
    }

    /// Evenly distributed between the two.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.fraction()
    }

    /// A number below `count`, which is not 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        // The remainder is smaller than `count`.
        (self.next_u64() % count.max(1) as u64) as usize
    }

    /// Normally distributed with mean 0 and deviation 1 (Box and Muller).
    pub(super) fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.fraction()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.fraction()).cos()
    }
}
