//! The model's answers: which of them may be heard and when, and what becomes of those that come to nothing.

use std::collections::VecDeque;
use std::time::Instant;

use caly_provider::realtime::{AnswerStatus, Event, ItemId};

use super::RealtimeMind;
use super::turns::Due;
use crate::call::hop::Mark;
use crate::mind::guardrail::Watch;
use crate::voice::exchange::ProviderTurn;

/// An answer of the model.
#[derive(Debug)]
pub(super) struct Answer {
    /// The caller's turn.
    pub(super) turn: u32,
    /// It may be heard, and tools be used. Until it is known that the turn is over what comes of it is held.
    pub(super) is_free: bool,
    held: VecDeque<Event>,
    held_bytes: usize,
    /// Something of it is heard, or will be.
    pub(super) has_sound: bool,
    /// The rest of it has been waited for since all that came of it was heard.
    pub(super) has_stalled: bool,
    /// What was heard of it when it stalled.
    heard: String,
    pub(super) uses_tools: bool,
    /// All tools have answered, and nothing has come since.
    pub(super) goes_on: bool,
    first: Option<ItemId>,
    /// Reads what it says.
    pub(super) watch: Watch,
    /// In which item it said it last.
    pub(super) text_of: Option<ItemId>,
}

impl Answer {
    fn new(turn: u32, is_free: bool) -> Self {
        Self {
            turn,
            is_free,
            held: VecDeque::new(),
            held_bytes: 0,
            has_sound: false,
            has_stalled: false,
            heard: String::new(),
            uses_tools: false,
            goes_on: false,
            first: None,
            watch: Watch::default(),
            text_of: None,
        }
    }

    /// No more of it has come behind these words for too long.
    pub(super) fn stalls_behind(&mut self, words: &str) {
        self.has_stalled = true;
        if !self.heard.is_empty() && !words.is_empty() {
            self.heard.push(' ');
        }
        self.heard.push_str(words);
    }

    fn hold(&mut self, event: Event) {
        if let Event::Audio { item, bytes } = &event {
            self.held_bytes += bytes.len();
            self.first.get_or_insert(*item);
        }
        self.held.push_back(event);
    }

    /// The model does not want these tools used any more.
    fn forget(&mut self, requests: &[String]) {
        let is_gone =
            |event: &Event| matches!(event, Event::ToolRequest(tool) if requests.contains(&tool.id));
        self.held.retain(|event| !is_gone(event));
    }

    fn is_too_long(&self) -> bool {
        self.held_bytes > MAX_HELD_BYTES || self.held.len() > MAX_HELD
    }
}

impl RealtimeMind {
    /// The model begins to answer.
    pub(super) fn answer_started(&mut self, now: Instant) {
        if let Some(answer) = self.answer.as_mut().filter(|answer| !answer.is_free) {
            return answer.hold(Event::AnswerStarted);
        }
        let is_asked = std::mem::take(&mut self.is_asked);
        if !is_asked && self.turns.answer() {
            // Who answers thinks that the turn is over, whether he says so or not.
            self.opinion(ProviderTurn::Ended);
        }
        let due = if is_asked { Due::Now } else { self.turns.due() };
        let is_wanted = match due {
            Due::Now | Due::Later => true,
            Due::Never => self.is_cut_by_model,
            Due::Unknown => self.sayings.is_empty() && self.outbox.is_empty(),
        };
        if !is_wanted || self.is_ending {
            return self.talker.interrupt(now, None);
        }
        let turn = if due == Due::Later { self.turns.open() } else { self.turns.last() };
        self.answer = Some(Answer::new(turn, due != Due::Later));
    }

    /// Something of an answer.
    pub(super) fn of_answer(&mut self, now: Instant, event: Event) {
        if let Some(answer) = self.answer.as_mut().filter(|answer| !answer.is_free) {
            let is_broken = matches!(
                &event,
                Event::Interrupted
                    | Event::AnswerDone { status: AnswerStatus::Cancelled | AnswerStatus::Failed(_), .. }
            );
            if let Event::ToolsCancelled(requests) = &event {
                answer.forget(requests);
                return self.tools.cancel(requests);
            }
            answer.hold(event);
            if is_broken || answer.is_too_long() {
                // Nobody has heard a word of it: whoever takes the turn for over asks for one that is whole.
                self.drop_answer(now);
                self.turns.model_goes_on();
            }
            return;
        }
        match event {
            Event::Audio { item, bytes } => self.sound(now, item, bytes),
            Event::AgentText { item, text } => self.agent_text(now, item, &text),
            Event::ToolRequest(request) => self.use_tool(now, request),
            Event::ToolsCancelled(requests) => self.tools.cancel(&requests),
            Event::Interrupted => self.cut_by_model(now),
            Event::AnswerDone { status, .. } => self.answer_done(now, &status),
            // These are no parts of an answer.
            Event::Ready { .. }
            | Event::SpeechStarted
            | Event::SpeechStopped
            | Event::Transcript { .. }
            | Event::AnswerStarted
            | Event::RateLimits(_)
            | Event::Recycled
            | Event::Warning(_)
            | Event::Lost(_)
            | Event::Failed(_) => {}
        }
    }

