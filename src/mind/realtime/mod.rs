//! A mind whose model hears and speaks by itself. Voice keeps the floor: it says when the caller's turn is over and who interrupts, and the model's own
//! opinion on that is one of its reasons. What the model answers is heard once the turn is over; what was heard of it the model is told.
//! A model that fails is replaced by the next; when nobody is left, the agent goes on by its script.

mod answering;
mod caller_turn;
mod config;
mod quiet;
mod saying;
mod taking_up;
mod talker;
mod tool_use;
mod turns;
mod withholding;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::audio::AudioFormat;
use caly_provider::link::{LinkEvent, LinkId};
use caly_provider::policy::earliest;
use caly_provider::realtime::{Event, ItemId, Setup, Speaker};
use serde_json::Value;

pub use config::{RealtimeAgent, Talk};

use answering::Answer;
use saying::Saying;
use taking_up::TakingUp;
use talker::{Talker, TalkerOutput};
use turns::Turns;

use super::conversation::{Keys, Marks, Quiet, ToolDesk};
use super::script::ScriptMind;
use super::speech::{Clips, Language, Outbox};
use super::{CallerFrame, Mind, ToolCallId, Wish};
use crate::call::dialogue::Dialogue;
use crate::call::hop::{Hop, HopEvent, Mark};
use crate::tools::ToolError;
use crate::voice::exchange::{Codec, MindCommand, ProviderTurn, UtteranceId, VoiceEvent};

/// The mind of one call.
#[derive(Debug)]
pub struct RealtimeMind {
    config: Arc<RealtimeAgent>,
    clips: Arc<dyn Clips>,
    talker: Talker,
    turns: Turns,
    tools: ToolDesk,
    /// Answers of tools that the model has gone on without, and was not told of.
    late_answers: Vec<String>,
    outbox: Outbox,
    wishes: VecDeque<Wish>,
    /// The caller's, as far as it is known.
    language: Language,
    call: AudioFormat,
    answer: Option<Answer>,
    /// The next answer is one that this mind has asked for.
    is_asked: bool,
    /// Since when the caller is owed an answer of which nothing was heard.
    owed: Option<Instant>,
    /// Since when the caller is known to be silent.
    silent_since: Option<Instant>,
    /// The model has stopped an answer by itself: what it says next goes on from there.
    is_cut_by_model: bool,
    /// The caller has stopped an answer before anything was heard of it.
    is_cut_unheard: bool,
    taking_up: TakingUp,
    /// What is being said and was not heard to its end.
    sayings: VecDeque<Saying>,
    /// How much sound of the model's last item has come.
    said_of: Option<(ItemId, Duration)>,
    /// How often tools were used for this answer.
    rounds: u8,
    /// Answers in a row that came to nothing.
    troubles: u8,
    /// Answers to the caller's last turn that were withheld.
    withheld: u8,
    quiet: Quiet,
    keys: Keys,
    marks: Marks,
    /// The call ends when all is said.
    is_ending: bool,
    /// The caller has interrupted the last words: if it comes to nothing the call ends all the same.
    is_farewell_cut: bool,
    has_hung_up: bool,
    /// Who goes on in its place.
    script: Option<Box<ScriptMind>>,
}

impl RealtimeMind {
    /// The mind of a call that begins now. `facts` are told to the model behind its instructions: the day, who calls.
    pub fn new(config: Arc<RealtimeAgent>, clips: Arc<dyn Clips>, facts: &str) -> Self {
        let instructions = if facts.is_empty() {
            Arc::clone(&config.instructions)
        } else {
            format!("{}\n\n{facts}", config.instructions).into()
        };
        let setup = Setup {
            instructions,
            tools: Arc::clone(&config.tools),
            language: config.language.tag().to_owned(),
            history: Vec::new(),
        };
        Self {
            talker: Talker::new(config.models.clone(), setup),
            turns: Turns::default(),
            tools: ToolDesk::new(Arc::clone(&config.tools)),
            late_answers: Vec::new(),
            outbox: Outbox::default(),
            wishes: VecDeque::new(),
            language: config.language,
            call: AudioFormat::MULAW_8K,
            answer: None,
            is_asked: false,
            owed: None,
            silent_since: None,
            is_cut_by_model: false,
            is_cut_unheard: false,
            taking_up: TakingUp::default(),
            sayings: VecDeque::new(),
            said_of: None,
            rounds: 0,
            troubles: 0,
            withheld: 0,
            quiet: Quiet::default(),
            keys: Keys::default(),
            marks: Marks::default(),
            is_ending: false,
            is_farewell_cut: false,
            has_hung_up: false,
            script: None,
            config,
            clips,
        }
    }

