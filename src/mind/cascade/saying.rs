//! What is being said: lines that are audio already, and answers whose sound is on its way. What of them was heard goes into the history.

use std::time::{Duration, Instant};

use caly_provider::audio::Encoding;
use caly_provider::tts::{SpeechId, SpokenWord};

use super::config::Line;
use super::heard::SpokenText;
use super::quiet::BETWEEN_FILLERS;
use super::{CascadeMind, Hop, HopEvent, Mark};
use crate::mind::end_of_turn;
use crate::mind::history::SaidId;
use crate::mind::speech::{Part, Sound, Utterance};
use crate::voice::exchange::{Interruption, MindCommand, UtteranceId, YieldsTo};

/// An utterance that was not heard to its end.
#[derive(Debug)]
pub(super) struct Saying {
    pub(super) utterance: UtteranceId,
    /// Its sound comes from a synthesizer.
    speech: Option<SpeechId>,
    /// As the history knows it.
    pub(super) said: Option<SaidId>,
    text: SpokenText,
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

    fn add_saying(&mut self, utterance: UtteranceId, said: Option<SaidId>, text: &str) {
        let mut spoken = SpokenText::default();
        spoken.chunk(text);
        let untold = String::new();
        self.sayings.push_back(Saying { utterance, speech: None, said, text: spoken, untold });
    }

    /// Says a text by the synthesizer as a whole.
    fn speak(&mut self, now: Instant, text: &str) {
        if let Some(speech) = self.begin_speech(now, text) {
            let said = SaidId(self.next_said);
            self.next_said += 1;
            self.history.said(said, text);
            if let Some(saying) = self.sayings.back_mut() {
                saying.said = Some(said);
                saying.text.chunk(text);
                text.clone_into(&mut saying.untold);
            }
            self.mouth.say(now, speech, text);
            self.mouth.finish(now, speech);
        }
    }

    /// The next chunk of the answer.
    pub(super) fn say_chunk(&mut self, now: Instant, chunk: &str) {
        let Some(answer) = &self.answer else { return };
        let turn = answer.turn;
        let speech = match answer.speech {
            Some(speech) => speech,
            None => {
                let Some(speech) = self.begin_speech(now, chunk) else { return };
                let utterance = self.sayings.back().map(|saying| saying.utterance);
                if let Some(answer) = &mut self.answer {
                    (answer.speech, answer.utterance, answer.said_at) = (Some(speech), utterance, Some(now));
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
        self.mouth.say(now, speech, chunk);
    }

    fn begin_speech(&mut self, now: Instant, text: &str) -> Option<SpeechId> {
        let language = end_of_turn::language_of(text).unwrap_or(self.language);
        let utterance = self.outbox.open(language, YieldsTo::ANYTHING)?;
        let speech = self.mouth.begin(now, language);
        let (text, untold) = (SpokenText::default(), String::new());
        self.sayings.push_back(Saying { utterance, speech: Some(speech), said: None, text, untold });
        Some(speech)
    }

    /// Sound of the agent's words.
    pub(super) fn sound(&mut self, now: Instant, speech: SpeechId, provider: usize, bytes: Vec<u8>) {
        let Some(saying) = self.sayings.iter_mut().find(|saying| saying.speech == Some(speech)) else {
            return;
        };
        let utterance = saying.utterance;
        saying.text.sound(self.call.duration(bytes.len() as u64));
        let text = std::mem::take(&mut saying.untold);
        if let Some(filler) = self.quiet.filler() {
            // The answer is there: the rest of the filler is not needed.
            self.outbox.shorten(filler);
        }
        self.quiet.end();
        let encoding: Encoding = self.call.encoding;
        self.outbox.append(utterance, Part { text, sound: Sound::Coded(encoding, bytes.into()) });
        let Some(answer) = self.answer.as_mut().filter(|answer| answer.speech == Some(speech)) else {
            return;
        };
        let is_first = !std::mem::replace(&mut answer.sounds, true);
        let (turn, said_at) = (answer.turn, answer.said_at.take());
        if is_first {
            self.mark_sound(now, turn, utterance, self.config.tts.name(provider).to_owned());
        }
        if let Some(said_at) = said_at {
            let budget = self.config.answers.budgets.tts;
            self.check_budget(turn, Hop::Tts, budget, now.saturating_duration_since(said_at));
        }
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
        if let Some(saying) = self.sayings.iter().find(|saying| saying.speech == Some(speech)) {
            self.outbox.close(saying.utterance);
            let turn = self.understanding.turn().saturating_sub(1);
            self.mark_turn(now, turn, Mark::TtsEnd, None);
        }
    }

    /// Nobody can say it.
    pub(super) fn cannot_say(&mut self, now: Instant, speech: SpeechId) {
        if let Some(saying) = self.sayings.iter().find(|saying| saying.speech == Some(speech)) {
            self.outbox.close(saying.utterance);
            self.give_up(now, Hop::Tts);
        }
    }

    /// The caller has taken the floor: what was not heard was not said.
    pub(super) fn interrupted(
        &mut self,
        now: Instant,
        utterance: UtteranceId,
        heard: Duration,
        by: Interruption,
    ) {
        let cut: Vec<Saying> = {
            let (before, cut) =
                std::mem::take(&mut self.sayings).into_iter().partition(|one| one.utterance < utterance);
            self.sayings = before;
            let cut: std::collections::VecDeque<Saying> = cut;
            cut.into()
        };
        for saying in &cut {
            let text = if saying.utterance == utterance { saying.text.heard(heard) } else { String::new() };
            self.cut(now, saying, &text);
        }
        self.outbox.flush();
        self.quiet.filler_is_over();
        self.quiet.end();
        // Who presses a key over an answer is answered when the keys are complete.
        if by == Interruption::Digit && self.is_awaited() {
            self.quiet.begin(now, BETWEEN_FILLERS);
        }
    }

    fn cut(&mut self, now: Instant, saying: &Saying, heard: &str) {
        if let Some(speech) = saying.speech {
            self.mouth.cancel(now, speech);
        }
        if !heard.is_empty() {
            let (utterance, text) = (saying.utterance.0, heard.to_owned());
            self.note(HopEvent::HeardText { utterance, text });
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
        (answer.speech, answer.utterance) = (None, None);
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
        self.sayings.retain(|saying| saying.utterance > utterance);
        if self.quiet.filler().is_some_and(|filler| filler <= utterance) {
            self.quiet.filler_is_over();
            if self.is_awaited() {
                self.quiet.begin(now, BETWEEN_FILLERS);
            }
        }
        if self.answer.is_none() && self.outbox.is_empty() && self.sayings.is_empty() && !self.is_ending {
            self.command(MindCommand::Listen);
            // A quiet moment.
            self.ears.improve(now);
            self.mouth.improve(now, self.language);
        }
    }
}
