//! Walks every way through the demo's dialogue, breadth first and in virtual time: what a caller presses, says or does not
//! do, and what a tool answers. A node is what the machine can tell apart; each is reached again by the same inputs.

use std::collections::{BTreeSet, VecDeque};
use std::mem::discriminant;

use serde_json::json;

use super::super::format::ToolUse;
use super::*;
use crate::tools::BUILT_IN;
use crate::voice::exchange::{Digit, Interruption};

const DEMO: &str = include_str!("../../../../config/agents/demo.toml");

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Key(char),
    /// Nothing, until the machine or voice loses patience.
    Silence,
    Speech,
    /// The tool answers with its n-th result.
    Result(usize),
    ToolFails,
    /// The caller has nothing more to do with what is said: it is cut at once.
    TalkOver,
}

#[derive(Debug)]
struct OneSample;

impl Clips for OneSample {
    fn clip(&self, _: Language, _: &str) -> Option<Arc<[i16]>> {
        Some([0].into())
    }
}

/// A call, and what was seen of it.
#[derive(Clone)]
struct Walk {
    mind: ScriptMind,
    now: Instant,
    began: Instant,
    playing: Vec<UtteranceId>,
    said: usize,
    /// Each state that was entered and how much had been said by then.
    states: Vec<(String, usize)>,
    has_ended: bool,
    trail: Vec<Input>,
}

impl Walk {
    fn begin(script: &Arc<Script>, epoch: Instant) -> Self {
        let mind = ScriptMind::new(Arc::clone(script), Arc::new(OneSample));
        let (playing, states) = (Vec::new(), Vec::new());
        let mut walk = Self {
            mind,
            now: epoch,
            began: epoch,
            playing,
            said: 0,
            states,
            has_ended: false,
            trail: Vec::new(),
        };
        walk.event(VoiceEvent::Credit { samples: u64::MAX });
        walk.event(VoiceEvent::Answered);
        walk.play();
        walk
    }

    fn event(&mut self, event: VoiceEvent) {
        self.mind.handle(self.now, event);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(wish) = self.mind.poll() {
            assert!(!self.has_ended, "{wish:?} behind the end");
            match wish {
                Wish::Voice(MindCommand::Finish { utterance }) => self.playing.push(utterance),
                Wish::Voice(MindCommand::Stop) => self.playing.clear(),
                Wish::Voice(MindCommand::HangUp) => self.has_ended = true,
                Wish::Voice(MindCommand::Note(Dialogue::Said { text, .. })) => {
                    self.said += usize::from(!text.is_empty());
                }
                Wish::Voice(MindCommand::Note(Dialogue::State { name })) => {
                    self.states.push((name, self.said))
                }
                Wish::Voice(_) | Wish::Tool(_) => {}
                Wish::Link(order) => panic!("a script needs no provider: {order:?}"),
            }
        }
    }

    fn advance(&mut self, time: Duration) {
        self.now += time;
        if self.mind.poll_timeout().is_some_and(|at| at <= self.now) {
            self.mind.handle_timeout(self.now);
            self.drain();
        }
    }

    /// All that waits is heard to its end, three seconds each.
    fn play(&mut self) {
        while !self.playing.is_empty() {
            let utterance = self.playing.remove(0);
            self.advance(Duration::from_secs(3));
            self.event(VoiceEvent::Played { utterance });
        }
    }

    /// What voice does when the caller takes the floor.
    fn talk_over(&mut self) {
        self.event(VoiceEvent::SpeechStarted);
        if let Some(utterance) = self.playing.first().copied() {
            self.playing.clear();
            let (heard, by) = (Duration::from_millis(200), Interruption::Speech);
            self.event(VoiceEvent::Interrupted { utterance, heard, by });
        }
        self.advance(Duration::from_secs(1));
        self.event(VoiceEvent::SpeechEnded { duration: Duration::from_secs(1) });
        self.advance(Duration::from_secs(1));
        self.event(VoiceEvent::TurnCommitted { turn: 0, speech: Duration::from_secs(1) });
    }