    fn media(&mut self, now: Instant, codec: Codec) {
        self.call = match codec {
            Codec::Pcmu => AudioFormat::MULAW_8K,
            Codec::Pcma => AudioFormat::ALAW_8K,
        };
        self.talker.start(now, self.call);
    }

    /// A model that finds out when a turn is over is waited for, as others wait for words.
    fn expect_opinions(&mut self) {
        self.command(MindCommand::ExpectWords(self.talker.judges_turns()));
    }

    fn opinion(&mut self, opinion: ProviderTurn) {
        self.command(MindCommand::ProviderTurn { turn: self.turns.open(), opinion });
    }

    /// Tells the model of keys as if they were words.
    fn keys_are_complete(&mut self, now: Instant) {
        let Some(pressed) = self.keys.take(now) else { return };
        if self.is_ending {
            return;
        }
        self.drop_answer(now);
        self.tell_what_broke(now);
        self.owe(now, self.turns.open());
        self.talker.note(now, Speaker::User, &pressed);
        self.is_asked = true;
        self.talker.respond(now);
    }

    fn idle(&mut self, now: Instant) {
        if self.is_at_rest() {
            let line = self.config.lines.idle.clone();
            self.say_line(now, &line);
        }
    }

    /// Nothing is being said, and nothing is owed.
    fn is_at_rest(&self) -> bool {
        self.answer.is_none()
            && self.owed.is_none()
            && self.tools.at_work() == 0
            && self.sayings.is_empty()
            && self.outbox.is_empty()
            && !self.is_ending
    }

    /// Says goodbye and ends the call.
    fn part(&mut self, now: Instant) {
        if !self.is_ending {
            self.drop_answer(now);
            self.owed = None;
            self.quiet.end();
            let line = self.config.lines.goodbye.clone();
            self.say_last(&line);
        }
    }

    /// No model is left: the agent says so and goes on by its script.
    fn give_up(&mut self, now: Instant) {
        if self.script.is_some() || self.is_ending {
            return;
        }
        self.drop_answer(now);
        self.owed = None;
        self.close_sayings();
        self.note(HopEvent::GaveUp { hop: Hop::Realtime });
        let line = self.config.lines.sorry.clone();
        self.say_line(now, &line);
        self.command(MindCommand::ExpectWords(false));
        let (script, clips) = (Arc::clone(&self.config.fallback), Arc::clone(&self.clips));
        let outbox = std::mem::take(&mut self.outbox);
        self.script = Some(Box::new(ScriptMind::take_over(script, clips, outbox, now)));
        // Last: nobody listens any more to what the model says to that.
        self.close(now);
    }

    fn close(&mut self, now: Instant) {
        self.talker.tell_used();
        self.talker.close(now);
        self.drain(now);
    }

    /// Takes up what the model wants and tells, until it has nothing more.
    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.talker.poll() {
            match output {
                TalkerOutput::Link(order) => self.wishes.push_back(Wish::Link(order)),
                TalkerOutput::Note(event) => self.note(event),
                TalkerOutput::Model(_)
                | TalkerOutput::Readiness
                | TalkerOutput::Replaced
                | TalkerOutput::GaveUp
                    if self.script.is_some() => {}
                TalkerOutput::Model(event) => self.model(now, event),
                TalkerOutput::Readiness => self.expect_opinions(),
                TalkerOutput::Replaced => self.replaced(now),
                TalkerOutput::GaveUp => self.give_up(now),
            }
        }
    }

    fn model(&mut self, now: Instant, event: Event) {
        match event {
            Event::SpeechStarted => {
                self.turns.model_hears();
                self.opinion(ProviderTurn::Resumed);
            }
            Event::SpeechStopped => {
                self.turns.model_heard();
                self.opinion(ProviderTurn::Ended);
            }
            Event::Transcript { item, text, is_final: true } => {
                let words = self.turns.words(item, text);
                words.into_iter().for_each(|words| self.transcript(now, words));
            }
            Event::Transcript { is_final: false, .. } => {
                self.mark_turn(now, self.turns.open(), Mark::SttPartial);
            }
            Event::AnswerStarted => self.answer_started(now),
            Event::Audio { .. }
            | Event::AgentText { .. }
            | Event::ToolRequest(_)
            | Event::ToolsCancelled(_)
            | Event::Interrupted
            | Event::AnswerDone { .. } => self.of_answer(now, event),
            // The talker has seen to these.
            Event::Ready { .. }
            | Event::RateLimits(_)
            | Event::Recycled
            | Event::Warning(_)
            | Event::Lost(_)
            | Event::Failed(_) => {}
        }
    }

    /// Another model talks: it knows what was said and done, and not that an answer is owed.
    fn replaced(&mut self, now: Instant) {
        self.answer = None;
        self.close_sayings();
        if !self.take_up_again(now) && self.owed.is_some() && self.tools.at_work() == 0 {
            self.is_asked = true;
            self.end_turn(now, self.turns.last());
        }
    }

    fn note(&mut self, event: HopEvent) {
        self.command(MindCommand::Note(Dialogue::Hop(event)));
    }

    fn mark_turn(&mut self, at: Instant, turn: u32, mark: Mark) {
        self.mark(at, turn, mark, None);
    }

    fn mark(&mut self, at: Instant, turn: u32, mark: Mark, utterance: Option<UtteranceId>) {
        if self.marks.is_new(turn, mark) {
            let (utterance, provider) = (utterance.map(|utterance| utterance.0), Some(self.talker.name()));
            let event = HopEvent::Mark { turn, mark, at_us: None, utterance, provider };
            self.command(MindCommand::NoteAt(at, Dialogue::Hop(event)));
        }
    }

    fn command(&mut self, command: MindCommand) {
        self.wishes.push_back(Wish::Voice(command));
    }
}

