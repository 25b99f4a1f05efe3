//! A mind of three hops: a recognizer turns the caller's words into text, a language model answers, a synthesizer speaks, and all three overlap. It asks
//! the model before the caller's turn is over, speaks the first clause while the next is being thought of, says a filler where an answer is slow, and
//! knows what of its words was heard. Whoever fails is replaced; when nobody is left, the agent goes on by its script.

mod answering;
mod config;
mod ears;
mod giving_up;
mod mouth;
mod quiet;
mod saying;
mod taking_up;
mod tool_use;
mod withholding;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::asr::{Heard, HeardWord, TurnOpinion};
use caly_provider::audio::AudioFormat;
use caly_provider::link::{LinkEvent, LinkId};
use caly_provider::llm::{Client, ClientConfig};
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::earliest;
use serde_json::Value;

pub use config::{Answers, Budgets, Cascade};

use answering::Answer;
use ears::{Ears, EarsOutput};
use mouth::{Mouth, MouthOutput};
use saying::Saying;

use super::conversation::{Keys, Marks, Quiet, ToolDesk, Used};
use super::history::History;
use super::script::ScriptMind;
use super::speech::{Clips, Language, Outbox};
use super::understanding::{Recognized, Understanding, Word};
use super::{CallerFrame, Mind, ToolCallId, Wish, end_of_turn};
use crate::call::dialogue::Dialogue;
use crate::call::hop::{Hop, HopEvent, Mark};
use crate::tools::ToolError;
use crate::voice::exchange::{Codec, MindCommand, ProviderTurn, UtteranceId, VoiceEvent};

/// The mind of one call.
#[derive(Debug)]
pub struct CascadeMind {
    config: Arc<Cascade>,
    clips: Arc<dyn Clips>,
    /// What is known of this call when it begins: for the model.
    facts: Arc<str>,
    /// What is known of the caller from before: for the model, too.
    record: Option<Arc<str>>,
    ears: Ears,
    mouth: Mouth,
    llm: Client,
    understanding: Understanding,
    history: History,
    outbox: Outbox,
    wishes: VecDeque<Wish>,
    /// The caller's, as far as it is known.
    language: Language,
    call: AudioFormat,
    answer: Option<Answer>,
    /// What is being said and was not heard to its end.
    sayings: VecDeque<Saying>,
    tools: ToolDesk,
    /// Answers of tools that the model has gone on without, and was not told of.
    late_answers: Vec<String>,
    /// He has begun to speak, and it is not known yet whether that is a turn.
    is_caller_speaking: bool,
    next_said: u64,
    quiet: Quiet,
    keys: Keys,
    marks: Marks,
    used: Used,
    /// The model that failed last, and was not asked since.
    failed_model: Option<usize>,
    /// Answers in a row that came to nothing.
    troubles: u8,
    /// Another recognizer listens to what the caller has said.
    is_hearing_again: bool,
    /// Turns in a row of which no word was known.
    misses: u8,
    /// When the caller stopped, if his turn is not over yet.
    stopped_at: Option<Instant>,
    /// The turn that was answered last.
    last_turn: u32,
    /// The call ends when all is said.
    is_ending: bool,
    /// Nobody listens any more, which is told when what is being said and done is heard.
    is_deaf: bool,
    /// The caller has interrupted the last words: if it comes to nothing the call ends all the same.
    is_farewell_cut: bool,
    has_hung_up: bool,
    /// Who goes on in its place.
    script: Option<Box<ScriptMind>>,
}

impl CascadeMind {
    /// The mind of a call that begins now. `facts` are told to the model beside its instructions: the day, who calls.
    pub fn new(config: Arc<Cascade>, clips: Arc<dyn Clips>, facts: Arc<str>) -> Self {
        let vendors = config.llm.0.iter().map(|(_, vendor)| Arc::clone(vendor)).collect();
        let client =
            ClientConfig { vendors, chain: config.llm.chain(), hedge_after: config.answers.hedge_after };
        let mut understanding = Understanding::of(&config.understanding);
        understanding.set_language(Some(config.language.tag()));
        Self {
            ears: Ears::new(config.asr.clone()),
            mouth: Mouth::new(config.tts.clone()),
            llm: Client::new(client, LinkIds::of_client(LLM_CLIENT)),
            understanding,
            history: History::default(),
            outbox: Outbox::default(),
            wishes: VecDeque::new(),
            language: config.language,
            call: AudioFormat::MULAW_8K,
            answer: None,
            sayings: VecDeque::new(),
            tools: ToolDesk::new(Arc::clone(&config.tools)),
            late_answers: Vec::new(),
            is_caller_speaking: false,
            next_said: 1,
            quiet: Quiet::default(),
            keys: Keys::default(),
            marks: Marks::default(),
            used: Used::default(),
            failed_model: None,
            troubles: 0,
            misses: 0,
            is_hearing_again: false,
            stopped_at: None,
            last_turn: 0,
            is_ending: false,
            is_deaf: false,
            is_farewell_cut: false,
            has_hung_up: false,
            script: None,
            config,
            clips,
            facts,
            record: None,
        }
    }

