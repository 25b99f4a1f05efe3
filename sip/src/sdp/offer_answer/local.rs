//! Our own `m=` sections: offered, answered, repeated and refused.

use super::{Attribute, Capabilities, CodecCapability, Direction, LocalMedia, Media, MediaKind};
use crate::sdp::{Protocol, RtpMap};

/// Everything we can, in our order, with static numbers where there are any.
pub(super) fn offered_media(capabilities: &Capabilities, local: LocalMedia, direction: Direction) -> Media {
    let mut free = (FIRST_DYNAMIC..=LAST_DYNAMIC).filter(|&number| number != USUAL_EVENT);
    let codecs: Vec<(u8, CodecCapability)> = capabilities
        .codecs
        .iter()
        .filter_map(|codec| Some((codec.static_payload_type.or_else(|| free.next())?, codec.clone())))
        .collect();
    let mut events: Vec<(u8, u32, String)> = Vec::new();
    let mut numbers = std::iter::once(USUAL_EVENT).chain(free);
    for (_, codec) in codecs.iter().filter(|_| capabilities.telephone_event) {
        if events.iter().all(|(_, clock_rate, _)| *clock_rate != codec.clock_rate)
            && let Some(number) = numbers.next()
        {
            events.push((number, codec.clock_rate, DTMF_AND_FLASH.to_owned()));
        }
    }
    stream(local, &codecs, &events, (capabilities.ptime_ms, direction))
}

/// An audio stream of `codecs` and telephone-events (payload type, clock rate, events).
pub(super) fn stream(
    local: LocalMedia,
    codecs: &[(u8, CodecCapability)],
    events: &[(u8, u32, String)],
    (ptime_ms, direction): (u32, Direction),
) -> Media {
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
    let mut media = Media { formats, attributes, ..bare(MediaKind::Audio, Protocol::RtpAvp) };
    place(&mut media, local, direction);
    media
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
pub(super) const TELEPHONE_EVENT: &str = "telephone-event";

/// Digits, star, hash and A to D.
const DTMF: &str = "0-15";

/// The same and the hook flash, as gateways like to write it.
const DTMF_AND_FLASH: &str = "0-16";

/// Dynamic payload types (RFC 3551 6).
const FIRST_DYNAMIC: u8 = 96;
const LAST_DYNAMIC: u8 = 127;

/// The number that nearly all gateways give to telephone-event at 8000 Hz.
const USUAL_EVENT: u8 = 101;
