//! Tools at work: what the model wants done is done once the caller's turn is over, and what came of it is told to the model.

use std::time::Instant;

use caly_provider::llm::{ToolRequest, ToolResult};
use caly_provider::realtime::{Speaker, Then};
use serde_json::Value;

use super::RealtimeMind;
use crate::call::dialogue::Dialogue;
use crate::mind::conversation::{Answered, END_CALL, Handed, UseOf};
use crate::mind::{ToolCallId, Wish};
use crate::tools::ToolError;
use crate::voice::exchange::MindCommand;

impl RealtimeMind {
    /// The model wants a tool used.
    pub(super) fn use_tool(&mut self, now: Instant, request: ToolRequest) {
        if self.withholds_last_word(now) {
            return self.leave_tool(now, request);
        }
        let Some(answer) = &mut self.answer else { return self.leave_tool(now, request) };
        if request.name == END_CALL && self.tools.at_work() == 0 {
            return self.end_call(now, request);
        }
        (answer.uses_tools, answer.goes_on) = (true, false);
        if self.rounds > self.config.talk.max_rounds {
            return self.no_more_tools(now, request);
        }
        if !answer.has_sound {
            self.quiet.begin(now, self.config.talk.tool_filler_after);
            self.command(MindCommand::Think);
        }
        // What it goes on with when the tool has answered is said behind this, and perhaps behind a filler.
        self.close_sayings();
        let refusal = if request.name == END_CALL {
            Some(
                "the call goes on: tell the caller what came of the other tools, then call this alone"
                    .to_owned(),
            )
        } else {
            let is_enough = self.rounds >= self.config.talk.max_rounds;
            is_enough.then(|| "not done: tell the caller what you know, he has waited long enough".to_owned())
        };
        let (note, handed) = self.tools.hand(now, request, refusal);
        self.command(MindCommand::Note(note));
        match handed {
            Handed::ToUse(call) => self.wishes.push_back(Wish::Tool(call)),
            Handed::Refused(answered) => self.tell_result(now, answered),
        }
    }

    /// It was told to use no more of them, and does: the caller is asked instead.
    fn no_more_tools(&mut self, now: Instant, request: ToolRequest) {
        self.drop_answer(now);
        self.leave_tool(now, request);
        self.owed = None;
        let line = self.config.lines.trouble.clone();
        self.say_line(now, &line);
    }

    /// Nobody wants this tool used any more. The model is told so, or it would wait, and the next tool's answer with it.
    pub(super) fn leave_tool(&mut self, now: Instant, request: ToolRequest) {
        let content = r#"{"error":"not done: the caller went on"}"#.to_owned();
        let result = ToolResult { id: request.id, content, is_error: true };
        self.talker.tool_result(now, result, Then::Nothing);
    }

    /// A tool has answered.
    pub(super) fn tool_answered(&mut self, now: Instant, id: ToolCallId, outcome: Result<Value, ToolError>) {
        let Some(answered) = self.tools.answered(now, id, outcome) else { return };
        if self.script.is_some() || self.is_ending {
            self.command(MindCommand::Note(answered.note));
            // The call may go on all the same.
            return self.talker.tool_result(now, answered.result, Then::Nothing);
        }
        match answered.use_of {
            UseOf::Awaited => self.tell_result(now, answered),
            UseOf::Late => {
                self.late_answers.push(answered.late_words());
                self.command(MindCommand::Note(answered.note));
                self.tell_late_answers(now);
            }
            UseOf::Unwanted => self.command(MindCommand::Note(answered.note)),
        }
    }

    /// The model goes on without tools that take longer.
    pub(super) fn tools_are_slow(&mut self, now: Instant) {
        for result in self.tools.slow(now, self.config.talk.tool_patience) {
            self.model_knows(now, result);
        }
    }

    /// What has come late is told to the caller when nobody speaks; who speaks before that hears of it in the answer to him.
    pub(super) fn tell_late_answers(&mut self, now: Instant) {
        if self.late_answers.is_empty() || self.script.is_some() || self.turns.is_heard() {
            return;
        }
        if self.is_at_rest() && !self.is_asked {
            self.note_late_answers(now);
            self.owe(now, self.turns.last());
            self.is_asked = true;
            self.talker.respond(now);
        }
    }

    /// Tells the model. It must not be answering: some would break off.
    pub(super) fn note_late_answers(&mut self, now: Instant) {
        for words in std::mem::take(&mut self.late_answers) {
            self.talker.note(now, Speaker::User, &words);
        }
    }

    fn tell_result(&mut self, now: Instant, Answered { note, result, .. }: Answered) {
        self.command(MindCommand::Note(note));
        self.model_knows(now, result);
    }

    /// When all have answered the model goes on, without being asked.
    fn model_knows(&mut self, now: Instant, result: ToolResult) {
        if self.tools.at_work() == 0 {
            let goes_on = match &mut self.answer {
                Some(answer) => &mut answer.goes_on,
                None => &mut self.is_asked,
            };
            let is_news = !std::mem::replace(goes_on, true);
            self.rounds = self.rounds.saturating_add(u8::from(is_news));
            self.owed.get_or_insert(now);
            self.quiet.begin(now, self.config.talk.filler_after);
        }
        self.talker.tool_result(now, result, Then::Answer);
    }

    /// What was said with it are the last words; else the agent has some of its own.
    fn end_call(&mut self, now: Instant, request: ToolRequest) {
        let ToolRequest { id, name, arguments } = request;
        self.command(MindCommand::Note(Dialogue::ToolCalled { name, arguments }));
        let result = ToolResult { id, content: r#"{"result":"done"}"#.to_owned(), is_error: false };
        self.talker.tool_result(now, result, Then::Nothing);
        let Some(answer) = self.answer.take() else { return };
        self.end_marks(now, &answer);
        self.close_sayings();
        self.owed = None;
        self.quiet.end();
        self.is_ending = true;
        if !answer.has_sound {
            let line = self.config.lines.goodbye.clone();
            self.say_last(&line);
        }
    }
}
