//! Who interrupts: the agent is turned down at the first sign of speech, and stopped when it lasts. Speech that does not last was
//! a cough or a door, and the agent goes on as loud as before.

/// What to do with what the agent is saying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing new.
    Nothing,
    /// Turn it down.
    Duck,
    /// Turn it up again: a false alarm.
    Restore,
    /// Stop it: the caller has the floor.
    Stop,
}

/// Decides frame by frame while the agent speaks.
#[derive(Debug, Default)]
pub struct BargeIn {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Quiet,
    /// Frames of speech in a row.
    Rising(u32),
    /// Turned down so many frames ago; so many of them, and of those before, were speech.
    Ducked { age: u32, speech: u32 },
}

impl BargeIn {
    /// One frame of 20 ms; `is_speech` means the caller's, above the room's level.
    pub fn push(&mut self, is_speech: bool) -> Verdict {
        match (self.state, is_speech) {
            (State::Quiet | State::Rising(_), false) => {
                self.state = State::Quiet;
                Verdict::Nothing
            }
            (State::Quiet, true) => {
                self.state = State::Rising(1);
                Verdict::Nothing
            }
            (State::Rising(frames), true) if frames + 1 < DUCK_FRAMES => {
                self.state = State::Rising(frames + 1);
                Verdict::Nothing
            }
            (State::Rising(frames), true) => {
                self.state = State::Ducked { age: 0, speech: frames + 1 };
                Verdict::Duck
            }
            (State::Ducked { age, speech }, _) => self.judge(age + 1, speech + u32::from(is_speech)),
        }
    }

    /// The agent has stopped, or begun anew.
    pub fn reset(&mut self) {
        self.state = State::Quiet;
    }

    fn judge(&mut self, age: u32, speech: u32) -> Verdict {
        if speech >= STOP_FRAMES {
            self.state = State::Quiet;
            return Verdict::Stop;
        }
        if age >= PATIENCE_FRAMES {
            self.state = State::Quiet;
            return Verdict::Restore;
        }
        self.state = State::Ducked { age, speech };
        Verdict::Nothing
    }
}

/// 2 of 2: one frame is a click.
const DUCK_FRAMES: u32 = 2;
/// 200 ms of speech.
const STOP_FRAMES: u32 = 10;
/// 300 ms after the agent was turned down, the speech has lasted or has not.
const PATIENCE_FRAMES: u32 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(frames: &str) -> Vec<(usize, Verdict)> {
        let mut barge_in = BargeIn::default();
        let judged = frames.chars().map(|frame| barge_in.push(frame == 's'));
        judged.enumerate().filter(|(_, verdict)| *verdict != Verdict::Nothing).collect()
    }

    #[test]
    fn speech_ducks_after_two_frames_and_stops_after_ten() {
        assert_eq!(verdicts("ssssssssssss"), [(1, Verdict::Duck), (9, Verdict::Stop), (11, Verdict::Duck)]);
        assert_eq!(verdicts("..ss.ssss..ssss"), [(3, Verdict::Duck), (14, Verdict::Stop)]);
    }

    #[test]
    fn a_click_does_nothing_and_a_cough_is_forgiven() {
        assert_eq!(verdicts("s.s.s.s.s.s.s."), []);
        let cough = format!("sss{}", ".".repeat(30));
        assert_eq!(verdicts(&cough), [(1, Verdict::Duck), (16, Verdict::Restore)]);
    }
}
