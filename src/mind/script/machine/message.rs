//! The caller's message: a beep, then a part of the call's recording.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use super::super::format::Kind;
use super::{Phase, ScriptMind, millis};
use crate::call::dialogue::Dialogue;
use crate::mind::speech::Part;

impl ScriptMind {
    /// Asks for the message, with the tone behind which it begins.
    pub(super) fn invite_message(&mut self, prompts: &[usize]) {
        let mut parts = self.compose(prompts);
        parts.push(Part::clip("", Arc::clone(&BEEP)));
        self.utter(parts);
    }

    pub(super) fn heard_speech(&mut self, now: Instant, goes_on: bool) {
        let script = Arc::clone(&self.script);
        let Some(Kind::Record { silence, .. }) = script.states.get(self.at).map(|state| &state.kind) else {
            return;
        };
        if let Phase::Recording { quiet_at, has_spoken, .. } = &mut self.phase {
            *has_spoken = true;
            *quiet_at = (!goes_on).then(|| now + *silence);
        }
    }

    pub(super) fn end_recording(&mut self, now: Instant) {
        let script = Arc::clone(&self.script);
        let Some(state) = script.states.get(self.at) else { return };
        let (Phase::Recording { from, has_spoken, .. }, Kind::Record { next, .. }) =
            (self.phase, &state.kind)
        else {
            return;
        };
        if !has_spoken {
            return self.failed(now, state.no_input);
        }
        let at = |time: Instant| millis(time.saturating_duration_since(self.began.unwrap_or(now)));
        self.note(Dialogue::Message { from_ms: at(from), to_ms: at(now) });
        self.move_on(now, *next);
    }
}

/// 1000 Hz for 300 ms at -9 dBFS; one period is 8 samples, so that it begins and ends at zero.
static BEEP: LazyLock<Arc<[i16]>> = LazyLock::new(|| {
    const PERIOD: [i16; 8] = [0, 8_222, 11_628, 8_222, 0, -8_222, -11_628, -8_222];
    PERIOD.repeat(300).into()
});
