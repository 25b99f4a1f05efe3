//! One trial through the real call in virtual time: RTP packets in, the session with its jitter buffer, the agent's voice, and RTP
//! packets out. Only the mind at the end of the line is the trial's own.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use caly_rtp::codec::Codec;
use caly_rtp::frame::FRAME_SAMPLES;
use caly_rtp::packet::Packet;
use rtrb::RingBuffer;

use super::channel::{Arrival, EchoPath, Sender, arrivals};
use super::labels::{AgentPart, Kind, Label};
use super::meter::{Heard, Meter};
use super::mind::{Lines, Told, TrialMind};
use super::random::Random;
use super::recognizer::Recognizer;
use crate::agent::Agent;
use crate::call::exchange::{BoundMedia, CallInput, Offer};
use crate::call::{Call, CallConfig, CallPolicy, NoTap, Output};
use crate::mind::understanding::{Understanding, UnderstandingConfig};
use crate::seed::Seeds;
use crate::voice::TurnTaking;
use crate::voice::exchange::VoiceEvent;
use crate::voice::session::VoiceConfig;
use crate::voice::vad::WebRtc;

/// One call of a caller with an agent.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its name, by which its random numbers are drawn.
    pub name: String,
    /// What is known of it.
    pub label: Label,
    /// What the caller's telephone takes up, at 8 kHz.
    pub caller: Vec<i16>,
}

/// How the agents of all trials are set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How they share the line with their callers.
    pub turn_taking: TurnTaking,
    /// How they take the words of their callers.
    pub understanding: UnderstandingConfig,
    /// Whether there is a recognizer.
    pub has_words: bool,
    /// What they say.
    pub lines: Lines,
    /// The seed of everything random on the way.
    pub seed: u64,
    /// When all calls begin; only the distance to it is ever asked for.
    pub start: Instant,
}

/// What crossed the wire in a trial, and what the mind was told.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    /// The agent's samples as they were sent. Sample 0 leaves with the first tick.
    pub(super) wire: Vec<i16>,
    /// When the caller's first sample was taken, on the wire's clock, in milliseconds.
    pub(super) caller_at_ms: f32,
    /// What the mind was told, in milliseconds on the wire's clock.
    pub(super) told: Vec<(f32, VoiceEvent)>,
    /// What a recognizer would have heard as the caller's speech.
    pub(super) heard: Vec<Heard>,
}

/// Runs a trial.
pub(super) fn run(trial: &Trial, settings: &Settings) -> Recording {
    let mut random = Random::named(settings.seed, &trial.name);
    // Packets come at a phase of their own within the 20 ms between two ticks.
    let phase = PHASE_STEP * random.below(PHASES) as u32;
    let mut bench = Bench::new(trial, settings, phase, &mut random);
    let arrivals = arrivals(trial.caller.len() / FRAME_SAMPLES, phase, &trial.label, &mut random);
    let echo = trial.label.echo.map(|echo| EchoPath::new(echo, &mut random));
    let mut next = 0;
    while next < arrivals.len() && !bench.is_done(&trial.label) {
        bench.now += TICK;
        while let Some(arrival) = arrivals.get(next).filter(|arrival| bench.start + arrival.at <= bench.now) {
            bench.receive(trial, *arrival, echo.as_ref());
            next += 1;
        }
        bench.tick();
    }
    bench.recording
}

/// What an agent that is not disturbed sends for so long.
pub(super) fn reference(settings: &Settings, seconds: usize) -> Vec<i16> {
    let label = Label {
        condition: String::new(),
        kind: Kind::Nothing,
        agent: AgentPart::Talks,
        language: String::new(),
        speech: Vec::new(),
        word: Vec::new(),
        network: None,
        echo: None,
    };
    let trial = Trial { name: "reference".to_owned(), label, caller: vec![0; seconds * 8000] };
    run(&trial, settings).wire
}

struct Bench {
    call: Call,
    start: Instant,
    now: Instant,
    phase: Duration,
    sender: Sender,
    told: rtrb::Consumer<Told>,
    heard: rtrb::Consumer<Heard>,
    recording: Recording,
}

