//! How long a caller waits for an answer, on the wire: from the arrival of the last packet of his turn to the departure of the first of the
//! agent's speech behind it. Both are marks in the call's log with their own times; how long it took is their difference and no event of
//! its own, so that no two entries can disagree.

use std::time::Instant;

use caly_rtp::frame::FRAME_SAMPLES;
use caly_rtp::playout::UtteranceId;

use super::level;
use super::outbox::Outbox;
use crate::call::dialogue::{Dialogue, Noted};
use crate::call::hop::{HopEvent, Mark};

/// The present turn and the last one that is to be answered.
#[derive(Debug, Default)]
pub(super) struct Response {
    /// Arrival of the caller's last speech in the present turn.
    last_speech: Option<Instant>,
    /// The turn of which nothing of an answer is heard yet.
    awaited: Option<u32>,
}

impl Response {
    /// Speech of the caller, in a packet that arrived then.
    pub(super) fn heard(&mut self, arrival: Instant) {
        self.last_speech = Some(arrival);
    }

    /// The caller's turn is over and is to be answered. One that was not answered before is answered with this one, and has no end of
    /// its own. Turns without speech that was heard (a key, words of a whisper) have no beginning.
    pub(super) fn committed(&mut self, turn: u32, outbox: &mut Outbox) {
        if let Some(arrival) = self.last_speech.take() {
            outbox
                .note(Noted { at: Some(arrival), what: Dialogue::Hop(HopEvent::mark(turn, Mark::MediaIn)) });
        }
        self.awaited = Some(turn);
    }

    /// What the caller said was no turn.
    pub(super) fn dismissed(&mut self) {
        self.last_speech = None;
    }

    /// 20 ms of an utterance leave now. The silence that synthesizers begin with is not speech yet.
    pub(super) fn speak(
        &mut self,
        now: Instant,
        utterance: UtteranceId,
        samples: &[i16; FRAME_SAMPLES],
        outbox: &mut Outbox,
    ) {
        if self.awaited.is_none() || level::dbfs(samples) < AUDIBLE_DBFS {
            return;
        }
        if let Some(turn) = self.awaited.take() {
            let (mark, utterance) = (Mark::MediaOut, Some(utterance.0));
            let what = HopEvent::Mark { turn, mark, at_us: None, utterance, provider: None };
            outbox.note(Noted { at: Some(now), what: Dialogue::Hop(what) });
        }
    }
}

/// What is softer is not heard over a telephone line. Speech of the agent is brought to -20 dBFS.
pub(super) const AUDIBLE_DBFS: f32 = -50.0;
