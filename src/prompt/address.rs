//! The address of a clip is made of its content: who says what, and how. A changed line, voice or speed is another clip.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::Voice;

/// Names one clip for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address([u8; 16]);

impl Address {
    /// The address of `text` spoken by `voice`.
    pub fn of(voice: &Voice, text: &str) -> Self {
        let mut hash = Sha256::new();
        // Lengths first, so that no two pairs give the same bytes.
        for part in [FORMAT, &voice.name, &voice.words_per_minute.to_string(), text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let mut address = [0; 16];
        address.copy_from_slice(&hash.finalize()[..16]);
        Self(address)
    }

    /// The name of the clip's file: 8 kHz mu-law without a header.
    pub fn file_name(self) -> String {
        format!("{self}.ulaw")
    }

    /// Whether a file is named as a clip is.
    pub(super) fn is_file_name(name: &str) -> bool {
        let address = name.strip_suffix(".ulaw").unwrap_or_default();
        address.len() == 32 && address.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Changes when clips are made in another way: what is cached or shipped is then made anew.
const FORMAT: &str = "espeak-ng, 8 kHz, 1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_heard_differently_has_another_address() {
        let voice = |name: &str, words_per_minute| Voice { name: name.to_owned(), words_per_minute };
        let addresses = [
            Address::of(&voice("hi", 150), "ek"),
            Address::of(&voice("hi", 150), "do"),
            Address::of(&voice("hi", 160), "ek"),
            Address::of(&voice("en", 150), "ek"),
        ];
        for (n, address) in addresses.iter().enumerate() {
            assert!(!addresses[..n].contains(address));
        }
        assert_eq!(addresses[0], Address::of(&voice("hi", 150), "ek"));
        assert_eq!(addresses[0].file_name().len(), 32 + 5);
    }
}
