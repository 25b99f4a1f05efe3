//! A capture of RTP without its SIP. One address that RTP went to is taken as the server's, and the signaling that is
//! missing is written anew - INVITE, ACK, BYE, with the stream's addresses and payload types - so that the call goes the one
//! way that every call goes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use caly_rtp::codec::Codec;
use caly_rtp::packet::{Packet, PayloadType};
use caly_sip::message::Message;
use caly_sip::transport::Transport;
use serde::Serialize;

use super::ReplayError;
use super::hold_back::InviteId;
use super::plan::{Input, Plan, Sip, What};
use super::stage::next;
use crate::capture::read::{Content, Reading, Seen};

/// Which stream of a capture is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BareRtp {
    /// Where it went; `None` takes the address that the most packets of a known codec went to.
    pub to: Option<SocketAddr>,
    /// The payload type of its keys (RFC 4733).
    pub dtmf: u8,
}

/// The stream that was taken for the caller's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChosenStream {
    /// Who sent it.
    pub from: SocketAddr,
    /// Where it went: what stands for the server's RTP address.
    pub to: SocketAddr,
    /// The codec by its static payload type (RFC 3551).
    pub codec: String,
    /// Packets with that codec.
    pub packets: u64,
}

/// What one side sent the other in one codec.
#[derive(Clone, Copy, Debug)]
struct Stream {
    packets: u64,
    /// When it began, as a place in the capture.
    place: usize,
}

/// A plan for the call that the chosen stream belongs to.
pub(super) fn plan(reading: Reading, wanted: BareRtp) -> Result<Plan, ReplayError> {
    let (from, to, payload_type, packets) = choose(&reading.packets, wanted.to)?;
    let codec = Codec::from_static_payload_type(PayloadType(payload_type));
    let codec = codec.map_or("", Codec::encoding_name).to_owned();
    let mut plan = Plan {
        local: SocketAddr::new(to.ip(), SIP_PORT),
        peers: vec![from.ip()],
        inputs: Vec::new(),
        media: HashMap::from([(CALL_ID.to_owned(), to)]),
        passed_over: 0,
        stream: Some(ChosenStream { from, to, codec, packets }),
    };
    let call = Signaling { from, to, payload_type, dtmf: wanted.dtmf };
    let is_ours = |seen: &Seen| seen.to == to || seen.to == next(to);
    let mut times = reading.packets.iter().filter(|seen| is_ours(seen)).map(|seen| seen.at);
    let first = times.next().unwrap_or_default();
    let last = times.next_back().unwrap_or(first);
    plan.inputs.extend([call.invite(first), call.ack(first)]);
    for seen in reading.packets {
        match seen.what {
            Content::Datagram(bytes) if seen.to == to || seen.to == next(to) => {
                plan.inputs.push(Input { at: seen.at, from: seen.from, what: What::Media(seen.to, bytes) });
            }
            Content::Datagram(_) | Content::Stream(_) | Content::StreamEnd => plan.passed_over += 1,
        }
    }
    // The last frame is heard before the caller is gone.
    plan.inputs.push(call.bye(last + FRAME));
    Ok(plan)
}

/// The stream with the most packets of a known codec; of two that are as long, the one that began first.
fn choose(
    packets: &[Seen],
    wanted: Option<SocketAddr>,
) -> Result<(SocketAddr, SocketAddr, u8, u64), ReplayError> {
    let mut streams: BTreeMap<(SocketAddr, SocketAddr, u8), Stream> = BTreeMap::new();
    for (place, seen) in packets.iter().enumerate() {
        let Content::Datagram(bytes) = &seen.what else { continue };
        let Ok(packet) = Packet::parse(bytes) else { continue };
        let payload_type = packet.payload_type.0;
        let is_known = Codec::from_static_payload_type(packet.payload_type).is_some();
        let is_wanted = wanted.is_none_or(|wanted| wanted == seen.to);
        if is_known && is_wanted && !packet.payload.is_empty() {
            let stream = streams.entry((seen.from, seen.to, payload_type));
            stream.or_insert(Stream { packets: 0, place }).packets += 1;
        }
    }
    let most = streams.into_iter().max_by_key(|(_, stream)| (stream.packets, Reverse(stream.place)));
    let ((from, to, payload_type), stream) = most.ok_or(match wanted {
        Some(wanted) => ReplayError::NoRtpTo(wanted),
        None => ReplayError::NoRtp,
    })?;
    Ok((from, to, payload_type, stream.packets))
}

/// The signaling of the call, as its caller would have sent it.
struct Signaling {
    from: SocketAddr,
    to: SocketAddr,
    payload_type: u8,
    dtmf: u8,
}

