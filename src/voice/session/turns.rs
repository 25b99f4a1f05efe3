//! Turns: what the machine decides is told to the mind and noted.

use std::time::Instant;

use super::{Voice, millis};
use crate::call::dialogue::Dialogue;
use crate::voice::exchange::VoiceEvent;
use crate::voice::turn::{Committed, Ending, Input, Output};

impl Voice {
    /// Moves the turn machine.
    pub(super) fn advance(&mut self, now: Instant, input: Input) {
        match self.turn.handle(now, input) {
            None => {}
            Some(Output::Likely { turn }) => self.outbox.event(VoiceEvent::TurnLikely { turn }),
            Some(Output::Resumed { turn }) => self.outbox.event(VoiceEvent::TurnResumed { turn }),
            Some(Output::Committed(committed)) => {
                self.drop_held(now);
                self.committed(committed);
            }
            Some(Output::Dismissed { turn }) => {
                self.outbox.event(VoiceEvent::SpeechDismissed { turn });
                self.outbox.note(Dialogue::SpeechDismissed);
                self.barge_in.settle();
                self.response.dismissed();
            }
            Some(Output::Idle(silence)) => {
                self.outbox.event(VoiceEvent::Idle { silence });
                self.outbox.note(Dialogue::Idle { silence_ms: millis(silence) });
            }
            Some(Output::IdleTooLong) => self.outbox.event(VoiceEvent::IdleTooLong),
        }
    }

    fn committed(&mut self, committed: Committed) {
        let Committed { turn, speech, silence, ending } = committed;
        self.outbox.event(VoiceEvent::TurnCommitted { turn, speech });
        self.response.committed(turn, &mut self.outbox);
        let why = match ending {
            Ending::Silence => "silence",
            Ending::Words => "words",
            Ending::Provider => "provider",
            Ending::Stalled => "stalled",
            Ending::Longest => "longest",
            Ending::Key => "key",
        };
        self.outbox.note(Dialogue::TurnCommitted {
            speech_ms: millis(speech),
            why: why.to_owned(),
            silence_ms: millis(silence),
            turn: Some(turn),
        });
    }
}
