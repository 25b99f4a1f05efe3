//! A call as its mind sees it, moved by a test: events go in, and what the mind wants is kept and checked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caly::call::dialogue::Dialogue;
use caly::call::hop::HopEvent;
use caly::mind::conversation::{END_CALL, Hops, Lines};
use caly::mind::guardrail::{Guardrail, Phrase};
use caly::mind::realtime::{RealtimeAgent, RealtimeMind, Talk};
use caly::mind::script::Script;
use caly::mind::speech::Language;
use caly::mind::{Mind, ToolCall, Wish};
use caly::voice::exchange::{Codec, Interruption, MindCommand, UtteranceId, VoiceEvent};
use caly_provider::link::{LinkDeed, LinkEnd, LinkEvent, LinkId, Message, ResponseHead};
use caly_provider::llm::ToolSpec;
use caly_provider::policy::chain::Member;
use caly_provider::policy::{Health, Patience};
use caly_provider::realtime::{self, Habits, Sessions};
use serde_json::json;

use crate::agent::{Clicks, FALLBACK, lines};
use crate::fakes::Plain;

/// The call.
pub(crate) struct Call {
    pub(crate) mind: RealtimeMind,
    pub(crate) now: Instant,
    /// What voice was told, but for what is heard.
    pub(crate) commands: Vec<MindCommand>,
    /// Sound that voice got, in milliseconds.
    pub(crate) sound_ms: u64,
    /// Tools that were asked for and have not answered.
    pub(crate) tools: Vec<ToolCall>,
    /// What the model was sent since that was asked last.
    sent: Vec<String>,
    pub(crate) link: Option<LinkId>,
    whole: BTreeSet<u64>,
    turn: u32,
    pub(crate) last_utterance: u64,
}

impl Call {
    /// One that has been answered and greeted, with so many models that do this unasked.
    pub(crate) fn new(models: usize, habits: Habits) -> Self {
        Self::of(models, habits, lines())
    }

    /// One whose agent says nothing while its caller waits.
    pub(crate) fn without_fillers(models: usize, habits: Habits) -> Self {
        Self::of(models, habits, Lines { fillers: Vec::new(), ..lines() })
    }

    fn of(models: usize, habits: Habits, lines: Lines) -> Self {
        let now = Instant::now();
        let agent = RealtimeAgent { lines, ..agent(models, habits, now) };
        let mind = RealtimeMind::new(Arc::new(agent), Arc::new(Clicks), "");
        let mut call = Self {
            mind,
            now,
            commands: Vec::new(),
            sound_ms: 0,
            tools: Vec::new(),
            sent: Vec::new(),
            link: None,
            whole: BTreeSet::new(),
            turn: 0,
            last_utterance: 0,
        };
        call.voice(VoiceEvent::Answered);
        call.voice(VoiceEvent::Media { codec: Codec::Pcmu });
        call.voice(VoiceEvent::Credit { samples: 8_000 * 6_000 });
        call.plays();
        call.sent();
        call
    }

    /// Something happens in the call.
    pub(crate) fn voice(&mut self, event: VoiceEvent) {
        self.mind.handle(self.now, event);
        self.pump();
    }

    /// The caller's turn is over.
    pub(crate) fn commits(&mut self) {
        let (turn, speech) = (self.turn, Duration::from_secs(1));
        self.turn += 1;
        self.voice(VoiceEvent::SpeechEnded { duration: speech });
        self.voice(VoiceEvent::TurnCommitted { turn, speech });
    }

    /// What the caller said was no turn.
    pub(crate) fn dismisses(&mut self) {
        let turn = self.turn;
        self.turn += 1;
        self.voice(VoiceEvent::SpeechDismissed { turn });
    }

    /// The caller takes the floor from the last utterance, of which so much was heard.
    pub(crate) fn interrupts(&mut self, heard_ms: u64, by: Interruption) {
        let utterance = UtteranceId(self.last_utterance);
        let heard = Duration::from_millis(heard_ms);
        self.voice(VoiceEvent::Interrupted { utterance, heard, by });
    }

