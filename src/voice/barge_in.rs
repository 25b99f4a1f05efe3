//! Who interrupts: the agent is turned down at the first sign of speech, pauses when it goes on, and is stopped when it is more than
//! a cough or a "hmm": by its words where a recognizer is at work, by its length where none is. Otherwise the agent goes on where
//! it was and as loud as before. What the agent is about to say while the caller speaks is held by the same rules before its first sound.

use super::detection::{Detection, frames_in};

/// What to do with what the agent is saying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nothing new.
    Nothing,
    /// Turn it down.
    Duck,
    /// Let it wait: this is probably no false alarm.
    Pause,
    /// Go on, as loud as before: a false alarm.
    Restore,
    /// Stop it: the caller has the floor.
    Stop,
}

/// Decides frame by frame, and when words come, while the agent speaks.
#[derive(Clone, Debug)]
pub struct BargeIn {
    limits: Limits,
    expects_words: bool,
    state: State,
}

/// The numbers of [`Detection`] in frames.
#[derive(Clone, Copy, Debug)]
struct Limits {
    duck: u32,
    pause: u32,
    forgive: u32,
    longest_pause: u32,
    end: u32,
    stop_without_words: u32,
    stop_with_words: u32,
    min_words: u16,
}

/// Ages are frames in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// The caller is silent.
    Quiet,
    /// Frames of speech in a row, not yet enough.
    Rising(u32),
    /// The agent is turned down.
    Ducked { age: u32, burst: Burst },
    /// It waits.
    Paused { age: u32, burst: Burst },
    /// It has not begun, as the caller speaks.
    Held(Burst),
    /// It goes on, but the words of what was heard may still come. What was told to be a backchannel may itself go on; speech
    /// after that raises a new alarm.
    Resumed { goes_on: Option<Burst>, rising: u32 },
}

/// Speech without a pause that would end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Burst {
    /// From its first frame to its last one of speech.
    frames: u32,
    /// Of these, speech.
    speech: u32,
    /// Frames after them.
    silence: u32,
}

impl BargeIn {
    /// One that has heard nothing, and expects no words.
    pub fn new(detection: &Detection) -> Self {
        let limits = Limits {
            duck: frames_in(detection.duck_after),
            pause: frames_in(detection.pause_after),
            forgive: frames_in(detection.forgive_after),
            longest_pause: frames_in(detection.longest_pause),
            end: frames_in(detection.end_after),
            stop_without_words: frames_in(detection.stop_after),
            stop_with_words: frames_in(detection.stop_unheard_after),
            min_words: detection.min_words.max(1),
        };
        Self { limits, expects_words: false, state: State::Quiet }
    }

    /// Whether words of what the caller says are to be waited for.
    pub fn expect_words(&mut self, expects_words: bool) {
        self.expects_words = expects_words;
    }

    /// One frame of 20 ms; `is_speech` means the caller's, above the room's level.
    pub fn push(&mut self, is_speech: bool) -> Verdict {
        match self.state {
            State::Quiet => self.rise(0, is_speech),
            State::Rising(frames) => self.rise(frames, is_speech),
            State::Ducked { age, burst } => self.ducked(age + 1, burst.and(is_speech, self.limits.end)),
            State::Paused { age, burst } => self.paused(age + 1, burst.and(is_speech, self.limits.end)),
            State::Held(burst) => self.held(burst.and(is_speech, self.limits.end)),
            State::Resumed { goes_on: None, rising } => self.rise_again(rising, is_speech),
            State::Resumed { goes_on: Some(burst), rising: _ } => {
                self.go_on(burst.and(is_speech, self.limits.end))
            }
        }
    }

    /// Something was heard already: less of it confirms what more of it began.
    pub fn is_alarmed(&self) -> bool {
        match self.state {
            State::Quiet | State::Rising(_) | State::Resumed { goes_on: None, .. } => false,
            State::Ducked { .. }
            | State::Paused { .. }
            | State::Held(_)
            | State::Resumed { goes_on: Some(_), .. } => true,
        }
    }

