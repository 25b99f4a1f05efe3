//! From the caller's words to the agent's: asking the model, ahead of the turn's end where that is likely, and speaking what it writes.

use std::sync::Arc;
use std::time::Instant;

use caly_provider::llm::{
    AskId, Output, Piece, Prompt, SystemPart, ToolChoice, ToolRequest, ToolResult, Turn, Usage,
};
use caly_provider::policy::Fault;
use caly_provider::tts::SpeechId;

use super::CascadeMind;
use super::tool_use::MAX_CALLS;
use crate::call::hop::{Hop, HopEvent, Mark};
use crate::mind::conversation::END_CALL;
use crate::mind::end_of_turn;
use crate::mind::guardrail::Watch;
use crate::mind::history::SaidId;
use crate::mind::normal_form::with_normal_forms;
use crate::mind::speech::chunker::Chunker;
use crate::voice::exchange::MindCommand;

/// An answer in the making.
#[derive(Debug)]
pub(super) struct Answer {
    /// The caller's turn.
    pub(super) turn: u32,
    /// His words.
    question: String,
    /// The turn is over; until then nothing is said and done.
    pub(super) is_committed: bool,
    /// What was thought of before the turn was over.
    held: Vec<Piece>,
    /// The question that is open.
    pub(super) ask: Option<AskId>,
    asked_at: Instant,
    /// Who writes it.
    pub(super) provider: usize,
    pub(super) chunker: Chunker,
    /// Reads what is to be said.
    pub(super) watch: Watch,
    /// What is said in this round, as far as it is written.
    pub(super) text: String,
    pub(super) speech: Option<SpeechId>,
    /// Tools of this round.
    pub(super) calls: Vec<ToolRequest>,
    pub(super) results: Vec<ToolResult>,
    /// Tools that have not answered.
    pub(super) pending: usize,
    /// How often tools were used.
    pub(super) rounds: u8,
    /// What the caller said while tools were at work.
    pub(super) more_words: Vec<String>,
    /// Characters of the answer, for what is wasted.
    pub(super) written: usize,
    is_written: bool,
    /// Somebody has broken off or said nothing, and was asked again.
    is_asked_again: bool,
    /// Somebody has broken off in the middle of what is said: this is the rest of it.
    pub(super) is_rest: bool,
}

impl Answer {
    fn new(now: Instant, turn: u32, question: &str, max_sentences: usize) -> Self {
        Self {
            turn,
            question: question.to_owned(),
            is_committed: false,
            held: Vec::new(),
            ask: None,
            asked_at: now,
            provider: 0,
            chunker: Chunker::new(max_sentences),
            watch: Watch::default(),
            text: String::new(),
            speech: None,
            calls: Vec::new(),
            results: Vec::new(),
            pending: 0,
            rounds: 0,
            more_words: Vec::new(),
            written: 0,
            is_written: false,
            is_asked_again: false,
            is_rest: false,
        }
    }
}

impl CascadeMind {
    /// The turn is probably over: the model is asked, and nothing is said.
    pub(super) fn think_ahead(&mut self, now: Instant, turn: u32) {
        let text = self.understanding.text();
        let is_busy = self.answer.is_some() || self.is_ending;
        if !self.config.answers.think_ahead || is_busy || text.trim().is_empty() {
            return;
        }
        self.remember_late_answers();
        let mut answer = Answer::new(now, turn, &text, self.config.answers.max_sentences);
        let mut turns = self.history.turns();
        match turns.last_mut() {
            Some(Turn::User(before)) => *before = format!("{before} {}", with_normal_forms(&text)),
            Some(Turn::Assistant { .. } | Turn::Results(_)) | None => {
                turns.push(Turn::User(with_normal_forms(&text)));
            }
        }
        answer.ask = Some(self.llm.ask(now, self.prompt(turns, ToolChoice::Auto)));
        self.answer = Some(answer);
        self.mark_turn(now, turn, Mark::LlmStart, None);
    }

    /// The caller has said more, or said nothing that needs an answer: what was thought ahead is of no use.
    pub(super) fn drop_speculation(&mut self, _now: Instant) {
        if let Some(answer) = self.answer.take_if(|answer| !answer.is_committed) {
            self.waste(&answer);
        }
    }

