//! The client of every model that hears and speaks. It opens the connection in time and anew when it breaks, also before the vendor ends it, and each time
//! tells what was said before; it asks for one answer at a time, waits no longer than it should, and says what was heard of an answer that was cut off.

mod items;
mod kept;
mod told;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::history::History;
use super::{
    AnswerStatus, Event, Formats, Habits, ItemId, Output, Realtime, Setup, Speaker, Then, Vendor, Wire,
};
use crate::link::{LinkEvent, LinkId, Message};
use crate::llm::{ToolResult, Turn};
use crate::onset::Onset;
use crate::policy::connection::{Connection, ConnectionEvent, LinkIds};
use crate::policy::{Fault, FaultKind, Patience, RetryConfig, earliest};
use items::Items;
use kept::Kept;

/// How patient a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// How long it waits: until the session is set up, until the first sound of an answer, and between two parts of it.
    pub patience: Patience,
    /// How often it connects again.
    pub retry: RetryConfig,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self { patience: Patience::REALTIME, retry: RetryConfig::CONNECTION }
    }
}

/// The client of one call.
#[derive(Debug)]
pub struct Client {
    vendor: Arc<dyn Vendor>,
    formats: Formats,
    setup: Setup,
    patience: Patience,
    wire: Box<dyn Wire>,
    connection: Connection,
    /// What brings the next connection into the same session.
    handle: Option<String>,
    history: History,
    items: Items,
    kept: Kept,
    caller_speaks: bool,
    answer: Answer,
    /// The item whose sound comes, from its first sound on.
    onset: Option<(ItemId, Onset)>,
    /// The answer that was over last: what still comes of it is late.
    last_answer: String,
    /// An answer is to be asked for once there is none, or once there is a connection.
    owed: Option<Owed>,
    calls: Vec<Call>,
    /// What was written while there was no connection, for a session that goes on.
    late_notes: Vec<(Speaker, String)>,
    recycle: Option<Recycle>,
    /// Connections on which an answer was waited for in vain, one after the other.
    unanswered: u32,
    outputs: VecDeque<Output>,
    late_bytes: u64,
}

