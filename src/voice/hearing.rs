//! The ears: frames of the caller become runs of speech. A frame is the caller's speech if the detector hears a voice in it and it
//! is louder than the room.

use std::time::Duration;

use arrayvec::ArrayVec;
use caly_rtp::codec::Codec;
use caly_rtp::frame::{FRAME, FRAME_SAMPLES, Frame, FrameKind, MAX_FRAME_SAMPLES, MediaTime};
use caly_rtp::tone::is_tone;

use super::conditioning::{Conditioned, Conditioning};
use super::detection::{Detection, frames_in};
use super::level::{self, Levels, RoomLevel};
use super::vad::SpeechDetector;

/// What is known of the caller's audio so far.
#[derive(Debug)]
pub(super) struct Hearing {
    detector: Box<dyn SpeechDetector>,
    above_room_db: f32,
    still_above_room_db: f32,
    /// Frames until the room is known.
    unknown_frames: u32,
    room: RoomLevel,
    /// The level up to which the last frame that came may have been echo.
    echo: f32,
    /// Levels of the run of speech that goes on.
    spoken: Levels,
    run: SpeechRun,
    /// Samples of a frame that is not whole: peers may send 10 or 30 ms at a time.
    rest: ArrayVec<i16, FRAME_SAMPLES>,
    /// The same as it was received.
    payload: ArrayVec<u8, FRAME_SAMPLES>,
    codec: Codec,
    /// Up to where the caller's audio was handed on.
    delivered: MediaTime,
}

/// 20 ms as they came.
struct Piece {
    media_time: MediaTime,
    payload: [u8; FRAME_SAMPLES],
    kind: FrameKind,
}

/// What 20 ms were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// The caller's speech.
    pub(super) is_speech: bool,
    /// Perhaps too soft to begin with, but speech if there was some just before.
    pub(super) goes_on: bool,
    /// Made up in the place of what was lost.
    pub(super) is_made_up: bool,
    /// Speech that was received, in a run of speech that goes on.
    pub(super) is_in_run: bool,
    /// Where a run of speech began or ended.
    pub(super) edge: Option<Edge>,
}

/// A run of speech so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// From its first frame to its last one of speech.
    pub(super) frames: u32,
    /// Frames after them.
    pub(super) silence: u32,
}

/// Where a run of speech begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// It began.
    Begin,
    /// It ended.
    End {
        /// How long it was.
        speech: Duration,
        /// How long ago its last frame was.
        silence: Duration,
    },
}

/// As many frames of 20 ms as one frame of the call may complete.
pub(super) type Heard = ArrayVec<Judged, { MAX_FRAME_SAMPLES.div_ceil(FRAME_SAMPLES) }>;

impl Hearing {
    /// Ears that have heard nothing.
    pub(super) fn new(detector: Box<dyn SpeechDetector>, detection: &Detection) -> Self {
        Self {
            detector,
            above_room_db: detection.above_room_db,
            still_above_room_db: detection.still_above_room_db,
            unknown_frames: frames_in(detection.learn_room) * u32::from(!detection.learn_room.is_zero()),
            room: RoomLevel::new(),
            echo: level::LOWEST,
            spoken: Levels::new(),
            run: SpeechRun::new(detection),
            rest: ArrayVec::new(),
            payload: ArrayVec::new(),
            codec: Codec::Pcmu,
            delivered: MediaTime(0),
        }
    }

    /// The run of speech that goes on, if one does.
    pub(super) fn run(&self) -> Option<Run> {
        let SpeechRun { is_speech, frames, against, .. } = self.run;
        is_speech.then(|| Run { frames: frames.saturating_sub(against), silence: against })
    }

