//! RTP packets on the wire: RFC 3550 section 5.1 (fixed header) and 5.3.1 (header extension).

use thiserror::Error;

/// A synchronisation source: whose numbering a packet follows (RFC 3550 section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ssrc(pub u32);

/// A packet's sequence number as sent: 16 bits that wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNo(pub u16);

impl SeqNo {
    /// The number `count` packets later, past the wrap.
    #[must_use]
    pub fn advanced_by(self, count: u16) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// How far this number lies after `earlier`, by the shorter way around: negative if it lies before.
    #[must_use]
    pub fn distance_from(self, earlier: Self) -> i16 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }
}

/// A media timestamp as sent, in units of the codec's RTP clock: 32 bits that wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RtpTime(pub u32);

impl RtpTime {
    /// The time `units` clock units later, past the wrap.
    #[must_use]
    pub fn advanced_by(self, units: u32) -> Self {
        Self(self.0.wrapping_add(units))
    }

    /// How many clock units this time lies after `earlier`, by the shorter way around: negative if it lies before.
    #[must_use]
    pub fn distance_from(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }
}

/// The 7-bit number that stands for a format in one direction of one session (RFC 3551 section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PayloadType(pub u8);

/// One RTP packet, its payload borrowed from the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// For audio: the first packet after a silence (RFC 3551 section 4.1).
    pub marker: bool,
    /// Format of the payload.
    pub payload_type: PayloadType,
    /// Counts packets.
    pub sequence: SeqNo,
    /// Sampling instant of the payload's first sample.
    pub timestamp: RtpTime,
    /// Whose packet it is.
    pub ssrc: Ssrc,
    /// What lies between header and padding. May be empty.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Contributing sources and header extensions are skipped, padding is cut off.
    ///
    /// # Errors
    /// Says which part of the datagram is not RTP version 2.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let (header, rest) =
            datagram.split_first_chunk::<HEADER_BYTES>().ok_or(PacketError::TooShort(datagram.len()))?;
        let [flags, format, sequence_0, sequence_1, t0, t1, t2, t3, s0, s1, s2, s3] = *header;
        if flags >> 6 != VERSION {
            return Err(PacketError::Version(flags >> 6));
        }
        let sources_bytes = usize::from(flags & 0x0f) * 4;
        let mut payload = rest.get(sources_bytes..).ok_or(PacketError::ContributingSources)?;
        if flags & EXTENSION_FLAG != 0 {
            payload = skip_extension(payload)?;
        }
        if flags & PADDING_FLAG != 0 {
            payload = cut_padding(payload)?;
        }
        Ok(Self {
            marker: format & MARKER_FLAG != 0,
            payload_type: PayloadType(format & !MARKER_FLAG),
            sequence: SeqNo(u16::from_be_bytes([sequence_0, sequence_1])),
            timestamp: RtpTime(u32::from_be_bytes([t0, t1, t2, t3])),
            ssrc: Ssrc(u32::from_be_bytes([s0, s1, s2, s3])),
            payload,
        })
    }

    /// Writes the packet to the beginning of `out`, without extension or padding, and says how many bytes it took.
    ///
    /// # Errors
    /// `out` is too small, or the payload type does not fit in 7 bits. Nothing useful is in `out` then.
    pub fn write_to(&self, out: &mut [u8]) -> Result<usize, PacketError> {
        let length = HEADER_BYTES + self.payload.len();
        if self.payload_type.0 & MARKER_FLAG != 0 {
            return Err(PacketError::PayloadType(self.payload_type.0));
        }
        let available = out.len();
        let (header, rest) =
            out.split_first_chunk_mut::<HEADER_BYTES>().ok_or(PacketError::NoRoom { length, available })?;
        let body = rest.get_mut(..self.payload.len()).ok_or(PacketError::NoRoom { length, available })?;
        let [sequence_0, sequence_1] = self.sequence.0.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.0.to_be_bytes();
        let [s0, s1, s2, s3] = self.ssrc.0.to_be_bytes();
        let format = self.payload_type.0 | if self.marker { MARKER_FLAG } else { 0 };
        *header = [VERSION << 6, format, sequence_0, sequence_1, t0, t1, t2, t3, s0, s1, s2, s3];
        body.copy_from_slice(self.payload);
        Ok(length)
    }
}

/// Why bytes are not an RTP packet, or a packet cannot be written.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PacketError {
    /// Shorter than the fixed header.
    #[error("{0} bytes are too few for an RTP header")]
    TooShort(usize),
    /// Not version 2.
    #[error("RTP version {0}")]
    Version(u8),
    /// The list of contributing sources runs past the datagram's end.
    #[error("contributing sources run past the end")]
    ContributingSources,
    /// The header extension runs past the datagram's end.
    #[error("header extension runs past the end")]
    Extension,
    /// The padding's length is zero, or more than the payload.
    #[error("padding of {0} bytes")]
    Padding(u8),
    /// A payload type above 127 cannot be written.
    #[error("payload type {0}")]
    PayloadType(u8),
    /// The output buffer is too small.
    #[error("a packet of {length} bytes does not fit in {available}")]
    NoRoom {
        /// Bytes that the packet takes.
        length: usize,
        /// Bytes that were offered.
        available: usize,
    },
}

/// Bytes of the fixed RTP header (RFC 3550 section 5.1).
pub const HEADER_BYTES: usize = 12;

fn skip_extension(body: &[u8]) -> Result<&[u8], PacketError> {
    let (header, rest) = body.split_first_chunk::<4>().ok_or(PacketError::Extension)?;
    let words = usize::from(u16::from_be_bytes([header[2], header[3]]));
    rest.get(words * 4..).ok_or(PacketError::Extension)
}

fn cut_padding(body: &[u8]) -> Result<&[u8], PacketError> {
    let count = *body.last().ok_or(PacketError::Padding(0))?;
    let kept = body.len().checked_sub(usize::from(count)).ok_or(PacketError::Padding(count))?;
    if count == 0 {
        return Err(PacketError::Padding(count));
    }
    Ok(&body[..kept])
}

const VERSION: u8 = 2;
const PADDING_FLAG: u8 = 0x20;
const EXTENSION_FLAG: u8 = 0x10;
const MARKER_FLAG: u8 = 0x80;

#[cfg(test)]
mod tests;
