//! Random numbers of one seed: ids, RTP seeds and whatever else must differ from call to call. Showing some of them to a
//! peer does not tell it the others.

use std::hash::{DefaultHasher, Hasher as _};

/// A sequence of random numbers, the same for the same seed: SipHash of a counter under the seed as its key.
#[derive(Clone)]
pub struct Seeds {
    key: [u64; 2],
    issued: u64,
}

impl Seeds {
    /// The sequence of a seed.
    pub fn new(key: [u64; 2]) -> Self {
        Self { key, issued: 0 }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.issued = self.issued.wrapping_add(1);
        let mut hasher = DefaultHasher::new();
        for word in [self.key[0], self.issued, self.key[1]] {
            hasher.write_u64(word);
        }
        hasher.finish()
    }

    /// The seed of a sequence of its own.
    pub fn next_key(&mut self) -> [u64; 2] {
        [self.next_u64(), self.next_u64()]
    }
}

impl std::fmt::Debug for Seeds {
    /// Whoever sees the key knows every number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seeds").field("issued", &self.issued).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_another_a_different_one() {
        let take = |key| {
            std::iter::repeat_with({
                let mut seeds = Seeds::new(key);
                move || seeds.next_u64()
            })
            .take(4)
            .collect::<Vec<_>>()
        };
        assert_eq!(take([1, 2]), take([1, 2]));
        assert_ne!(take([1, 2]), take([2, 1]));
    }
}
