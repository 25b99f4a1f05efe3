//! The call between the two: the product's own call with its media, given packets and ticks; and its mind, which thinks between the ticks as it
//! does beside the shard in the server.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use caly::agent::{Agent, InlineMind, LinkDriver, MindGone, MindLine, NotSent};
use caly::call::exchange::{BoundMedia, CallInput, Offer};
use caly::call::log::{CallTime, Event, LegQuality};
use caly::call::{Call, CallConfig, CallPolicy, Codec, End, MediaTap, Output};
use caly::seed::Seeds;
use caly::voice::exchange::{MindCommand, VoiceEvent};
use caly_provider::link::{LinkEvent, LinkId, LinkOrder};
use caly_rtp::frame::FRAME_SAMPLES;
use caly_rtp::packet::{Packet, PayloadType, RtpTime, SeqNo, Ssrc};
use caly_vendors::in_process::InProcess;

/// One answered call.
pub(crate) struct Line {
    call: Call,
    thoughts: Thoughts,
    codec: Codec,
    sequence: u16,
    /// Packets of a key that are still to be sent.
    key: Option<(u8, u16)>,
}

/// A packet that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// When, since the call began.
    pub(crate) at: Duration,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) payload: [u8; FRAME_SAMPLES],
    pub(crate) samples: [i16; FRAME_SAMPLES],
}

impl Line {
    /// A call that an agent with this mind has answered.
    pub(crate) fn new(
        now: Instant,
        codec: Codec,
        mind: InlineMind,
        agent: impl FnOnce(Box<dyn MindLine>) -> Agent,
    ) -> Self {
        let thoughts = Thoughts(Arc::new(Mutex::new((mind, VecDeque::new()))));
        let destination = agent(Box::new(thoughts.clone()));
        let media = BoundMedia {
            local: "192.0.2.1:10000".parse().unwrap(),
            advertised: "192.0.2.1".parse().unwrap(),
        };
        let config = CallConfig {
            at: now,
            destination: Box::new(destination),
            media: Some(media),
            media_sources: Vec::new(),
            seeds: Seeds::new([7, 7]),
        };
        let mut call = Call::new(config, policy(codec));
        call.begin(now, Offer::Early(offer(codec).into_bytes()));
        call.handle_input(now, CallInput::Accepted);
        call.handle_input(now, CallInput::Acknowledged { answer: None });
        Self { call, thoughts, codec, sequence: 0, key: None }
    }

    /// Lets the mind think up to now.
    pub(crate) fn think(&self, now: Instant) {
        self.thoughts.think(now);
    }

    /// What is known of the caller from before.
    pub(crate) fn learn(&self, now: Instant, facts: &str) {
        self.thoughts.0.lock().unwrap().0.learn(now, facts.into());
    }

    /// The caller presses a key for 100 ms.
    pub(crate) fn press(&mut self, key: char) {
        let code = "0123456789*#".find(key).unwrap();
        self.key = Some((u8::try_from(code).unwrap(), 0));
    }

    /// 20 ms: the caller's packet arrives and the agent's leaves.
    pub(crate) fn tick(&mut self, now: Instant, at: Duration, said: &[i16; FRAME_SAMPLES]) -> Option<Sent> {
        let mut datagram = [0; 256];
        let length = self.packet(said).write_into(&mut datagram);
        self.call.handle_rtp(now, PEER.parse().unwrap(), &datagram[..length], &mut Nowhere);
        let outgoing = self.call.tick(now, 0, &mut Nowhere)?;
        let packet = Packet::parse(outgoing.datagram).unwrap();
        let mut samples = [0; FRAME_SAMPLES];
        self.codec.decode(packet.payload, &mut samples);
        Some(Sent {
            at,
            sequence: packet.sequence.0,
            timestamp: packet.timestamp.0,
            ssrc: packet.ssrc.0,
            payload_type: packet.payload_type.0,
            payload: packet.payload.try_into().unwrap(),
            samples,
        })
    }

