//! What of a capture is fed to the server: which side of it was the server's, what arrived there, and what its answers of
//! then have fixed (our tags, our RTP addresses).

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use caly_sip::message::{Framed, Malformed, Message, Method, Request, Response, StreamFramer};
use caly_sip::sdp::{Address, MediaKind, SessionDescription};
use caly_sip::transport::Transport;

use super::ReplayError;
use super::bare_rtp::ChosenStream;
use super::hold_back::InviteId;
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
    /// Where RTP for the server went, by Call-ID.
    pub(super) media: HashMap<String, SocketAddr>,
    /// Packets that the server sent then, or that belong to somebody else.
    pub(super) passed_over: u64,
    /// The caller's stream, if the capture is taken for RTP alone.
    pub(super) stream: Option<ChosenStream>,
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
    /// A SIP message.
    Sip(Sip),
    /// A TCP peer closed its connection.
    Closed,
    /// RTP or RTCP for this address.
    Media(SocketAddr, Vec<u8>),
}

/// A SIP message that arrived.
#[derive(Debug)]
pub(super) struct Sip {
    /// How it came.
    pub(super) transport: Transport,
    /// What was read of it.
    pub(super) framed: Box<Result<Message, Malformed>>,
    /// The tag that the server gave to its dialog then.
    pub(super) tag: Option<String>,
    /// The INVITE that has to be answered first.
    pub(super) waits_for: Option<InviteId>,
}

/// What the server's answers of then, and the caller's requests behind them, have fixed.
#[derive(Debug, Default)]
struct Answers {
    /// The server's tag, by Call-ID.
    tags: HashMap<String, String>,
    /// The server's RTP address, by Call-ID.
    media: HashMap<String, SocketAddr>,
    /// The INVITE that made the dialog, by Call-ID.
    established: HashMap<String, InviteId>,
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
        let mut answers = Answers::of(&said, local);
        let media = std::mem::take(&mut answers.media);
        let (peers, inputs) = (Vec::new(), Vec::new());
        let mut plan = Self { local, peers, inputs, media, passed_over: 0, stream: None };
        plan.guess_media(&said, &rest);
        let addresses: Vec<SocketAddr> =
            plan.media.values().flat_map(|&address| [address, next(address)]).collect();
        for said in said {
            plan.take_said(said, &answers);
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

    /// Without an answer in the capture, the server's RTP address is where the caller's RTP went.
    fn guess_media(&mut self, said: &[Said], rest: &[Seen]) {
        for request in said.iter().filter_map(Said::new_invite) {
            let (Some(call_id), Some(caller)) = (call_id(request), audio_of(&request.body)) else { continue };
            let went_to = || rest.iter().find(|seen| seen.from == caller).map(|seen| seen.to);
            if !self.media.contains_key(&call_id)
                && let Some(address) = went_to()
            {
                self.media.insert(call_id, address);
            }
        }
    }

    fn take_said(&mut self, said: Said, answers: &Answers) {
        if said.to != self.local {
            self.passed_over += 1;
            return;
        }
        self.peers.push(said.from.ip());
        let tag = said.new_invite().and_then(|request| answers.tags.get(&call_id(request)?).cloned());
        let waits_for = said.request().and_then(|request| answers.waited_for_by(request));
        let what = match said.framed {
            Some(framed) => {
                What::Sip(Sip { transport: said.transport, framed: Box::new(framed), tag, waits_for })
            }
            None => What::Closed,
        };
        self.inputs.push(Input { at: said.at, from: said.from, what });
    }
}

impl Said {
    fn request(&self) -> Option<&Request> {
        match &self.framed {
            Some(Ok(Message::Request(request))) => Some(request),
            Some(Ok(Message::Response(_)) | Err(_)) | None => None,
        }
    }

    fn new_invite(&self) -> Option<&Request> {
        let request = self.request()?;
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

impl Answers {
    fn of(said: &[Said], local: SocketAddr) -> Self {
        let mut answers = Self::default();
        for said in said {
            if said.from == local
                && let Some(response) = said.invite_response()
            {
                answers.take_response(response, local.ip());
            }
            if said.to == local
                && let Some(request) = said.request()
            {
                answers.take_request(request);
            }
        }
        answers
    }

    fn take_response(&mut self, response: &Response, server: IpAddr) {
        let Ok(essentials) = response.essentials() else { return };
        let call_id = essentials.call_id;
        if let Some(tag) = essentials.to.tag() {
            self.tags.entry(call_id.clone()).or_insert_with(|| tag.to_owned());
        }
        if response.status.is_success() {
            let invite = InviteId { call_id: call_id.clone(), cseq: essentials.cseq.number };
            self.established.entry(call_id.clone()).or_insert(invite);
        }
        if let Some(port) = audio_of(&response.body).map(|address| address.port()) {
            // What is captured behind a NAT arrives at the address of the machine, not at the one that is told.
            self.media.entry(call_id).or_insert(SocketAddr::new(server, port));
        }
    }

    /// A capture of one direction lacks the answers; what the caller took from them is in its ACK. One that follows a BYE
    /// confirms no dialog but the end of an early one.
    fn take_request(&mut self, request: &Request) {
        let Ok(essentials) = request.essentials() else { return };
        let (call_id, tag) = (essentials.call_id, essentials.to.tag());
        let (Some(tag), false) = (tag, self.tags.contains_key(&call_id)) else { return };
        self.tags.insert(call_id.clone(), tag.to_owned());
        if request.method == Method::Ack {
            let invite = InviteId { call_id: call_id.clone(), cseq: essentials.cseq.number };
            self.established.insert(call_id, invite);
        }
    }

    /// The INVITE whose answer this request presupposes.
    fn waited_for_by(&self, request: &Request) -> Option<InviteId> {
        let essentials = request.essentials().ok()?;
        let call_id = essentials.call_id;
        match &request.method {
            Method::Ack => Some(InviteId { call_id, cseq: essentials.cseq.number }),
            Method::Cancel => None,
            // Within a dialog; before the answer of then only what ended an early one.
            _ if essentials.to.tag().is_some() => self.established.get(&call_id).cloned(),
            _ => None,
        }
    }
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
