//! RTCP packets on the wire (RFC 3550 section 6.4-6.6): reading compound datagrams tolerantly, writing our own.
//!
//! Extended reports, feedback, application packets and whatever else comes are skipped by their length. A lone packet that is
//! no report (reduced-size RTCP, RFC 5506) is taken too.

use thiserror::Error;

use crate::packet::{RtpTime, Ssrc};

/// One packet of a compound datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtcpPacket<'a> {
    /// SR: what the sender sent and what it received.
    SenderReport {
        /// Who reports.
        ssrc: Ssrc,
        /// What it sent.
        sender: SenderInfo,
        /// What it received.
        reports: ReportBlocks<'a>,
    },
    /// RR: what one that sends nothing received.
    ReceiverReport {
        /// Who reports.
        ssrc: Ssrc,
        /// What it received.
        reports: ReportBlocks<'a>,
    },
    /// SDES: the chunks, unread.
    SourceDescription,
    /// BYE: who leaves.
    Bye {
        /// The sources that leave.
        sources: Sources<'a>,
    },
    /// Anything else, by its packet type.
    Other(u8),
}

/// The sender part of an SR (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// The sender's clock, 32.32 fixed-point seconds.
    pub ntp_time: u64,
    /// The same instant on its RTP timeline.
    pub rtp_time: RtpTime,
    /// Packets sent since the beginning.
    pub packets: u32,
    /// Payload octets sent since the beginning.
    pub octets: u32,
}

/// What a receiver tells about one source (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: Ssrc,
    /// Loss since the last report in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning, less the duplicates: 24 bits, signed.
    pub cumulative_lost: i32,
    /// Highest sequence number received, extended by the count of wraps.
    pub highest_sequence: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// The middle 32 bits of the last SR's NTP time, 0 for none.
    pub last_report: u32,
    /// Time since then in 1/65536 s.
    pub delay_since_last_report: u32,
}

impl ReportBlock {
    /// Octets on the wire.
    pub const LEN: usize = 24;

    fn parse(block: &[u8; Self::LEN]) -> Self {
        let word = |index: usize| {
            let octets = block.get(index * 4..).and_then(<[u8]>::first_chunk::<4>);
            octets.map_or(0, |octets| u32::from_be_bytes(*octets))
        };
        // Sign-extend the lower 24 bits.
        let cumulative_lost = ((word(1) << 8) as i32) >> 8;
        Self {
            ssrc: Ssrc(word(0)),
            fraction_lost: block[4],
            cumulative_lost,
            highest_sequence: word(2),
            jitter: word(3),
            last_report: word(4),
            delay_since_last_report: word(5),
        }
    }

    fn to_bytes(self) -> [u8; Self::LEN] {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7F_FFFF) as u32 & 0xFF_FFFF;
        let words = [
            self.ssrc.0,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_sequence,
            self.jitter,
            self.last_report,
            self.delay_since_last_report,
        ];
        let mut block = [0; Self::LEN];
        for (octets, word) in block.chunks_exact_mut(4).zip(words) {
            octets.copy_from_slice(&word.to_be_bytes());
        }
        block
    }
}

/// The report blocks of one SR or RR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlocks<'a>(&'a [u8]);

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(ReportBlock::parse(block))
    }
}

/// The sources that a BYE names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources<'a>(&'a [u8]);

impl Iterator for Sources<'_> {
    type Item = Ssrc;

    fn next(&mut self) -> Option<Ssrc> {
        let (source, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(Ssrc(u32::from_be_bytes(*source)))
    }
}

/// Why a datagram is not RTCP, or where it stops being it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtcpError {
    /// Fewer octets than a header has.
    #[error("{0} octets left, a header takes 4")]
    TooShort(usize),
    /// Not version 2.
    #[error("version {0}, not 2")]
    Version(u8),
    /// The packet says that it is longer than the datagram.
    #[error("a packet of {length} octets in {available}")]
    Length {
        /// What its header says.
        length: usize,
        /// What is there.
        available: usize,
    },
    /// The packet is too short for the reports or sources that it counts.
    #[error("packet type {0} is shorter than its count of blocks")]
    Truncated(u8),
}