/// The answer of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    None,
    /// It is due, unless the caller goes on.
    Awaited {
        by: Option<Instant>,
    },
    Running {
        name: String,
        /// Nobody wants to hear the rest.
        is_muted: bool,
        /// The next part is due.
        by: Option<Instant>,
        /// Its first item.
        first: Option<ItemId>,
        /// More than silence has come.
        has_sound: bool,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Owed {
    instructions: Option<String>,
    /// The caller's turn is over, which the vendor is to be told first.
    ends_turn: bool,
}

/// A tool that has not answered.
#[derive(Debug)]
struct Call {
    id: String,
    /// It was asked for on this connection.
    is_known: bool,
}

/// When a connection is too old.
#[derive(Clone, Copy, Debug)]
struct Recycle {
    /// From here on at a quiet moment.
    from: Instant,
    /// Then in any case.
    by: Instant,
}

impl Client {
    /// A client that has not begun.
    pub fn new(
        vendor: Arc<dyn Vendor>,
        formats: Formats,
        setup: Setup,
        links: LinkIds,
        config: ClientConfig,
    ) -> Self {
        Self {
            wire: vendor.wire(formats, &setup, None),
            vendor,
            formats,
            setup: Setup { history: Vec::new(), ..setup },
            patience: config.patience,
            connection: Connection::new(links, config.patience.connect, config.retry),
            handle: None,
            history: History::of(&setup.history),
            items: Items::default(),
            kept: Kept::new(formats.input),
            caller_speaks: false,
            answer: Answer::None,
            onset: None,
            last_answer: String::new(),
            owed: None,
            calls: Vec::new(),
            late_notes: Vec::new(),
            recycle: None,
            unanswered: 0,
            outputs: VecDeque::new(),
            late_bytes: 0,
        }
    }

    /// The caller's sound that waited for a connection for so long that it was dropped, in bytes.
    pub fn lost_bytes(&self) -> u64 {
        self.kept.lost_bytes()
    }

    /// The agent's sound that came when nobody wanted to hear it any more, in bytes.
    pub fn late_bytes(&self) -> u64 {
        self.late_bytes
    }

    fn open(&mut self, now: Instant) {
        if self.connection.is_closed() {
            self.renew();
            self.connection.open(now, self.wire.request());
        }
    }

    /// The codec of the next connection.
    fn renew(&mut self) {
        self.wire = self.vendor.wire(self.formats, &self.setup, self.handle.as_deref());
        self.caller_speaks = false;
        self.recycle = None;
        if !self.wire.is_resumed() {
            self.items.forget_names();
            self.calls.iter_mut().for_each(|call| call.is_known = false);
        }
    }

    fn handle_connection(&mut self, now: Instant, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Opened(_) => {
                let greeting = self.wire.greeting();
                self.send(now, greeting);
            }
            ConnectionEvent::Received(message) => self.received(now, &message),
            ConnectionEvent::Lost(fault) => {
                self.broke(&fault);
                self.tell(Event::Lost(fault));
            }
            ConnectionEvent::Failed(fault) => {
                self.broke(&fault);
                self.tell(Event::Failed(fault));
            }
        }
    }

    fn received(&mut self, now: Instant, message: &Message) {
        let mut told = Vec::new();
        let outcome = self.wire.receive(message, &mut told);
        told.into_iter().for_each(|told| self.told(now, told));
        if let Err(fault) = outcome {
            self.fail(now, fault);
        }
    }

    /// What was said before is told first, then what was heard since, then an answer is asked for that is still due.
    fn ready(&mut self, now: Instant, request_id: Option<String>) {
        self.connection.ready(now);
        if let Some(lifetime) = self.wire.lifetime() {
            let from = now + lifetime;
            self.recycle = Some(Recycle { from, by: from + lifetime / GRACE_PART });
        }
        self.tell(Event::Ready { request_id });
        let late = std::mem::take(&mut self.late_notes);
        let before = if self.wire.is_resumed() {
            late.iter().flat_map(|(by, text)| self.wire.note(*by, text)).collect()
        } else {
            self.wire.replay(&self.history.turns())
        };
        self.send(now, before);
        self.kept.say_again();
        self.send_audio(now);
        match self.owed.take() {
            Some(Owed { ends_turn: true, .. }) => self.end_turn(now),
            Some(Owed { instructions, .. }) => self.ask(now, instructions),
            None => {}
        }
    }

    fn send_audio(&mut self, now: Instant) {
        while self.connection.is_ready()
            && let Some(piece) = self.kept.next_piece()
        {
            let messages = self.wire.audio(&piece);
            self.send(now, messages);
        }
    }

    /// What was written while an answer was due or given.
    fn send_notes(&mut self, now: Instant) {
        if self.connection.is_ready() && self.answer == Answer::None {
            for (by, text) in std::mem::take(&mut self.late_notes) {
                let messages = self.wire.note(by, &text);
                self.send(now, messages);
            }
        }
    }

    /// Asks for an answer, once there is none.
    fn ask(&mut self, now: Instant, instructions: Option<String>) {
        let is_free = match self.answer {
            Answer::None => true,
            // It comes by itself.
            Answer::Awaited { .. } if instructions.is_none() && !self.is_written_to() => return,
            Answer::Awaited { .. } | Answer::Running { .. } => false,
        };
        if !is_free || !self.connection.is_ready() {
            let ends_turn = self.owed.take().is_some_and(|owed| owed.ends_turn);
            self.owed = Some(Owed { instructions, ends_turn });
            return;
        }
        let messages = self.wire.respond(instructions.as_deref());
        self.send(now, messages);
        self.expect(now);
    }

    /// Whether something of the caller's own is written that the answer which is due does not know.
    fn is_written_to(&self) -> bool {
        self.late_notes.iter().any(|(by, _)| *by == Speaker::User)
    }

    /// An answer is due, unless it has begun.
    fn expect(&mut self, now: Instant) {
        if !matches!(self.answer, Answer::Running { .. }) {
            self.answer = Answer::Awaited { by: Some(now + self.patience.first) };
        }
    }

    /// The connection is gone, and the answer with it. One that has not begun is asked for again.
    fn broke(&mut self, fault: &Fault) {
        // A handle that brings no session is of no use.
        if self.wire.is_resumed() && self.recycle.is_none() {
            self.handle = None;
        }
        self.drop_answer(fault);
        self.renew();
    }

    fn drop_answer(&mut self, fault: &Fault) {
        match std::mem::replace(&mut self.answer, Answer::None) {
            Answer::None => {}
            Answer::Awaited { .. } => self.owed = self.owed.take().or(Some(Owed::default())),
            Answer::Running { .. } => {
                let status = AnswerStatus::Failed(fault.clone());
                self.tell(Event::AnswerDone { status, usage: None });
            }
        }
    }

    fn fail(&mut self, now: Instant, fault: Fault) {
        let event = self.connection.fail(now, fault);
        self.handle_connection(now, event);
    }

    /// Nothing came in time, or nothing that can be heard. Who does that twice is of no use.
    fn unheard(&mut self, now: Instant, fault: Fault) {
        self.unanswered += 1;
        if self.unanswered < MAX_UNANSWERED {
            return self.fail(now, fault);
        }
        self.connection.close();
        self.handle_connection(now, ConnectionEvent::Failed(fault));
    }

    /// The connection is made anew before the vendor ends it.
    fn make_anew(&mut self, now: Instant) {
        self.tell(Event::Recycled);
        self.drop_answer(&Fault::new(FaultKind::Dropped, "the session reached the vendor's limit"));
        self.connection.close();
        self.open(now);
    }

    fn recycle_due(&self) -> Option<Instant> {
        let recycle = self.recycle?;
        let is_quiet = self.answer == Answer::None
            && self.owed.is_none()
            && self.calls.is_empty()
            && !self.caller_speaks;
        Some(if is_quiet { recycle.from } else { recycle.by })
    }

    fn answer_due(&self) -> Option<Instant> {
        match &self.answer {
            Answer::None => None,
            Answer::Awaited { by } | Answer::Running { by, .. } => *by,
        }
    }

    /// Of an item so much was heard. Words come before their sound, so that of an answer that is not complete a few too many are kept.
    fn truncate(&mut self, now: Instant, item: ItemId, heard: Duration) {
        let all = self.formats.output.duration(self.items.bytes(item));
        // The vendor counts from the first of its sound, silent or not.
        let heard = (heard + self.items.trimmed(item)).min(all);
        let is_running = matches!(&self.answer, Answer::Running { first: Some(first), .. } if *first <= item);
        // Whose end was heard stays as it is: the vendor forgets the words of what is cut.
        let cut = (is_running || heard < all).then_some(heard);
        for (name, heard) in self.items.cut(item, cut) {
            let messages = self.wire.truncate(&name, heard);
            self.send(now, messages);
        }
        self.history.heard(Some(item), heard, all);
    }

    fn send(&mut self, now: Instant, messages: Vec<Message>) {
        messages.into_iter().for_each(|message| self.connection.send(now, message));
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

impl Realtime for Client {
    fn formats(&self) -> Formats {
        self.formats
    }

    fn habits(&self) -> Habits {
        self.wire.habits()
    }

    fn history(&self) -> Vec<Turn> {
        self.history.turns()
    }

    fn start(&mut self, now: Instant) {
        self.open(now);
    }

    fn hear(&mut self, now: Instant, audio: &[u8]) {
        let is_waiting = self.caller_speaks || !self.connection.is_ready();
        self.kept.push(audio, is_waiting);
        self.send_audio(now);
    }

    fn caller_begins(&mut self) {
        self.kept.has_speech = true;
    }

    fn caller_said_nothing(&mut self) {
        self.kept.has_speech = false;
    }

    fn end_turn(&mut self, now: Instant) {
        if !self.connection.is_ready() {
            self.owed = Some(Owed { instructions: None, ends_turn: true });
            return;
        }
        let messages = self.wire.end_turn();
        self.send(now, messages);
        self.caller_speaks = false;
        if self.wire.habits().answers_ended_turns {
            self.expect(now);
        } else if matches!(self.answer, Answer::Awaited { .. }) && !self.wire.habits().ends_turns {
            // That is to the turn before, and has not heard this one.
            self.owed = self.owed.take().or(Some(Owed::default()));
        } else {
            self.ask(now, None);
        }
    }

    fn note(&mut self, now: Instant, by: Speaker, text: &str) {
        match by {
            Speaker::User => self.history.note(true, text),
            Speaker::Assistant => self.history.note(false, text),
            Speaker::System => self.history.note(true, &format!("({text})")),
        }
        // Some vendors stop their answer at any word that is written to them.
        if self.connection.is_ready() && self.answer == Answer::None {
            let messages = self.wire.note(by, text);
            self.send(now, messages);
        } else if self.late_notes.len() < MAX_LATE_NOTES {
            self.late_notes.push((by, text.to_owned()));
        }
    }

    fn respond(&mut self, now: Instant, instructions: Option<&str>) {
        self.ask(now, instructions.map(str::to_owned));
    }

    fn interrupt(&mut self, now: Instant, heard: Option<(ItemId, Duration)>) {
        self.owed = None;
        let mut first_item = None;
        let stops_itself = self.wire.habits().stops_when_interrupted && self.caller_speaks;
        let is_wanted = match &mut self.answer {
            Answer::None => false,
            Answer::Awaited { .. } => {
                self.answer = Answer::None;
                true
            }
            Answer::Running { is_muted, first, .. } => {
                first_item = *first;
                !std::mem::replace(is_muted, true)
            }
        };
        if is_wanted && !stops_itself {
            let messages = self.wire.cancel();
            self.send(now, messages);
        }
        // Without a word of what was heard nothing was, of the answer that is being given.
        if let Some((item, heard)) = heard.or(first_item.map(|item| (item, Duration::ZERO))) {
            self.truncate(now, item, heard);
        }
        self.send_notes(now);
    }

    fn unsettled(&self) -> Vec<u8> {
        self.kept.unconfirmed()
    }

    fn tool_result(&mut self, now: Instant, result: ToolResult, then: Then) {
        let Some(at) = self.calls.iter().position(|call| call.id == result.id) else { return };
        let call = self.calls.remove(at);
        self.history.answered(&result);
        let answers_itself =
            self.connection.is_ready() && call.is_known && self.wire.habits().answers_results;
        if self.connection.is_ready() && call.is_known {
            let messages = self.wire.result(&result);
            self.send(now, messages);
        } else {
            // The session does not know who asked: it is told in words, now or with all that was said before.
            let text = format!("The tool answered: {}", result.content);
            if self.connection.is_ready() {
                let messages = self.wire.note(Speaker::System, &text);
                self.send(now, messages);
            } else if self.late_notes.len() < MAX_LATE_NOTES {
                self.late_notes.push((Speaker::System, text));
            }
        }
        if !self.calls.is_empty() {
            return;
        }
        let owed = self.owed.take();
        match (then, owed) {
            (Then::Nothing, None) => {}
            (Then::Answer, None) if answers_itself => self.expect(now),
            (Then::Answer | Then::Nothing, owed) => self.ask(now, owed.and_then(|owed| owed.instructions)),
        }
    }

    fn close(&mut self, _now: Instant) {
        self.answer = Answer::None;
        self.owed = None;
        self.recycle = None;
        self.connection.close();
    }

    fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent) {
        let why = |code, reason: &str| self.wire.closed(code, reason);
        if let Some(event) = self.connection.handle_link(now, link, event, why) {
            self.handle_connection(now, event);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(event) = self.connection.handle_timeout(now) {
            self.handle_connection(now, event);
        }
        if self.answer_due().is_some_and(|by| by <= now) {
            let what = match self.answer {
                Answer::Running { .. } => "the answer stood still",
                Answer::None | Answer::Awaited { .. } => "no answer came in time",
            };
            self.unheard(now, Fault::new(FaultKind::Timeout, what));
        }
        if self.recycle_due().is_some_and(|at| at <= now) {
            self.make_anew(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earliest([self.connection.poll_timeout(), self.answer_due(), self.recycle_due()])
    }

    fn poll(&mut self) -> Option<Output> {
        self.connection.poll_order().map(Output::Link).or_else(|| self.outputs.pop_front())
    }
}

/// Who owes an answer on so many connections is given up.
const MAX_UNANSWERED: u32 = 2;
/// For a quiet moment there is a tenth of a connection's life: five minutes of an hour, less than one of ten.
const GRACE_PART: u32 = 10;
/// What is written while there is no connection: a few seconds.
const MAX_LATE_NOTES: usize = 32;

#[cfg(test)]
mod tests;
