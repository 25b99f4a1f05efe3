//! Runs a dialogue: one state at a time, one match on what the state does.

mod keys;
mod message;
mod tool_use;
mod wording;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::format::{Kind, Script, State};
use crate::call::dialogue::Dialogue;
use crate::mind::speech::{Clips, Language, Outbox};
use crate::mind::{Mind, ToolCallId, Wish};
use crate::tools::{TOOL_TIME, ToolError};
use crate::voice::exchange::{Interruption, MindCommand, UtteranceId, VoiceEvent, YieldsTo};

/// The mind of an agent that follows a script. It never asks a clock, and behaves the same way for the same events.
#[derive(Clone, Debug)]
pub struct ScriptMind {
    script: Arc<Script>,
    clips: Arc<dyn Clips>,
    outbox: Outbox,
    wishes: VecDeque<Wish>,
    /// When the call was answered.
    began: Option<Instant>,
    language: Language,
    at: usize,
    phase: Phase,
    failed_tries: u8,
    /// How often each state was entered that counts it.
    visits: BTreeMap<usize, u8>,
    /// When a key was pressed last that the state does not know.
    wrong_key_at: Option<Instant>,
    values: BTreeMap<String, Value>,
    typed: String,
    next_tool: u64,
    steps: u32,
    /// What stops the words of the state.
    yields_to: YieldsTo,
    /// Last utterance of the state; what is said of earlier ones comes too late to matter.
    awaited: Option<Awaited>,
    /// Last utterance that was stopped here: that voice cut it too says nothing of what followed.
    stopped: Option<UtteranceId>,
    /// Whether the caller began to speak in this state: speech over a prompt before it is no answer to it.
    has_spoken_here: bool,
    is_speaking: bool,
    /// The caller has begun what he says over words that nothing stops, and that are heard by now.
    has_overlapped: bool,
    /// When the call is ended although its last words are not sent.
    hangs_up_by: Option<Instant>,
    unspoken: u64,
    ignored_keys: u64,
    has_hung_up: bool,
}

/// Words on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Awaited {
    utterance: UtteranceId,
    yields_to: YieldsTo,
}

/// What the state is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not answered yet.
    Opening,
    /// It says what must be heard before it goes on.
    Saying,
    /// The caller has cut that by speaking, and is heard out before it goes on.
    HearingOut,
    /// It waits for keys, perhaps while it still speaks; until then, if keys were pressed that may be all.
    Waiting { until: Option<Instant> },
    /// A tool is at work.
    Calling { id: ToolCallId, asked: Instant },
    /// The caller's message is being recorded; it ends then, or at the silence's end if that comes first.
    Recording { from: Instant, ends: Instant, quiet_at: Option<Instant>, has_spoken: bool },
    /// The call is ending.
    Over,
}

impl ScriptMind {
    /// The mind of a call that begins now. It says nothing before the call is answered.
    pub fn new(script: Arc<Script>, clips: Arc<dyn Clips>) -> Self {
        Self {
            language: script.language,
            at: script.start,
            script,
            clips,
            outbox: Outbox::default(),
            wishes: VecDeque::new(),
            began: None,
            phase: Phase::Opening,
            failed_tries: 0,
            visits: BTreeMap::new(),
            wrong_key_at: None,
            values: BTreeMap::new(),
            typed: String::new(),
            next_tool: 1,
            steps: 0,
            yields_to: YieldsTo::ANYTHING,
            awaited: None,
            stopped: None,
            has_spoken_here: false,
            is_speaking: false,
            has_overlapped: false,
            hangs_up_by: None,
            unspoken: 0,
            ignored_keys: 0,
            has_hung_up: false,
        }
    }

    /// The mind of a call that another one has led so far: it goes on from its start, with what that one still has to say first.
    pub fn take_over(script: Arc<Script>, clips: Arc<dyn Clips>, outbox: Outbox, now: Instant) -> Self {
        let mut mind = Self::new(script, clips);
        mind.outbox = outbox;
        mind.began = Some(now);
        mind.enter(now, mind.script.start);
        mind
    }

    /// What could not be spoken: sentences of which a clip is missing, and values that are none.
    pub fn unspoken(&self) -> u64 {
        self.unspoken
    }

    /// Keys that were pressed where none are taken.
    pub fn ignored_keys(&self) -> u64 {
        self.ignored_keys
    }