    /// The turn is over: what came of the answer so far may be heard.
    pub(super) fn release(&mut self, now: Instant) {
        let Some(answer) = &mut self.answer else { return };
        answer.is_free = true;
        let held = std::mem::take(&mut answer.held);
        let withheld = self.withheld;
        for event in held {
            if self.withheld != withheld {
                if let Event::ToolRequest(request) = event {
                    self.leave_tool(now, request);
                }
                continue;
            }
            // The rest is of another answer to the same turn.
            self.is_asked |= event == Event::AnswerStarted;
            self.model(now, event);
        }
    }

    /// Nobody is to hear what is left of the answer.
    pub(super) fn drop_answer(&mut self, now: Instant) {
        let Some(answer) = self.answer.take() else { return };
        let nothing = answer.first.map(|item| (item, std::time::Duration::ZERO));
        self.talker.interrupt(now, nothing);
        for event in answer.held {
            if let Event::ToolRequest(request) = event {
                self.leave_tool(now, request);
            }
        }
        self.unsay();
    }

    /// The model has stopped, as it hears the caller. Whether he takes the floor is decided by voice, and by what the model says next.
    fn cut_by_model(&mut self, now: Instant) {
        if self.withholds_last_word(now) {
            return;
        }
        self.is_cut_by_model = true;
        if let Some(answer) = self.answer.take() {
            // Of whose answer nothing was heard, he waits for it as before.
            if answer.has_sound {
                self.owed = None;
                self.quiet.end();
            }
            self.close_sayings();
            if answer.has_stalled {
                self.listen_if_at_rest();
            }
        }
    }

    fn answer_done(&mut self, now: Instant, status: &AnswerStatus) {
        if self.withholds_last_word(now) {
            return;
        }
        let Some(answer) = self.answer.take() else { return self.ask_if_owed(now) };
        let said = self.said_so_far();
        self.close_sayings();
        self.is_asked |= answer.goes_on;
        if !answer.uses_tools {
            self.rounds = 0;
        }
        self.end_marks(now, &answer);
        match status {
            AnswerStatus::Failed(_) if answer.has_sound && !answer.uses_tools => {
                self.broke_off(now, &answer.heard, said);
            }
            AnswerStatus::Completed | AnswerStatus::Incomplete(_) | AnswerStatus::Failed(_) => {
                if !answer.has_sound && !answer.uses_tools {
                    self.nothing_said(now);
                }
            }
            AnswerStatus::Cancelled => self.ask_if_owed(now),
        }
        if answer.has_stalled {
            self.listen_if_at_rest();
        }
    }

    pub(super) fn end_marks(&mut self, now: Instant, answer: &Answer) {
        self.mark_turn(now, answer.turn, Mark::LlmEnd);
        if answer.has_sound {
            self.mark_turn(now, answer.turn, Mark::TtsEnd);
            self.troubles = 0;
        }
    }

    /// An answer is over that nobody wanted, perhaps in the place of one that somebody waits for.
    pub(super) fn ask_if_owed(&mut self, now: Instant) {
        if self.owed.is_some() && self.tools.at_work() == 0 && !self.is_asked && self.answer.is_none() {
            self.is_asked = true;
            self.talker.respond(now);
        }
    }

    /// Not a word of it was heard: the model is asked once more, then the caller, then nobody.
    fn nothing_said(&mut self, now: Instant) {
        self.troubles += 1;
        match self.troubles {
            1 => {
                self.owed.get_or_insert(now);
                self.ask_if_owed(now);
            }
            2 => {
                self.owed = None;
                let line = self.config.lines.trouble.clone();
                self.say_line(now, &line);
            }
            _ => self.give_up(now),
        }
    }
}

/// As long as an utterance may be: a minute.
const MAX_HELD_BYTES: usize = 60 * 8_000;
/// Parts of an answer come ten to fifty a second.
const MAX_HELD: usize = 4_096;