    fn media(&mut self, now: Instant, codec: Codec) {
        self.call = match codec {
            Codec::Pcmu => AudioFormat::MULAW_8K,
            Codec::Pcma => AudioFormat::ALAW_8K,
        };
        self.ears.start(now, self.call);
        self.mouth.start(now, self.call, self.language);
        self.command(MindCommand::ExpectWords(self.ears.is_at_work()));
    }

    /// Words of the caller.
    fn heard(&mut self, now: Instant, provider: usize, heard: &Heard) {
        let name = Some(self.config.asr.name(provider).to_owned());
        self.mark_turn(now, self.understanding.turn(), Mark::SttPartial, name.clone());
        self.marks.heard_at(now, name);
        let words: Vec<Word<'_>> = if heard.words.is_empty() {
            vec![Word { text: &heard.text, times: None }]
        } else {
            let timed =
                heard.words.iter().map(|HeardWord { text, begins, ends, .. }| (text, (*begins, *ends)));
            timed.map(|(text, times)| Word { text, times: Some(times) }).collect()
        };
        let recognized = Recognized { words: &words, is_final: heard.is_final };
        if let Some(transcript) = self.understanding.hear(recognized, &[]) {
            self.command(MindCommand::Transcript(transcript));
        }
        if let Some(language) = end_of_turn::language_of(&heard.text).filter(|_| heard.is_final) {
            self.language = language;
            self.understanding.set_language(Some(language.tag()));
        }
    }

    fn opinion(&mut self, opinion: TurnOpinion) {
        let opinion = match opinion {
            TurnOpinion::Likely => ProviderTurn::Likely,
            TurnOpinion::Ended => ProviderTurn::Ended,
            TurnOpinion::Resumed => ProviderTurn::Resumed,
        };
        self.command(MindCommand::ProviderTurn { turn: self.understanding.turn(), opinion });
    }

    /// The caller's turn is over, or what he said was none.
    fn turn_ended(&mut self, now: Instant, event: &VoiceEvent) {
        let Some(ended) = self.understanding.handle(event) else { return };
        let was_parting = std::mem::take(&mut self.is_farewell_cut);
        let stopped_at = self.stopped_at.take();
        let took = stopped_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.tell_used();
        if let Some((at, provider)) = self.marks.take_heard() {
            self.mark_turn(at, ended.turn, Mark::SttFinal, provider);
            let took =
                stopped_at.map_or(Duration::ZERO, |stopped_at| at.saturating_duration_since(stopped_at));
            self.check_budget(ended.turn, Hop::Asr, self.config.answers.budgets.asr, took);
        }
        if !ended.text.is_empty() {
            let (turn, is_committed) = (ended.turn, ended.is_committed);
            let (text, language) = (ended.text.clone(), Some(self.language.tag().to_owned()));
            let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
            let word_times_ms =
                ended.times.iter().map(|&(begins, ends)| (millis(begins), millis(ends))).collect();
            self.note(HopEvent::Transcript { turn, text, word_times_ms, language, is_committed });
        }
        let Some(text) = self.keys.left_of(ended.turn, &ended.text) else { return };
        // Over a filler the words that another recognizer finds are no turn to voice; they are what is to be answered.
        let is_late = !text.trim().is_empty() && std::mem::take(&mut self.is_hearing_again);
        if !ended.is_committed && !is_late {
            self.drop_speculation(now);
            if was_parting {
                return self.part(now);
            }
            self.answer_again(now);
            return self.wait_on(now);
        }
        if text.trim().is_empty() {
            return self.not_understood(now);
        }
        self.misses = 0;
        self.answer_turn(now, ended.turn, text);
        self.quiet.hasten(took.saturating_sub(USUAL_END), now + self.config.answers.tool_filler_after);
    }

    /// Something was said, and nobody knows what.
    pub(super) fn not_understood(&mut self, now: Instant) {
        self.drop_speculation(now);
        if self.answer.is_some() || self.is_ending {
            // He has spoken over the wait for what is still on its way.
            if self.is_awaited() {
                self.quiet.begin(now, self.config.answers.tool_filler_after);
            }
            return;
        }
        // Another recognizer may know the words: they are the beginning of the next turn.
        if self.ears.missed(now) {
            self.is_hearing_again = true;
            return self.quiet.begin(now, self.config.answers.tool_filler_after);
        }
        self.misses += 1;
        if self.misses >= MISSES_TO_GIVE_UP {
            return self.give_up(now, Hop::Asr);
        }
        let line = self.config.lines.not_understood.clone();
        self.say_line(now, &line);
    }

    fn idle(&mut self, now: Instant) {
        if self.answer.is_none() && self.sayings.is_empty() && self.outbox.is_empty() && !self.is_ending {
            let line = self.config.lines.idle.clone();
            self.say_line(now, &line);
        }
    }

    /// Says goodbye and ends the call.
    fn part(&mut self, now: Instant) {
        if !self.is_ending {
            self.abandon(now);
            let line = self.config.lines.goodbye.clone();
            self.say_last(now, &line);
        }
    }

    /// Answers keys as if they were words.
    fn keys_are_complete(&mut self, now: Instant) {
        if let Some(pressed) = self.keys.take(now) {
            let turn = self.understanding.turn();
            // What he was saying meanwhile may be dismissed, as the mind takes this turn, or may be followed by more.
            let words = self.understanding.text();
            let separator = if words.is_empty() { "" } else { " " };
            self.answer_turn(now, turn, &format!("{words}{separator}{pressed}"));
            self.keys.take_turn(turn, words);
        }
    }

    /// Enters in the log what was used since it was told last. Not only at the end: a call may be over before it comes to that.
    fn tell_used(&mut self) {
        self.ears.tell_used();
        self.mouth.tell_used();
        let name = |number: usize| self.config.llm.name(number).to_owned();
        for event in self.used.take(Hop::Llm, name) {
            self.note(event);
        }
    }

    /// Takes up what the hops want and tell, until they have nothing more.
    fn drain(&mut self, now: Instant) {
        loop {
            if let Some(output) = self.ears.poll() {
                self.ears_output(now, output);
            } else if let Some(output) = self.mouth.poll() {
                self.mouth_output(now, output);
            } else if let Some(output) = self.llm.poll() {
                self.llm_output(now, output);
            } else {
                return;
            }
        }
    }

    fn ears_output(&mut self, now: Instant, output: EarsOutput) {
        match output {
            EarsOutput::Link(order) => self.wishes.push_back(Wish::Link(order)),
            EarsOutput::Note(event) => self.note(event),
            EarsOutput::Heard(..) | EarsOutput::Turn(_) | EarsOutput::GaveUp if self.script.is_some() => {}
            EarsOutput::Heard(provider, heard) => self.heard(now, provider, &heard),
            EarsOutput::Turn(opinion) => self.opinion(opinion),
            EarsOutput::GaveUp => self.nobody_listens(now),
        }
    }

    fn mouth_output(&mut self, now: Instant, output: MouthOutput) {
        match output {
            MouthOutput::Link(order) => self.wishes.push_back(Wish::Link(order)),
            MouthOutput::Note(event) => self.note(event),
            MouthOutput::Sound(speech, provider, bytes) => self.sound(now, speech, provider, bytes),
            MouthOutput::Words(speech, words) => self.spoken_words(speech, &words),
            MouthOutput::ChunkEnd(speech) => self.chunk_ends(speech),
            MouthOutput::Done(speech) => self.sound_is_complete(now, speech),
            MouthOutput::Failed(speech) => self.cannot_say(now, speech),
        }
    }

    fn note(&mut self, event: HopEvent) {
        self.command(MindCommand::Note(Dialogue::Hop(event)));
    }

    fn mark_turn(&mut self, at: Instant, turn: u32, mark: Mark, provider: Option<String>) {
        if self.marks.is_new(turn, mark) {
            let event = HopEvent::Mark { turn, mark, at_us: None, utterance: None, provider };
            self.command(MindCommand::NoteAt(at, Dialogue::Hop(event)));
        }
    }

    /// The first sound of the answer has come.
    fn mark_sound(&mut self, now: Instant, turn: u32, utterance: UtteranceId, provider: String) {
        if self.marks.is_new(turn, Mark::TtsFrame) {
            let (mark, utterance, provider) = (Mark::TtsFrame, Some(utterance.0), Some(provider));
            let event = HopEvent::Mark { turn, mark, at_us: None, utterance, provider };
            self.command(MindCommand::NoteAt(now, Dialogue::Hop(event)));
        }
    }

    fn command(&mut self, command: MindCommand) {
        self.wishes.push_back(Wish::Voice(command));
    }
}