    fn enter(&mut self, now: Instant, target: usize) {
        let script = Arc::clone(&self.script);
        let Some(state) = script.states.get(target) else { return };
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return self.part(now);
        }
        if let Some(most) = state.max_visits {
            let visits = self.visits.entry(target).or_default();
            *visits = visits.saturating_add(1);
            if *visits > most {
                return self.enter(now, state.give_up);
            }
        }
        self.at = target;
        self.failed_tries = 0;
        self.has_spoken_here = false;
        // What was typed during a plain prompt or while a tool was at work is meant for what follows.
        if !matches!(self.phase, Phase::Saying | Phase::HearingOut | Phase::Calling { .. }) {
            self.typed.clear();
        }
        self.note(Dialogue::State { name: state.name.clone() });
        if let Some(outcome) = &state.outcome {
            self.note(Dialogue::Outcome { name: outcome.clone() });
        }
        self.language = state.language.unwrap_or(self.language);
        self.yields_to = match state.kind {
            // Last words are heard, whatever the caller does.
            Kind::HangUp => YieldsTo::NOTHING,
            Kind::Say { .. }
            | Kind::Menu { .. }
            | Kind::Collect { .. }
            | Kind::Tool(_)
            | Kind::Choose { .. } => state.yields_to,
            // No key chooses anything here.
            Kind::Record { .. } => YieldsTo { digits: false, ..state.yields_to },
        };
        self.begin(now, state);
    }

    /// Says what the state says and sets it going; also when it is repeated.
    fn begin(&mut self, now: Instant, state: &State) {
        match &state.kind {
            Kind::Say { .. } => {
                self.phase = Phase::Saying;
                self.say(&state.say);
            }
            Kind::Record { .. } => {
                self.phase = Phase::Saying;
                self.invite_message(&state.say);
            }
            Kind::Menu { .. } | Kind::Collect { .. } => {
                self.phase = Phase::Waiting { until: None };
                // Who has answered already is not asked.
                if self.typed.is_empty() || !self.yields_to.digits {
                    self.say(&state.say);
                }
                self.use_typed(now);
            }
            Kind::Choose { from, into, each, next } => self.offer(now, state, (from, into), (*each, *next)),
            Kind::Tool(tool) => self.use_tool(now, tool),
            Kind::HangUp => {
                self.say(&state.say);
                self.finish(now);
            }
        }
    }

    /// Reads the matches out; a single one is taken without asking.
    fn offer(
        &mut self,
        now: Instant,
        state: &State,
        (from, into): (&str, &str),
        (each, next): (usize, usize),
    ) {
        let matches: Vec<Value> = self.value(from).and_then(Value::as_array).cloned().unwrap_or_default();
        match matches.as_slice() {
            [] => self.enter(now, state.give_up),
            [only] => {
                self.values.insert(into.to_owned(), only.clone());
                self.phase = Phase::Saying;
                self.enter(now, next);
            }
            several => {
                self.phase = Phase::Waiting { until: None };
                let mut parts = self.compose(&state.say);
                for (number, one) in (1..=MAX_CHOICES).zip(several) {
                    self.values.insert("choice".to_owned(), one.clone());
                    self.values.insert("n".to_owned(), Value::from(number));
                    parts.extend(self.compose(&[each]));
                }
                self.utter(parts);
            }
        }
    }

    /// The caller has chosen: what is still being said is of no use.
    fn move_on(&mut self, now: Instant, to: usize) {
        self.hush();
        self.enter(now, to);
    }

    /// A try that came to nothing: says why and asks again, a few times.
    fn failed(&mut self, now: Instant, why: usize) {
        let script = Arc::clone(&self.script);
        let Some(state) = script.states.get(self.at) else { return };
        self.failed_tries += 1;
        if self.failed_tries >= state.tries {
            self.typed.clear();
            self.hush();
            return self.enter(now, state.give_up);
        }
        self.ask_again(now, why);
    }

    /// Says why, and what the state says.
    fn ask_again(&mut self, now: Instant, why: usize) {
        let script = Arc::clone(&self.script);
        let Some(state) = script.states.get(self.at) else { return };
        self.typed.clear();
        self.hush();
        self.explain(why);
        self.begin(now, state);
    }

    /// Says why nothing came of what the caller did. Who speaks on without end still has to hear that this leads nowhere.
    fn explain(&mut self, why: usize) {
        let yields_to = self.yields_to;
        if why == self.script.no_speech {
            self.yields_to.speech = false;
        }
        self.say(&[why]);
        self.yields_to = yields_to;
    }

    fn interrupted(&mut self, now: Instant, utterance: UtteranceId, by: Interruption) {
        // Voice and mind may stop the same words at the same time; what the mind has said since then stands.
        let is_current = self.stopped.is_none_or(|stopped| utterance > stopped);
        let Some(awaited) = self.awaited.filter(|awaited| is_current && utterance <= awaited.utterance)
        else {
            return;
        };
        let yields = match by {
            Interruption::Speech => awaited.yields_to.speech,
            Interruption::Digit => awaited.yields_to.digits,
        };
        if !yields {
            // Only what was said before it is cut.
            return self.outbox.flush_before(awaited.utterance);
        }
        self.outbox.flush();
        self.awaited = None;
        let is_message = matches!(self.kind(), Some(Kind::Record { .. }));
        match (self.phase, by) {
            (Phase::Saying, Interruption::Speech) if !is_message => self.phase = Phase::HearingOut,
            (Phase::Saying, Interruption::Speech | Interruption::Digit) => self.said(now),
            (Phase::Waiting { .. }, _) => self.use_kept(now, awaited),
            (
                Phase::Opening
                | Phase::HearingOut
                | Phase::Calling { .. }
                | Phase::Recording { .. }
                | Phase::Over,
                _,
            ) => {}
        }
    }

    /// Words were heard to their end.
    fn played(&mut self, now: Instant, utterance: UtteranceId) {
        let Some(awaited) = self.awaited.take_if(|awaited| awaited.utterance == utterance) else { return };
        self.has_overlapped = self.is_speaking && !awaited.yields_to.speech;
        match self.phase {
            Phase::Saying => self.said(now),
            Phase::Waiting { .. } => self.use_kept(now, awaited),
            Phase::Opening
            | Phase::HearingOut
            | Phase::Calling { .. }
            | Phase::Recording { .. }
            | Phase::Over => {}
        }
    }

    fn kind(&self) -> Option<&Kind> {
        self.script.states.get(self.at).map(|state| &state.kind)
    }

    fn spoken_to(&mut self, now: Instant) {
        let began_here = std::mem::take(&mut self.has_spoken_here);
        let has_overlapped = std::mem::take(&mut self.has_overlapped);
        match self.phase {
            // Who could not stop the words that he spoke over has not answered anything.
            Phase::Waiting { .. } if self.awaited.is_some_and(|awaited| !awaited.yields_to.speech) => {}
            Phase::Waiting { .. } if has_overlapped => self.command(MindCommand::Listen),
            // What was said before the prompt is no answer to it, unless the caller has talked it down.
            Phase::Waiting { .. } if !began_here && self.awaited.is_some() => {}
            Phase::Waiting { .. } => self.failed(now, self.script.no_speech),
            Phase::HearingOut => {
                if self.is_speaking {
                    self.explain(self.script.no_speech);
                }
                self.said(now);
            }
            Phase::Opening
            | Phase::Saying
            | Phase::Calling { .. }
            | Phase::Recording { .. }
            | Phase::Over => {}
        }
    }

    /// What was said is no turn, and no failed try; if it has stopped what had to be said first, that counts as said.
    fn dismissed(&mut self, now: Instant) {
        self.has_spoken_here = false;
        self.has_overlapped = false;
        if self.phase == Phase::HearingOut {
            self.said(now);
        }
    }

    fn idle(&mut self, now: Instant) {
        let why = self.script.states.get(self.at).map(|state| state.no_input);
        match (self.phase, why) {
            (Phase::Waiting { .. }, Some(why)) => self.failed(now, why),
            (Phase::Saying | Phase::HearingOut, _) if self.outbox.is_empty() => self.said(now),
            (
                Phase::Opening
                | Phase::HearingOut
                | Phase::Saying
                | Phase::Waiting { .. }
                | Phase::Calling { .. }
                | Phase::Recording { .. }
                | Phase::Over,
                _,
            ) => {}
        }
    }

    /// What had to be said first is said, or the caller did not want to hear it.
    fn said(&mut self, now: Instant) {
        let script = Arc::clone(&self.script);
        match script.states.get(self.at).map(|state| &state.kind) {
            Some(Kind::Say { next }) => self.enter(now, *next),
            Some(Kind::Record { longest, silence, .. }) => {
                // Who talks over the prompt has begun the message.
                let quiet_at = (!self.is_speaking).then(|| now + *silence);
                let (ends, has_spoken) = (now + *longest, self.is_speaking);
                self.phase = Phase::Recording { from: now, ends, quiet_at, has_spoken };
                self.command(MindCommand::Listen);
            }
            Some(
                Kind::Menu { .. } | Kind::Collect { .. } | Kind::Tool(_) | Kind::Choose { .. } | Kind::HangUp,
            )
            | None => {}
        }
    }

    /// Says goodbye and ends the call, wherever it was.
    fn part(&mut self, now: Instant) {
        self.hush();
        self.yields_to = YieldsTo::NOTHING;
        self.say(&[self.script.goodbye]);
        self.finish(now);
    }

    fn finish(&mut self, now: Instant) {
        self.phase = Phase::Over;
        self.hangs_up_by = Some(now + LAST_WORDS);
    }

    fn hush(&mut self) {
        if let Some(awaited) = self.awaited.take() {
            self.outbox.flush();
            self.stopped = Some(awaited.utterance);
            self.command(MindCommand::Stop);
        }
    }

    fn note(&mut self, note: Dialogue) {
        self.command(MindCommand::Note(note));
    }

    fn command(&mut self, command: MindCommand) {
        self.wishes.push_back(Wish::Voice(command));
    }
}

