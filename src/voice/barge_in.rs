//! Who interrupts: the agent is turned down at the first sign of speech, pauses when it goes on, and is stopped when it lasts.
//! Speech that does not last was a cough or a door, and the agent goes on where it was and as loud as before.

use super::detection::{Detection, frames_in};

/// What to do with what the agent is saying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Decides frame by frame while the agent speaks.
#[derive(Debug)]
pub struct BargeIn {
    duck_frames: u32,
    pause_frames: u32,
    stop_frames: u32,
    forgive_frames: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Quiet,
    /// Frames of speech in a row.
    Rising(u32),
    /// Turned down so many frames ago; so many of them, and of those before, were speech.
    Ducked {
        age: u32,
        speech: u32,
    },
    /// The same, and it waits.
    Paused {
        age: u32,
        speech: u32,
    },
}

impl BargeIn {
    /// One that has heard nothing.
    pub fn new(detection: &Detection) -> Self {
        Self {
            duck_frames: frames_in(detection.duck_after),
            pause_frames: frames_in(detection.pause_after),
            stop_frames: frames_in(detection.stop_after),
            forgive_frames: frames_in(detection.forgive_after),
            state: State::Quiet,
        }
    }

    /// One frame of 20 ms; `is_speech` means the caller's, above the room's level.
    pub fn push(&mut self, is_speech: bool) -> Verdict {
        match (self.state, is_speech) {
            (State::Quiet | State::Rising(_), false) => {
                self.state = State::Quiet;
                Verdict::Nothing
            }
            (State::Quiet, true) => self.rise(1),
            (State::Rising(frames), true) => self.rise(frames + 1),
            (State::Ducked { age, speech }, _) => {
                let (age, speech) = (age + 1, speech + u32::from(is_speech));
                if let Some(verdict) = self.end(age, speech) {
                    return verdict;
                }
                if speech >= self.pause_frames {
                    self.state = State::Paused { age, speech };
                    return Verdict::Pause;
                }
                self.state = State::Ducked { age, speech };
                Verdict::Nothing
            }
            (State::Paused { age, speech }, _) => {
                let (age, speech) = (age + 1, speech + u32::from(is_speech));
                self.end(age, speech).unwrap_or_else(|| {
                    self.state = State::Paused { age, speech };
                    Verdict::Nothing
                })
            }
        }
    }

    /// The agent has stopped, or begun anew.
    pub fn reset(&mut self) {
        self.state = State::Quiet;
    }

    fn rise(&mut self, frames: u32) -> Verdict {
        if let Some(verdict) = self.end(0, frames) {
            return verdict;
        }
        if frames < self.duck_frames {
            self.state = State::Rising(frames);
            return Verdict::Nothing;
        }
        self.state = State::Ducked { age: 0, speech: frames };
        Verdict::Duck
    }

    /// The speech has lasted, or it has not for so long that it was none.
    fn end(&mut self, age: u32, speech: u32) -> Option<Verdict> {
        let verdict = if speech >= self.stop_frames {
            Verdict::Stop
        } else if age >= self.forgive_frames {
            Verdict::Restore
        } else {
            return None;
        };
        self.state = State::Quiet;
        Some(verdict)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn verdicts(detection: &Detection, frames: &str) -> Vec<(usize, Verdict)> {
        let mut barge_in = BargeIn::new(detection);
        let judged = frames.chars().map(|frame| barge_in.push(frame == 's'));
        judged.enumerate().filter(|(_, verdict)| *verdict != Verdict::Nothing).collect()
    }

    #[test]
    fn speech_ducks_after_two_frames_pauses_after_eight_and_stops_after_ten() {
        let usual = Detection::default();
        let said = verdicts(&usual, "ssssssssssss");
        assert_eq!(said, [(1, Verdict::Duck), (7, Verdict::Pause), (9, Verdict::Stop), (11, Verdict::Duck)]);
        let said = verdicts(&usual, "..ss.ssss..ssss");
        assert_eq!(said, [(3, Verdict::Duck), (12, Verdict::Pause), (14, Verdict::Stop)]);
    }

    #[test]
    fn a_click_does_nothing_and_a_cough_is_forgiven() {
        let usual = Detection::default();
        assert_eq!(verdicts(&usual, "s.s.s.s.s.s.s."), []);
        let cough = format!("sss{}", ".".repeat(30));
        assert_eq!(verdicts(&usual, &cough), [(1, Verdict::Duck), (16, Verdict::Restore)]);
        let long_cough = format!("sssssssss{}", ".".repeat(30));
        let said = verdicts(&usual, &long_cough);
        assert_eq!(said, [(1, Verdict::Duck), (7, Verdict::Pause), (16, Verdict::Restore)]);
    }

    #[test]
    fn whoever_stops_before_it_ducks_or_pauses_does_neither() {
        let at_once = Detection { stop_after: Duration::ZERO, ..Detection::default() };
        assert_eq!(verdicts(&at_once, ".ss"), [(1, Verdict::Stop), (2, Verdict::Stop)]);
        let no_pause = Detection { pause_after: Duration::from_secs(9), ..Detection::default() };
        assert_eq!(verdicts(&no_pause, "ssssssssss"), [(1, Verdict::Duck), (9, Verdict::Stop)]);
    }
}
