use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::call::dialogue::Dialogue;
use crate::voice::TurnTaking;
use crate::voice::exchange::{MindCommand, UtteranceId, YieldsTo};
use crate::voice::vad::WebRtc;

/// A line whose mind is the test.
#[derive(Clone, Debug, Default)]
struct Paper(Arc<Mutex<Sheet>>);

#[derive(Debug, Default)]
struct Sheet {
    told: Vec<VoiceEvent>,
    room: usize,
    says: VecDeque<MindCommand>,
    is_torn: bool,
}

impl MindLine for Paper {
    fn send(&mut self, _now: Instant, event: VoiceEvent) -> Result<(), NotSent> {
        let mut sheet = self.0.lock().unwrap();
        if sheet.is_torn {
            return Err(NotSent::Gone);
        }
        if sheet.room == 0 {
            return Err(NotSent::Full(event));
        }
        sheet.room -= 1;
        sheet.told.push(event);
        Ok(())
    }

    fn receive(&mut self, _now: Instant) -> Result<Option<MindCommand>, MindGone> {
        let mut sheet = self.0.lock().unwrap();
        let next = sheet.says.pop_front();
        if next.is_none() && sheet.is_torn { Err(MindGone) } else { Ok(next) }
    }
}

fn agent(room: usize) -> (Agent, Paper) {
    let paper = Paper::default();
    paper.0.lock().unwrap().room = room;
    let voice =
        VoiceConfig { detector: Box::new(WebRtc::new()), turn_taking: TurnTaking::default(), listener: None };
    (Agent::new(Box::new(paper.clone()), voice), paper)
}

fn tick(agent: &mut Agent, now: Instant) -> [i16; FRAME_SAMPLES] {
    let mut samples = [0; FRAME_SAMPLES];
    agent.speak(now, &mut samples);
    samples
}

fn note(n: u64) -> MindCommand {
    MindCommand::Note(Dialogue::Heard { utterance: n })
}

#[test]
fn the_mind_hears_of_the_call_when_it_is_answered_and_speaks_in_the_next_tick() {
    let (mut agent, paper) = agent(100);
    let start = Instant::now();
    assert_eq!(paper.0.lock().unwrap().told, []);
    assert_eq!(tick(&mut agent, start), [0; FRAME_SAMPLES]);
    let told = paper.0.lock().unwrap().told.clone();
    assert!(matches!(told[..], [VoiceEvent::Answered, VoiceEvent::Credit { .. }]), "{told:?}");
    let samples = vec![1234; 400];
    paper.0.lock().unwrap().says.push_back(MindCommand::Speak {
        utterance: UtteranceId(1),
        yields_to: YieldsTo::ANYTHING,
        samples,
    });
    assert_eq!(tick(&mut agent, start + Duration::from_millis(20)), [1234; FRAME_SAMPLES]);
}

#[test]
fn events_that_find_no_room_are_told_later_and_in_their_order() {
    let (mut agent, paper) = agent(0);
    let start = Instant::now();
    tick(&mut agent, start);
    for digit in "123".chars() {
        agent.handle_digit(start, Digit::from_char(digit).unwrap());
    }
    tick(&mut agent, start);
    assert_eq!(paper.0.lock().unwrap().told, []);
    for _ in 0..10 {
        paper.0.lock().unwrap().room = 1;
        tick(&mut agent, start);
    }
    let told = paper.0.lock().unwrap().told.clone();
    let keys = |told: &[VoiceEvent]| -> String {
        told.iter()
            .filter_map(|event| match event {
                VoiceEvent::Digit(digit) => Some(digit.as_char()),
                VoiceEvent::Answered
                | VoiceEvent::SpeechStarted
                | VoiceEvent::SpeechEnded { .. }
                | VoiceEvent::TurnLikely { .. }
                | VoiceEvent::TurnResumed { .. }
                | VoiceEvent::TurnCommitted { .. }
                | VoiceEvent::SpeechDismissed { .. }
                | VoiceEvent::Interrupted { .. }
                | VoiceEvent::Played { .. }
                | VoiceEvent::Credit { .. }
                | VoiceEvent::Idle { .. }
                | VoiceEvent::Media { .. }
                | VoiceEvent::IdleTooLong => None,
            })
            .collect()
    };
    assert_eq!(told.first(), Some(&VoiceEvent::Answered));
    assert_eq!(keys(&told), "123");
}

#[test]
fn a_mind_that_breaks_off_fails_the_call_once_its_words_are_taken() {
    let (mut agent, paper) = agent(100);
    let start = Instant::now();
    tick(&mut agent, start);
    assert_eq!(agent.poll_wish(start), None);
    {
        let mut sheet = paper.0.lock().unwrap();
        sheet.says.push_back(note(7));
        sheet.is_torn = true;
    }
    tick(&mut agent, start);
    assert_eq!(agent.poll_event(), Some(Dialogue::Heard { utterance: 7 }.into()));
    assert_eq!(agent.poll_wish(start), Some(Wish::Fail));
}

#[test]
fn a_mind_that_talks_without_end_holds_up_no_tick() {
    let (mut agent, paper) = agent(100);
    let start = Instant::now();
    tick(&mut agent, start);
    paper.0.lock().unwrap().says.extend((0..1000).map(note));
    tick(&mut agent, start);
    assert_eq!(paper.0.lock().unwrap().says.len(), 1000 - MAX_COMMANDS_PER_TICK);
}

#[test]
fn what_the_mind_did_last_is_in_the_log_of_the_ended_call() {
    let (mut agent, paper) = agent(100);
    let start = Instant::now();
    tick(&mut agent, start);
    paper.0.lock().unwrap().says.push_back(note(3));
    agent.finish(start);
    assert_eq!(agent.poll_event(), Some(Dialogue::Heard { utterance: 3 }.into()));
}

#[test]
fn what_voice_could_not_pass_on_is_in_the_log_of_the_ended_call() {
    let (mut agent, _paper) = agent(0);
    let start = Instant::now();
    tick(&mut agent, start);
    for _ in 0..70 {
        agent.handle_digit(start, Digit::from_char('1').unwrap());
    }
    tick(&mut agent, start);
    agent.finish(start);
    let noted: Vec<Dialogue> = std::iter::from_fn(|| agent.poll_event()).map(|noted| noted.what).collect();
    assert_eq!(noted, [Dialogue::Dropped { kind: "keys".to_owned(), count: 6 }]);
}

#[test]
fn a_call_that_was_never_answered_tells_its_mind_nothing() {
    let (mut agent, paper) = agent(100);
    agent.finish(Instant::now());
    assert_eq!((agent.poll_event(), agent.poll_wish(Instant::now())), (None, None));
    assert_eq!(paper.0.lock().unwrap().told, []);
}