impl Mind for ScriptMind {
    fn handle(&mut self, now: Instant, event: VoiceEvent) {
        match event {
            VoiceEvent::Answered if self.phase == Phase::Opening => {
                self.began = Some(now);
                self.note(Dialogue::Agent { name: self.script.name.clone() });
                self.enter(now, self.script.start);
            }
            VoiceEvent::Answered => {}
            VoiceEvent::SpeechStarted => {
                self.has_spoken_here = true;
                self.is_speaking = true;
                self.heard_speech(now, true);
            }
            VoiceEvent::SpeechEnded { .. } => {
                self.is_speaking = false;
                self.heard_speech(now, false);
            }
            VoiceEvent::TurnCommitted { .. } => self.spoken_to(now),
            VoiceEvent::SpeechDismissed { .. } => self.dismissed(now),
            // Nothing is thought ahead: what a script does next costs no time.
            VoiceEvent::TurnLikely { .. } | VoiceEvent::TurnResumed { .. } => {}
            VoiceEvent::Digit(digit) => self.key(now, digit.as_char()),
            VoiceEvent::Interrupted { utterance, by, .. } => self.interrupted(now, utterance, by),
            VoiceEvent::Played { utterance } => self.played(now, utterance),
            VoiceEvent::Credit { samples } => self.outbox.grant(samples),
            VoiceEvent::Idle { .. } => self.idle(now),
            VoiceEvent::IdleTooLong if self.phase != Phase::Over => self.part(now),
            VoiceEvent::IdleTooLong | VoiceEvent::Media { .. } => {}
        }
    }