    /// The codec of what comes from now on.
    pub(super) fn set_codec(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// A frame of the caller.
    pub(super) fn hear(&mut self, frame: &Frame, conditioning: &mut Conditioning) -> Heard {
        let mut heard = Heard::new();
        let mut samples = frame.samples.as_slice();
        // A byte for each sample; what has none is silence to who takes payloads.
        let silence = [self.codec.silence_byte(); MAX_FRAME_SAMPLES];
        let mut payload = frame.payload.as_slice();
        if payload.len() != samples.len() {
            payload = &silence[..samples.len()];
        }
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(self.rest.remaining_capacity()));
            let (bytes_now, bytes_later) = payload.split_at(now.len());
            (samples, payload) = (later, bytes_later);
            if let Some((mut whole, bytes)) = self.complete(now, bytes_now) {
                let end = frame.media_time.0 + (frame.samples.len() - samples.len()) as u64;
                let media_time = MediaTime(end.saturating_sub(FRAME_SAMPLES as u64));
                let piece = Piece { media_time, payload: bytes, kind: frame.kind };
                heard.push(self.take(piece, &mut whole, conditioning));
            }
        }
        heard
    }

    /// Adds to the frame that is not whole. Most packets are one, of which nothing is kept here.
    fn complete(
        &mut self,
        samples: &[i16],
        payload: &[u8],
    ) -> Option<([i16; FRAME_SAMPLES], [u8; FRAME_SAMPLES])> {
        if self.rest.is_empty()
            && let (Ok(whole), Ok(bytes)) = (samples.try_into(), payload.try_into())
        {
            return Some((whole, bytes));
        }
        // Both fit: no more comes than remains, and they are emptied whenever they are full.
        let _ = self.rest.try_extend_from_slice(samples);
        let _ = self.payload.try_extend_from_slice(payload);
        let whole = self.rest.as_slice().try_into().ok()?;
        let bytes = self.payload.as_slice().try_into().ok()?;
        self.rest.clear();
        self.payload.clear();
        Some((whole, bytes))
    }

    /// 20 ms in which nothing came.
    pub(super) fn hear_nothing(&mut self, conditioning: &mut Conditioning) -> Judged {
        self.deliver_silence(self.delivered, conditioning);
        self.note(false, false)
    }

    fn take(
        &mut self,
        piece: Piece,
        samples: &mut [i16; FRAME_SAMPLES],
        conditioning: &mut Conditioning,
    ) -> Judged {
        let Piece { media_time, payload, kind } = piece;
        match kind {
            FrameKind::Voice => {
                self.echo = conditioning.clean(media_time, samples);
                let judged = self.judge(samples, kind, self.echo);
                let is_speech = judged.is_speech;
                self.delivered = MediaTime(media_time.0 + FRAME_SAMPLES as u64);
                conditioning.deliver(Conditioned { media_time, samples: *samples, payload, is_speech });
                judged
            }
            // Made up from what came before, with its echo. A recognizer makes more of silence.
            FrameKind::Concealed => {
                self.deliver_silence(media_time, conditioning);
                self.judge(samples, kind, self.echo)
            }
            FrameKind::ComfortNoise => {
                self.deliver_silence(media_time, conditioning);
                self.judge(samples, kind, level::LOWEST)
            }
        }
    }

    /// Who listens gets a stream without gaps.
    fn deliver_silence(&mut self, media_time: MediaTime, conditioning: &mut Conditioning) {
        self.delivered = MediaTime(media_time.0 + FRAME_SAMPLES as u64);
        let payload = [self.codec.silence_byte(); FRAME_SAMPLES];
        conditioning.deliver(Conditioned {
            media_time,
            samples: [0; FRAME_SAMPLES],
            payload,
            is_speech: false,
        });
    }

    /// `echo` is the level up to which it may be the agent himself who is heard.
    fn judge(&mut self, samples: &[i16; FRAME_SAMPLES], kind: FrameKind, echo: f32) -> Judged {
        let is_real = match kind {
            FrameKind::Voice => true,
            // Made up from what was heard: it goes on as it was, but begins nothing.
            FrameKind::Concealed => self.run.is_speech,
            FrameKind::ComfortNoise => false,
        };
        let (is_speech, goes_on) =
            if is_real { self.label(samples, echo + ABOVE_ECHO_DB) } else { (false, false) };
        let judged = self.note(is_speech, goes_on);
        let is_made_up = kind == FrameKind::Concealed;
        Judged { is_made_up, is_in_run: judged.is_in_run && !is_made_up, ..judged }
    }

    /// Whether a frame is the caller's speech: a voice, and louder than the room and than the agent's echo. And whether it is, if
    /// there was some just before.
    fn label(&mut self, samples: &[i16; FRAME_SAMPLES], echo: f32) -> (bool, bool) {
        let level = level::dbfs(samples);
        let is_tone = level > SOFTEST_TONE && is_tone(samples);
        let has_voice = self.detector.is_speech(samples) && !is_tone;
        let is_unknown = self.unknown_frames > 0;
        if is_unknown {
            self.unknown_frames -= 1;
            // A caller who talks at once does not raise it above himself: his gaps keep it down.
            self.room.learn(level);
        }
        let room = self.room.dbfs();
        let is_speech = has_voice && level > (room + self.above_room_db).max(echo);
        let goes_on = has_voice && level > (room + self.still_above_room_db).max(echo);
        if self.run.is_speech {
            self.spoken.push(level);
            self.doubt();
        } else if !is_speech && !is_unknown && !is_tone && level > echo {
            // What may be echo says nothing of the room, and a caller who comes back from a ringing line is heard beside no tone.
            self.room.push(level);
        }
        (is_speech, goes_on)
    }

    /// What the caller says is not the room, however long it takes to say. But what goes on for three seconds without a pause may
    /// be a room that was loud from the beginning or has become so, to a detector that hears voices in it. Two things tell them
    /// apart: the room does not rise and fall as one talker does, and even its softest moments are above what the room was.
    /// Without the second, a caller little louder than his surroundings, whose gaps these fill, would be taken for them.
    fn doubt(&mut self) {
        if !self.spoken.is_full() || self.spoken.is_talk() {
            return;
        }
        if self.spoken.percentile(10).is_some_and(|softest| softest > self.room.dbfs()) {
            self.room.become_like(&self.spoken);
        }
    }

    fn note(&mut self, is_speech: bool, goes_on: bool) -> Judged {
        let edge = self.run.push(is_speech);
        if edge == Some(Edge::Begin) {
            self.spoken = Levels::new();
        }
        Judged { is_speech, goes_on, is_made_up: false, is_in_run: is_speech && self.run.is_speech, edge }
    }
}