    /// All that was said is heard.
    pub(crate) fn plays(&mut self) {
        let utterance = UtteranceId(self.last_utterance);
        if self.whole.contains(&utterance.0) {
            self.voice(VoiceEvent::Played { utterance });
        }
    }

    /// The model says this.
    pub(crate) fn model(&mut self, lines: &[&str]) {
        for line in lines {
            let Some(link) = self.link else { return };
            let event = LinkEvent::Received(Message::Text((*line).to_owned()));
            self.mind.handle_link(self.now, link, event);
            self.pump();
        }
    }

    /// The link breaks.
    pub(crate) fn breaks(&mut self) {
        if let Some(link) = self.link.take() {
            let end = LinkEnd::Closed { code: None, reason: String::new() };
            self.mind.handle_link(self.now, link, LinkEvent::Ended(end));
            self.pump();
        }
    }

    /// The oldest tool answers.
    pub(crate) fn tool_answers(&mut self) {
        if !self.tools.is_empty() {
            let id = self.tools.remove(0).id;
            self.mind.handle_tool(self.now, id, Ok(json!({ "ok": true })));
            self.pump();
        }
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

    /// What the model was sent since this was asked last.
    pub(crate) fn sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent)
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

    /// How often it went on by its script.
    pub(crate) fn gave_up(&self) -> usize {
        self.notes().filter(|note| matches!(note, Dialogue::Hop(HopEvent::GaveUp { .. }))).count()
    }

    /// Whether it wants to hang up.
    pub(crate) fn hangs_up(&self) -> bool {
        self.commands.contains(&MindCommand::HangUp)
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
    }

    fn command(&mut self, command: MindCommand) {
        match command {
            MindCommand::Speak { utterance, samples, .. } => {
                assert!(!self.hangs_up(), "spoken after it hung up");
                assert!(utterance.0 >= self.last_utterance, "the numbers of utterances only grow");
                assert!(!self.whole.contains(&utterance.0), "more of an utterance that was whole");
                self.last_utterance = utterance.0;
                self.sound_ms += samples.len() as u64 / 8;
            }
            MindCommand::Finish { utterance } => {
                self.whole.insert(utterance.0);
            }
            other => self.commands.push(other),
        }
    }

    fn order(&mut self, link: LinkId, deed: LinkDeed) {
        match deed {
            LinkDeed::Open(_) => {
                self.link = Some(link);
                self.mind.handle_link(self.now, link, LinkEvent::Opened(ResponseHead::default()));
                let ready = LinkEvent::Received(Message::Text("ready".to_owned()));
                self.mind.handle_link(self.now, link, ready);
            }
            LinkDeed::Send(Message::Text(text)) => self.sent.push(text),
            LinkDeed::Send(Message::Binary(_)) => panic!("binary"),
            LinkDeed::Close => self.link = self.link.filter(|open| *open != link),
        }
    }
}

fn agent(models: usize, habits: Habits, epoch: Instant) -> RealtimeAgent {
    let member = |number: usize| Member {
        name: format!("model{number}").into(),
        health: Arc::new(Health::new(epoch)),
    };
    let model = || {
        let sessions = Sessions { vendor: Arc::new(Plain(habits)), patience: Patience::REALTIME };
        Arc::new(sessions) as Arc<dyn realtime::Provider>
    };
    let fallback = Script::parse("fallback.toml", FALLBACK, &[]).unwrap_or_else(|faults| panic!("{faults}"));
    let spec =
        |name: &str| ToolSpec { name: name.to_owned(), description: String::new(), parameters: json!({}) };
    RealtimeAgent {
        name: "Asha".to_owned(),
        language: Language::Hi,
        models: Hops((0..models).map(|number| (member(number), model())).collect()),
        instructions: "Be brief.".into(),
        tools: ["look", "cancel", END_CALL].map(spec).into(),
        lines: lines(),
        guardrail: Arc::new(guardrail()),
        waiting_sound: None,
        talk: Talk::default(),
        fallback: Arc::new(fallback),
    }
}

fn guardrail() -> Guardrail {
    let phrase = |text: &str| Phrase::parse(text).unwrap();
    Guardrail::new(["poora paisa wapas", "Acme"].map(phrase).into(), Vec::new())
}