    fn handle_tool(&mut self, now: Instant, id: ToolCallId, answer: Result<Value, ToolError>) {
        if let Phase::Calling { id: awaited, asked } = self.phase
            && awaited == id
        {
            self.tool_answered(now, asked, answer);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|at| now < at) {
            return;
        }
        match self.phase {
            Phase::Waiting { .. } => self.collected(now),
            Phase::Calling { asked, .. } => {
                self.tool_answered(now, asked, Err(ToolError::Timeout(TOOL_TIME)))
            }
            Phase::Recording { .. } => self.end_recording(now),
            // Voice grants nothing any more: nobody would hear the rest.
            Phase::Over => {
                self.hangs_up_by = None;
                self.outbox.flush();
                self.hush();
            }
            Phase::Opening | Phase::Saying | Phase::HearingOut => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting { until } => until,
            Phase::Calling { asked, .. } => Some(asked + TOOL_TIME),
            Phase::Recording { ends, quiet_at, .. } => {
                Some(quiet_at.map_or(ends, |quiet_at| quiet_at.min(ends)))
            }
            Phase::Over => self.hangs_up_by.filter(|_| !self.outbox.is_empty()),
            Phase::Opening | Phase::Saying | Phase::HearingOut => None,
        }
    }

    fn poll(&mut self) -> Option<Wish> {
        if let Some(wish) = self.wishes.pop_front() {
            return Some(wish);
        }
        let is_sent = self.outbox.is_empty();
        if let Some(command) = self.outbox.poll() {
            return Some(Wish::Voice(command));
        }
        // Behind the last words, so that they are heard; asked for once.
        (self.phase == Phase::Over && is_sent && !self.has_hung_up).then(|| {
            self.has_hung_up = true;
            Wish::Voice(MindCommand::HangUp)
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A caller who walks in circles is sent off after as many states.
const MAX_STEPS: u32 = 300;
/// Longer than the longest goodbye: what is not sent by then never will be.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// As many as there are keys.
const MAX_CHOICES: u64 = 9;

#[cfg(test)]
mod explore;
