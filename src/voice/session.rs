//! The agent's voice in one call: what it hears becomes turns and interruptions, what the mind sends becomes frames. Driven on the
//! call's shard: [`Voice::hear`] for each frame that came, then [`Voice::speak`] once per tick.

mod beginnings;
mod interruptions;
mod turns;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use caly_rtp::echo::EchoPath;
use caly_rtp::frame::{FRAME_SAMPLES, Frame};

use super::barge_in::BargeIn;
use super::conditioning::{CallerListener, Conditioning};
use super::exchange::{Codec, Digit, Interruption, MindCommand, UtteranceId, VoiceEvent, YieldsTo};
use super::hearing::{Edge, Hearing, Judged};
use super::hold::{Hold, Until};
use super::mixer::Mixer;
use super::outbox::Outbox;
use super::response::Response;
use super::settings::TurnTaking;
use super::turn::{Input, TurnMachine};
use super::utterances::Utterances;
use super::vad::SpeechDetector;
use crate::call::dialogue::{Dialogue, Noted};

/// What a voice is made from.
#[derive(Debug)]
pub struct VoiceConfig {
    /// Labels the caller's frames.
    pub detector: Box<dyn SpeechDetector>,
    /// How it shares the line with the caller.
    pub turn_taking: TurnTaking,
    /// Who else listens to the caller.
    pub listener: Option<Box<dyn CallerListener>>,
}

/// What a voice asks of its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceWish {
    /// Send these keys.
    SendDigits(Vec<Digit>),
    /// End the call. Asked for once.
    HangUp,
}

/// One call's voice.
#[derive(Debug)]
pub struct Voice {
    conditioning: Conditioning,
    hearing: Hearing,
    barge_in: BargeIn,
    hold: Hold,
    turn: TurnMachine,
    mixer: Mixer,
    outbox: Outbox,
    response: Response,
    /// Ticks without a frame of the caller.
    unheard_ticks: u32,
    utterances: Utterances,
    /// Samples that the mind has sent.
    sent: u64,
    /// Up to where it may send.
    granted: u64,
    hang_up: HangUp,
    key_strings: VecDeque<Vec<Digit>>,
    dropped_key_strings: u64,
    /// Samples of more utterances than may wait; the mixer counts those beyond the credit.
    refused_samples: u64,
}

/// Whether the mind wants the call to end.
#[derive(Clone, Copy, Debug)]
enum HangUp {
    /// It does not.
    Unasked,
    /// When the last word is heard, or then.
    By(Instant),
    /// The call was told.
    Said,
}

impl Voice {
    /// A voice of a call that is answered now. The mind is told so, and given its first credit.
    pub fn new(config: VoiceConfig, now: Instant) -> Self {
        let mut voice = Self {
            conditioning: Conditioning::new(config.turn_taking.audio, config.listener),
            hearing: Hearing::new(config.detector, &config.turn_taking.detection),
            barge_in: BargeIn::new(&config.turn_taking.detection),
            hold: Hold::default(),
            turn: TurnMachine::new(config.turn_taking.patience, now),
            mixer: Mixer::new(),
            outbox: Outbox::default(),
            response: Response::default(),
            unheard_ticks: 0,
            utterances: Utterances::default(),
            sent: 0,
            granted: 0,
            hang_up: HangUp::Unasked,
            key_strings: VecDeque::new(),
            dropped_key_strings: 0,
            refused_samples: 0,
        };
        voice.outbox.event(VoiceEvent::Answered);
        voice.grant();
        voice
    }

    /// A frame of the caller.
    pub fn hear(&mut self, now: Instant, frame: &Frame) {
        if !frame.samples.is_empty() {
            self.unheard_ticks = 0;
        }
        for judged in self.hearing.hear(frame, &mut self.conditioning) {
            if judged.is_in_run {
                self.response.heard(frame.arrival.unwrap_or(now));
            }
            self.react(now, judged);
        }
        if let Some(path) = self.conditioning.poll_echo() {
            self.outbox.note(echo_note(path));
        }
    }

    /// Offer and answer agreed on this codec.
    pub fn handle_media(&mut self, codec: Codec) {
        self.hearing.set_codec(codec);
        self.outbox.event(VoiceEvent::Media { codec });
    }

