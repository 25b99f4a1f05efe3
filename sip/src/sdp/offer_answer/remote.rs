//! What the peer's `m=` section says to us.

use std::net::{IpAddr, SocketAddr};

use super::local::{codec_of, is_event, maps_of};
use super::{
    Address, Attribute, Capabilities, CodecCapability, Direction, Format, LocalMedia, Media, Negotiated,
    NegotiationError, SessionDescription, TelephoneEvent,
};
use crate::sdp::{Protocol, RtpMap};

/// What we make of an offered stream.
pub(super) fn offered(
    capabilities: &Capabilities,
    local: LocalMedia,
    wanted: Direction,
    (offer, theirs): (&SessionDescription, &Media),
) -> Result<Negotiated, NegotiationError> {
    check_protocol(theirs)?;
    let maps = maps_of(theirs);
    let mut formats = maps.iter().filter_map(|map| {
        let codec = codec_of(capabilities, map)?;
        Some(format(codec, map.payload_type, map.payload_type))
    });
    let chosen = formats.next().ok_or_else(|| no_common_codec(theirs, &maps))?;
    let event = maps
        .iter()
        .find(|map| capabilities.telephone_event && is_event(map, chosen.codec.clock_rate))
        .map(|map| TelephoneEvent {
            send_payload_type: map.payload_type,
            receive_payload_type: map.payload_type,
        });
    let remote =
        Remote::of(local, offer, theirs, NegotiationError::BadOffer { reason: "a stream without c=" })?;
    let direction = wanted.answer_to(remote.direction);
    Ok(remote.negotiated(capabilities, direction, (chosen, Vec::new(), event)))
}

/// What the answer made of the stream `ours`.
pub(super) fn answered(
    capabilities: &Capabilities,
    local: LocalMedia,
    ours: &Media,
    (answer, theirs): (&SessionDescription, &Media),
) -> Result<Negotiated, NegotiationError> {
    let bad = |reason| NegotiationError::BadAnswer { reason };
    if theirs.kind != ours.kind {
        return Err(bad("another kind of stream than the offer"));
    }
    if theirs.port == 0 {
        return Err(NegotiationError::Refused);
    }
    check_protocol(theirs)?;
    let our_maps = maps_of(ours);
    // A dynamic number without rtpmap can only mean what our offer said.
    let maps: Vec<RtpMap> = theirs
        .payload_types()
        .filter_map(|number| theirs.rtpmap(number).or_else(|| ours.rtpmap(number)))
        .collect();
    let mut formats = maps.iter().filter_map(|map| {
        let codec = codec_of(capabilities, map)?;
        let our_map = our_maps.iter().find(|our_map| codec_of(capabilities, our_map) == Some(codec))?;
        Some(format(codec, map.payload_type, our_map.payload_type))
    });
    let chosen = formats.next().ok_or_else(|| no_common_codec(theirs, &maps))?;
    let alternatives = formats.filter(|other| other.codec != chosen.codec).collect();
    let event_in = |maps: &[RtpMap]| {
        maps.iter().find(|map| is_event(map, chosen.codec.clock_rate)).map(|map| map.payload_type)
    };
    let event = event_in(&maps).zip(event_in(&our_maps)).map(|(send_payload_type, receive_payload_type)| {
        TelephoneEvent { send_payload_type, receive_payload_type }
    });
    let remote = Remote::of(local, answer, theirs, bad("a stream without c="))?;
    let offered = ours.attributes.iter().find_map(|attribute| match attribute {
        Attribute::Direction(direction) => Some(*direction),
        _ => None,
    });
    let direction = offered.unwrap_or_default().answer_to(remote.direction);
    Ok(remote.negotiated(capabilities, direction, (chosen, alternatives, event)))
}

/// Where the peer is and what it lets through.
struct Remote {
    rtp: Option<SocketAddr>,
    rtcp: Option<SocketAddr>,
    /// The peer's own direction; who listens at 0.0.0.0 does not receive (RFC 3264 8.4).
    direction: Direction,
    ptime_ms: Option<u32>,
    maxptime_ms: Option<u32>,
}

impl Remote {
    fn of(
        local: LocalMedia,
        description: &SessionDescription,
        theirs: &Media,
        missing: NegotiationError,
    ) -> Result<Self, NegotiationError> {
        let address = description.connection_of(theirs).ok_or(missing)?;
        let ip = unicast(address, local.address)?;
        let rtp = ip.map(|ip| SocketAddr::new(ip, theirs.port));
        let rtcp = ip.map(|ip| rtcp_of(theirs, ip, local.address)).transpose()?.flatten();
        for address in [rtp, rtcp].into_iter().flatten() {
            check_foreign(address, local)?;
        }
        let written = description.direction_of(theirs);
        Ok(Self {
            rtp,
            rtcp,
            direction: Direction::of(written.sends(), written.receives() && ip.is_some()),
            ptime_ms: theirs.ptime_ms(),
            maxptime_ms: theirs.maxptime_ms(),
        })
    }

