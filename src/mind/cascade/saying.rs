//! What is being said: lines that are audio already, and answers whose sound is on its way. What of them was heard goes into the history.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use caly_provider::tts::{SpeechId, SpokenWord};

use super::{CascadeMind, Hop, HopEvent, Mark};
use crate::mind::conversation::{Line, SpokenText};
use crate::mind::end_of_turn;
use crate::mind::history::SaidId;
use crate::mind::speech::speakable::speakable;
use crate::mind::speech::{Part, Sound, Utterance};
use crate::voice::exchange::{Interruption, MindCommand, UtteranceId, YieldsTo};

/// An utterance that was not heard to its end.
#[derive(Debug)]
pub(super) struct Saying {
    /// `None` until there is sound of it: what is said meanwhile comes before it.
    pub(super) utterance: Option<UtteranceId>,
    /// Its sound comes from a synthesizer.
    pub(super) speech: Option<SpeechId>,
    /// The turn that it answers, and when its first text was given to the synthesizer.
    answers: Option<(u32, Instant)>,
    /// As the history knows it.
    pub(super) said: Option<SaidId>,
    pub(super) text: SpokenText,
    /// What of its sound was heard in utterances before this one: it has stalled in its middle.
    before: Duration,
    /// Text that no sound has carried to voice yet.
    untold: String,
}

impl CascadeMind {
    /// Says a line of its own. It belongs to the conversation.
    pub(super) fn say_line(&mut self, now: Instant, line: &Line) {
        if let Some((utterance, text)) = self.say_clip(line, YieldsTo::ANYTHING) {
            let said = SaidId(self.next_said);
            self.next_said += 1;
            self.history.said(said, &text);
            self.add_saying(utterance, Some(said), &text);
        } else if let Some((language, text)) = line.text(self.language) {
            // Without its audio the synthesizer has to do.
            let text = text.to_owned();
            self.language = language;
            self.speak(now, &text);
        }
        self.quiet.end();
    }

    /// Says the last words, whatever the caller does, and ends the call.
    pub(super) fn say_last(&mut self, _now: Instant, line: &Line) {
        self.is_ending = true;
        if let Some((utterance, text)) = self.say_clip(line, YieldsTo::NOTHING) {
            self.add_saying(utterance, None, &text);
        }
    }

    /// Says something that is no answer.
    pub(super) fn say_filler(&mut self, _now: Instant, line: &Line) -> Option<UtteranceId> {
        let (utterance, text) = self.say_clip(line, YieldsTo::ANYTHING)?;
        self.add_saying(utterance, None, &text);
        Some(utterance)
    }

    fn say_clip(&mut self, line: &Line, yields_to: YieldsTo) -> Option<(UtteranceId, String)> {
        let (language, text) = line.text(self.language)?;
        let clip = self.clips.clip(language, text)?;
        let parts = vec![Part::clip(text, clip)];
        let utterance = self.outbox.say(Utterance { language, yields_to, parts })?;
        Some((utterance, text.to_owned()))
    }

    pub(super) fn add_saying(&mut self, utterance: UtteranceId, said: Option<SaidId>, text: &str) {
        let mut spoken = SpokenText::default();
        spoken.chunk(text);
        let (utterance, before, untold) = (Some(utterance), Duration::ZERO, String::new());
        let (speech, answers, text) = (None, None, spoken);
        self.sayings.push_back(Saying { utterance, speech, answers, said, text, before, untold });
    }

    /// Says a text by the synthesizer as a whole.
    fn speak(&mut self, now: Instant, text: &str) {
        let speech = self.begin_speech(now, text, None);
        let said = SaidId(self.next_said);
        self.next_said += 1;
        self.history.said(said, text);
        if let Some(saying) = self.sayings.back_mut() {
            saying.said = Some(said);
            saying.text.chunk(text);
            text.clone_into(&mut saying.untold);
        }
        self.mouth.say(now, speech, &self.readable(text));
        self.mouth.finish(now, speech);
    }

    /// The next chunk of the answer.
    pub(super) fn say_chunk(&mut self, now: Instant, chunk: &str) {
        let Some(answer) = &self.answer else { return };
        let turn = answer.turn;
        let speech = match answer.speech {
            Some(speech) => speech,
            None => {
                let speech = self.begin_speech(now, chunk, Some((turn, now)));
                if let Some(answer) = &mut self.answer {
                    answer.speech = Some(speech);
                }
                self.mark_turn(now, turn, Mark::TtsStart, None);
                speech
            }
        };
        if let Some(answer) = &mut self.answer {
            if !answer.text.is_empty() {
                answer.text.push(' ');
            }
            answer.text.push_str(chunk);
        }
        if let Some(saying) = self.sayings.iter_mut().find(|saying| saying.speech == Some(speech)) {
            saying.text.chunk(chunk);
            if !saying.untold.is_empty() {
                saying.untold.push(' ');
            }
            saying.untold.push_str(chunk);
        }
        self.mouth.say(now, speech, &self.readable(chunk));
    }

