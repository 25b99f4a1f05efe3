//! What the model says and the agent must not say. Its words come beside its sound, mostly before it: where they tell of something forbidden, the sound
//! that was not heard is stopped, and something else is said.

use std::time::{Duration, Instant};

use caly_provider::realtime::{ItemId, Speaker};

use super::RealtimeMind;
use super::saying::Kind;
use crate::call::hop::HopEvent;
use crate::mind::guardrail::{Rule, Verdict, WITHHELD};
use crate::voice::exchange::{MindCommand, UtteranceId};

impl RealtimeMind {
    /// Reads the next words of the model. Whether they break a rule: then the answer is over.
    pub(super) fn withholds(&mut self, now: Instant, item: ItemId, text: &str) -> bool {
        let Some(answer) = &mut self.answer else { return false };
        let guardrail = &self.config.guardrail;
        let is_next_item = answer.text_of.replace(item).is_some_and(|before| before != item);
        let before = if is_next_item { answer.watch.read(guardrail, " ") } else { Verdict::Pass };
        let verdict = if before == Verdict::Pass { answer.watch.read(guardrail, text) } else { before };
        self.obey(now, item, text, verdict)
    }

    /// No more words come for now: whether the last one breaks a rule, of which it was not known whether it is whole.
    pub(super) fn withholds_last_word(&mut self, now: Instant) -> bool {
        let Some(answer) = self.answer.as_ref().filter(|answer| answer.is_free) else { return false };
        let Some(item) = answer.text_of else { return false };
        let verdict = answer.watch.pause(&self.config.guardrail);
        self.obey(now, item, "", verdict)
    }

    fn obey(&mut self, now: Instant, item: ItemId, text: &str, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Pass => false,
            Verdict::Replace(rule) => {
                self.withhold(now, item, text, rule);
                true
            }
        }
    }

    fn withhold(&mut self, now: Instant, item: ItemId, text: &str, rule: Rule) {
        let Some(answer) = self.answer.take() else { return };
        let at = self.item(item);
        let (utterance, said) = (self.sayings[at].utterance, self.sayings[at].text.clone());
        // As much of the item was heard, if none of it waits now.
        let before = self.sayings[at].before;
        let Silenced { cut, playing } = self.silence(now);
        let heard = playing.filter(|(playing, _)| Some(*playing) == utterance);
        let heard = heard.map_or(Duration::ZERO, |(_, heard)| heard);
        let all = format!("{}{text}", said.heard(Duration::MAX));
        let unheard = all.strip_prefix(&said.heard(heard)).unwrap_or(&all).trim();
        self.note(HopEvent::GuardrailTripped {
            turn: answer.turn,
            list: rule.list,
            rule: rule.number as u64,
            text: unheard.to_owned(),
            heard_ms: u64::try_from(heard.as_millis()).unwrap_or(u64::MAX),
        });
        self.talker.interrupt(now, cut.or(Some((item, before))));
        self.talker.note(now, Speaker::System, WITHHELD);
        self.owed = None;
        self.taking_up.settle();
        self.withheld = self.withheld.saturating_add(1);
        if self.withheld >= WITHHELD_TO_GIVE_UP {
            return self.give_up(now);
        }
        let line = self.config.lines.withheld.clone();
        self.say_line(now, &line);
    }

    /// Nothing more is heard of the model.
    fn silence(&mut self, now: Instant) -> Silenced {
        let has_begun = self.sayings.iter().any(|saying| {
            let is_begun = saying.utterance.is_some_and(|one| self.outbox.has_begun(one));
            is_begun && matches!(saying.kind, Kind::Model(_))
        });
        let Some(playing) = self.outbox.playing().filter(|_| has_begun) else {
            self.unsay();
            return Silenced::default();
        };
        let cut = self.cut(now, playing.0, playing.1);
        self.command(MindCommand::Stop);
        Silenced { cut, playing: Some(playing) }
    }
}

/// What was heard when the model was silenced.
#[derive(Debug, Default)]
struct Silenced {
    /// How much of the first item of which not all was.
    cut: Option<(ItemId, Duration)>,
    /// How much of the utterance that sounded.
    playing: Option<(UtteranceId, Duration)>,
}

/// A model that says it again and again, also where it is to say a line of the agent, does not lead on.
const WITHHELD_TO_GIVE_UP: u8 = 3;