/// The caller's speech, freed of the detector's flicker.
#[derive(Debug)]
struct SpeechRun {
    begin_frames: u32,
    end_frames: u32,
    is_speech: bool,
    /// Frames that say otherwise, in a row.
    against: u32,
    /// Frames of this run of speech.
    frames: u32,
}

impl SpeechRun {
    fn new(detection: &Detection) -> Self {
        Self {
            begin_frames: frames_in(detection.begin_after),
            end_frames: frames_in(detection.end_after),
            is_speech: false,
            against: 0,
            frames: 0,
        }
    }

    fn push(&mut self, is_speech: bool) -> Option<Edge> {
        if self.is_speech {
            self.frames = self.frames.saturating_add(1);
        }
        if is_speech == self.is_speech {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let wanted = if self.is_speech { self.end_frames } else { self.begin_frames };
        if self.against < wanted {
            return None;
        }
        let against = std::mem::take(&mut self.against);
        let spoken = self.frames.saturating_sub(against);
        self.is_speech = is_speech;
        self.frames = if is_speech { against } else { 0 };
        Some(if is_speech {
            Edge::Begin
        } else {
            Edge::End { speech: FRAME * spoken, silence: FRAME * against }
        })
    }
}

/// A tone that nobody hears keeps nobody from being heard.
const SOFTEST_TONE: f32 = -55.0;
/// As much as an echo may be louder than it was thought to be.
const ABOVE_ECHO_DB: f32 = 6.0;

#[cfg(test)]
mod tests;
