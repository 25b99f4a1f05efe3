//! Our own `m=` sections: offered, answered, repeated and refused.

use super::{Attribute, Capabilities, CodecCapability, Direction, LocalMedia, Media, MediaKind};
use crate::sdp::{Protocol, RtpMap};

/// How much of what we can stands in an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offering {
    /// What is agreed already; everything if nothing is.
    Agreed,
    /// What is agreed first, then everything else.
    Everything,
}

impl Offering {
    /// The stream to offer in place of `before`, our last one.
    pub(super) fn stream(
        self,
        capabilities: &Capabilities,
        local: LocalMedia,
        before: Option<&Media>,
        direction: Direction,
    ) -> Media {
        let before = before.filter(|stream| stream.port != 0);
        let mut media = match (self, before) {
            (Self::Agreed, Some(before)) => before.clone(),
            (Self::Agreed | Self::Everything, before) => everything(capabilities, before),
        };
        place(&mut media, local, direction);
        media
    }
}

/// Everything we can: what `before` has with the same numbers (RFC 3264 8.3.2), then the rest in our order, with
/// static numbers where there are any.
fn everything(capabilities: &Capabilities, before: Option<&Media>) -> Media {
    let known = before.map(maps_of).unwrap_or_default();
    let taken = |number: u8| known.iter().any(|map| map.payload_type == number);
    let mut free = (FIRST_DYNAMIC..=LAST_DYNAMIC).filter(|&number| number != USUAL_EVENT && !taken(number));
    let mut codecs: Vec<(u8, CodecCapability)> = Vec::new();
    for map in &known {
        codecs.extend(codec_of(capabilities, map).map(|codec| (map.payload_type, codec.clone())));
    }
    for codec in &capabilities.codecs {
        if codecs.iter().all(|(_, listed)| listed != codec) {
            let own = codec.static_payload_type.filter(|&number| !taken(number));
            codecs.extend(own.or_else(|| free.next()).map(|number| (number, codec.clone())));
        }
    }
    let mut events: Vec<(u8, u32, String)> = Vec::new();
    let mut numbers = Some(USUAL_EVENT).filter(|&number| !taken(number)).into_iter().chain(free);
    for (_, codec) in codecs.iter().filter(|_| capabilities.telephone_event) {
        let is_listed = events.iter().any(|(_, clock_rate, _)| *clock_rate == codec.clock_rate);
        let old = known.iter().find(|map| is_event(map, codec.clock_rate)).map(|map| map.payload_type);
        if !is_listed && let Some(number) = old.or_else(|| numbers.next()) {
            events.push((number, codec.clock_rate, DTMF_AND_FLASH.to_owned()));
        }
    }
    stream(&codecs, &events, capabilities.ptime_ms)
}

/// An audio stream of `codecs` and telephone-events (payload type, clock rate, events), not yet placed.
pub(super) fn stream(codecs: &[(u8, CodecCapability)], events: &[(u8, u32, String)], ptime_ms: u32) -> Media {
    let codec_maps = codecs.iter().map(|(payload_type, codec)| RtpMap {
        payload_type: *payload_type,
        encoding: codec.encoding.clone(),
        clock_rate: codec.clock_rate,
        channels: (codec.channels != 1).then_some(codec.channels),
    });
    let event_maps = events.iter().map(|(payload_type, clock_rate, _)| RtpMap {
        payload_type: *payload_type,
        encoding: TELEPHONE_EVENT.to_owned(),
        clock_rate: *clock_rate,
        channels: None,
    });
    let maps: Vec<RtpMap> = codec_maps.chain(event_maps).collect();
    let formats = maps.iter().map(|map| map.payload_type.to_string()).collect();
    let mut attributes: Vec<Attribute> = maps.into_iter().map(Attribute::RtpMap).collect();
    attributes.extend(events.iter().map(|(payload_type, _, events)| Attribute::Fmtp {
        format: payload_type.to_string(),
        parameters: events.clone(),
    }));
    attributes.push(Attribute::Ptime(ptime_ms));
    Media { formats, attributes, ..bare(MediaKind::Audio, Protocol::RtpAvp) }
}

/// What the formats of a stream mean, in order; formats that mean nothing to us are left out.
pub(super) fn maps_of(media: &Media) -> Vec<RtpMap> {
    media.payload_types().filter_map(|number| media.rtpmap(number)).collect()
}

/// Which of our codecs a payload type stands for.
pub(super) fn codec_of<'a>(capabilities: &'a Capabilities, map: &RtpMap) -> Option<&'a CodecCapability> {
    capabilities.codecs.iter().find(|codec| codec.is(&map.encoding, map.clock_rate, map.channels))
}

/// Whether a payload type stands for events at this clock rate.
pub(super) fn is_event(map: &RtpMap, clock_rate: u32) -> bool {
    map.encoding.eq_ignore_ascii_case(TELEPHONE_EVENT) && map.clock_rate == clock_rate
}

/// Sets ports and direction of one of our streams.
pub(super) fn place(media: &mut Media, local: LocalMedia, direction: Direction) {
    media.port = local.rtp_port;
    media
        .attributes
        .retain(|attribute| !matches!(attribute, Attribute::Direction(_) | Attribute::Rtcp { .. }));
    if local.rtp_port.checked_add(1) != Some(local.rtcp_port) {
        media.attributes.push(Attribute::Rtcp { port: local.rtcp_port, address: None });
    }
    media.attributes.push(Attribute::Direction(direction));
}

/// The answer to a stream that is not wanted: port 0, its formats repeated because one at least must stand there
/// (RFC 3264 6).
pub(super) fn refused(theirs: &Media) -> Media {
    Media { formats: theirs.formats.clone(), ..bare(theirs.kind.clone(), theirs.protocol.clone()) }
}

/// The events we receive, in the words of the offer if it names the usual ranges (RFC 4733 2.4.1).
pub(super) fn events_of(offered: Option<&str>) -> String {
    match offered {
        Some(DTMF_AND_FLASH) => DTMF_AND_FLASH.to_owned(),
        Some(_) | None => DTMF.to_owned(),
    }
}

fn bare(kind: MediaKind, protocol: Protocol) -> Media {
    Media {
        kind,
        port: 0,
        port_count: None,
        protocol,
        formats: Vec::new(),
        connection: None,
        other_lines: Vec::new(),
        attributes: Vec::new(),
    }
}

/// Encoding name of RFC 4733 events.
const TELEPHONE_EVENT: &str = "telephone-event";

/// Digits, star, hash and A to D.
const DTMF: &str = "0-15";

/// The same and the hook flash, as gateways like to write it.
const DTMF_AND_FLASH: &str = "0-16";

/// Dynamic payload types (RFC 3551 6).
const FIRST_DYNAMIC: u8 = 96;
const LAST_DYNAMIC: u8 = 127;

/// The number that nearly all gateways give to telephone-event at 8000 Hz.
const USUAL_EVENT: u8 = 101;