impl Bench {
    fn new(trial: &Trial, settings: &Settings, phase: Duration, random: &mut Random) -> Self {
        let start = settings.start;
        let (producer, told) = RingBuffer::new(MAX_TOLD);
        // Numbers of its own, so that the network is the same with and without it.
        let mut delays = Random::named(settings.seed, &format!("{} told", trial.name));
        let understanding = Understanding::of(&settings.understanding);
        let recognizer =
            settings.has_words.then(|| Recognizer::new(&trial.label, phase, understanding, &mut delays));
        let mind = TrialMind::new(trial.label.agent, settings.lines.clone(), recognizer, producer);
        let (meter, heard) = Meter::new();
        let voice = VoiceConfig {
            detector: Box::new(WebRtc::new()),
            turn_taking: settings.turn_taking,
            listener: Some(Box::new(meter)),
        };
        let local = SocketAddr::from((SERVER, 10_000));
        let config = CallConfig {
            at: start,
            destination: Box::new(Agent::new(Box::new(mind), voice)),
            media: Some(BoundMedia { local, advertised: local.ip() }),
            media_sources: Vec::new(),
            seeds: Seeds::new([random.next_u64(), random.next_u64()]),
        };
        let mut call = Call::new(config, policy());
        call.begin(start, Offer::Early(OFFER.into()));
        call.handle_input(start, CallInput::Accepted);
        call.handle_input(start, CallInput::Acknowledged { answer: None });
        // The first tick is the wire's time zero; the caller's first packet leaves 20 ms after its first sample.
        let caller_at_ms = phase.as_secs_f32() * 1000.0 - TICK.as_secs_f32() * 1000.0;
        let recording = Recording { wire: Vec::new(), caller_at_ms, told: Vec::new(), heard: Vec::new() };
        Self { call, start, now: start, phase, sender: Sender::new(), told, heard, recording }
    }

    fn receive(&mut self, trial: &Trial, arrival: Arrival, echo: Option<&EchoPath>) {
        let from = arrival.block * FRAME_SAMPLES;
        // Arrivals are made for whole blocks only.
        let mut samples = [0; FRAME_SAMPLES];
        samples.copy_from_slice(&trial.caller[from..from + FRAME_SAMPLES]);
        if let Some(echo) = echo {
            let wire_from = from as i64 + (self.recording.caller_at_ms * 8.0) as i64;
            for (n, sample) in (0..).zip(&mut samples) {
                let back = f32::from(*sample) + echo.at(&self.recording.wire, wire_from + n);
                *sample = back.clamp(-32_768.0, 32_767.0) as i16;
            }
        }
        let datagram = self.sender.packet(arrival.block, &samples);
        self.call.handle_rtp(self.start + arrival.at, PEER, datagram, &mut NoTap);
    }

    fn tick(&mut self) {
        let mut samples = [0; FRAME_SAMPLES];
        if let Some(sent) = self.call.tick(self.now, 0, &mut NoTap)
            && let Ok(packet) = Packet::parse(sent.datagram)
        {
            Codec::Pcmu.decode(packet.payload, &mut samples);
        }
        self.recording.wire.extend(samples);
        while let Some(output) = self.call.poll_output() {
            match output {
                Output::Answer(_) | Output::Event(..) | Output::Ended(..) => {}
            }
        }
        while let Ok((at, event)) = self.told.pop() {
            let at_ms = at.saturating_duration_since(self.start + TICK).as_secs_f32() * 1000.0;
            self.recording.told.push((at_ms, event));
        }
        while let Ok(heard) = self.heard.pop() {
            self.recording.heard.push(heard);
        }
    }

    /// Whether the caller's answer has got its own, and nothing more is to be seen.
    fn is_done(&self, label: &Label) -> bool {
        let Some(end_ms) = label.end_ms().filter(|_| label.kind.is_answer()) else { return false };
        let end = self.start + self.phase + Duration::from_millis(end_ms.into());
        let committed_ms =
            self.recording.told.iter().rev().find_map(|(at_ms, event)| {
                matches!(event, VoiceEvent::TurnCommitted { .. }).then_some(*at_ms)
            });
        let committed = committed_ms.map(|ms| self.start + TICK + Duration::from_secs_f32(ms / 1000.0));
        committed.is_some_and(|at| at > end && self.now > at + AFTERMATH)
    }
}

fn policy() -> CallPolicy {
    CallPolicy {
        codecs: vec![Codec::Pcmu],
        jitter: Duration::from_millis(60),
        rtp_timeout: Duration::ZERO,
        hold_timeout: Duration::ZERO,
        max_duration: Duration::from_secs(3600),
        ring_timeout: Duration::from_secs(60),
    }
}

const TICK: Duration = Duration::from_millis(20);
/// Packets are read in slots of 5 ms.
const PHASE_STEP: Duration = Duration::from_millis(5);
const PHASES: usize = 4;
/// After this the answer is on the wire.
const AFTERMATH: Duration = Duration::from_millis(300);
/// More than voice tells in one tick.
const MAX_TOLD: usize = 256;
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), 4000);
const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";
