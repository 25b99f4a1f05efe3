//! What is being said: lines that are audio already, and what the model says. What of them was heard the model is told.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use caly_provider::realtime::{ItemId, Speaker};

use super::RealtimeMind;
use crate::call::hop::{Hop, HopEvent, Mark};
use crate::mind::conversation::{Line, SpokenText};
use crate::mind::end_of_turn;
use crate::mind::speech::{Part, Sound, Utterance};
use crate::voice::exchange::{Interruption, MindCommand, UtteranceId, YieldsTo};

/// An utterance that was not heard to its end.
#[derive(Debug)]
pub(super) struct Saying {
    /// `None` until there is sound of it.
    pub(super) utterance: Option<UtteranceId>,
    pub(super) kind: Kind,
    pub(super) text: SpokenText,
    /// What of the item's sound is in utterances before it.
    pub(super) before: Duration,
    /// Text that no sound has carried to voice yet.
    untold: String,
    /// The log has its first words, or knows that its sound came before them.
    is_told: bool,
    /// No more of it comes.
    is_whole: bool,
}

/// Whose words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The model's: it knows them.
    Model(ItemId),
    /// A line of the agent, of which the model is to know.
    Line(String),
    /// A filler, or the last words.
    Aside,
}

impl RealtimeMind {
    /// Says a line of its own. It belongs to the conversation.
    pub(super) fn say_line(&mut self, now: Instant, line: &Line) {
        self.quiet.end();
        if let Some((utterance, text)) = self.say_clip(line, YieldsTo::ANYTHING) {
            self.add_saying(utterance, Kind::Line(text.clone()), &text);
        } else if let Some((_, text)) = line.text(self.language) {
            // Without its audio the model has to do.
            let text = format!("Say exactly this, and nothing else: {text}");
            self.is_asked = true;
            self.talker.say(now, &text);
        }
    }

    /// Says the last words, whatever the caller does, and ends the call.
    pub(super) fn say_last(&mut self, line: &Line) {
        self.is_ending = true;
        if let Some((utterance, text)) = self.say_clip(line, YieldsTo::NOTHING) {
            self.add_saying(utterance, Kind::Aside, &text);
        }
    }

    pub(super) fn say_clip(&mut self, line: &Line, yields_to: YieldsTo) -> Option<(UtteranceId, String)> {
        let (language, text) = line.text(self.language)?;
        let clip = self.clips.clip(language, text)?;
        let parts = vec![Part::clip(text, clip)];
        let utterance = self.outbox.say(Utterance { language, yields_to, parts })?;
        Some((utterance, text.to_owned()))
    }

    pub(super) fn add_saying(&mut self, utterance: UtteranceId, kind: Kind, text: &str) {
        let mut spoken = SpokenText::default();
        spoken.chunk(text);
        let (utterance, untold) = (Some(utterance), String::new());
        self.sayings.push_back(Saying {
            utterance,
            kind,
            text: spoken,
            before: Duration::ZERO,
            untold,
            is_told: true,
            is_whole: true,
        });
    }

    /// The place of what the model says in an item.
    pub(super) fn item(&mut self, item: ItemId) -> usize {
        let is_it = |saying: &Saying| saying.kind == Kind::Model(item) && !saying.is_whole;
        self.sayings.iter().position(is_it).unwrap_or_else(|| {
            let before =
                self.said_of.filter(|(said, _)| *said == item).map_or(Duration::ZERO, |(_, said)| said);
            let (text, untold) = (SpokenText::default(), String::new());
            let kind = Kind::Model(item);
            let (is_told, is_whole) = (false, false);
            self.sayings.push_back(Saying { utterance: None, kind, text, before, untold, is_told, is_whole });
            self.sayings.len() - 1
        })
    }

    /// The next words of the model.
    pub(super) fn agent_text(&mut self, now: Instant, item: ItemId, text: &str) {
        let Some(answer) = &self.answer else { return };
        let turn = answer.turn;
        self.mark_turn(now, turn, Mark::LlmToken);
        if self.withholds(now, item, text) {
            return;
        }
        let at = self.item(item);
        self.sayings[at].text.more(text);
        self.sayings[at].untold.push_str(text);
    }