    /// The caller pressed a key.
    pub fn handle_digit(&mut self, now: Instant, digit: Digit) {
        self.advance(now, Input::Digit(digit));
        if self.utterances.yields_to().digits {
            self.interrupt(now, Interruption::Digit);
        }
        self.outbox.digit(digit);
    }

    /// What the mind wants.
    pub fn handle_command(&mut self, now: Instant, command: MindCommand) {
        match command {
            MindCommand::Speak { utterance, yields_to, mut samples } => {
                self.conditioning.level(utterance, &mut samples);
                self.take(utterance, yields_to, &samples);
            }
            MindCommand::Finish { utterance } => self.mixer.finish(utterance),
            MindCommand::Stop => {
                self.end_hold(now, Until::Stopped);
                self.fall_silent();
                self.advance(now, Input::Stopped);
            }
            MindCommand::Think => self.advance(now, Input::Think),
            MindCommand::Listen => self.advance(now, Input::Listen),
            MindCommand::SendDigits(digits) => {
                if self.key_strings.len() < MAX_KEY_STRINGS {
                    self.key_strings.push_back(digits);
                } else {
                    self.dropped_key_strings += 1;
                }
            }
            MindCommand::HangUp => {
                if let HangUp::Unasked = self.hang_up {
                    self.hang_up = HangUp::By(now + LAST_WORDS);
                }
            }
            MindCommand::ExpectWords(expects) => self.advance(now, Input::ExpectWords(expects)),
            MindCommand::Transcript(transcript) => self.hear_words(now, transcript),
            MindCommand::ProviderTurn { turn, opinion } => {
                self.advance(now, Input::Provider { turn, opinion })
            }
            // The mind is ahead of what is heard.
            MindCommand::Note(note @ Dialogue::Said { utterance, .. }) => {
                self.utterances.announce(UtteranceId(utterance), note, &mut self.outbox);
            }
            // More of what waits to begin stands behind its first words.
            MindCommand::Note(note @ Dialogue::SaidOn { utterance, .. })
                if self.utterances.is_announced(UtteranceId(utterance)) =>
            {
                self.utterances.announce(UtteranceId(utterance), note, &mut self.outbox);
            }
            MindCommand::Note(note) => self.outbox.note(note),
            MindCommand::NoteAt(at, what) => self.outbox.note(Noted { at: Some(at), what }),
        }
    }

    /// The next 20 ms to send.
    pub fn speak(&mut self, now: Instant, samples: &mut [i16; FRAME_SAMPLES]) {
        self.unheard_ticks = self.unheard_ticks.saturating_add(1);
        if self.unheard_ticks > GAP_TICKS {
            let judged = self.hearing.hear_nothing(&mut self.conditioning);
            self.react(now, judged);
        }
        while let Some(timer) = self.turn.poll_timer(now) {
            self.advance(now, Input::Timer(timer));
        }
        self.play(now, samples);
        self.conditioning.send(samples);
    }

    /// The machine stood still for so many ticks: what is said goes on where it was.
    pub fn handle_missed(&mut self, ticks: u32) {
        self.utterances.excuse(ticks);
        self.conditioning.skip(ticks);
    }

    /// The call is over. Enters in its log what is known only now: poll the notes once more.
    pub fn handle_end(&mut self) {
        self.utterances.end_all(&mut self.outbox);
        let refused = std::mem::take(&mut self.refused_samples) + self.mixer.refused_samples();
        let key_strings = std::mem::take(&mut self.dropped_key_strings);
        let stale = self.turn.take_stale();
        let elsewhere = [
            ("key_strings", key_strings),
            ("samples", refused),
            ("transcripts", stale.words),
            ("provider_turns", stale.opinions),
        ];
        self.outbox.note_dropped(elsewhere);
    }

    /// The next word to the mind.
    pub fn poll_event(&mut self) -> Option<VoiceEvent> {
        self.outbox.poll_event()
    }

    /// The next entry for the call's log.
    pub fn poll_note(&mut self) -> Option<Noted> {
        self.outbox.poll_note()
    }

