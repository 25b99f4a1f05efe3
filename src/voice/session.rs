//! The agent's voice in one call: what it hears becomes turns and interruptions, what the mind sends becomes frames. Driven on the
//! call's shard: [`Voice::hear`] for each frame that came, then [`Voice::speak`] once per tick.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use caly_rtp::frame::{FRAME, FRAME_SAMPLES, Frame, FrameKind};
use caly_rtp::playout::Cursor;

use super::barge_in::{BargeIn, Verdict};
use super::exchange::{Digit, Interruption, MindCommand, UtteranceId, VoiceEvent};
use super::level::{self, RoomLevel};
use super::mixer::Mixer;
use super::outbox::Outbox;
use super::turn::{Input, Output, Patience, TurnMachine};
use super::vad::SpeechDetector;
use crate::call::dialogue::Dialogue;

/// What a voice is made from.
#[derive(Debug)]
pub struct VoiceConfig {
    /// Labels the caller's frames.
    pub detector: Box<dyn SpeechDetector>,
    /// How patient it is.
    pub patience: Patience,
}

/// What a voice asks of its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceWish {
    /// Send these keys.
    SendDigits(Vec<Digit>),
    /// End the call.
    HangUp,
}

/// One call's voice.
#[derive(Debug)]
pub struct Voice {
    detector: Box<dyn SpeechDetector>,
    room: RoomLevel,
    barge_in: BargeIn,
    turn: TurnMachine,
    mixer: Mixer,
    outbox: Outbox,
    /// Samples of a frame that is not whole: peers may send 10 or 30 ms at a time.
    rest: ArrayVec<i16, FRAME_SAMPLES>,
    run: SpeechRun,
    /// Ticks without a frame of the caller.
    unheard_ticks: u32,
    /// Utterances that were begun and are not heard to their end.
    open: VecDeque<Open>,
    interruptible: Interruptible,
    /// Samples that the mind has sent.
    sent: u64,
    /// Up to where it may send.
    granted: u64,
    hang_up_by: Option<Instant>,
    digits: VecDeque<Vec<Digit>>,
}

/// What may interrupt the agent.
#[derive(Clone, Copy, Debug)]
struct Interruptible {
    by_speech: bool,
    by_digits: bool,
}

/// An utterance on its way.
#[derive(Clone, Copy, Debug)]
struct Open {
    utterance: UtteranceId,
    has_begun: bool,
    dry_slots: u64,
    /// Of these, slots right after the machine stood still.
    late_slots: u64,
}

/// The caller's speech, freed of the detector's flicker.
#[derive(Debug, Default)]
struct SpeechRun {
    is_speech: bool,
    /// Frames that say otherwise, in a row.
    against: u32,
    /// Frames of speech in this run.
    frames: u32,
}

