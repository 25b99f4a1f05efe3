//! How often a mind is handed the caller's audio: as often as it wants while a turn of the caller's is open, seldom while nobody speaks. Each time
//! wakes a task, frames a message and encrypts it, and most of a call the caller is silent. What he says is late by none of it: when speech is
//! found, all that was said before it is handed over as if the mind had listened as often all the time.

use std::time::{Duration, Instant};

use crate::voice::exchange::VoiceEvent;

/// The pace of one call's audio.
#[derive(Debug, Default)]
pub struct ListenPace {
    /// The caller speaks, as voice has it.
    is_speaking: bool,
    /// What he said may go on to be a turn, or its words are still to come.
    is_turn_open: bool,
    listened_at: Option<Instant>,
    epoch: Option<Instant>,
}

impl ListenPace {
    /// One that keeps to a grid of 20 ms, which begins at `epoch`: minds of the same grid are woken together, and a thread that wakes once for all of
    /// them uses less than one that wakes for each.
    pub fn on_grid(epoch: Instant) -> Self {
        Self { epoch: Some(epoch), ..Self::default() }
    }

    /// Voice tells the mind of this.
    pub fn note(&mut self, event: &VoiceEvent) {
        match event {
            VoiceEvent::SpeechStarted => (self.is_speaking, self.is_turn_open) = (true, true),
            VoiceEvent::SpeechEnded { .. } => self.is_speaking = false,
            VoiceEvent::TurnLikely { .. } | VoiceEvent::TurnResumed { .. } => self.is_turn_open = true,
            VoiceEvent::TurnCommitted { .. } | VoiceEvent::SpeechDismissed { .. } => {
                self.is_turn_open = false
            }
            VoiceEvent::Answered
            | VoiceEvent::Media { .. }
            | VoiceEvent::Digit(_)
            | VoiceEvent::Interrupted { .. }
            | VoiceEvent::Played { .. }
            | VoiceEvent::Credit { .. }
            | VoiceEvent::Idle { .. }
            | VoiceEvent::IdleTooLong => {}
        }
    }

    /// When the mind is to listen, if it wants to do so `every` so often while the caller speaks; `None` before the first time, which is at once.
    pub fn due(&self, every: Duration) -> Option<Instant> {
        let listened_at = self.listened_at?;
        let pause = if self.is_speaking || self.is_turn_open { every } else { every.max(NOBODY_SPEAKS) };
        let due = listened_at + pause;
        let beyond = self.epoch.map_or(Duration::ZERO, |epoch| {
            let nanos = due.saturating_duration_since(epoch).as_nanos() % GRID.as_nanos();
            // Less than 20 ms.
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
        });
        Some((due - beyond).max(listened_at + pause / 2))
    }

    /// It listens now. What was late is not made up for: the ring has it all.
    pub fn listened(&mut self, now: Instant) {
        self.listened_at = Some(now);
    }
}

/// Eight frames: little enough for every vendor to take at once.
const NOBODY_SPEAKS: Duration = Duration::from_millis(160);
/// A frame.
const GRID: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(60);

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_mind_listens_seldom_until_the_caller_speaks_and_often_until_his_turn_is_over() {
        let start = Instant::now();
        let mut pace = ListenPace::default();
        assert_eq!(pace.due(EVERY), None, "at once");
        pace.listened(start);
        let due = |pace: &ListenPace| pace.due(EVERY).map(|due| due - start);
        assert_eq!(due(&pace), Some(millis(160)));
        pace.note(&VoiceEvent::SpeechStarted);
        assert_eq!(due(&pace), Some(EVERY), "what was said meanwhile is handed over soon");
        pace.note(&VoiceEvent::TurnCommitted { turn: 0, speech: millis(100) });
        assert_eq!(due(&pace), Some(EVERY), "he goes on to speak");
        pace.note(&VoiceEvent::SpeechEnded { duration: millis(300) });
        assert_eq!(due(&pace), Some(millis(160)));
        pace.note(&VoiceEvent::SpeechStarted);
        pace.note(&VoiceEvent::SpeechEnded { duration: millis(300) });
        assert_eq!(due(&pace), Some(EVERY), "his last words are to be known soon");
        for (event, is_open) in [
            (VoiceEvent::TurnLikely { turn: 1 }, true),
            (VoiceEvent::SpeechDismissed { turn: 1 }, false),
            (VoiceEvent::TurnResumed { turn: 1 }, true),
        ] {
            pace.note(&event);
            assert_eq!(due(&pace), Some(if is_open { EVERY } else { millis(160) }), "{event:?}");
        }
    }

    #[test]
    fn on_a_grid_minds_listen_together_and_none_later_than_it_wants() {
        let epoch = Instant::now();
        for began_ms in 0..100 {
            let mut pace = ListenPace::on_grid(epoch);
            pace.note(&VoiceEvent::SpeechStarted);
            let mut now = epoch + millis(began_ms);
            for round in 0..10 {
                pace.listened(now);
                let due = pace.due(EVERY).unwrap();
                assert!(due - now > EVERY - GRID && due - now <= EVERY);
                assert_eq!((due - epoch).as_nanos() % GRID.as_nanos(), 0);
                assert!(round == 0 || due - now == EVERY - millis(1), "as often as without a grid");
                // The alarm rings a little late.
                now = due + millis(1);
            }
        }
    }

    #[test]
    fn who_wants_to_listen_more_often_than_the_grid_is_let() {
        let epoch = Instant::now();
        let mut pace = ListenPace::on_grid(epoch);
        pace.note(&VoiceEvent::SpeechStarted);
        pace.listened(epoch + millis(5));
        assert_eq!(pace.due(millis(10)), Some(epoch + millis(10)), "never before it has listened");
    }
}