    /// What the caller said last was no turn: if it has cut the answer to what he said before, that is answered again.
    pub(super) fn answer_again(&mut self, now: Instant) {
        if self.answer.is_none() && self.sayings.is_empty() && self.history.is_unanswered() && !self.is_ending
        {
            let mut answer = Answer::new(now, self.last_turn, "", self.config.answers.max_sentences);
            answer.is_committed = true;
            self.answer = Some(answer);
            self.command(MindCommand::Think);
            self.quiet.begin(now, self.config.answers.filler_after);
            self.ask(now);
        }
    }

    /// The turn is over and is to be answered.
    pub(super) fn answer_turn(&mut self, now: Instant, turn: u32, text: &str) {
        if self.is_ending {
            return;
        }
        self.last_turn = turn;
        self.command(MindCommand::Think);
        self.quiet.begin(now, self.config.answers.filler_after);
        if let Some(answer) = &mut self.answer {
            let is_same = end_of_turn::are_same_words(&answer.question, text);
            if !answer.is_committed && answer.turn == turn && is_same {
                self.history.user(&with_normal_forms(text));
                return self.commit_answer(now);
            }
            if answer.pending > 0 {
                // What was begun is done, and the model hears of both.
                answer.more_words.push(with_normal_forms(text));
                answer.turn = turn;
                return;
            }
        }
        self.abandon(now);
        self.unsay(now);
        self.quiet.begin(now, self.config.answers.filler_after);
        self.remember_late_answers();
        self.history.user(&with_normal_forms(text));
        let mut answer = Answer::new(now, turn, text, self.config.answers.max_sentences);
        answer.is_committed = true;
        self.answer = Some(answer);
        self.ask(now);
    }

    /// What was thought ahead is the answer.
    fn commit_answer(&mut self, now: Instant) {
        let Some(answer) = &mut self.answer else { return };
        answer.is_committed = true;
        let held = std::mem::take(&mut answer.held);
        held.into_iter().for_each(|piece| self.piece(now, piece));
    }

    /// Asks the model for the next round.
    pub(super) fn ask(&mut self, now: Instant) {
        self.remember_late_answers();
        let turns = self.history.turns();
        let Some(answer) = &mut self.answer else { return };
        let choice =
            if answer.rounds >= self.config.answers.max_rounds { ToolChoice::None } else { ToolChoice::Auto };
        (answer.asked_at, answer.is_written, answer.written) = (now, false, 0);
        answer.chunker = Chunker::new(self.config.answers.max_sentences);
        answer.speech = None;
        answer.text.clear();
        // Who broke off may have wished for some of them: who is asked now wishes for them anew.
        answer.calls.clear();
        let turn = answer.turn;
        let prompt = self.prompt(turns, choice);
        let ask = self.llm.ask_others(now, prompt, self.failed_model.take());
        if let Some(answer) = &mut self.answer {
            answer.ask = Some(ask);
        }
        self.mark_turn(now, turn, Mark::LlmStart, None);
    }

    fn prompt(&self, turns: Vec<Turn>, tool_choice: ToolChoice) -> Arc<Prompt> {
        let part = |text: &Arc<str>| SystemPart { text: Arc::clone(text), is_stable: true };
        let texts = [&self.config.instructions, &self.facts].into_iter().chain(&self.record);
        let system = texts.filter(|text| !text.is_empty()).map(part);
        Arc::new(Prompt {
            system: system.collect(),
            turns,
            tools: Arc::clone(&self.config.tools),
            tool_choice,
            max_tokens: self.config.answers.max_tokens,
        })
    }

    pub(super) fn llm_output(&mut self, now: Instant, output: Output) {
        match output {
            Output::Link(order) => self.wishes.push_back(crate::mind::Wish::Link(order)),
            Output::Asked { .. } => {}
            Output::Accepted { provider, request_id, .. } => {
                let provider = self.config.llm.name(provider).to_owned();
                self.note(HopEvent::Uses { hop: Hop::Llm, provider, request_id });
            }
            Output::Piece { ask, provider, piece } => {
                if let Piece::Usage(usage) = piece {
                    self.count_usage(provider, usage);
                } else if self.answer.as_ref().is_some_and(|answer| answer.ask == Some(ask)) {
                    self.first_piece(now, provider, &piece);
                    self.take_piece(now, piece);
                }
            }
            Output::Fault { provider, fault, .. } => self.llm_fault(provider, fault),
            Output::Failed { ask, has_begun } => {
                if self.answer.as_ref().is_some_and(|answer| answer.ask == Some(ask)) {
                    self.no_answer(now, has_begun);
                }
            }
        }
    }