/// The packets of one datagram, one after the other; ends at the first that is broken.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Begins to read a datagram.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    fn read(&self) -> Result<(RtcpPacket<'a>, &'a [u8]), RtcpError> {
        let available = self.rest.len();
        let Some(&[first, packet_type, high, low]) = self.rest.first_chunk::<4>() else {
            return Err(RtcpError::TooShort(available));
        };
        if first >> 6 != VERSION {
            return Err(RtcpError::Version(first >> 6));
        }
        let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        let Some((packet, rest)) = self.rest.split_at_checked(length) else {
            return Err(RtcpError::Length { length, available });
        };
        let body = packet.get(HEADER_LEN..).unwrap_or_default();
        let body = if first & PADDING_BIT != 0 { without_padding(body) } else { body };
        let packet =
            body_of(packet_type, first & COUNT_MASK, body).ok_or(RtcpError::Truncated(packet_type))?;
        Ok((packet, rest))
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<RtcpPacket<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match self.read() {
            Ok((packet, rest)) => {
                self.rest = rest;
                Some(Ok(packet))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// Writes one compound datagram: a report, then our name, then perhaps a goodbye.
#[derive(Debug)]
pub struct CompoundWriter<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> CompoundWriter<'a> {
    /// Octets that suffice for whatever this writer can be asked for once each.
    pub const MAX_LEN: usize =
        HEADER_LEN + 4 + SENDER_INFO_LEN + ReportBlock::LEN + HEADER_LEN + 4 + 2 + CNAME_LIMIT + 4 + 8;

    /// Writes into `out`. What does not fit is left out; [`Self::MAX_LEN`] octets are always enough.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Adds an SR, or an RR if nothing was sent of late.
    pub fn report(&mut self, ssrc: Ssrc, sender: Option<SenderInfo>, block: Option<ReportBlock>) {
        let count = u8::from(block.is_some());
        let packet_type = if sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        let mut body = [0; 4 + SENDER_INFO_LEN + ReportBlock::LEN];
        let mut body = Body::new(&mut body);
        body.put(&ssrc.0.to_be_bytes());
        if let Some(sender) = sender {
            body.put(&sender.ntp_time.to_be_bytes());
            body.put(&sender.rtp_time.0.to_be_bytes());
            body.put(&sender.packets.to_be_bytes());
            body.put(&sender.octets.to_be_bytes());
        }
        if let Some(block) = block {
            body.put(&block.to_bytes());
        }
        self.packet(packet_type, count, body.written());
    }

    /// Adds an SDES packet with our canonical name (RFC 3550 section 6.5.1), cut to [`CNAME_LIMIT`] octets.
    pub fn cname(&mut self, ssrc: Ssrc, cname: &[u8]) {
        let cname = cname.get(..CNAME_LIMIT).unwrap_or(cname);
        let mut body = [0; 4 + 2 + CNAME_LIMIT + 4];
        let mut body = Body::new(&mut body);
        body.put(&ssrc.0.to_be_bytes());
        // A name of at most 64 octets fits the octet that holds its length.
        body.put(&[CNAME_ITEM, cname.len() as u8]);
        body.put(cname);
        // The list of items ends with at least one zero, up to the next word.
        let zeros = 4 - body.written().len() % 4;
        body.put(&[0; 4][..zeros]);
        self.packet(SOURCE_DESCRIPTION, 1, body.written());
    }

    /// Adds a BYE.
    pub fn bye(&mut self, ssrc: Ssrc) {
        self.packet(BYE, 1, &ssrc.0.to_be_bytes());
    }

    /// Octets written.
    pub fn finish(self) -> usize {
        self.len
    }

    fn packet(&mut self, packet_type: u8, count: u8, body: &[u8]) {
        // Bodies are whole words and far shorter than 65536 words.
        let [high, low] = ((body.len() / 4) as u16).to_be_bytes();
        let header = [VERSION << 6 | count, packet_type, high, low];
        let end = self.len + HEADER_LEN + body.len();
        if let Some(room) = self.out.get_mut(self.len..end) {
            let (front, back) = room.split_at_mut(HEADER_LEN);
            front.copy_from_slice(&header);
            back.copy_from_slice(body);
            self.len = end;
        }
    }
}

/// A packet's body being put together in a fixed array.
struct Body<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Body<'a> {
    fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    fn put(&mut self, octets: &[u8]) {
        let end = self.len + octets.len();
        if let Some(room) = self.out.get_mut(self.len..end) {
            room.copy_from_slice(octets);
            self.len = end;
        }
    }

    fn written(&self) -> &[u8] {
        self.out.get(..self.len).unwrap_or_default()
    }
}

fn body_of(packet_type: u8, count: u8, body: &[u8]) -> Option<RtcpPacket<'_>> {
    let count = usize::from(count);
    let packet = match packet_type {
        SENDER_REPORT => {
            let (ssrc, rest) = take_u32(body)?;
            let (ntp_high, rest) = take_u32(rest)?;
            let (ntp_low, rest) = take_u32(rest)?;
            let (rtp_time, rest) = take_u32(rest)?;
            let (packets, rest) = take_u32(rest)?;
            let (octets, rest) = take_u32(rest)?;
            RtcpPacket::SenderReport {
                ssrc: Ssrc(ssrc),
                sender: SenderInfo {
                    ntp_time: u64::from(ntp_high) << 32 | u64::from(ntp_low),
                    rtp_time: RtpTime(rtp_time),
                    packets,
                    octets,
                },
                reports: ReportBlocks(rest.get(..count * ReportBlock::LEN)?),
            }
        }
        RECEIVER_REPORT => {
            let (ssrc, rest) = take_u32(body)?;
            RtcpPacket::ReceiverReport {
                ssrc: Ssrc(ssrc),
                reports: ReportBlocks(rest.get(..count * ReportBlock::LEN)?),
            }
        }
        SOURCE_DESCRIPTION => RtcpPacket::SourceDescription,
        BYE => RtcpPacket::Bye { sources: Sources(body.get(..count * 4)?) },
        other => RtcpPacket::Other(other),
    };
    Some(packet)
}

/// The last octet of a padded packet counts the octets of padding; a count that cannot be is taken as no padding.
fn without_padding(body: &[u8]) -> &[u8] {
    let padding = body.last().copied().map_or(0, usize::from);
    let len = body.len().checked_sub(padding).unwrap_or(body.len());
    body.get(..len).unwrap_or(body)
}

fn take_u32(octets: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = octets.split_first_chunk()?;
    Some((u32::from_be_bytes(*word), rest))
}

/// The longest name that is sent; `user@host` with room for a random user part (RFC 7022).
pub const CNAME_LIMIT: usize = 64;

const VERSION: u8 = 2;
const HEADER_LEN: usize = 4;
const SENDER_INFO_LEN: usize = 20;
const PADDING_BIT: u8 = 0x20;
const COUNT_MASK: u8 = 0x1F;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const CNAME_ITEM: u8 = 1;

#[cfg(test)]
mod tests;