impl Voice {
    /// A voice of a call that is answered now. The mind is told so, and given its first credit.
    pub fn new(config: VoiceConfig, now: Instant) -> Self {
        let mut voice = Self {
            detector: config.detector,
            room: RoomLevel::new(),
            barge_in: BargeIn::default(),
            turn: TurnMachine::new(config.patience, now),
            mixer: Mixer::new(),
            outbox: Outbox::default(),
            rest: ArrayVec::new(),
            run: SpeechRun::default(),
            unheard_ticks: 0,
            open: VecDeque::new(),
            interruptible: Interruptible { by_speech: true, by_digits: true },
            sent: 0,
            granted: 0,
            hang_up_by: None,
            digits: VecDeque::new(),
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
        let is_real = match frame.kind {
            FrameKind::Voice => true,
            // Made up from what was heard: it goes on as it was, but begins nothing.
            FrameKind::Concealed => self.run.is_speech,
            FrameKind::ComfortNoise => false,
        };
        for &sample in &frame.samples {
            // It is emptied whenever it is full.
            self.rest.push(sample);
            if let Ok(samples) = <[i16; FRAME_SAMPLES]>::try_from(self.rest.as_slice()) {
                self.rest.clear();
                let is_speech = is_real && self.label(&samples);
                self.judge(now, is_speech);
            }
        }
    }

    /// The caller pressed a key.
    pub fn handle_digit(&mut self, now: Instant, digit: Digit) {
        self.advance(now, Input::Digit);
        if self.interruptible.by_digits {
            self.interrupt(now, Interruption::Digit);
        }
        self.outbox.digit(digit);
    }

    /// What the mind wants.
    pub fn handle_command(&mut self, now: Instant, command: MindCommand) {
        match command {
            MindCommand::Speak { utterance, samples } => self.take(utterance, &samples),
            MindCommand::Finish { utterance } => self.mixer.finish(utterance),
            MindCommand::Stop => {
                self.mixer.flush();
                self.open.clear();
                self.barge_in.reset();
                self.advance(now, Input::Stopped);
                self.grant();
            }
            MindCommand::Think => self.advance(now, Input::Think),
            MindCommand::Listen => self.advance(now, Input::Listen),
            MindCommand::AllowInterruption { speech, digits } => {
                self.interruptible = Interruptible { by_speech: speech, by_digits: digits };
            }
            MindCommand::SendDigits(digits) => {
                if self.digits.len() < MAX_DIGIT_STRINGS {
                    self.digits.push_back(digits);
                }
            }
            MindCommand::HangUp => {
                self.hang_up_by.get_or_insert(now + LAST_WORDS);
            }
            MindCommand::Note(note) => self.outbox.note(note),
        }
    }

    /// The next 20 ms to send.
    pub fn speak(&mut self, now: Instant, samples: &mut [i16; FRAME_SAMPLES]) {
        self.unheard_ticks += 1;
        if self.unheard_ticks > GAP_TICKS {
            self.judge(now, false);
        }
        while let Some(timer) = self.turn.poll_timer(now) {
            self.advance(now, Input::Timer(timer));
        }
        self.play(now, samples);
    }

    /// The machine stood still for so many ticks: what is said goes on where it was.
    pub fn handle_missed(&mut self, _ticks: u32) {
        if let Some(open) = self.open.front_mut() {
            open.late_slots += 1;
        }
    }

    /// The next word to the mind.
    pub fn poll_event(&mut self) -> Option<VoiceEvent> {
        self.outbox.poll_event()
    }

    /// The next entry for the call's log.
    pub fn poll_note(&mut self) -> Option<Dialogue> {
        self.outbox.poll_note()
    }

    /// What the call is to do.
    pub fn poll_wish(&mut self, now: Instant) -> Option<VoiceWish> {
        if let Some(digits) = self.digits.pop_front() {
            return Some(VoiceWish::SendDigits(digits));
        }
        let is_silent = self.open.is_empty() && self.mixer.queued() == 0;
        let until = self.hang_up_by.filter(|&until| is_silent || now >= until)?;
        // Said once: whoever asks again after that has ended the call.
        self.hang_up_by = Some(until + LAST_WORDS);
        Some(VoiceWish::HangUp)
    }
}

impl Voice {
    /// Whether a frame is the caller's speech: a voice, and louder than the room.
    fn label(&mut self, samples: &[i16; FRAME_SAMPLES]) -> bool {
        let level = level::dbfs(samples);
        let has_voice = self.detector.is_speech(samples);
        let is_speech = has_voice && level > self.room.percentile_95() + ABOVE_ROOM_DB;
        // What the caller says is not the room. But nobody speaks without a pause: what does is a room that was loud from the
        // beginning, or has become so.
        let is_caller = is_speech || self.run.is_speech;
        if !is_caller || self.run.frames > LONGEST_BREATH {
            self.room.push(level);
        }
        is_speech
    }

    /// One frame of 20 ms was speech or was not.
    fn judge(&mut self, now: Instant, is_speech: bool) {
        match self.run.push(is_speech) {
            Some(Edge::Begin) => {
                self.outbox.event(VoiceEvent::SpeechStarted);
                self.outbox.note(Dialogue::SpeechStarted);
                self.advance(now, Input::SpeechStarted);
            }
            Some(Edge::End(duration)) => {
                self.outbox.event(VoiceEvent::SpeechEnded { duration });
                self.outbox.note(Dialogue::SpeechEnded { duration_ms: millis(duration) });
                self.advance(now, Input::SpeechEnded(duration));
            }
            None => {}
        }
        if self.open.is_empty() || !self.interruptible.by_speech {
            return;
        }
        match self.barge_in.push(is_speech) {
            Verdict::Nothing => {}
            Verdict::Duck => self.mixer.duck(),
            Verdict::Restore => self.mixer.restore(),
            Verdict::Stop => self.interrupt(now, Interruption::Speech),
        }
    }

    /// Stops what is being said, if anything is.
    fn interrupt(&mut self, now: Instant, by: Interruption) {
        if self.open.is_empty() {
            return;
        }
        self.open.clear();
        self.barge_in.reset();
        self.mixer.restore();
        if let Some(Cursor { utterance, samples_heard }) = self.mixer.flush() {
            let heard = Duration::from_micros(samples_heard.saturating_mul(MICROS_PER_SAMPLE));
            self.outbox.event(VoiceEvent::Interrupted { utterance, heard, by });
            let by = match by {
                Interruption::Speech => "speech",
                Interruption::Digit => "digit",
            };
            self.outbox.note(Dialogue::BargeIn {
                utterance: utterance.0,
                heard_ms: millis(heard),
                by: by.to_owned(),
            });
        }
        self.advance(
            now,
            match by {
                Interruption::Speech => Input::StoppedBySpeech,
                Interruption::Digit => Input::Stopped,
            },
        );
        self.grant();
    }

