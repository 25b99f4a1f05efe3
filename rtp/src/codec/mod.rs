//! Codecs by their RTP names (RFC 3551 section 4.5 and table 4), loss concealment, and the way from released packets to frames.

pub mod conceal;
pub mod decoder;
mod g711;

use crate::packet::PayloadType;

/// An audio codec that a session can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Codec {
    /// The codec of a static payload type (RFC 3551 table 4).
    #[must_use]
    pub fn from_static_payload_type(payload_type: PayloadType) -> Option<Self> {
        match payload_type.0 {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            _ => None,
        }
    }

    /// The codec of an SDP encoding name, in any case, and its clock rate.
    #[must_use]
    pub fn from_encoding(name: &str, clock_rate: u32) -> Option<Self> {
        [Self::Pcmu, Self::Pcma].into_iter().find(|codec| {
            name.eq_ignore_ascii_case(codec.encoding_name()) && clock_rate == codec.clock_rate()
        })
    }

    /// The name in an SDP `rtpmap`.
    #[must_use]
    pub fn encoding_name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// Timestamp units in a second.
    #[must_use]
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// Samples in a 20 ms frame after decoding.
    #[must_use]
    pub fn frame_samples(self) -> usize {
        match self {
            Self::Pcmu | Self::Pcma => crate::frame::FRAME_SAMPLES,
        }
    }

    /// The payload type that RFC 3551 assigned.
    #[must_use]
    pub fn static_payload_type(self) -> Option<PayloadType> {
        match self {
            Self::Pcmu => Some(PayloadType(0)),
            Self::Pcma => Some(PayloadType(8)),
        }
    }

    /// The payload byte of the quietest sample, as sent for silence.
    #[must_use]
    pub fn silence_byte(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
        }
    }

    /// Decodes as many samples as both sides hold, and says how many.
    pub fn decode(self, payload: &[u8], samples: &mut [i16]) -> usize {
        let tables = g711::tables();
        match self {
            Self::Pcmu => g711::decode(&tables.mu_law, payload, samples),
            Self::Pcma => g711::decode(&tables.a_law, payload, samples),
        }
    }

    /// Encodes as many samples as both sides hold, and says how many bytes.
    pub fn encode(self, samples: &[i16], payload: &mut [u8]) -> usize {
        let tables = g711::tables();
        match self {
            Self::Pcmu => g711::encode(&tables.mu_law, samples, payload),
            Self::Pcma => g711::encode(&tables.a_law, samples, payload),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_is_found_by_what_descriptions_call_it() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            assert_eq!(Codec::from_encoding(codec.encoding_name(), 8_000), Some(codec));
            assert_eq!(Codec::from_encoding(&codec.encoding_name().to_lowercase(), 8_000), Some(codec));
            assert_eq!(Codec::from_encoding(codec.encoding_name(), 16_000), None);
            assert_eq!(codec.static_payload_type().and_then(Codec::from_static_payload_type), Some(codec));
        }
        assert_eq!(Codec::from_static_payload_type(PayloadType(9)), None);
        assert_eq!(Codec::from_encoding("G722", 8_000), None);
    }
}