impl Signaling {
    fn invite(&self, at: Duration) -> Input {
        let (family, host) = (family(self.from.ip()), self.from.ip());
        let (port, payload_type, dtmf) = (self.from.port(), self.payload_type, self.dtmf);
        let body = format!(
            "v=0\r\no=- 1 1 IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {payload_type} {dtmf}\r\n\
             a=rtpmap:{dtmf} telephone-event/8000\r\na=fmtp:{dtmf} 0-15\r\na=sendrecv\r\n"
        );
        let more = format!("Contact: <sip:{}>\r\nContent-Type: application/sdp\r\n", self.sip_from());
        let invite = self.request("INVITE", 1, "", &more) + &body;
        self.input(at, &invite, None)
    }

    fn ack(&self, at: Duration) -> Input {
        self.input(at, &self.request("ACK", 1, TO_TAG, ""), Some(invite()))
    }

    fn bye(&self, at: Duration) -> Input {
        self.input(at, &self.request("BYE", 2, TO_TAG, ""), Some(invite()))
    }

    fn request(&self, method: &str, cseq: u32, to_tag: &str, more: &str) -> String {
        let (from, server) = (self.sip_from(), SocketAddr::new(self.to.ip(), SIP_PORT));
        format!(
            "{method} sip:{NUMBER}@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK-{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:caller@{from}>;tag=caller\r\nTo: <sip:{NUMBER}@{server}>{to_tag}\r\n\
             Call-ID: {CALL_ID}\r\nCSeq: {cseq} {method}\r\n{more}\r\n"
        )
    }

    fn input(&self, at: Duration, text: &str, waits_for: Option<InviteId>) -> Input {
        let framed = Box::new(Message::parse_datagram(text.as_bytes()));
        let tag = waits_for.is_none().then(|| TAG.to_owned());
        let what = What::Sip(Sip { transport: Transport::Udp, framed, tag, waits_for });
        Input { at, from: self.sip_from(), what }
    }

    fn sip_from(&self) -> SocketAddr {
        SocketAddr::new(self.from.ip(), SIP_PORT)
    }
}

fn invite() -> InviteId {
    InviteId { call_id: CALL_ID.to_owned(), cseq: 1 }
}

/// How SDP names an address family (RFC 4566 5.7).
fn family(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}

const SIP_PORT: u16 = 5060;
const CALL_ID: &str = "bare-rtp";
const NUMBER: &str = "rtp";
/// What we call our side of the dialog, and how the caller repeats it.
const TAG: &str = "server";
const TO_TAG: &str = ";tag=server";
const FRAME: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(from: u16, to: u16, payload_type: u8, at: u64) -> Seen {
        let mut bytes = vec![0; 172];
        bytes[0] = 0x80;
        bytes[1] = payload_type;
        let address = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let what = Content::Datagram(bytes);
        Seen { at: Duration::from_millis(at), frame: 1, from: address(from), to: address(to), what }
    }

    #[test]
    fn the_direction_with_the_most_packets_of_a_known_codec_is_taken() {
        let mut packets = vec![seen(4000, 6000, 8, 0), seen(6000, 4000, 0, 1), seen(4000, 6000, 8, 2)];
        packets.extend((3..9).map(|at| seen(4000, 7000, 111, at)));
        let reading = Reading { packets, ..Reading::default() };
        let wanted = BareRtp { to: None, dtmf: 101 };
        let plan = plan(reading.clone(), wanted).unwrap();
        let stream = plan.stream.unwrap();
        assert_eq!((stream.to.port(), stream.codec.as_str(), stream.packets), (6000, "PCMA", 2));
        assert_eq!((plan.inputs.len(), plan.passed_over), (5, 7));
        let port = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let other = BareRtp { to: Some(port(4000)), dtmf: 101 };
        assert_eq!(super::plan(reading.clone(), other).unwrap().stream.unwrap().codec, "PCMU");
        let none = BareRtp { to: Some(port(7000)), dtmf: 101 };
        assert_eq!(super::plan(reading, none).unwrap_err(), ReplayError::NoRtpTo(port(7000)));
        assert_eq!(super::plan(Reading::default(), wanted).unwrap_err(), ReplayError::NoRtp);
    }

    #[test]
    fn the_signaling_can_be_read_in_both_families() {
        for text in ["192.0.2.1:4000", "[2001:db8::1]:4000"] {
            let from: SocketAddr = text.parse().unwrap();
            let call = Signaling { from, to: from, payload_type: 0, dtmf: 96 };
            for input in [call.invite(FRAME), call.ack(FRAME), call.bye(FRAME)] {
                let What::Sip(Sip { framed, .. }) = input.what else { panic!("{input:?}") };
                let message = (*framed).unwrap();
                assert!(message.headers().essentials().is_ok());
            }
        }
    }
}