impl Mind for CascadeMind {
    fn handle(&mut self, now: Instant, event: VoiceEvent) {
        if let Some(script) = &mut self.script {
            return script.handle(now, event);
        }
        match event {
            VoiceEvent::Answered => {
                self.command(MindCommand::Note(Dialogue::Agent { name: self.config.name.clone() }));
                let line = self.config.lines.greeting.clone();
                self.say_line(now, &line);
            }
            VoiceEvent::Media { codec } => self.media(now, codec),
            VoiceEvent::SpeechStarted => {
                self.stopped_at = None;
                self.is_caller_speaking = true;
                self.quiet.caller_speaks();
            }
            VoiceEvent::SpeechEnded { .. } => {
                self.stopped_at = Some(now);
                self.ears.finalize(now);
                if self.ears.is_lost() && self.answer.is_none() {
                    self.is_hearing_again = true;
                    self.quiet.begin(now, self.config.answers.filler_after);
                }
            }
            VoiceEvent::TurnLikely { turn } => self.think_ahead(now, turn),
            VoiceEvent::TurnResumed { .. } => self.drop_speculation(now),
            VoiceEvent::TurnCommitted { .. } | VoiceEvent::SpeechDismissed { .. } => {
                self.is_caller_speaking = false;
                self.turn_ended(now, &event);
            }
            VoiceEvent::Digit(digit) => self.keys.press(now, digit.as_char()),
            VoiceEvent::Interrupted { utterance, heard, by } => self.interrupted(now, utterance, heard, by),
            VoiceEvent::Played { utterance } => self.played(now, utterance),
            VoiceEvent::Credit { samples } => self.outbox.grant(samples),
            VoiceEvent::Idle { .. } => self.idle(now),
            VoiceEvent::IdleTooLong => self.part(now),
        }
        self.keys_are_complete(now);
        self.tell_late_answers(now);
        self.drain(now);
    }