    fn tool(&self) -> Option<(ToolCallId, &ToolUse)> {
        match (self.mind.phase, &self.mind.script.states[self.mind.at].kind) {
            (Phase::Calling { id, .. }, Kind::Tool(tool)) => Some((id, tool)),
            _ => None,
        }
    }

    /// The call with one more input.
    fn and(&self, input: Input) -> Self {
        let mut walk = self.clone();
        walk.take(input);
        walk
    }

    fn take(&mut self, input: Input) {
        self.trail.push(input);
        match input {
            Input::Key(key) => {
                self.event(VoiceEvent::Digit(Digit::from_char(key).unwrap()));
                self.advance(Duration::from_secs(1));
            }
            Input::Silence => self.be_silent(),
            Input::Speech => {
                self.event(VoiceEvent::SpeechStarted);
                self.advance(Duration::from_secs(1));
                self.event(VoiceEvent::SpeechEnded { duration: Duration::from_secs(1) });
                self.advance(Duration::from_secs(1));
                self.event(VoiceEvent::TurnCommitted { turn: 0, speech: Duration::from_secs(1) });
            }
            Input::Result(index) => {
                let (id, tool) = self.tool().unwrap();
                let answer = answer(&tool.name, &tool.results[index].0);
                self.mind.handle_tool(self.now, id, Ok(answer.clone()));
                // A tool that answers twice has answered once.
                self.mind.handle_tool(self.now, id, Ok(answer));
                self.drain();
            }
            Input::ToolFails => {
                let (id, _) = self.tool().unwrap();
                self.mind.handle_tool(self.now, id, Err(ToolError::Unavailable("database is locked".into())));
                self.drain();
            }
            Input::TalkOver => return self.talk_over(),
        }
        self.play();
    }

    fn be_silent(&mut self) {
        match self.mind.poll_timeout() {
            Some(at) => {
                self.now = self.now.max(at);
                self.mind.handle_timeout(self.now);
                self.drain();
            }
            None => {
                self.now += self.mind.script.idle;
                self.event(VoiceEvent::Idle { silence: self.mind.script.idle });
            }
        }
    }

    fn inputs(&self) -> Vec<Input> {
        if let Some((_, tool)) = self.tool() {
            let results = (0..tool.results.len()).map(Input::Result);
            return results
                .chain([Input::ToolFails, Input::Silence, Input::Key('1'), Input::Speech])
                .collect();
        }
        let keys = "0123456789*#".chars().map(Input::Key);
        keys.chain([Input::Silence, Input::Speech, Input::TalkOver]).collect()
    }

    /// What makes two calls behave alike from here on, save for the values themselves.
    fn node(&self) -> String {
        let mind = &self.mind;
        let values: Vec<_> = mind.values.keys().map(String::as_str).collect();
        let (phase, tries, typed) = (discriminant(&mind.phase), mind.failed_tries, mind.typed.len());
        let (at, language, values) = (mind.at, mind.language, values.join(" "));
        let has_message = matches!(mind.phase, Phase::Recording { has_spoken: true, .. });
        let flags = (mind.has_spoken_here, has_message, mind.awaited.is_some());
        let visits = &mind.visits;
        format!("{at} {phase:?} {tries} {visits:?} {typed} {language} {values} {flags:?}")
    }

    /// One input again and again: the call ends within bounds, and politely.
    fn ends_by(mut self, persistent: Input) {
        let trail = self.trail.clone();
        let (began, said) = (self.now, self.said);
        for _ in 0..MAX_REPEATS {
            if self.has_ended {
                break;
            }
            match (self.tool().is_some(), persistent) {
                (true, Input::TalkOver) => self.take(Input::ToolFails),
                (true, _) | (false, Input::Silence) => self.take(Input::Silence),
                (false, input) => self.take(input),
            }
        }
        assert!(self.has_ended, "{persistent:?} for ever behind {trail:?} at {:?}", self.states.last());
        assert!(self.now - began <= LONGEST, "{:?} with {persistent:?} behind {trail:?}", self.now - began);
        assert!(self.said > said || self.now == began, "nothing said to {persistent:?} behind {trail:?}");
    }
}