    /// The agent is about to speak, and waits: the caller does, for so many frames so far, with so many of silence behind them.
    pub fn hold(&mut self, frames: u32, silence: u32) -> Verdict {
        let burst = Burst { frames, speech: frames, silence };
        if frames >= self.stop_frames() {
            return self.stop();
        }
        self.held(burst)
    }

    /// Whether the agent waits to begin.
    pub fn is_held(&self) -> bool {
        matches!(self.state, State::Held(_))
    }

    /// It has waited for long enough: it begins, and what the caller does from here on counts anew.
    pub fn release(&mut self) {
        self.restore();
    }

    /// Whether so many words of the caller's stop the agent, and whether so long a speech does where no words are expected.
    pub fn is_turn(&self, words: Option<(u16, bool)>, frames: u32) -> bool {
        let stops = |(words, is_backchannel): (u16, bool)| !is_backchannel && words >= self.limits.min_words;
        words.is_some_and(stops) || !self.expects_words && frames >= self.limits.stop_without_words
    }

    /// The words of the caller's present turn are others than they were: how many there are, and whether they only tell the agent
    /// to go on.
    pub fn hear_words(&mut self, words: u16, is_backchannel: bool) -> Verdict {
        let stops = !is_backchannel && words >= self.limits.min_words;
        let resumes = is_backchannel && words > 0;
        match self.state {
            // Nothing was heard of it here: it is the end of something said before, or nobody who is near.
            State::Quiet | State::Rising(_) => Verdict::Nothing,
            State::Ducked { .. } | State::Paused { .. } | State::Held(_) | State::Resumed { .. } if stops => {
                self.stop()
            }
            State::Ducked { burst, .. } | State::Paused { burst, .. } | State::Held(burst) if resumes => {
                self.state = State::Resumed { goes_on: Some(burst.heard()), rising: 0 };
                Verdict::Restore
            }
            State::Resumed { goes_on: Some(burst), rising } if resumes => {
                self.state = State::Resumed { goes_on: Some(burst.heard()), rising };
                Verdict::Nothing
            }
            State::Ducked { .. } | State::Paused { .. } | State::Held(_) | State::Resumed { .. } => {
                Verdict::Nothing
            }
        }
    }

    /// What the caller has said is over and was nothing: no words of it will come any more.
    pub fn settle(&mut self) {
        if let State::Resumed { rising, .. } = self.state {
            self.state = if rising > 0 { State::Rising(rising) } else { State::Quiet };
        }
    }

    /// The agent has stopped, or begun anew.
    pub fn reset(&mut self) {
        self.state = State::Quiet;
    }
}

impl BargeIn {
    fn rise(&mut self, before: u32, is_speech: bool) -> Verdict {
        let frames = if is_speech { before + 1 } else { 0 };
        if frames >= self.limits.duck {
            return self.duck(frames);
        }
        self.state = if is_speech { State::Rising(frames) } else { State::Quiet };
        Verdict::Nothing
    }

    fn rise_again(&mut self, before: u32, is_speech: bool) -> Verdict {
        let rising = if is_speech { before + 1 } else { 0 };
        if rising >= self.limits.duck {
            return self.duck(rising);
        }
        self.state = State::Resumed { goes_on: None, rising };
        Verdict::Nothing
    }

    fn duck(&mut self, frames: u32) -> Verdict {
        let burst = Burst { frames, speech: frames, silence: 0 };
        if self.lasts(burst) {
            return self.stop();
        }
        self.state = State::Ducked { age: 0, burst };
        Verdict::Duck
    }