    fn first_piece(&mut self, now: Instant, provider: usize, piece: &Piece) {
        let Some(answer) = &mut self.answer else { return };
        answer.provider = provider;
        let (turn, asked_at) = (answer.turn, answer.asked_at);
        let name = Some(self.config.llm.name(provider).to_owned());
        if answer.written == 0 && matches!(piece, Piece::Text(_) | Piece::ToolBegun { .. }) {
            let budget = self.config.answers.budgets.llm;
            self.check_budget(turn, Hop::Llm, budget, now.saturating_duration_since(asked_at));
            self.mark_turn(now, turn, Mark::LlmToken, name.clone());
        }
        if matches!(piece, Piece::Finished(_)) {
            self.mark_turn(now, turn, Mark::LlmEnd, name);
        }
    }

    /// What is thought ahead waits for the turn's end.
    fn take_piece(&mut self, now: Instant, piece: Piece) {
        let Some(answer) = &mut self.answer else { return };
        if let Piece::Text(text) = &piece {
            answer.written += text.chars().count();
        }
        if answer.is_committed {
            self.piece(now, piece);
        } else {
            answer.held.push(piece);
            if answer.held.len() > MAX_HELD {
                self.drop_speculation(now);
            }
        }
    }

    fn piece(&mut self, now: Instant, piece: Piece) {
        // What was thought ahead may hold more than is taken.
        let Some(answer) = self.answer.as_mut().filter(|answer| !answer.is_written) else { return };
        match piece {
            Piece::Text(text) => {
                let chunks = answer.chunker.push(&text);
                let is_full = answer.chunker.is_full();
                chunks.iter().for_each(|chunk| self.say_unless_withheld(now, chunk));
                if is_full {
                    self.enough(now);
                }
            }
            // What is said with it covers its time, and a goodbye takes none.
            Piece::ToolBegun { name } if answer.speech.is_none() && name != END_CALL => {
                self.quiet.begin(now, self.config.answers.tool_filler_after);
            }
            Piece::ToolBegun { .. } => {}
            Piece::Tool(request) => {
                answer.calls.push(request);
                if answer.calls.len() >= MAX_CALLS {
                    self.stop_writing(now);
                }
            }
            Piece::Usage(_) => {}
            Piece::Finished(_) => self.written(now),
        }
    }

    /// More than it may say is not said. It may still wish for a tool, which is not to be lost.
    fn enough(&mut self, now: Instant) {
        let Some(answer) = &self.answer else { return };
        let unsaid = answer.chunker.dropped_chars();
        if let Some(speech) = answer.speech {
            self.mouth.finish(now, speech);
        }
        if self.config.tools.is_empty() || unsaid > MAX_UNSAID_CHARS {
            self.stop_writing(now);
        }
    }

    /// The rest of what it writes is not wanted.
    fn stop_writing(&mut self, now: Instant) {
        if let Some(ask) = self.answer.as_mut().and_then(|answer| answer.ask.take()) {
            self.llm.cancel(ask);
        }
        self.written(now);
    }

    /// All of a round is written.
    pub(super) fn written(&mut self, now: Instant) {
        let Some(answer) = &mut self.answer else { return };
        if std::mem::replace(&mut answer.is_written, true) {
            return;
        }
        answer.ask = None;
        if let Some(rest) = answer.chunker.finish() {
            self.say_unless_withheld(now, &rest);
        }
        if let Some(speech) = self.answer.as_ref().and_then(|answer| answer.speech) {
            self.mouth.finish(now, speech);
        }
        let Some(answer) = &mut self.answer else { return };
        if answer.calls.is_empty() && answer.text.is_empty() {
            return self.nothing_written(now);
        }
        let uses_tools = !answer.calls.is_empty();
        self.troubles = 0;
        if uses_tools {
            return self.use_tools(now);
        }
        self.remember_answer();
    }

