//! Randomness that nobody can guess, read once at the start.

use std::fs::File;
use std::io::{self, Read as _};

/// Fresh words from the kernel.
pub(crate) fn random_words<const N: usize>() -> io::Result<[u64; N]> {
    let mut source = File::open("/dev/urandom")?;
    let mut words = [0; N];
    for word in &mut words {
        let mut bytes = [0; 8];
        source.read_exact(&mut bytes)?;
        *word = u64::from_le_bytes(bytes);
    }
    Ok(words)
}
