//! What the vendor says, and what becomes of it.

use std::time::Instant;

use super::{Answer, Call, Client, Owed, Recycle};
use crate::llm::ToolRequest;
use crate::onset::Onset;
use crate::policy::{Fault, FaultKind};
use crate::realtime::{AnswerStatus, Event, ItemId, Told, Usage};

impl Client {
    pub(super) fn told(&mut self, now: Instant, told: Told) {
        match told {
            Told::Ready { request_id } if !self.connection.is_ready() => self.ready(now, request_id),
            Told::Ready { .. } => {}
            Told::SpeechStarted => self.speech_started(),
            Told::SpeechStopped => self.speech_stopped(now),
            Told::Turn { item } => {
                let item = self.items.id(&item);
                self.history.place(item, true);
                self.kept.confirm();
            }
            Told::Transcript { item, text, is_final } => self.transcript(&item, text, is_final),
            Told::AnswerStarted { answer } => self.begin(now, answer),
            Told::Audio { answer, item, bytes } => self.audio(now, answer, &item, bytes),
            Told::AgentText { answer, item, text } => {
                if let Some(item) = self.part(now, answer, &item) {
                    self.history.append(item, &text);
                    self.tell(Event::AgentText { item, text });
                }
            }
            Told::Tool(request) => self.tool(now, request),
            Told::ToolsCancelled(ids) => {
                self.calls.retain(|call| !ids.contains(&call.id));
                self.tell(Event::ToolsCancelled(ids));
                self.ask_owed(now);
            }
            Told::Interrupted => {
                if let Answer::Running { is_muted, .. } = &mut self.answer {
                    *is_muted = true;
                }
                self.tell(Event::Interrupted);
            }
            Told::SoundComplete => {
                if let Answer::Running { by, .. } = &mut self.answer {
                    *by = None;
                }
            }
            Told::AnswerDone { status, usage } => self.done(now, status, usage),
            // There is one that is not known here yet, or that is not over: after it.
            Told::Busy => {
                self.owed = self.owed.take().or(Some(Owed::default()));
                self.expect(now);
            }
            Told::RateLimits(limits) => self.tell(Event::RateLimits(limits)),
            Told::GoAway { left } => {
                let by = self.recycle.map_or(now + left, |recycle| recycle.by.min(now + left));
                self.recycle = Some(Recycle { from: now, by });
            }
            Told::Handle(handle) => self.handle = handle,
            Told::Warning(text) => self.tell(Event::Warning(text)),
        }
    }

    /// Tools that are at work come first: when they have answered, one answer is for all.
    fn ask_owed(&mut self, now: Instant) {
        self.send_notes(now);
        if self.calls.is_empty()
            && let Some(Owed { instructions, .. }) = self.owed.take()
        {
            self.ask(now, instructions);
        }
    }

    fn speech_started(&mut self) {
        self.caller_speaks = true;
        // Nobody answers who goes on.
        if let Answer::Awaited { by } = &mut self.answer {
            *by = None;
        }
        self.tell(Event::SpeechStarted);
    }

    fn speech_stopped(&mut self, now: Instant) {
        self.caller_speaks = false;
        let is_awaited = matches!(self.answer, Answer::Awaited { .. });
        if is_awaited || self.wire.habits().ends_turns {
            self.expect(now);
        }
        self.tell(Event::SpeechStopped);
    }

    fn transcript(&mut self, item: &str, text: String, is_final: bool) {
        let item = self.items.id(item);
        // Also what may be revised: the connection can break before it is final, and some vendors tell nothing else until they answer.
        self.history.set(item, &text);
        self.tell(Event::Transcript { item, text, is_final });
    }

    fn begin(&mut self, now: Instant, name: String) {
        if let Answer::Running { name: before, .. } = &mut self.answer {
            if *before == name {
                return;
            }
            // Its end was not told.
            self.last_answer = std::mem::take(before);
            self.tell(Event::AnswerDone { status: AnswerStatus::Cancelled, usage: None });
        }
        let by = Some(now + self.patience.first);
        self.answer = Answer::Running { name, is_muted: false, by, first: None, has_sound: false };
        self.kept.confirm();
        self.tell(Event::AnswerStarted);
    }

    fn audio(&mut self, now: Instant, answer: String, item: &str, bytes: Vec<u8>) {
        let Some(item) = self.part(now, answer, item) else {
            self.late_bytes += bytes.len() as u64;
            return;
        };
        self.items.add(item, bytes.len());
        if self.onset.as_ref().is_none_or(|(known, _)| *known != item) {
            self.onset = Some((item, Onset::new(self.formats.output)));
        }
        let Some((_, onset)) = &mut self.onset else { return };
        match onset.push(&bytes) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => {
                self.unanswered = 0;
                self.items.trim(item, onset.trimmed());
                if let Answer::Running { has_sound, .. } = &mut self.answer {
                    *has_sound = true;
                }
                self.tell(Event::Audio { item, bytes });
            }
            Err(fault) => self.unheard(now, fault),
        }
    }

    /// An answer of silence is none.
    fn done(&mut self, now: Instant, status: AnswerStatus, usage: Option<Usage>) {
        self.onset = None;
        let mut is_silent = false;
        if let Answer::Running { name, first, has_sound, is_muted, .. } =
            std::mem::replace(&mut self.answer, Answer::None)
        {
            let has_audio = first.is_some_and(|item| self.items.bytes(item) > 0);
            is_silent = has_audio && !has_sound && !is_muted && status == AnswerStatus::Completed;
            self.last_answer = name;
        }
        if !is_silent {
            self.tell(Event::AnswerDone { status, usage });
            return self.ask_owed(now);
        }
        let fault = Fault::new(FaultKind::Silent, "an answer of silence alone");
        self.tell(Event::AnswerDone { status: AnswerStatus::Failed(fault.clone()), usage });
        self.unheard(now, fault);
    }

    /// Something of an answer has come: our name of its item, if anybody wants to hear it. Some servers begin without saying so.
    fn part(&mut self, now: Instant, answer: String, item: &str) -> Option<ItemId> {
        let is_new = match &self.answer {
            Answer::None | Answer::Awaited { .. } if answer == self.last_answer => return None,
            Answer::None | Answer::Awaited { .. } => true,
            Answer::Running { is_muted: true, .. } => return None,
            Answer::Running { name, .. } => {
                if *name != answer {
                    return None;
                }
                false
            }
        };
        if is_new {
            self.begin(now, answer);
        }
        let id = self.items.id(item);
        if let Answer::Running { by, first, .. } = &mut self.answer {
            *by = Some(now + self.patience.stall);
            first.get_or_insert(id);
        }
        Some(id)
    }

    fn tool(&mut self, now: Instant, request: ToolRequest) {
        if let Answer::Running { is_muted, by, .. } = &mut self.answer {
            if *is_muted {
                return;
            }
            *by = Some(now + self.patience.stall);
        }
        if self.calls.len() >= MAX_CALLS {
            let refused = format!("{} was not used: too many tools have not answered", request.name);
            return self.tell(Event::Warning(refused));
        }
        self.unanswered = 0;
        self.calls.push(Call { id: request.id.clone(), is_known: true });
        self.history.used(request.clone());
        self.tell(Event::ToolRequest(request));
    }
}

/// A conversation uses one or two at once.
const MAX_CALLS: usize = 16;