    /// As the voice is to read it.
    fn readable(&self, text: &str) -> String {
        speakable(end_of_turn::language_of(text).unwrap_or(self.language), text)
    }

    fn begin_speech(&mut self, now: Instant, text: &str, answers: Option<(u32, Instant)>) -> SpeechId {
        let language = end_of_turn::language_of(text).unwrap_or(self.language);
        let id = self.mouth.begin(now, language);
        let (utterance, speech, said) = (None, Some(id), None);
        let (text, before, untold) = (SpokenText::default(), Duration::ZERO, String::new());
        self.sayings.push_back(Saying { utterance, speech, answers, said, text, before, untold });
        id
    }

    /// Sound of the agent's words.
    pub(super) fn sound(&mut self, now: Instant, speech: SpeechId, provider: usize, bytes: Vec<u8>) {
        let Some(at) = self.sayings.iter().position(|saying| saying.speech == Some(speech)) else { return };
        let utterance = match self.sayings[at].utterance {
            Some(utterance) => utterance,
            None => {
                let Some(utterance) = self.first_sound(now, at, provider) else { return };
                utterance
            }
        };
        let saying = &mut self.sayings[at];
        let length = self.call.duration(bytes.len() as u64);
        saying.text.sound(length);
        let text = std::mem::take(&mut saying.untold);
        let sound = Sound::Coded(self.call.encoding, bytes.into());
        self.outbox.append(utterance, Part { text, sound });
        self.quiet.hears(now, length, self.outbox.waiting_time());
    }

    /// The caller waits no longer.
    fn first_sound(&mut self, now: Instant, at: usize, provider: usize) -> Option<UtteranceId> {
        if let Some(filler) = self.quiet.filler() {
            // The rest of the filler is not needed.
            self.outbox.shorten(filler);
        }
        self.quiet.end();
        let saying = &mut self.sayings[at];
        let language = end_of_turn::language_of(&saying.untold).unwrap_or(self.language);
        let utterance = self.outbox.open(language, YieldsTo::ANYTHING)?;
        saying.utterance = Some(utterance);
        if let Some((turn, said_at)) = saying.answers.filter(|_| saying.before.is_zero()) {
            self.mark_sound(now, turn, utterance, self.config.tts.name(provider).to_owned());
            let took = now.saturating_duration_since(said_at);
            self.check_budget(turn, Hop::Tts, self.config.answers.budgets.tts, took);
        }
        Some(utterance)
    }

    pub(super) fn spoken_words(&mut self, speech: SpeechId, words: &[SpokenWord]) {
        if let Some(saying) = self.sayings.iter_mut().find(|saying| saying.speech == Some(speech)) {
            saying.text.words(words);
        }
    }

    pub(super) fn chunk_ends(&mut self, speech: SpeechId) {
        if let Some(saying) = self.sayings.iter_mut().find(|saying| saying.speech == Some(speech)) {
            saying.text.chunk_ends();
        }
    }

    /// All sound of a speech has come.
    pub(super) fn sound_is_complete(&mut self, now: Instant, speech: SpeechId) {
        let Some(saying) = self.sayings.iter().find(|saying| saying.speech == Some(speech)) else { return };
        let (utterance, answers) = (saying.utterance, saying.answers);
        match utterance {
            Some(utterance) => self.outbox.close(utterance),
            None => self.end_unheard(speech),
        }
        if let Some((turn, _)) = answers {
            self.mark_turn(now, turn, Mark::TtsEnd, None);
        }
        if utterance.is_none() {
            self.listen_if_at_rest(now);
        }
    }

    /// Nobody can say it.
    pub(super) fn cannot_say(&mut self, now: Instant, speech: SpeechId) {
        if !self.forget_speech(speech) {
            return;
        }
        if self.is_ending && !self.has_hung_up {
            // Last words there are in any case.
            let line = self.config.lines.goodbye.clone();
            return self.say_last(now, &line);
        }
        self.give_up(now, Hop::Tts);
    }

    /// The caller has said more before anything of these answers was heard: one answer is for all of it.
    pub(super) fn unsay(&mut self, now: Instant) {
        let is_unheard = |saying: &&Saying| saying.answers.is_some() && saying.utterance.is_none();
        let unheard: Vec<SpeechId> =
            self.sayings.iter().filter(is_unheard).filter_map(|saying| saying.speech).collect();
        for speech in unheard {
            self.mouth.cancel(now, speech);
            self.drop_unheard(speech);
        }
    }

    /// No more sound of it has come, and none will: it was not said, or was whole before.
    fn end_unheard(&mut self, speech: SpeechId) {
        let is_it = |saying: &Saying| saying.speech == Some(speech) && !saying.before.is_zero();
        match self.sayings.iter().position(is_it) {
            Some(at) => drop(self.sayings.remove(at)),
            None => self.drop_unheard(speech),
        }
    }