    fn ducked(&mut self, age: u32, burst: Burst) -> Verdict {
        if self.lasts(burst) {
            return self.stop();
        }
        if burst.speech >= self.limits.pause {
            self.state = State::Paused { age: 0, burst };
            return Verdict::Pause;
        }
        if age >= self.limits.forgive || burst.silence >= self.limits.end {
            return self.restore();
        }
        self.state = State::Ducked { age, burst };
        Verdict::Nothing
    }

    fn paused(&mut self, age: u32, burst: Burst) -> Verdict {
        if self.lasts(burst) {
            return self.stop();
        }
        // Words come later than the silence behind them.
        let is_over = burst.silence >= self.limits.end && !self.expects_words;
        let may_stop = burst.silence < GAP.min(self.limits.end) && burst.frames < self.stop_frames();
        // Who still speaks is not spoken over.
        if is_over || age >= self.limits.longest_pause && !may_stop {
            return self.restore();
        }
        self.state = State::Paused { age, burst };
        Verdict::Nothing
    }

    /// Nothing is heard of the agent yet, so that less has to be known to keep it waiting than to make it pause; but what is over, and was
    /// no more than would have turned it down, is nothing to wait for the words of.
    fn held(&mut self, burst: Burst) -> Verdict {
        if self.lasts(burst) {
            return self.stop();
        }
        let is_cough = burst.speech < self.limits.pause;
        let since_begin = burst.frames.saturating_add(burst.silence);
        let has_waited = since_begin >= self.limits.pause.saturating_add(self.limits.longest_pause);
        let is_over = burst.silence >= self.limits.end && (has_waited || !self.expects_words);
        if is_over || is_cough && burst.silence >= COUGH_END.min(self.limits.end) {
            return self.restore();
        }
        self.state = State::Held(burst);
        Verdict::Nothing
    }

    /// After a backchannel the caller speaks on: the agent is not turned down again before it is known that there is more to it.
    fn go_on(&mut self, burst: Burst) -> Verdict {
        if self.lasts(burst) {
            return self.stop();
        }
        // Speech here and there for as long is not one that goes on.
        let is_over = burst.silence >= self.limits.end || burst.frames >= self.stop_frames();
        self.state = State::Resumed { goes_on: (!is_over).then_some(burst), rising: 0 };
        Verdict::Nothing
    }

    /// Longer than what only tells the agent to go on. More than half of it has to be speech, and its last frame is.
    fn lasts(&self, burst: Burst) -> bool {
        burst.silence == 0 && burst.frames >= self.stop_frames() && burst.speech > burst.frames / 2
    }

    fn stop_frames(&self) -> u32 {
        if self.expects_words { self.limits.stop_with_words } else { self.limits.stop_without_words }
    }

    fn stop(&mut self) -> Verdict {
        self.state = State::Quiet;
        Verdict::Stop
    }

    fn restore(&mut self) -> Verdict {
        self.state =
            if self.expects_words { State::Resumed { goes_on: None, rising: 0 } } else { State::Quiet };
        Verdict::Restore
    }
}

impl Burst {
    /// What is known of it by its words does not count any more.
    fn heard(self) -> Self {
        Self { frames: 0, speech: 0, ..self }
    }

    /// With one more frame; behind so much silence it is another one that begins.
    fn and(self, is_speech: bool, end: u32) -> Self {
        if is_speech && self.silence >= end {
            Self { frames: 1, speech: 1, silence: 0 }
        } else if is_speech {
            let frames = self.frames.saturating_add(self.silence).saturating_add(1);
            Self { frames, speech: self.speech.saturating_add(1), silence: 0 }
        } else {
            Self { silence: self.silence.saturating_add(1), ..self }
        }
    }
}

/// 60 ms: silence within a word is seldom longer.
const GAP: u32 = 3;
/// 100 ms: so long after a cough nobody is spoken over. Between the first sounds of a sentence it is seldom longer, and if it is, the agent
/// that has begun is turned down as ever.
const COUGH_END: u32 = 5;

#[cfg(test)]
mod tests;