    /// What the call is to do.
    pub fn poll_wish(&mut self, now: Instant) -> Option<VoiceWish> {
        if let Some(digits) = self.key_strings.pop_front() {
            return Some(VoiceWish::SendDigits(digits));
        }
        let HangUp::By(until) = self.hang_up else { return None };
        let is_silent = self.utterances.is_empty() && self.mixer.queued() == 0;
        if !is_silent && now < until {
            return None;
        }
        self.hang_up = HangUp::Said;
        Some(VoiceWish::HangUp)
    }
}

impl Voice {
    /// 20 ms of the caller were speech or were not.
    fn react(&mut self, now: Instant, judged: Judged) {
        match judged.edge {
            Some(Edge::Begin) => {
                self.outbox.event(VoiceEvent::SpeechStarted);
                self.outbox.note(Dialogue::SpeechStarted);
                self.advance(now, Input::SpeechStarted);
            }
            Some(Edge::End { speech, silence }) => {
                self.outbox.event(VoiceEvent::SpeechEnded { duration: speech });
                self.outbox.note(Dialogue::SpeechEnded { duration_ms: millis(speech) });
                self.advance(now, Input::SpeechEnded { speech, silence });
            }
            None => {}
        }
        self.weigh(now, judged);
    }

    fn take(&mut self, utterance: UtteranceId, yields_to: YieldsTo, samples: &[i16]) {
        self.sent = self.sent.saturating_add(samples.len() as u64);
        if !self.utterances.takes(utterance) {
            self.refused_samples = self.refused_samples.saturating_add(samples.len() as u64);
        } else if !samples.is_empty() && self.mixer.push(utterance, samples) > 0 {
            self.utterances.open(utterance, yields_to);
            if !self.utterances.yields_to().speech {
                self.forgive();
            }
        }
        self.grant();
    }

    /// Pulls a frame and tells what began and ended in it.
    fn play(&mut self, now: Instant, samples: &mut [i16; FRAME_SAMPLES]) {
        self.hold_or_begin(now);
        let pulled = self.mixer.pull(samples);
        if pulled.samples_filled > 0 && self.utterances.begin(&mut self.outbox) {
            self.hold.begun();
            self.advance(now, Input::PlaybackStarted);
        }
        if let Some(utterance) = self.utterances.first().filter(|_| pulled.samples_filled > 0) {
            self.response.speak(now, utterance, samples, &mut self.outbox);
        }
        if let Some(utterance) = self.utterances.count_slot(pulled.is_dry) {
            self.outbox.note(Dialogue::Unfinished { utterance: utterance.0 });
            self.mixer.finish(utterance);
        }
        if let Some(utterance) = pulled.finished {
            self.finished(now, utterance);
        }
        if pulled.samples_filled > 0 {
            self.grant();
        }
    }

    fn finished(&mut self, now: Instant, utterance: UtteranceId) {
        self.outbox.event(VoiceEvent::Played { utterance });
        self.utterances.tell(utterance, &mut self.outbox);
        self.outbox.note(Dialogue::Heard { utterance: utterance.0 });
        let was_speaking = !self.utterances.is_empty();
        self.utterances.end(utterance, &mut self.outbox);
        if was_speaking && self.utterances.is_empty() {
            self.forgive();
            self.advance(now, Input::PlaybackEnded);
        }
    }

    /// Lets the mind send as much as there is room for, in steps worth a message.
    fn grant(&mut self) {
        let limit = self.sent + self.mixer.room() as u64;
        if limit >= self.granted + CREDIT_STEP {
            self.granted = limit;
            self.outbox.credit(limit);
        }
    }
}

fn echo_note(path: EchoPath) -> Dialogue {
    // A loss below 0 would be a gain; as an integer it counts as none.
    let return_loss_db = path.return_loss_db.round() as u64;
    Dialogue::Echo { delay_ms: millis(path.delay), return_loss_db }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A peer that sends nothing for longer is silent; jitter is shorter.
const GAP_TICKS: u32 = 5;
/// 200 ms at 8 kHz, half of what the mixer holds: each message wakes the mind, who has as long to send more.
const CREDIT_STEP: u64 = 1_600;
const MICROS_PER_SAMPLE: u64 = 125;
/// Strings of keys that wait to be sent.
const MAX_KEY_STRINGS: usize = 8;
/// What the mind wants heard before it hangs up takes no longer; after that the call ends all the same.
const LAST_WORDS: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