    /// Sound of the model.
    pub(super) fn sound(&mut self, now: Instant, item: ItemId, bytes: Vec<u8>) {
        if self.answer.is_none() {
            return;
        }
        let at = self.item(item);
        let utterance = match self.sayings[at].utterance {
            Some(utterance) => utterance,
            None => {
                let Some(utterance) = self.first_sound(now, at) else { return };
                utterance
            }
        };
        let length = self.call.duration(bytes.len() as u64);
        let saying = &mut self.sayings[at];
        saying.text.sound(length);
        let text = saying.tell();
        let before = saying.before;
        let sound = Sound::Coded(self.call.encoding, bytes.into());
        self.outbox.append(utterance, Part { text, sound });
        self.quiet.hears(now, length, self.outbox.waiting_time());
        let said = self.said_of.filter(|(said, _)| *said == item).map_or(Duration::ZERO, |(_, said)| said);
        self.said_of = Some((item, said + length));
        if said + length >= before + LONG_UTTERANCE {
            // One is no longer than a minute: the rest is another one.
            self.close_sayings();
        }
    }

    /// The caller waits no longer.
    fn first_sound(&mut self, now: Instant, at: usize) -> Option<UtteranceId> {
        if let Some(filler) = self.quiet.filler() {
            // The rest of the filler is not needed.
            self.outbox.shorten(filler);
        }
        self.quiet.end();
        let language = end_of_turn::language_of(&self.sayings[at].untold).unwrap_or(self.language);
        let utterance = self.outbox.open(language, YieldsTo::ANYTHING)?;
        self.sayings[at].utterance = Some(utterance);
        self.is_cut_by_model = false;
        let answer = self.answer.as_mut()?;
        (answer.has_sound, answer.goes_on, answer.has_stalled) = (true, false, false);
        self.taking_up.settle();
        let turn = answer.turn;
        self.mark(now, turn, Mark::TtsFrame, Some(utterance));
        if let Some(owed) = self.owed.take() {
            let (took, budget) = (now.saturating_duration_since(owed), self.config.talk.budget);
            if took > budget {
                let [budget_ms, took_ms] =
                    [budget, took].map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
                self.note(HopEvent::OverBudget { turn, hop: Hop::Realtime, budget_ms, took_ms });
            }
        }
        Some(utterance)
    }

    /// The model's words whose sound has come, of the utterance that is not whole.
    pub(super) fn said_so_far(&self) -> Option<(UtteranceId, String)> {
        let is_models = |saying: &&Saying| matches!(saying.kind, Kind::Model(_)) && !saying.is_whole;
        let saying = self.sayings.iter().rev().filter(is_models).find(|saying| saying.utterance.is_some())?;
        Some((saying.utterance?, saying.text.so_far()))
    }

    /// No more sound comes of anything: what there is of it is said to its end.
    pub(super) fn close_sayings(&mut self) {
        for saying in self.sayings.iter_mut().filter(|saying| !saying.is_whole) {
            saying.is_whole = true;
            saying.text.chunk_ends();
            let text = saying.tell();
            let Some(utterance) = saying.utterance else { continue };
            if !text.is_empty() {
                self.outbox.append(utterance, Part { text, sound: Sound::Silence(0) });
            }
            self.outbox.close(utterance);
        }
        // What has no sound is not said.
        self.sayings.retain(|saying| saying.utterance.is_some());
    }

    /// What of the model's words was not sent is not said.
    pub(super) fn unsay(&mut self) {
        for saying in self.sayings.iter_mut().filter(|saying| !saying.is_whole) {
            saying.is_whole = true;
            saying.utterance.into_iter().for_each(|utterance| self.outbox.shorten(utterance));
        }
        self.sayings.retain(|saying| saying.utterance.is_some());
    }

    /// The caller has taken the floor: what was not heard was not said.
    pub(super) fn interrupted(
        &mut self,
        now: Instant,
        utterance: UtteranceId,
        heard: Duration,
        by: Interruption,
    ) {
        let first = self.cut(now, utterance, heard);
        self.put_off(now);
        if first.is_some() {
            self.taking_up.settle();
        }
        // The rest of an answer that is cut is not wanted either; what tools are at is done.
        let is_in_the_making =
            self.answer.as_ref().is_some_and(|answer| answer.is_free && !answer.uses_tools);
        let is_speech = by == Interruption::Speech;
        if first.is_some() || is_in_the_making && is_speech {
            self.is_cut_unheard = is_speech && first.is_none_or(|(_, heard)| heard.is_zero());
            self.answer = None;
            self.talker.interrupt(now, first);
        }
        if self.is_ending && !self.has_hung_up {
            // Perhaps he has not said all.
            (self.is_ending, self.is_farewell_cut) = (false, true);
        }
        self.quiet.filler_is_over();
        self.quiet.end();
        if is_speech {
            // What waits for it may be a filler: if he has said nothing, he waits on.
            self.is_cut_unheard |= self.owed.take().is_some();
        } else {
            // Who presses a key while tools are at work still waits for them.
            self.wait_on(now);
        }
    }