    fn take(&mut self, utterance: UtteranceId, samples: &[i16]) {
        self.sent = self.sent.saturating_add(samples.len() as u64);
        let taken = self.mixer.push(utterance, samples);
        let is_known = self.open.iter().any(|open| open.utterance == utterance);
        if taken > 0 && !is_known && self.open.len() < MAX_OPEN {
            self.open.push_back(Open { utterance, has_begun: false, dry_slots: 0, late_slots: 0 });
        }
        self.grant();
    }

    /// Pulls a frame and tells what began and ended in it.
    fn play(&mut self, now: Instant, samples: &mut [i16; FRAME_SAMPLES]) {
        let pulled = self.mixer.pull(samples);
        if let Some(open) = self.open.front_mut().filter(|open| pulled.samples_filled > 0 && !open.has_begun)
        {
            open.has_begun = true;
            self.advance(now, Input::PlaybackStarted);
        }
        if pulled.is_dry
            && let Some(open) = self.open.front_mut().filter(|open| open.has_begun)
        {
            open.dry_slots += 1;
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
        self.outbox.note(Dialogue::Heard { utterance: utterance.0 });
        while let Some(open) = self.open.pop_front() {
            open.note_dry_slots(&mut self.outbox);
            if open.utterance >= utterance {
                break;
            }
        }
        if self.open.is_empty() {
            self.barge_in.reset();
            self.mixer.restore();
            self.advance(now, Input::PlaybackEnded);
        }
    }

    fn advance(&mut self, now: Instant, input: Input) {
        match self.turn.handle(now, input) {
            None => {}
            Some(Output::Committed(speech)) => {
                self.outbox.event(VoiceEvent::TurnCommitted { speech });
                self.outbox.note(Dialogue::TurnCommitted { speech_ms: millis(speech) });
            }
            Some(Output::Idle(silence)) => {
                self.outbox.event(VoiceEvent::Idle { silence });
                self.outbox.note(Dialogue::Idle { silence_ms: millis(silence) });
            }
            Some(Output::IdleTooLong) => self.outbox.event(VoiceEvent::IdleTooLong),
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

impl Open {
    fn note_dry_slots(&self, outbox: &mut Outbox) {
        let late = self.late_slots.min(self.dry_slots);
        for (cause, count) in [("scheduler", late), ("mind", self.dry_slots - late)] {
            if count > 0 {
                outbox.note(Dialogue::DrySlots { cause: cause.to_owned(), count });
            }
        }
    }
}

/// Where a run of speech begins or ends.
enum Edge {
    Begin,
    End(Duration),
}

impl SpeechRun {
    fn push(&mut self, is_speech: bool) -> Option<Edge> {
        if self.is_speech {
            self.frames += 1;
        }
        if is_speech == self.is_speech {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let wanted = if self.is_speech { END_FRAMES } else { BEGIN_FRAMES };
        if self.against < wanted {
            return None;
        }
        let (spoken, against) = (self.frames - self.against.min(self.frames), self.against);
        *self = Self { is_speech, against: 0, frames: if is_speech { against } else { 0 } };
        Some(if is_speech { Edge::Begin } else { Edge::End(FRAME * spoken) })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How much louder than the room the caller is.
const ABOVE_ROOM_DB: f32 = 4.0;
/// 3 s of speech without a pause of 200 ms.
const LONGEST_BREATH: u32 = 150;
/// 40 ms of speech begin a run.
const BEGIN_FRAMES: u32 = 2;
/// 200 ms without speech end it: shorter ones are within words.
const END_FRAMES: u32 = 10;
/// A peer that sends nothing for longer is silent; jitter is shorter.
const GAP_TICKS: u32 = 5;
/// 100 ms at 8 kHz: a few messages a second while the agent speaks.
const CREDIT_STEP: u64 = 800;
const MICROS_PER_SAMPLE: u64 = 125;
/// As many utterances as the ring holds.
const MAX_OPEN: usize = 16;
/// Strings of keys that wait to be sent.
const MAX_DIGIT_STRINGS: usize = 8;
/// What the mind wants heard before it hangs up takes no longer; after that the call ends all the same.
const LAST_WORDS: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
