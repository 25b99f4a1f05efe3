//! A call as its mind sees it, moved by a test: events go in, and what the mind wants is kept and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use caly::call::dialogue::Dialogue;
use caly::call::hop::HopEvent;
use caly::mind::cascade::{Answers, Cascade, CascadeMind};
use caly::mind::conversation::{END_CALL, Hops, Lines};
use caly::mind::guardrail::{Guardrail, Pattern, Phrase};
use caly::mind::script::Script;
use caly::mind::speech::Language;
use caly::mind::{CallerAudio, CallerFrame, Mind, ToolCall, ToolCallId, Wish};
use caly::tools::ToolError;
use caly::voice::exchange::{Codec, Digit, Interruption, MindCommand, UtteranceId, VoiceEvent};
use caly_provider::link::{LinkDeed, LinkEnd, LinkEvent, LinkId, Message, Request, ResponseHead};
use caly_provider::llm::{ToolSpec, Turn};
use caly_provider::policy::Health;
use caly_provider::policy::chain::Member;
use caly_provider::{asr, llm, tts};
use serde_json::{Value, json};

use crate::agent::{Clicks, FALLBACK, lines};
use crate::fakes::{Asked, Book, FakeEars, FakeModel, FakeVoice};

/// The call.
pub(crate) struct Call {
    pub(crate) mind: CascadeMind,
    pub(crate) now: Instant,
    book: Book,
    /// What voice was told, but for what is heard.
    pub(crate) commands: Vec<MindCommand>,
    /// Milliseconds of sound that voice got of each utterance, and whether its end.
    pub(crate) utterances: BTreeMap<u64, (u64, bool)>,
    /// Tools that were asked for and have not answered.
    pub(crate) tools: Vec<ToolCall>,
    /// Links that are open, and to whom.
    pub(crate) links: BTreeMap<LinkId, &'static str>,
    /// The last one of the model.
    pub(crate) last_ask: Option<LinkId>,
    closed: BTreeSet<LinkId>,
    turn: u32,
    last_utterance: u64,
}

impl Call {
    /// One that has been answered, with so many providers of each kind.
    pub(crate) fn new(providers: usize) -> Self {
        Self::answered(providers, Answers::default())
    }

    /// The same of an agent that answers otherwise.
    pub(crate) fn answered(providers: usize, answers: Answers) -> Self {
        Self::silent(providers, answers).greeted()
    }

    /// One whose agent says nothing while its caller waits.
    pub(crate) fn without_fillers(providers: usize) -> Self {
        Self::of(providers, Answers::default(), Lines { fillers: Vec::new(), ..lines() }).greeted()
    }

    fn greeted(mut self) -> Self {
        let call = &mut self;
        call.voice(VoiceEvent::Answered);
        call.voice(VoiceEvent::Media { codec: Codec::Pcmu });
        call.voice(VoiceEvent::Credit { samples: 8_000 * 600 });
        let greeting = call.last_utterance;
        call.voice(VoiceEvent::Played { utterance: UtteranceId(greeting) });
        self
    }

    /// One that has not.
    pub(crate) fn silent(providers: usize, answers: Answers) -> Self {
        Self::of(providers, answers, lines())
    }

    fn of(providers: usize, answers: Answers, lines: Lines) -> Self {
        let (book, now) = (Book::default(), Instant::now());
        let cascade = Arc::new(Cascade { lines, ..cascade(&book, providers, now, answers) });
        let mind = CascadeMind::new(cascade, Arc::new(Clicks), "".into());
        Self {
            mind,
            now,
            book,
            commands: Vec::new(),
            utterances: BTreeMap::new(),
            tools: Vec::new(),
            links: BTreeMap::new(),
            last_ask: None,
            closed: BTreeSet::new(),
            turn: 0,
            last_utterance: 0,
        }
    }

    /// Something happens in the call.
    pub(crate) fn voice(&mut self, event: VoiceEvent) {
        self.mind.handle(self.now, event);
        self.pump();
    }

    /// The caller says something, and it is his turn's end.
    pub(crate) fn says(&mut self, text: &str) {
        self.voice(VoiceEvent::SpeechStarted);
        self.hears(text);
        self.commits();
    }