    fn handle_tool(&mut self, now: Instant, id: ToolCallId, answer: Result<Value, ToolError>) {
        match &mut self.script {
            // The script's own uses have numbers of their own; what became of this mind's belongs in the log all the same.
            Some(script) if !self.tools.is_own(id) => script.handle_tool(now, id, answer),
            Some(_) | None => self.tool_answered(now, id, answer),
        }
        self.drain(now);
    }

    fn learn(&mut self, _now: Instant, facts: Arc<str>) {
        self.record = Some(facts);
    }

    fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent) {
        self.ears.handle_link(now, link, event.clone());
        self.mouth.handle_link(now, link, event.clone());
        self.llm.handle_link(now, link, event);
        self.drain(now);
    }

    fn listens_every(&self) -> Option<Duration> {
        self.script.is_none().then_some(LISTEN_EVERY)
    }

    fn hear(&mut self, now: Instant, audio: &mut dyn Iterator<Item = CallerFrame>) {
        if self.script.is_none() {
            self.ears.hear(now, audio);
            self.drain(now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(script) = &mut self.script {
            script.handle_timeout(now);
        }
        self.ears.handle_timeout(now);
        self.mouth.handle_timeout(now);
        if self.llm.poll_timeout().is_some_and(|due| due <= now) {
            self.llm.handle_timeout(now);
        }
        self.drain(now);
        if self.script.is_none() {
            self.keys_are_complete(now);
            self.tools_are_slow(now);
            self.break_silence(now);
            self.drain(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let hops = [self.ears.poll_timeout(), self.mouth.poll_timeout(), self.llm.poll_timeout()];
        let own = match &self.script {
            Some(script) => [script.poll_timeout(), None, None],
            None => [self.keys.due(), self.quiet.due(), self.tools.due(self.config.answers.tool_patience)],
        };
        earliest(hops.into_iter().chain(own))
    }

    fn finish(&mut self, now: Instant) {
        if self.script.is_none() {
            self.abandon(now);
            self.outbox.flush();
            // Nobody is left to answer.
            self.keys = Keys::default();
            (self.is_ending, self.is_hearing_again) = (false, false);
            self.close_hops(now);
        }
    }

    fn poll(&mut self) -> Option<Wish> {
        if let Some(wish) = self.wishes.pop_front() {
            return Some(wish);
        }
        if let Some(script) = &mut self.script {
            return script.poll();
        }
        if let Some(command) = self.outbox.poll() {
            return Some(Wish::Voice(command));
        }
        // Behind the last words, so that they are heard; asked for once.
        let is_said = self.sayings.iter().all(|saying| saying.utterance.is_some());
        let is_over = self.is_ending && is_said && self.outbox.is_empty() && self.answer.is_none();
        (is_over && !std::mem::replace(&mut self.has_hung_up, true))
            .then_some(Wish::Voice(MindCommand::HangUp))
    }
}

/// Often enough for words to be early, seldom enough for a hundred calls on a core: three frames.
const LISTEN_EVERY: Duration = Duration::from_millis(60);
/// A turn is usually over so long after the caller has stopped. Words that come late, or not at all, keep it open for longer.
const USUAL_END: Duration = Duration::from_millis(600);
/// Who speaks three times and is not understood once is better off with the keypad.
const MISSES_TO_GIVE_UP: u8 = 3;
/// The client of language models has names of links from here on.
const LLM_CLIENT: u32 = 0x3000_0000;