    /// Not a word of it can be said: before the caller is asked again the model is.
    fn nothing_written(&mut self, now: Instant) {
        let Some(answer) = &mut self.answer else { return };
        if answer.is_rest {
            // Nothing was missing.
            self.quiet.end();
            self.answer = None;
            return self.listen_if_at_rest(now);
        }
        if std::mem::replace(&mut answer.is_asked_again, true) {
            return self.no_answer(now, false);
        }
        self.ask(now);
    }

    /// The answer is written: what is left is to say it.
    pub(super) fn remember_answer(&mut self) {
        self.remember_said();
        self.answer = None;
    }

    /// What is being said of the answer is entered in what the model is told.
    pub(super) fn remember_said(&mut self) {
        let Some(answer) = &self.answer else { return };
        let said = SaidId(self.next_said);
        self.next_said += 1;
        self.history.said(said, &answer.text);
        if let Some(saying) =
            self.sayings.iter_mut().find(|saying| saying.speech.is_some() && saying.speech == answer.speech)
        {
            saying.said = Some(said);
        }
    }

    /// There is no answer, or no rest of one.
    pub(super) fn no_answer(&mut self, now: Instant, has_begun: bool) {
        let Some(answer) = &mut self.answer else { return };
        if !answer.is_committed {
            // Perhaps it works when it is needed.
            self.answer = None;
            return;
        }
        if has_begun && answer.text.is_empty() && !std::mem::replace(&mut answer.is_asked_again, true) {
            // Nothing of it was said: somebody else begins anew.
            return self.ask(now);
        }
        if has_begun && !answer.text.is_empty() && self.take_up(now) {
            return;
        }
        self.troubles += 1;
        if self.troubles >= TROUBLES_TO_GIVE_UP {
            return self.give_up(now, Hop::Llm);
        }
        self.abandon(now);
        let line = self.config.lines.trouble.clone();
        self.say_line(now, &line);
    }

    /// Forgets the answer that is being made, with what of it was not heard.
    pub(super) fn abandon(&mut self, now: Instant) {
        self.quiet.end();
        let Some(answer) = self.answer.take() else { return };
        self.waste(&answer);
        if let Some(speech) = answer.speech {
            self.mouth.cancel(now, speech);
            self.forget_speech(speech);
        }
    }

    fn waste(&mut self, answer: &Answer) {
        if let Some(ask) = answer.ask {
            self.llm.cancel(ask);
        }
        if !answer.is_committed {
            // What a cancelled answer costs is never told: four characters are a token.
            self.used.add(answer.provider, "wasted_tokens", (answer.written as u64).div_ceil(4));
        }
    }

    pub(super) fn check_budget(
        &mut self,
        turn: u32,
        hop: Hop,
        budget: std::time::Duration,
        took: std::time::Duration,
    ) {
        if took > budget {
            let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            self.note(HopEvent::OverBudget { turn, hop, budget_ms: millis(budget), took_ms: millis(took) });
        }
    }

    fn count_usage(&mut self, provider: usize, usage: Usage) {
        let Usage { input_tokens, cached_tokens, output_tokens } = usage;
        self.used.add(provider, "input_tokens", input_tokens);
        self.used.add(provider, "cached_tokens", cached_tokens);
        self.used.add(provider, "output_tokens", output_tokens);
    }

    fn llm_fault(&mut self, provider: usize, fault: Fault) {
        self.failed_model = Some(provider);
        let (provider, kind) = (self.config.llm.name(provider).to_owned(), fault.kind.word().to_owned());
        let (detail, request_id) = (fault.detail, fault.request_id);
        self.note(HopEvent::Fault { hop: Hop::Llm, provider, kind, detail, request_id });
    }
}

/// The first time the caller is asked to say it again; who fails again fails always.
const TROUBLES_TO_GIVE_UP: u8 = 2;
/// Behind what may be said a model has so many characters to come to its tools.
const MAX_UNSAID_CHARS: usize = 400;
/// An answer has a piece for each token and is as long as its limit lets it be, but for models that know none. What is longer is thought of
/// again when the turn is over.
const MAX_HELD: usize = 2_048;
