//! The seed of a process that peers must not be able to predict.

use std::fs::File;
use std::io::{self, Read as _};

use crate::seed::Seeds;

/// Fresh randomness from the kernel.
pub(super) fn from_kernel() -> io::Result<Seeds> {
    let mut words = [[0; 8]; 2];
    let mut kernel = File::open("/dev/urandom")?;
    for word in &mut words {
        kernel.read_exact(word)?;
    }
    Ok(Seeds::new(words.map(u64::from_le_bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_processes_share_a_seed() {
        assert_ne!(from_kernel().unwrap().next_u64(), from_kernel().unwrap().next_u64());
    }
}
