//! A caller, a mind and a clock around one voice, tick by tick.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any_order;
mod conditioned;
mod credit;
mod ears;
mod endings;
mod held;
mod interruption;
mod never_lost;
mod protection;
mod response;
mod turned_down;
mod turns;
mod words_over_agent;

use caly_rtp::frame::FRAME;

use super::super::detection::Detection;
use super::super::level;
use super::super::settings::{AudioSettings, EchoCancellation};
use super::super::turn::Patience;
use super::*;

/// Loud is speech: what a detector hears is its own test's business.
#[derive(Debug)]
struct Loud;

impl SpeechDetector for Loud {
    fn is_speech(&mut self, frame: &[i16; FRAME_SAMPLES]) -> bool {
        level::dbfs(frame) > -30.0
    }

    fn reset(&mut self) {}
}

struct Bench {
    voice: Voice,
    start: Instant,
    ticks: u32,
    /// What the mind still has to say, and up to where it may.
    unsaid: VecDeque<(UtteranceId, Vec<i16>)>,
    sent: u64,
    limit: u64,
    /// What may stop what is sent from here on.
    yields_to: YieldsTo,
    events: Vec<(u32, VoiceEvent)>,
    notes: Vec<Dialogue>,
    /// Those with a time of their own.
    dated: Vec<(Instant, Dialogue)>,
    heard: Vec<i16>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Box::new(Loud))
    }

    fn with(detector: Box<dyn SpeechDetector>) -> Self {
        // The numbers of these tests, whatever agents are tuned to.
        let detection = Detection {
            learn_room: Duration::ZERO,
            pause_after: Duration::from_millis(160),
            longest_pause: Duration::from_millis(600),
            stop_unheard_after: Duration::from_millis(700),
            ..Detection::default()
        };
        Self::made(detector, detection)
    }

    fn made(detector: Box<dyn SpeechDetector>, detection: Detection) -> Self {
        // Samples are to come out as they went in, and a caller whose samples are all the same is not an agent's whose are too.
        let audio = AudioSettings {
            loudness: false,
            echo_cancellation: EchoCancellation::Off,
            ..AudioSettings::default()
        };
        let patience = Patience { longest_turn: Duration::from_secs(30), ..Default::default() };
        Self::of(VoiceConfig {
            detector,
            turn_taking: TurnTaking { detection, patience, audio },
            listener: None,
        })
    }

    fn of(config: VoiceConfig) -> Self {
        let start = Instant::now();
        let voice = Voice::new(config, start);
        Self {
            voice,
            start,
            ticks: 0,
            unsaid: VecDeque::new(),
            sent: 0,
            limit: 0,
            yields_to: YieldsTo::ANYTHING,
            events: Vec::new(),
            notes: Vec::new(),
            dated: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn now(&self) -> Instant {
        self.start + FRAME * self.ticks
    }

    /// The mind wants this said; it is a ramp, so that every sample says where it is from.
    fn say(&mut self, utterance: u64, samples: usize) {
        self.say_this(utterance, (0..samples).map(|n| 2000 + (n % 8000) as i16).collect());
    }

    fn say_this(&mut self, utterance: u64, samples: Vec<i16>) {
        self.unsaid.push_back((UtteranceId(utterance), samples));
        self.mind();
    }

    /// As minds do: sends what the credit allows.
    fn mind(&mut self) {
        while let Some(event) = self.voice.poll_event() {
            match event {
                VoiceEvent::Credit { samples } => self.limit = samples,
                VoiceEvent::Interrupted { .. } => self.unsaid.clear(),
                _ => {}
            }
            self.events.push((self.ticks, event));
        }
        while let Some((utterance, samples)) = self.unsaid.front_mut() {
            let utterance = *utterance;
            let count = samples.len().min(usize::try_from(self.limit - self.sent).unwrap());
            if count > 0 {
                let samples: Vec<i16> = samples.drain(..count).collect();
                self.send(utterance, &samples);
            }
            if !self.unsaid.front().unwrap().1.is_empty() {
                break;
            }
            self.unsaid.pop_front();
            self.voice.handle_command(self.now(), MindCommand::Finish { utterance });
        }
    }

    /// Samples at once, whatever the credit.
    fn send(&mut self, utterance: UtteranceId, samples: &[i16]) {
        self.sent += samples.len() as u64;
        let (yields_to, samples) = (self.yields_to, samples.to_vec());
        let command = MindCommand::Speak { utterance, yields_to, samples };
        self.voice.handle_command(self.now(), command);
    }

    fn command(&mut self, command: MindCommand) {
        self.voice.handle_command(self.now(), command);
    }

    fn press(&mut self, key: char) {
        self.voice.handle_digit(self.now(), Digit::from_char(key).unwrap());
    }

    fn tick(&mut self, caller: &[i16]) -> [i16; FRAME_SAMPLES] {
        self.ticks += 1;
        let now = self.now();
        let mut frame = Frame { arrival: Some(now - WAITED), ..Frame::default() };
        frame.samples.extend(caller.iter().copied());
        if !caller.is_empty() {
            self.voice.hear(now, &frame);
        }
        let mut samples = [0; FRAME_SAMPLES];
        self.voice.speak(now, &mut samples);
        self.heard.extend(samples);
        while let Some(noted) = self.voice.poll_note() {
            self.dated.extend(noted.at.map(|at| (at, noted.what.clone())));
            self.notes.push(noted.what);
        }
        self.mind();
        samples
    }

    fn run(&mut self, ticks: u32, caller: i16) {
        for _ in 0..ticks {
            self.tick(&sound(caller));
        }
    }

    fn noted(&self, wanted: impl Fn(&Dialogue) -> bool) -> Vec<&Dialogue> {
        self.notes.iter().filter(|note| wanted(note)).collect()
    }

    /// The loudest sample of the last frame.
    fn peak(&self) -> i16 {
        self.heard[self.heard.len() - FRAME_SAMPLES..]
            .iter()
            .map(|sample| sample.saturating_abs())
            .max()
            .unwrap()
    }

    fn ticks_of(&self, wanted: impl Fn(&VoiceEvent) -> bool) -> Vec<u32> {
        self.events.iter().filter(|(_, event)| wanted(event)).map(|(tick, _)| *tick).collect()
    }
}

/// From a packet's arrival to the tick that hears it.
const WAITED: Duration = Duration::from_millis(7);
const QUIET: i16 = 0;
const SPEECH: i16 = 8000;

/// 20 ms of a hiss: what is constant is no sound, and what repeats is a tone.
fn sound(amplitude: i16) -> [i16; FRAME_SAMPLES] {
    let is_up = |n: usize| (n as u32).wrapping_mul(0x9e37_79b1) >> 13 & 1 == 0;
    std::array::from_fn(|n| if is_up(n) { amplitude } else { -amplitude })
}
