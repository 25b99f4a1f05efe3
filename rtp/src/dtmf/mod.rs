//! Digits carried as named telephone events (RFC 4733): what a digit is, what one event packet says, and the
//! machines that receive and send them.

mod event;
mod sender;

use std::fmt;

pub use event::{
    DtmfEvent, DtmfEvents, DtmfReceiver, EventError, EventPayload, ReceiverCounters, SILENCE_BEFORE_END,
};
pub use sender::{DtmfSender, DtmfTiming, EventPacket, QUEUE_LIMIT, QueueFull};

/// One event of the DTMF family (RFC 4733 section 3.2): the sixteen keys and the hook flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    /// A hook flash, event 16.
    pub const FLASH: Self = Self(16);

    /// The digit that an event code names; `None` for codes outside the DTMF family (fax and line tones, trunks).
    pub const fn from_event_code(code: u8) -> Option<Self> {
        if code <= Self::FLASH.0 { Some(Self(code)) } else { None }
    }

    /// The digit written as `0`-`9`, `*`, `#`, `A`-`D` (either case) or `!` for a flash, as in SIP INFO and dial strings.
    pub const fn from_char(key: char) -> Option<Self> {
        match key {
            '0'..='9' => Some(Self(key as u8 - b'0')),
            '*' => Some(Self(10)),
            '#' => Some(Self(11)),
            'A'..='D' => Some(Self(key as u8 - b'A' + 12)),
            'a'..='d' => Some(Self(key as u8 - b'a' + 12)),
            '!' => Some(Self::FLASH),
            _ => None,
        }
    }

    /// The event code on the wire, 0-16.
    pub const fn event_code(self) -> u8 {
        self.0
    }

    /// The key as it is written: `0`-`9`, `*`, `#`, `A`-`D`, and `!` for a flash.
    pub const fn as_char(self) -> char {
        match self.0 {
            0..=9 => (b'0' + self.0) as char,
            10 => '*',
            11 => '#',
            12..=15 => (b'A' + self.0 - 12) as char,
            _ => '!',
        }
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_survives_the_way_to_its_event_code_and_back() {
        for (code, key) in "0123456789*#ABCD!".chars().enumerate() {
            let digit = Digit::from_char(key).unwrap();
            assert_eq!(usize::from(digit.event_code()), code);
            assert_eq!(Digit::from_event_code(digit.event_code()), Some(digit));
            assert_eq!(digit.to_string(), key.to_string());
        }
        assert_eq!(Digit::from_char('d'), Digit::from_char('D'));
    }

    #[test]
    fn what_is_not_a_key_is_no_digit() {
        assert_eq!(Digit::from_event_code(17), None);
        assert_eq!(Digit::from_event_code(255), None);
        for key in ['E', 'e', ' ', '-', 'é'] {
            assert_eq!(Digit::from_char(key), None);
        }
    }
}
