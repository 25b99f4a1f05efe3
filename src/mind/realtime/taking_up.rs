//! An answer that breaks off while it is heard is taken up: the model, or the one in its place, is told how much of it was heard and is asked
//! for the rest. Once for each turn, and not over a caller who has begun to speak: what he says comes first.

use std::time::Instant;

use caly_provider::realtime::Speaker;

use super::{HopEvent, RealtimeMind};
use crate::voice::exchange::UtteranceId;

/// The rest of an answer that broke off.
#[derive(Debug, Default)]
pub(super) struct TakingUp {
    /// What was heard of it, as long as the rest is wanted.
    heard: Option<String>,
    /// The model is asked for the rest, and nothing of it is heard yet.
    is_asked: bool,
    /// That was tried for this turn.
    is_tried: bool,
}

impl TakingUp {
    /// Whether the caller waits for the rest.
    pub(super) fn is_owed(&self) -> bool {
        self.heard.is_some()
    }

    /// The rest is not wanted, or is heard.
    pub(super) fn settle(&mut self) {
        (self.heard, self.is_asked) = (None, false);
    }

    /// Another turn is answered.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::default();
    }
}

impl RealtimeMind {
    /// The answer broke off behind these words of this utterance; some were heard in utterances before it if it had stalled before.
    pub(super) fn broke_off(&mut self, now: Instant, before: &str, said: Option<(UtteranceId, String)>) {
        let last = said.as_ref().map_or("", |(_, last)| last);
        let heard =
            [before, last].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
        if let Some((utterance, text)) = said {
            self.note(HopEvent::HeardText { utterance: utterance.0, text });
        }
        if self.is_ending {
            return;
        }
        if self.taking_up.is_tried {
            // Half an answer once more: the caller is asked instead.
            self.taking_up.settle();
            let line = self.config.lines.trouble.clone();
            return self.say_line(now, &line);
        }
        self.taking_up = TakingUp { heard: Some(heard), is_asked: false, is_tried: true };
        self.take_up(now);
    }

    /// Asks for the rest, if one is wanted and the caller does not speak.
    pub(super) fn take_up(&mut self, now: Instant) {
        let Some(heard) = &self.taking_up.heard else { return };
        if self.turns.is_heard() || self.script.is_some() || self.is_ending {
            return;
        }
        let instructions = format!("{} {GO_ON}", told(heard));
        self.taking_up.is_asked = true;
        self.is_asked = true;
        self.owed = Some(now);
        self.quiet.begin(now, self.config.talk.filler_after);
        self.talker.say(now, &instructions);
    }

    /// The model was replaced before it had said the rest: the next one is asked for it. Whether there is any.
    pub(super) fn take_up_again(&mut self, now: Instant) -> bool {
        if self.taking_up.is_asked {
            self.take_up(now);
        }
        self.taking_up.is_asked
    }

    /// The caller does something before the rest is heard: it waits for what that comes to.
    pub(super) fn put_off(&mut self, now: Instant) {
        if std::mem::take(&mut self.taking_up.is_asked) && self.answer.is_none() {
            (self.is_asked, self.owed) = (false, None);
            self.talker.interrupt(now, None);
        }
    }

    /// The caller has said something else: whoever answers that is to know what he has not heard.
    pub(super) fn tell_what_broke(&mut self, now: Instant) {
        if let Some(heard) = self.taking_up.heard.take() {
            self.put_off(now);
            self.talker.note(now, Speaker::System, &told(&heard));
        }
    }
}

fn told(heard: &str) -> String {
    // As JSON, so that nothing in it ends it.
    let heard = serde_json::Value::from(heard);
    format!(
        "The connection broke while you spoke. Of your last answer the caller has heard only this: {heard}."
    )
}

/// Said where no rest is known: how much of it there was nobody can tell.
const GO_ON: &str =
    "Go on from there: say only what is missing, without repeating any of it and without an apology.";
