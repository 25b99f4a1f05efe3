//! What of a capture is fed to the server: which side of it was the server's, what arrived there, and what its answers of
//! then have fixed (our tags, our RTP addresses).

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use caly_sip::message::{Framed, Malformed, Message, Method, Request, Response, StreamFramer};
use caly_sip::sdp::{Address, MediaKind, SessionDescription};
use caly_sip::transport::Transport;

use super::ReplayError;
use super::stage::next;
use crate::capture::read::{Content, Reading, Seen};

/// A capture, sorted out.
#[derive(Debug)]
pub(super) struct Plan {
    /// The SIP address that was the server's.
    pub(super) local: SocketAddr,
    /// Everybody who sent something to it.
    pub(super) peers: Vec<IpAddr>,
    /// What arrived, in the order of time.
    pub(super) inputs: Vec<Input>,
    /// The RTP address that the server's answer named, by Call-ID.
    pub(super) media: HashMap<String, SocketAddr>,
    /// Packets that the server sent then, or that belong to somebody else.
    pub(super) passed_over: u64,
}

/// Something that arrived.
#[derive(Debug)]
pub(super) struct Input {
    /// Since the Unix epoch.
    pub(super) at: Duration,
    /// Who sent it.
    pub(super) from: SocketAddr,
    /// What.
    pub(super) what: What,
}

/// What arrived.
#[derive(Debug)]
pub(super) enum What {
    /// A SIP message, and the tag that the server gave to its dialog then.
    Sip(Transport, Box<Result<Message, Malformed>>, Option<String>),
    /// A TCP peer closed its connection.
    Closed,
    /// RTP or RTCP for this address.
    Media(SocketAddr, Vec<u8>),
}

/// A message of the capture.
struct Said {
    at: Duration,
    from: SocketAddr,
    to: SocketAddr,
    transport: Transport,
    framed: Option<Result<Message, Malformed>>,
}

impl Plan {
    /// Sorts out a capture; `local` is the server's SIP address, if it is known better than by the first INVITE.
    pub(super) fn of(
        reading: Reading,
        local: Option<SocketAddr>,
        start: Instant,
    ) -> Result<Self, ReplayError> {
        let (said, rest) = split(reading.packets, start);
        let called = || said.iter().find(|said| said.new_invite().is_some()).map(|said| said.to);
        let local = local.or_else(called).ok_or(ReplayError::NoInvite)?;
        if !said.iter().any(|said| said.to == local && said.new_invite().is_some()) {
            return Err(ReplayError::NoInviteTo(local));
        }
        let (tags, media) = answers(&said, local);
        let mut plan = Self { local, peers: Vec::new(), inputs: Vec::new(), media, passed_over: 0 };
        let addresses: Vec<SocketAddr> =
            plan.media.values().flat_map(|&address| [address, next(address)]).collect();
        for said in said {
            plan.take_said(said, &tags);
        }
        for seen in rest {
            match seen.what {
                Content::Datagram(bytes) if addresses.contains(&seen.to) => {
                    let what = What::Media(seen.to, bytes);
                    plan.inputs.push(Input { at: seen.at, from: seen.from, what });
                }
                Content::Datagram(_) | Content::Stream(_) | Content::StreamEnd => plan.passed_over += 1,
            }
        }
        // Stable: of one time, SIP comes before RTP.
        plan.inputs.sort_by_key(|input| input.at);
        plan.peers.sort_unstable();
        plan.peers.dedup();
        Ok(plan)
    }

    fn take_said(&mut self, said: Said, tags: &HashMap<String, String>) {
        if said.to != self.local {
            self.passed_over += 1;
            return;
        }
        self.peers.push(said.from.ip());
        let tag = said.new_invite().and_then(|request| tags.get(&call_id(request)?).cloned());
        let what = match said.framed {
            Some(framed) => What::Sip(said.transport, Box::new(framed), tag),
            None => What::Closed,
        };
        self.inputs.push(Input { at: said.at, from: said.from, what });
    }
}

impl Said {
    fn new_invite(&self) -> Option<&Request> {
        let Some(Ok(Message::Request(request))) = &self.framed else { return None };
        let essentials = request.essentials().ok()?;
        (request.method == Method::Invite && essentials.to.tag().is_none()).then_some(request)
    }

    /// A response to an INVITE that made a dialog.
    fn invite_response(&self) -> Option<&Response> {
        let Some(Ok(Message::Response(response))) = &self.framed else { return None };
        let essentials = response.essentials().ok()?;
        (essentials.cseq.method == Method::Invite && response.status.as_u16() > 100).then_some(response)
    }
}

fn call_id(request: &Request) -> Option<String> {
    request.essentials().ok().map(|essentials| essentials.call_id)
}

/// The SIP messages of a capture, and everything else.
fn split(packets: Vec<Seen>, start: Instant) -> (Vec<Said>, Vec<Seen>) {
    let (mut said, mut rest) = (Vec::new(), Vec::new());
    let mut framers: BTreeMap<(SocketAddr, SocketAddr), StreamFramer> = BTreeMap::new();
    for seen in packets {
        let Seen { at, from, to, .. } = seen;
        let message = |transport, framed| Said { at, from, to, transport, framed };
        match &seen.what {
            Content::Datagram(bytes) if is_text(bytes) => {
                said.push(message(Transport::Udp, Some(Message::parse_datagram(bytes))));
            }
            Content::Datagram(_) => rest.push(seen),
            Content::Stream(bytes) => {
                let framer = framers.entry((from, to)).or_default();
                framer.push(start, bytes);
                while let Some(Ok(framed)) = framer.next() {
                    match framed {
                        Framed::Message(framed) => said.push(message(Transport::Tcp, Some(Ok(framed)))),
                        Framed::Malformed(fault) => said.push(message(Transport::Tcp, Some(Err(fault)))),
                        Framed::Ping => {}
                    }
                }
            }
            Content::StreamEnd => said.push(message(Transport::Tcp, None)),
        }
    }
    (said, rest)
}

/// SIP begins with a letter; RTP and RTCP with the version in the two highest bits (RFC 3550 5.1).
fn is_text(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
}

/// What the server's answers of then say: its tag and its RTP address, by Call-ID.
fn answers(said: &[Said], local: SocketAddr) -> (HashMap<String, String>, HashMap<String, SocketAddr>) {
    let (mut tags, mut media) = (HashMap::new(), HashMap::new());
    for said in said.iter().filter(|said| said.from == local) {
        let Some(response) = said.invite_response() else { continue };
        let Ok(essentials) = response.essentials() else { continue };
        if let Some(tag) = essentials.to.tag() {
            tags.entry(essentials.call_id.clone()).or_insert_with(|| tag.to_owned());
        }
        if let Some(port) = audio_of(&response.body).map(|address| address.port()) {
            // What is captured behind a NAT arrives at the address of the machine, not at the one that is told.
            media.entry(essentials.call_id).or_insert(SocketAddr::new(local.ip(), port));
        }
    }
    (tags, media)
}

/// The RTP address that a session description names.
pub(super) fn audio_of(body: &[u8]) -> Option<SocketAddr> {
    let description = SessionDescription::parse(body).ok()?;
    let audio = description.media.iter().find(|media| media.kind == MediaKind::Audio && media.port != 0)?;
    match description.connection_of(audio)? {
        Address::Ip(ip) => Some(SocketAddr::new(*ip, audio.port)),
        Address::Other(_) => None,
    }
}