    /// What was not heard of this utterance and of those behind it was not said. How much was heard of the model's first item among them.
    pub(super) fn cut(
        &mut self,
        now: Instant,
        utterance: UtteranceId,
        heard: Duration,
    ) -> Option<(ItemId, Duration)> {
        let is_before = |one: &Saying| one.utterance.is_some_and(|before| before < utterance);
        let (before, cut): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.sayings).into_iter().partition(is_before);
        self.sayings = before;
        let mut first = None;
        for saying in cut {
            let is_it = saying.utterance == Some(utterance);
            let (heard, text) = if is_it { (heard, saying.text.heard(heard)) } else { Default::default() };
            if let Some(utterance) = saying.utterance.filter(|_| !text.is_empty()) {
                self.note(HopEvent::HeardText { utterance: utterance.0, text: text.clone() });
            }
            match saying.kind {
                Kind::Model(item) => drop(first.get_or_insert((item, saying.before + heard))),
                Kind::Line(_) if text.is_empty() => {}
                Kind::Line(_) => self.talker.note(now, Speaker::Assistant, &text),
                Kind::Aside => {}
            }
        }
        self.outbox.flush();
        first
    }

    /// An utterance was heard to its end.
    pub(super) fn played(&mut self, now: Instant, utterance: UtteranceId) {
        let is_over = |saying: &Saying| saying.utterance.is_some_and(|one| one <= utterance);
        let (over, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.sayings).into_iter().partition(is_over);
        self.sayings = left;
        for saying in over {
            if let Kind::Line(text) = saying.kind {
                self.talker.note(now, Speaker::Assistant, &text);
            }
        }
        if self.quiet.filler().is_some_and(|filler| filler <= utterance) {
            self.quiet.filler_is_over();
        }
        if self.taking_up.is_owed() {
            // In the midst of a sentence silence is longer.
            self.quiet.begin(now, self.config.talk.filler_after);
        }
        self.wait_on(now);
        if self.is_at_rest() {
            self.command(MindCommand::Listen);
            // A quiet moment, unless the caller begins his answer over the last word.
            if !self.turns.is_heard() {
                self.talker.improve(now);
            }
        }
    }

    /// An answer is over of which all that came was heard before.
    pub(super) fn listen_if_at_rest(&mut self) {
        if self.is_at_rest() {
            self.command(MindCommand::Listen);
        }
    }
}

impl Saying {
    /// What was heard of it is an utterance; what is still to come of its item is another one, and something else may come between. The words that
    /// were heard, and the rest; `None` if no more is to come.
    pub(super) fn goes_on_later(&mut self) -> Option<(String, Self)> {
        if self.is_whole || !matches!(self.kind, Kind::Model(_)) {
            return None;
        }
        let heard = self.text.so_far();
        let all = self.text.heard(Duration::MAX);
        let mut text = SpokenText::default();
        text.more(all.strip_prefix(&heard).unwrap_or_default().trim_start());
        self.is_whole = true;
        let (utterance, kind, untold) = (None, self.kind.clone(), std::mem::take(&mut self.untold));
        let (before, is_told, is_whole) = (self.before + self.text.sound_so_far(), false, false);
        Some((heard, Self { utterance, kind, text, before, untold, is_told, is_whole }))
    }

    /// Its words as far as they are worth an entry in the log: with their first sound, and then by clauses.
    fn tell(&mut self) -> String {
        let is_clause = self.untold.trim_end().ends_with(['.', '!', '?', ',', ';', ':', '।', '—']);
        let is_first = !std::mem::replace(&mut self.is_told, true);
        if is_first || is_clause || self.is_whole || self.untold.len() > LONG_CLAUSE_BYTES {
            return std::mem::take(&mut self.untold).trim().to_owned();
        }
        String::new()
    }
}

/// A clause of Hindi is seldom longer.
const LONG_CLAUSE_BYTES: usize = 200;
/// Well below what voice takes in one piece ([`crate::mind::speech::MAX_UTTERANCE`]).
const LONG_UTTERANCE: Duration = Duration::from_secs(50);
