//! Tags, branches and Call-IDs: unique and unpredictable to anyone without the seed (RFC 3261 8.1.1.7, 19.3).
//!
//! Each token is SipHash-2-4 of a counter under a key made from the seed: seeing tokens does not reveal the next
//! ones, and one seed gives one sequence on every machine.

use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasher, Hasher};

/// The source of tokens of one endpoint.
#[derive(Debug)]
pub(crate) struct Tokens {
    key: (u64, u64),
    issued: u64,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        let first = siphash((seed, !seed), &[0]);
        let second = siphash((seed, !seed), &[1]);
        Self { key: (first, second), issued: 0 }
    }

    /// A random number.
    pub(crate) fn number(&mut self) -> u64 {
        self.issued = self.issued.wrapping_add(1);
        siphash(self.key, &[self.issued])
    }

    /// A tag: 64 random bits.
    pub(crate) fn tag(&mut self) -> String {
        format!("{:016x}", self.number())
    }

    /// A branch with the magic cookie of RFC 3261 8.1.1.7.
    pub(crate) fn branch(&mut self) -> String {
        format!("{MAGIC_COOKIE}{:016x}", self.number())
    }

    /// A Call-ID: 128 random bits, without a host that would tell about the network.
    pub(crate) fn call_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.number(), self.number())
    }

    /// A number that is the same for every repeat of one request, so that it can be answered without keeping state
    /// (RFC 3261 8.2.7).
    pub(crate) fn stateless_number(&self, parts: &[&str]) -> u64 {
        let mut words = Vec::with_capacity(parts.iter().map(|p| p.len() / 8 + 2).sum());
        for part in parts {
            words.push(part.len() as u64);
            words.extend(part.as_bytes().chunks(8).map(little_endian));
        }
        siphash(self.key, &words)
    }

    /// A hasher for tables whose keys peers choose, so that they cannot choose collisions.
    pub(crate) fn table_hasher(&mut self) -> SeededHasher {
        SeededHasher(self.number())
    }
}

/// Makes hashers that depend on the endpoint's seed alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeededHasher(u64);

impl BuildHasher for SeededHasher {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

/// The prefix of branches that are unique by RFC 3261 8.1.1.7.
pub(crate) const MAGIC_COOKIE: &str = "z9hG4bK";

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| (word << 8) | u64::from(byte))
}

/// SipHash-2-4 over whole words.
fn siphash(key: (u64, u64), words: &[u64]) -> u64 {
    let mut state = [
        key.0 ^ 0x736f_6d65_7073_6575,
        key.1 ^ 0x646f_7261_6e64_6f6d,
        key.0 ^ 0x6c79_6765_6e65_7261,
        key.1 ^ 0x7465_6462_7974_6573,
    ];
    let length_word = ((words.len() as u64).wrapping_mul(8)) << 56;
    for &word in words.iter().chain([&length_word]) {
        state[3] ^= word;
        round(&mut state);
        round(&mut state);
        state[0] ^= word;
    }
    state[2] ^= 0xff;
    for _ in 0..4 {
        round(&mut state);
    }
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::{Tokens, little_endian, siphash};

    #[test]
    fn siphash_gives_the_published_values() {
        let key = (little_endian(&[0, 1, 2, 3, 4, 5, 6, 7]), little_endian(&[8, 9, 10, 11, 12, 13, 14, 15]));
        assert_eq!(siphash(key, &[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(siphash(key, &[little_endian(&[0, 1, 2, 3, 4, 5, 6, 7])]), 0x93f5_f579_9a93_2462);
    }

    #[test]
    fn one_seed_gives_one_sequence_and_no_token_repeats() {
        let (mut a, mut b, mut c) = (Tokens::new(7), Tokens::new(7), Tokens::new(8));
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let tag = a.tag();
            assert_eq!(tag, b.tag());
            assert_ne!(tag, c.tag());
            assert!(seen.insert(tag));
        }
        assert_eq!(a.stateless_number(&["a", "bc"]), b.stateless_number(&["a", "bc"]));
        assert_ne!(a.stateless_number(&["a", "bc"]), a.stateless_number(&["ab", "c"]));
    }
}