impl Mind for RealtimeMind {
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
                self.quiet.caller_speaks();
                self.silent_since = None;
                self.turns.heard();
                self.put_off(now);
                self.talker.begin_turn();
            }
            VoiceEvent::TurnCommitted { turn, .. } => self.turn_committed(now, turn),
            VoiceEvent::SpeechDismissed { turn } => self.speech_dismissed(now, turn),
            VoiceEvent::Digit(digit) => self.keys.press(now, digit.as_char()),
            VoiceEvent::Interrupted { utterance, heard, by } => self.interrupted(now, utterance, heard, by),
            VoiceEvent::Played { utterance } => self.played(now, utterance),
            VoiceEvent::Credit { samples } => self.outbox.grant(samples),
            VoiceEvent::Idle { .. } => self.idle(now),
            VoiceEvent::IdleTooLong => self.part(now),
            VoiceEvent::SpeechEnded { .. } => self.silent_since = Some(now),
            // The model thinks ahead by itself.
            VoiceEvent::TurnLikely { .. } | VoiceEvent::TurnResumed { .. } => {}
        }
        self.keys_are_complete(now);
        self.tell_late_answers(now);
        self.drain(now);
    }

    fn handle_tool(&mut self, now: Instant, id: ToolCallId, answer: Result<Value, ToolError>) {
        match &mut self.script {
            Some(script) if !self.tools.is_own(id) => script.handle_tool(now, id, answer),
            Some(_) | None => self.tool_answered(now, id, answer),
        }
        self.drain(now);
    }

    fn learn(&mut self, now: Instant, facts: Arc<str>) {
        self.talker.learn(now, &facts);
        self.drain(now);
    }

    fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent) {
        self.talker.handle_link(now, link, event);
        self.drain(now);
    }

    fn listens_every(&self) -> Option<Duration> {
        self.script.is_none().then_some(LISTEN_EVERY)
    }

    fn hear(&mut self, now: Instant, audio: &mut dyn Iterator<Item = CallerFrame>) {
        if self.script.is_none() {
            self.talker.hear(now, audio);
            self.drain(now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(script) = &mut self.script {
            return script.handle_timeout(now);
        }
        self.talker.handle_timeout(now);
        self.drain(now);
        if self.script.is_none() {
            self.keys_are_complete(now);
            self.tools_are_slow(now);
            self.break_silence(now);
            self.drain(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match &self.script {
            Some(script) => script.poll_timeout(),
            None => earliest([
                self.talker.poll_timeout(),
                self.keys.due(),
                self.quiet.due(),
                self.tools.due(self.config.talk.tool_patience),
            ]),
        }
    }

    fn finish(&mut self, now: Instant) {
        if self.script.is_none() {
            self.owed = None;
            self.is_ending = false;
            self.outbox.flush();
            // Nobody is left to answer.
            self.keys = Keys::default();
            self.close(now);
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
        let is_over = self.is_ending && self.outbox.is_empty() && self.answer.is_none();
        (is_over && !std::mem::replace(&mut self.has_hung_up, true))
            .then_some(Wish::Voice(MindCommand::HangUp))
    }
}

/// Often enough for the model to hear the end of a turn early, seldom enough for a hundred calls on a core: three frames.
const LISTEN_EVERY: Duration = Duration::from_millis(60);
