//! What counts as the caller's speech, and how much of it stops the agent: the numbers that each agent may set.

use std::time::Duration;

use caly_rtp::frame::FRAME;

/// How speech is told from the room, and what it does to what the agent is saying. Audio is judged in frames of 20 ms: times are
/// rounded up to whole frames, and none is shorter than one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// How many dB above the room a frame has to be. More of it ignores more of the caller's surroundings, and more soft callers.
    pub above_room_db: f32,
    /// The same for what follows once the agent is turned down. No more than that.
    pub still_above_room_db: f32,
    /// So much of a call's beginning may be the room, whatever is heard: a call from a noisy place would begin with the noise
    /// interrupting the greeting.
    pub learn_room: Duration,
    /// Speech in a row that begins a run of speech.
    pub begin_after: Duration,
    /// A pause that ends a run; shorter ones are within words.
    pub end_after: Duration,
    /// Speech in a row that turns the agent down by 12 dB.
    pub duck_after: Duration,
    /// Speech that makes the agent pause. Never, if it is more than what stops it.
    pub pause_after: Duration,
    /// So long after the agent was turned down it goes on as loud as before, if it has not paused until then.
    pub forgive_after: Duration,
    /// It goes on after a pause of this length, if it was not stopped, as soon as the caller is silent.
    pub longest_pause: Duration,
    /// Speech that stops the agent for good where no words are expected. It is counted from its first frame to its last, with the
    /// gaps within it; a "hmm" is shorter.
    pub stop_after: Duration,
    /// The same where words are expected and none have come, or none behind a backchannel.
    pub stop_unheard_after: Duration,
    /// So many words stop the agent, if they say more than that it may go on.
    pub min_words: u16,
}

/// How easily a caller stops the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitivity {
    /// With some insistence: for noisy lines, and agents that should be heard.
    Low,
    /// As people do.
    Normal,
    /// By the first word, and by many a backchannel.
    High,
}

impl Detection {
    /// The numbers for an agent that is so easily stopped.
    pub fn with_sensitivity(sensitivity: Sensitivity) -> Self {
        let ms = Duration::from_millis;
        match sensitivity {
            Sensitivity::Low => Self {
                above_room_db: 7.0,
                still_above_room_db: 4.0,
                duck_after: ms(60),
                pause_after: ms(240),
                stop_after: ms(700),
                stop_unheard_after: ms(1100),
                min_words: 2,
                ..Self::default()
            },
            Sensitivity::Normal => Self::default(),
            Sensitivity::High => Self {
                above_room_db: 3.0,
                still_above_room_db: 2.0,
                pause_after: ms(80),
                stop_after: ms(300),
                stop_unheard_after: ms(600),
                ..Self::default()
            },
        }
    }
}

impl Default for Detection {
    fn default() -> Self {
        Self {
            // Measured in babble 10 dB below the caller: fewer than one false alarm in four minutes.
            above_room_db: 4.0,
            // Less than that keeps an interruption in noise from being missed between its loud syllables.
            still_above_room_db: 2.0,
            learn_room: Duration::from_millis(500),
            begin_after: Duration::from_millis(40),
            end_after: Duration::from_millis(200),
            // One frame alone is a click.
            duck_after: Duration::from_millis(40),
            pause_after: Duration::from_millis(160),
            forgive_after: Duration::from_millis(300),
            // Recognized words come 300 ms after they were said, 500 at times.
            longest_pause: Duration::from_millis(560),
            stop_after: Duration::from_millis(500),
            // The first of "haan haan" is known by then, nine times of ten.
            stop_unheard_after: Duration::from_millis(900),
            min_words: 1,
        }
    }
}

/// The frames that a time takes.
pub(super) fn frames_in(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(FRAME.as_millis())).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_to_frames() {
        let frames = [0, 1, 20, 21, 200].map(|ms| frames_in(Duration::from_millis(ms)));
        assert_eq!(frames, [1, 1, 1, 2, 10]);
        assert_eq!(frames_in(Duration::MAX), u32::MAX);
    }
}