/// What a tool that works answers.
fn answer(tool: &str, result: &str) -> Value {
    let order = |id: &str| json!({"id": id, "item": "kurta", "status": "delivered", "date": "2026-11-24", "amount_paise": 129_950});
    match (tool, result) {
        (_, "error") => json!({"result": "something new"}),
        ("lookup_order", "found") => json!({"result": "found", "orders": [order("ABC123")]}),
        ("lookup_order", "several") => {
            json!({"result": "several", "orders": [order("ABC123"), order("BAC123")]})
        }
        ("lookup_order", result) => json!({"result": result, "orders": []}),
        (_, result) => json!({"result": result, "amount_paise": 100, "date": "2026-11-25", "ticket": "T42"}),
    }
}

/// One call at each node, as it first came there; `see` is shown every call, those too that came to a known node.
fn explore(script: &Arc<Script>, mut see: impl FnMut(&Walk)) -> Vec<Walk> {
    let mut seen = BTreeSet::new();
    let mut open = VecDeque::from([Walk::begin(script, Instant::now())]);
    let mut nodes = Vec::new();
    while let Some(walk) = open.pop_front() {
        see(&walk);
        if !seen.insert(walk.node()) {
            continue;
        }
        assert!(seen.len() < MAX_NODES, "the dialogue has more nodes than it should");
        if !walk.has_ended {
            open.extend(walk.inputs().into_iter().map(|input| walk.and(input)));
        }
        nodes.push(walk);
    }
    nodes
}

fn demo() -> Arc<Script> {
    Arc::new(Script::parse("demo.toml", DEMO, BUILT_IN).unwrap())
}

#[test]
fn every_state_of_the_demo_is_reached_and_speaks_whole_sentences() {
    let script = demo();
    let (mut reached, mut silent) = (BTreeSet::new(), BTreeSet::new());
    explore(&script, |walk| {
        assert_eq!(walk.mind.unspoken(), 0, "{:?}", walk.trail);
        // What is talked over is not always begun.
        let is_heard_out = !walk.trail.contains(&Input::TalkOver);
        for (index, (name, said)) in walk.states.iter().enumerate() {
            reached.insert(name.clone());
            let behind = walk.states.get(index + 1).map_or(walk.said, |(_, said)| *said);
            if is_heard_out && behind == *said {
                silent.insert(name.clone());
            }
        }
    });
    let all: BTreeSet<_> = script.states.iter().map(|state| state.name.clone()).collect();
    assert_eq!(reached, all);
    // Two only switch the language, and the third takes a single match without asking.
    assert_eq!(silent, ["english", "hindi", "several"].map(str::to_owned).into());
}

#[test]
fn whatever_a_caller_goes_on_doing_the_call_ends_in_time_and_with_a_word() {
    let persistent = [Input::Silence, Input::Speech, Input::TalkOver];
    let persistent: Vec<_> = persistent.into_iter().chain("05*#".chars().map(Input::Key)).collect();
    for node in explore(&demo(), |_| {}).into_iter().filter(|node| !node.has_ended) {
        for input in &persistent {
            node.clone().ends_by(*input);
        }
    }
}

#[test]
fn the_same_inputs_make_the_same_call() {
    let script = demo();
    for node in explore(&script, |_| {}).iter().rev().take(50) {
        let mut again = Walk::begin(&script, node.began);
        node.trail.iter().for_each(|input| again.take(*input));
        assert_eq!((again.node(), &again.states, again.now), (node.node(), &node.states, node.now));
    }
}

/// Far more than the demo has; a dialogue whose nodes have no end would never be walked.
const MAX_NODES: usize = 20_000;
/// More than the machine lets anybody go on.
const MAX_REPEATS: usize = 2_000;
/// Three hundred states, each with a prompt of three seconds and three tries of ten.
const LONGEST: Duration = Duration::from_secs(3_000);