    fn negotiated(
        self,
        capabilities: &Capabilities,
        direction: Direction,
        (chosen, alternatives, telephone_event): (Format, Vec<Format>, Option<TelephoneEvent>),
    ) -> Negotiated {
        Negotiated {
            codec: chosen.codec,
            send_payload_type: chosen.send_payload_type,
            receive_payload_type: chosen.receive_payload_type,
            alternatives,
            telephone_event,
            remote_rtp: self.rtp,
            remote_rtcp: self.rtcp,
            direction,
            is_held: !self.direction.receives(),
            ptime_ms: capabilities.ptime_ms,
            remote_ptime_ms: self.ptime_ms,
            remote_maxptime_ms: self.maxptime_ms,
        }
    }
}

fn check_protocol(theirs: &Media) -> Result<(), NegotiationError> {
    match &theirs.protocol {
        Protocol::RtpAvp => Ok(()),
        other @ (Protocol::RtpSavp | Protocol::Other(_)) => {
            Err(NegotiationError::UnsupportedProtocol { protocol: shortened(&other.to_string()) })
        }
    }
}

/// The peer's unicast address, `None` for 0.0.0.0 and `::`.
fn unicast(address: &Address, local: IpAddr) -> Result<Option<IpAddr>, NegotiationError> {
    let unsupported = || NegotiationError::UnsupportedAddress { address: shortened(&address.to_string()) };
    let ip = match address {
        Address::Ip(ip) => ip.to_canonical(),
        Address::Other(text) if is_multicast(text) => return Err(NegotiationError::Multicast),
        Address::Other(_) => return Err(unsupported()),
    };
    if ip.is_unspecified() {
        return Ok(None);
    }
    if ip.is_multicast() {
        return Err(NegotiationError::Multicast);
    }
    if is_no_host(ip) {
        return Err(NegotiationError::NotUnicast { address: ip });
    }
    if ip.is_ipv4() != local.to_canonical().is_ipv4() {
        return Err(unsupported());
    }
    Ok(Some(ip))
}

/// 0.0.0.0/8 and 240.0.0.0/4, the limited broadcast among them (RFC 6890): nobody has such an address, and a packet to it
/// reaches nobody or everybody. Broadcast addresses of subnets cannot be told without the netmask; the kernel refuses
/// them, because our sockets do not ask for SO_BROADCAST.
fn is_no_host(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => matches!(ip.octets(), [0 | 240..=255, ..]),
        IpAddr::V6(_) => false,
    }
}

/// Media that we send to ourselves is a loop that the peer started and need not feed.
fn check_foreign(address: SocketAddr, local: LocalMedia) -> Result<(), NegotiationError> {
    let is_our_port = address.port() == local.rtp_port || address.port() == local.rtcp_port;
    let is_ours = address.ip() == local.address.to_canonical() && is_our_port;
    if is_ours { Err(NegotiationError::OwnAddress { address }) } else { Ok(()) }
}

/// A multicast address with its TTL or count, as `IN IP4 224.2.1.1/127`.
fn is_multicast(text: &str) -> bool {
    let host = text.split_ascii_whitespace().nth(2).and_then(|host| host.split('/').next());
    host.and_then(|host| host.parse::<IpAddr>().ok()).is_some_and(|ip| ip.is_multicast())
}

/// `a=rtcp` (RFC 3605), else the next port. rtcp-mux is never accepted, so this holds for every peer (RFC 5761 5.1.1).
/// An address of another family or network only loses the peer its reports; one that is no host's is refused, as for
/// RTP.
fn rtcp_of(theirs: &Media, rtp: IpAddr, local: IpAddr) -> Result<Option<SocketAddr>, NegotiationError> {
    let written = theirs.attributes.iter().find_map(|attribute| match attribute {
        Attribute::Rtcp { port, address } => Some((*port, address.as_ref())),
        _ => None,
    });
    let (port, address) = match written {
        Some((0, _)) => return Ok(None),
        Some(written) => written,
        None => return Ok(theirs.port.checked_add(1).map(|port| SocketAddr::new(rtp, port))),
    };
    match address.map(|address| unicast(address, local)) {
        None => Ok(Some(SocketAddr::new(rtp, port))),
        Some(Ok(ip)) => Ok(ip.map(|ip| SocketAddr::new(ip, port))),
        Some(Err(NegotiationError::UnsupportedAddress { .. })) => Ok(None),
        Some(Err(error)) => Err(error),
    }
}

fn format(codec: &CodecCapability, send_payload_type: u8, receive_payload_type: u8) -> Format {
    Format { codec: codec.clone(), send_payload_type, receive_payload_type }
}

/// Names what was offered; numbers that nothing explains stand as they came.
fn no_common_codec(theirs: &Media, maps: &[RtpMap]) -> NegotiationError {
    let name = |map: &RtpMap| format!("{}/{}", shortened(&map.encoding), map.clock_rate);
    let mut offered: Vec<String> = maps.iter().take(MAX_NAMED_CODECS).map(name).collect();
    if offered.is_empty() {
        offered.extend(theirs.formats.iter().take(MAX_NAMED_CODECS).map(|format| shortened(format)));
    }
    NegotiationError::NoCommonCodec { offered }
}

/// The start of the peer's text, without what does not belong in a header field.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_QUOTED_CHARS).collect()
}

/// Codecs named in an error. Errors go back to the peer in a Warning field, which must not outgrow its own offer.
const MAX_NAMED_CODECS: usize = 16;

/// Characters of the peer's text repeated in an error; the longest profile in use has 22.
const MAX_QUOTED_CHARS: usize = 64;