    /// So much of the caller's audio passes, of silence.
    pub(crate) fn hears_silence(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.now += Duration::from_millis(20);
            let frame = CallerFrame { audio: CallerAudio::Payload([0xff; 160]), is_speech: false };
            self.mind.hear(self.now, &mut std::iter::once(frame));
        }
        self.pump();
    }

    /// The recognizer has words.
    pub(crate) fn hears(&mut self, text: &str) {
        self.tell("asr", &format!("H:{text}"));
    }

    /// The caller's turn is over.
    pub(crate) fn commits(&mut self) {
        let (turn, speech) = (self.turn, Duration::from_secs(1));
        self.turn += 1;
        self.voice(VoiceEvent::SpeechEnded { duration: speech });
        self.voice(VoiceEvent::TurnCommitted { turn, speech });
    }

    /// The turn is probably over.
    pub(crate) fn likely(&mut self) {
        self.voice(VoiceEvent::TurnLikely { turn: self.turn });
    }

    /// What the caller said was no turn.
    pub(crate) fn dismisses(&mut self) {
        let turn = self.turn;
        self.turn += 1;
        self.voice(VoiceEvent::SpeechDismissed { turn });
    }

    /// The caller takes the floor from the last utterance, of which so much was heard.
    pub(crate) fn interrupts(&mut self, heard_ms: u64) {
        let utterance = UtteranceId(self.last_utterance);
        let (heard, by) = (Duration::from_millis(heard_ms), Interruption::Speech);
        self.voice(VoiceEvent::Interrupted { utterance, heard, by });
    }

    /// All that was said is heard.
    pub(crate) fn plays(&mut self) {
        let utterance = UtteranceId(self.last_utterance);
        self.voice(VoiceEvent::Played { utterance });
    }

    /// A key.
    pub(crate) fn presses(&mut self, key: char) {
        self.voice(VoiceEvent::Digit(Digit::from_char(key).unwrap()));
    }

    /// The newest link to such a provider says this.
    pub(crate) fn tell(&mut self, to: &str, line: &str) {
        if let Some(link) = self.newest(to) {
            self.link(link, LinkEvent::Received(Message::Text(line.to_owned())));
        }
    }

    /// The model writes this.
    pub(crate) fn model(&mut self, lines: &[&str]) {
        let link = self.last_ask.unwrap();
        for line in lines {
            self.link(link, LinkEvent::Received(Message::Text((*line).to_owned())));
        }
    }

    /// The newest link to such a provider breaks.
    pub(crate) fn breaks(&mut self, to: &str) {
        if let Some(link) = self.newest(to) {
            self.links.remove(&link);
            self.closed.insert(link);
            let end = LinkEnd::Closed { code: None, reason: String::new() };
            self.mind.handle_link(self.now, link, LinkEvent::Ended(end));
            self.pump();
        }
    }

    /// Something becomes of a link.
    pub(crate) fn link(&mut self, link: LinkId, event: LinkEvent) {
        self.mind.handle_link(self.now, link, event);
        self.pump();
    }

    /// The oldest tool answers.
    pub(crate) fn tool_answers(&mut self, answer: Value) {
        let id = self.tools.remove(0).id;
        self.tool(id, Ok(answer));
    }

    /// A tool answers.
    pub(crate) fn tool(&mut self, id: ToolCallId, answer: Result<Value, ToolError>) {
        self.tools.retain(|call| call.id != id);
        self.mind.handle_tool(self.now, id, answer);
        self.pump();
    }

    /// Time passes; every deadline is kept.
    pub(crate) fn waits(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(due) = self.mind.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.mind.handle_timeout(self.now);
            self.pump();
            let next = self.mind.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a deadline that was kept comes again");
        }
        self.now = until;
    }

    /// The call is over.
    pub(crate) fn finish(&mut self) {
        self.mind.finish(self.now);
        self.pump();
    }

    /// What its providers were asked for.
    pub(crate) fn asked(&self) -> MutexGuard<'_, Asked> {
        self.book.lock().unwrap()
    }

    /// What the model was told last.
    pub(crate) fn told(&self) -> Vec<Turn> {
        self.asked().prompts.last().unwrap().turns.clone()
    }

    /// What the agent said, by the log.
    pub(crate) fn said(&self) -> Vec<String> {
        let said = self.notes().filter_map(|note| match note {
            Dialogue::Said { text, .. } | Dialogue::SaidOn { text, .. } => Some(text.clone()),
            _ => None,
        });
        said.collect()
    }

    /// Everything that was logged.
    pub(crate) fn notes(&self) -> impl Iterator<Item = &Dialogue> {
        self.commands.iter().filter_map(|command| match command {
            MindCommand::Note(note) | MindCommand::NoteAt(_, note) => Some(note),
            _ => None,
        })
    }

    /// Whether it goes on by its script.
    pub(crate) fn has_given_up(&self) -> bool {
        self.notes().any(|note| matches!(note, Dialogue::Hop(HopEvent::GaveUp { .. })))
    }

    /// Whether it wants to hang up.
    pub(crate) fn hangs_up(&self) -> bool {
        self.commands.contains(&MindCommand::HangUp)
    }

    pub(crate) fn newest(&self, to: &str) -> Option<LinkId> {
        self.links.iter().rev().find(|(_, host)| **host == to).map(|(link, _)| *link)
    }

    fn pump(&mut self) {
        let mut polls = 0;
        while let Some(wish) = self.mind.poll() {
            polls += 1;
            assert!(polls < 100_000, "the mind does not come to rest");
            match wish {
                Wish::Voice(command) => self.command(command),
                Wish::Tool(call) => self.tools.push(call),
                Wish::Link(order) => self.order(order.link, order.deed),
            }
        }
        for turns in self.asked().prompts.iter().map(|prompt| &prompt.turns) {
            check_turns(turns);
        }
    }

    fn command(&mut self, command: MindCommand) {
        match command {
            MindCommand::Speak { utterance, samples, .. } => {
                assert!(!self.hangs_up(), "spoken after it hung up");
                assert!(utterance.0 >= self.last_utterance, "the numbers of utterances only grow");
                self.last_utterance = utterance.0;
                let (ms, is_whole) = self.utterances.entry(utterance.0).or_default();
                assert!(!*is_whole, "more of an utterance that was whole");
                *ms += samples.len() as u64 / 8;
            }
            MindCommand::Finish { utterance } => {
                self.utterances.entry(utterance.0).or_default().1 = true;
            }
            other => self.commands.push(other),
        }
    }

    fn order(&mut self, link: LinkId, deed: LinkDeed) {
        match deed {
            LinkDeed::Open(request) => {
                assert!(
                    !self.closed.contains(&link) && !self.links.contains_key(&link),
                    "{link:?} opened twice"
                );
                let host = match &request {
                    Request::WebSocket(endpoint) if endpoint.url.as_str().contains("asr") => "asr",
                    Request::WebSocket(_) => "tts",
                    Request::Http(_) | Request::Program(_) => "llm",
                };
                if host == "llm" {
                    self.last_ask = Some(link);
                }
                self.links.insert(link, host);
                self.link(link, LinkEvent::Opened(ResponseHead::default()));
            }
            LinkDeed::Send(_) => {}
            LinkDeed::Close => {
                self.links.remove(&link);
                self.closed.insert(link);
            }
        }
    }
}