    /// No sound of it has come since it was waited for, and none will: that was not said.
    pub(super) fn drop_unheard(&mut self, speech: SpeechId) {
        let Some(at) = self.sayings.iter().position(|saying| saying.speech == Some(speech)) else { return };
        let Some(saying) = self.sayings.remove(at) else { return };
        if let Some(said) = saying.said {
            self.history.cut(said, &saying.heard(Duration::ZERO));
        }
    }

    /// No more sound comes of anything: what there is of it is said to its end, so that what follows is heard.
    pub(super) fn close_sayings(&mut self) {
        for saying in &self.sayings {
            saying.utterance.into_iter().for_each(|utterance| self.outbox.close(utterance));
        }
    }

    /// What of a speech was not sent is not said. Whether there was such a speech.
    pub(super) fn forget_speech(&mut self, speech: SpeechId) -> bool {
        let Some(at) = self.sayings.iter().position(|saying| saying.speech == Some(speech)) else {
            return false;
        };
        match self.sayings[at].utterance {
            Some(utterance) => self.outbox.shorten(utterance),
            None => {
                self.sayings.remove(at);
            }
        }
        true
    }

    /// The caller has taken the floor: what was not heard was not said.
    pub(super) fn interrupted(
        &mut self,
        now: Instant,
        utterance: UtteranceId,
        heard: Duration,
        by: Interruption,
    ) {
        let is_before = |one: &Saying| one.utterance.is_some_and(|before| before < utterance);
        let (before, cut): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.sayings).into_iter().partition(is_before);
        self.sayings = before;
        for saying in &cut {
            let is_it = saying.utterance == Some(utterance);
            self.cut(now, saying, if is_it { heard } else { Duration::ZERO });
        }
        self.outbox.flush();
        // The rest of an answer that is cut is not wanted either; what tools are at is done.
        let is_answer = cut.iter().any(|saying| saying.answers.is_some());
        if is_answer && self.answer.as_ref().is_some_and(|answer| answer.is_committed && answer.pending == 0)
        {
            self.abandon(now);
        }
        if self.is_ending && !self.has_hung_up {
            // Perhaps he has not said all.
            (self.is_ending, self.is_farewell_cut) = (false, true);
        }
        self.quiet.filler_is_over();
        self.quiet.end();
        // Who presses a key while tools are at work still waits for them.
        if by == Interruption::Digit {
            self.wait_on(now);
        }
    }

    /// So much of the saying's last utterance was heard.
    fn cut(&mut self, now: Instant, saying: &Saying, heard: Duration) {
        let (before, heard) = (saying.heard(Duration::ZERO), &saying.heard(heard));
        if let Some(speech) = saying.speech {
            self.mouth.cancel(now, speech);
        }
        let of_last = heard.strip_prefix(&before).unwrap_or(heard).trim();
        if let Some(utterance) = saying.utterance.filter(|_| !of_last.is_empty()) {
            self.note(HopEvent::HeardText { utterance: utterance.0, text: of_last.to_owned() });
        }
        if let Some(said) = saying.said {
            return self.history.cut(said, heard);
        }
        let Some(answer) = &mut self.answer else { return };
        if saying.speech.is_none() || answer.speech != saying.speech {
            return;
        }
        // It is still being written; where tools are at work, what they do is told to the model.
        heard.clone_into(&mut answer.text);
        answer.speech = None;
        if answer.pending == 0 {
            let text = answer.text.clone();
            self.abandon(now);
            if !text.is_empty() {
                let said = SaidId(self.next_said);
                self.next_said += 1;
                self.history.said(said, &text);
                self.history.cut(said, &text);
            }
        }
    }

    /// An utterance was heard to its end.
    pub(super) fn played(&mut self, now: Instant, utterance: UtteranceId) {
        self.sayings.retain(|saying| saying.utterance.is_none_or(|later| later > utterance));
        if self.quiet.filler().is_some_and(|filler| filler <= utterance) {
            self.quiet.filler_is_over();
        }
        // Also behind what was said before a tool was asked.
        self.wait_on(now);
        self.listen_if_at_rest(now);
    }

    pub(super) fn listen_if_at_rest(&mut self, now: Instant) {
        if self.answer.is_none() && self.outbox.is_empty() && self.sayings.is_empty() && !self.is_ending {
            if self.is_deaf {
                return self.give_up(now, Hop::Asr);
            }
            self.command(MindCommand::Listen);
            // A quiet moment, unless the caller begins his answer over the last word.
            if !self.is_caller_speaking {
                self.ears.improve(now);
            }
            self.mouth.improve(now, self.language);
        }
    }
}

impl Saying {
    /// Its words of which the sound was heard, if so much of its last utterance was.
    pub(super) fn heard(&self, heard: Duration) -> String {
        let heard = self.before + heard;
        if heard.is_zero() { String::new() } else { self.text.heard(heard) }
    }

    /// Something of it was heard, though not in its last utterance.
    pub(super) fn was_begun(&self) -> bool {
        !self.before.is_zero()
    }

    /// What was heard of it is an utterance; what is still to come is another one, and something else may come between.
    pub(super) fn goes_on_later(&mut self) {
        self.utterance = None;
        self.before = self.text.sound_so_far();
    }
}
