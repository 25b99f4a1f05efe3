//! When nobody is left who can listen, think or speak: the agent goes on by its script.

use std::sync::Arc;
use std::time::Instant;

use super::CascadeMind;
use crate::call::hop::{Hop, HopEvent};
use crate::mind::script::ScriptMind;
use crate::voice::exchange::MindCommand;

impl CascadeMind {
    /// Nobody is left for a hop: the agent says so and goes on by its script.
    pub(super) fn give_up(&mut self, now: Instant, hop: Hop) {
        if self.script.is_some() || self.is_ending {
            return;
        }
        self.abandon(now);
        self.close_sayings();
        self.note(HopEvent::GaveUp { hop });
        let line = self.config.lines.sorry.clone();
        self.say_line(now, &line);
        self.command(MindCommand::ExpectWords(false));
        self.close_hops(now);
        let (script, clips) = (Arc::clone(&self.config.fallback), Arc::clone(&self.clips));
        let outbox = std::mem::take(&mut self.outbox);
        self.script = Some(Box::new(ScriptMind::take_over(script, clips, outbox, now)));
    }

    /// What was asked before is answered yet: above all what tools have done.
    pub(super) fn nobody_listens(&mut self, now: Instant) {
        let is_answering = self.answer.as_ref().is_some_and(|answer| answer.is_committed);
        if !is_answering && self.sayings.is_empty() {
            return self.give_up(now, Hop::Asr);
        }
        self.is_deaf = true;
        self.command(MindCommand::ExpectWords(false));
    }

    pub(super) fn close_hops(&mut self, now: Instant) {
        self.ears.close(now);
        self.mouth.close(now);
        self.tell_used();
        self.drain(now);
    }
}