/// Sides take turns, and every tool that was used is answered in the next turn, once.
fn check_turns(turns: &[Turn]) {
    for (at, turn) in turns.iter().enumerate() {
        let next = turns.get(at + 1);
        match turn {
            Turn::User(_) => assert!(!matches!(next, Some(Turn::User(_))), "{turns:?}"),
            Turn::Assistant { calls, .. } => {
                let asked: Vec<&str> = calls.iter().map(|call| call.id.as_str()).collect();
                let answered: Vec<&str> = match next {
                    Some(Turn::Results(results)) => results.iter().map(|result| result.id.as_str()).collect(),
                    Some(Turn::Assistant { .. }) => panic!("two in a row: {turns:?}"),
                    Some(Turn::User(_)) | None => Vec::new(),
                };
                let sorted = |mut ids: Vec<&str>| {
                    ids.sort_unstable();
                    ids.join(",")
                };
                assert_eq!(sorted(asked), sorted(answered), "{turns:?}");
            }
            Turn::Results(_) => {
                assert!(at > 0 && matches!(turns[at - 1], Turn::Assistant { .. }), "{turns:?}");
            }
        }
    }
}

fn cascade(book: &Book, providers: usize, epoch: Instant, answers: Answers) -> Cascade {
    let member = |hop: &str, number: usize| Member {
        name: format!("{hop}{number}").into(),
        health: Arc::new(Health::new(epoch)),
    };
    let numbers = 0..providers;
    let asr = numbers.clone().map(|n| (member("asr", n), Arc::new(FakeEars) as Arc<dyn asr::Provider>));
    let model = || Arc::new(FakeModel(Arc::clone(book))) as Arc<dyn llm::Vendor>;
    let llm = numbers.clone().map(|n| (member("llm", n), model()));
    let voice = || Arc::new(FakeVoice(Arc::clone(book))) as Arc<dyn tts::Provider>;
    let tts = numbers.map(|n| (member("tts", n), voice()));
    let fallback = Script::parse("fallback.toml", FALLBACK, &[]).unwrap_or_else(|faults| panic!("{faults}"));
    let spec =
        |name: &str| ToolSpec { name: name.to_owned(), description: String::new(), parameters: json!({}) };
    Cascade {
        name: "Asha".to_owned(),
        language: Language::Hi,
        asr: Hops(asr.collect()),
        llm: Hops(llm.collect()),
        tts: Hops(tts.collect()),
        instructions: "Be brief.".into(),
        tools: ["look", "cancel", END_CALL].map(spec).into(),
        lines: lines(),
        guardrail: Arc::new(guardrail()),
        waiting_sound: None,
        understanding: Default::default(),
        answers,
        fallback: Arc::new(fallback),
    }
}

fn guardrail() -> Guardrail {
    let phrase = |text: &str| Phrase::parse(text).unwrap();
    let phrases = ["poora paisa wapas", "Acme"].map(phrase).into();
    Guardrail::new(phrases, vec![Pattern::parse("(?:[0-9][ .,-]*){13,16}").unwrap()])
}