    /// What was logged since, and how the call ended if it did.
    pub(crate) fn drain(&mut self, log: &mut Vec<(CallTime, Event)>) -> Option<End> {
        let mut over = None;
        while let Some(output) = self.call.poll_output() {
            match output {
                Output::Event(at, event) => log.push((at, event)),
                Output::Ended(_, end) => over = Some(end),
                Output::Answer(_) => {}
            }
        }
        over
    }

    /// Figures of its media.
    pub(crate) fn quality(&self) -> LegQuality {
        self.call.quality().unwrap()
    }

    /// The next packet of the caller: audio, or a key (RFC 4733) for 100 ms and its end three times.
    fn packet(&mut self, said: &[i16; FRAME_SAMPLES]) -> Written {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let (payload_type, begins, payload) = match self.key.take() {
            Some((code, passed)) => {
                let end = if passed >= 5 { 0x80 } else { 0 };
                let [high, low] = (160 * (passed + 1).min(5)).to_be_bytes();
                self.key = (passed < 7).then_some((code, passed + 1));
                (101, sequence.wrapping_sub(passed), vec![code, end | 10, high, low])
            }
            None => {
                let mut payload = vec![0; FRAME_SAMPLES];
                self.codec.encode(said, &mut payload);
                (payload_type(self.codec), sequence, payload)
            }
        };
        Written { payload_type, sequence, timestamp: u32::from(begins) * 160, payload }
    }
}

struct Written {
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    payload: Vec<u8>,
}

impl Written {
    fn write_into(&self, datagram: &mut [u8]) -> usize {
        let packet = Packet {
            marker: false,
            payload_type: PayloadType(self.payload_type),
            sequence: SeqNo(self.sequence),
            timestamp: RtpTime(self.timestamp),
            ssrc: Ssrc(1),
            payload: &self.payload,
        };
        packet.write_to(datagram).unwrap()
    }
}

/// A mind and what it wants that the call has not taken yet.
#[derive(Clone)]
struct Thoughts(Arc<Mutex<(InlineMind, VecDeque<MindCommand>)>>);

impl Thoughts {
    fn think(&self, now: Instant) {
        let (mind, wants) = &mut *self.0.lock().unwrap();
        while let Ok(Some(command)) = mind.receive(now) {
            wants.push_back(command);
        }
    }
}

impl MindLine for Thoughts {
    fn send(&mut self, now: Instant, event: VoiceEvent) -> Result<(), NotSent> {
        self.0.lock().unwrap().0.send(now, event)
    }

    fn receive(&mut self, now: Instant) -> Result<Option<MindCommand>, MindGone> {
        let (mind, wants) = &mut *self.0.lock().unwrap();
        match wants.pop_front() {
            Some(command) => Ok(Some(command)),
            None => mind.receive(now),
        }
    }
}

impl fmt::Debug for Thoughts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thoughts")
    }
}

/// The links of a call in the vendors' world, which other eyes look into, too.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) world: Arc<Mutex<InProcess>>,
    pub(crate) epoch: Instant,
}

impl LinkDriver for World {
    fn order(&mut self, now: Instant, order: LinkOrder) {
        self.world.lock().unwrap().order(now - self.epoch, order);
    }

    fn poll(&mut self, now: Instant) -> Option<(LinkId, LinkEvent)> {
        self.world.lock().unwrap().poll(now - self.epoch)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// Nobody records.
#[derive(Debug)]
struct Nowhere;

impl MediaTap for Nowhere {
    fn caller(&mut self, _block: u32, _samples: &[i16; FRAME_SAMPLES]) {}
    fn agent(&mut self, _block: u32, _samples: &[i16; FRAME_SAMPLES]) {}
}

fn policy(codec: Codec) -> CallPolicy {
    CallPolicy {
        codecs: vec![codec],
        jitter: Duration::from_millis(60),
        rtp_timeout: Duration::from_secs(30),
        hold_timeout: Duration::from_secs(600),
        max_duration: Duration::from_secs(3_600),
        ring_timeout: Duration::from_secs(180),
    }
}

const PEER: &str = "192.0.2.9:4000";

fn offer(codec: Codec) -> String {
    let payload_type = payload_type(codec);
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP {payload_type} 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    )
}

/// RFC 3551 section 6.
fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
    }
}
