//! Anything at any time.

use super::super::super::exchange::{ProviderTurn, Transcript};
use super::super::super::outbox::{MAX_EVENTS, MAX_NOTES};
use super::super::super::turn::State;
use super::super::super::utterances::MAX_OPEN;
use super::*;
use crate::seed::Seeds;

/// What a mind counts on: turns end in their order, each once; speech interrupts once in a turn, unless more was said meanwhile; and who
/// was told that a turn is likely over is told what became of it.
#[derive(Debug, Default)]
struct Promises {
    turn: u32,
    is_likely: bool,
    interrupted: Option<UtteranceId>,
}

impl Promises {
    fn check(&mut self, event: &VoiceEvent, place: &str) {
        match event {
            VoiceEvent::TurnLikely { turn } => {
                assert_eq!((*turn, self.is_likely), (self.turn, false), "{place}");
                self.is_likely = true;
            }
            VoiceEvent::TurnResumed { turn } => {
                assert_eq!((*turn, self.is_likely), (self.turn, true), "{place}");
                self.is_likely = false;
            }
            VoiceEvent::TurnCommitted { turn, .. } | VoiceEvent::SpeechDismissed { turn } => {
                assert_eq!(*turn, self.turn, "{place}");
                *self = Self { turn: turn + 1, ..Self::default() };
            }
            VoiceEvent::Interrupted { by: Interruption::Speech, utterance, .. } => {
                assert!(self.interrupted.replace(*utterance) < Some(*utterance), "{place}");
            }
            VoiceEvent::Answered
            | VoiceEvent::SpeechStarted
            | VoiceEvent::SpeechEnded { .. }
            | VoiceEvent::Digit(_)
            | VoiceEvent::Interrupted { by: Interruption::Digit, .. }
            | VoiceEvent::Played { .. }
            | VoiceEvent::Credit { .. }
            | VoiceEvent::Idle { .. }
            | VoiceEvent::Media { .. }
            | VoiceEvent::IdleTooLong => {}
        }
    }
}

/// Does one thing that a caller, a mind, a clock or a network may do.
fn anything(bench: &mut Bench, seeds: &mut Seeds, utterance: &mut u64) {
    let now = bench.now();
    let mut below = |limit: u64| seeds.next_u64() % limit;
    match below(32) {
        0 | 1 => {
            *utterance += 1;
            bench.say(*utterance, usize::try_from(below(20_000)).unwrap());
        }
        2 => {
            let count = usize::try_from(below(4)).unwrap();
            (0..count).for_each(|_| bench.voice.handle_digit(now, Digit::from_char('1').unwrap()));
        }
        3 => bench.voice.handle_command(now, MindCommand::Stop),
        4 => bench.voice.handle_command(now, MindCommand::Think),
        5 => bench.voice.handle_command(now, MindCommand::Listen),
        6 => {
            bench.yields_to = YieldsTo { speech: below(2) == 0, digits: below(2) == 0 };
        }
        7 => bench.voice.handle_missed(u32::try_from(below(50)).unwrap()),
        8..=11 => bench.run(u32::try_from(below(15)).unwrap(), SPEECH),
        12 => {
            // Of an utterance that may be over, flushed, or without an end.
            *utterance += below(2);
            let utterance = UtteranceId(utterance.saturating_sub(below(3)));
            let count = below(200).min(bench.limit - bench.sent);
            bench.send(utterance, &vec![2000; usize::try_from(count).unwrap()]);
        }
        13 => {
            // One that has nothing to say.
            *utterance += 1;
            let utterance = UtteranceId(*utterance);
            bench.voice.handle_command(now, MindCommand::Finish { utterance });
        }
        14 => bench.run(below(400).try_into().unwrap(), QUIET),
        15 => {
            let frame = vec![SPEECH; usize::try_from(below(320)).unwrap()];
            bench.tick(&frame);
        }
        16 => {
            bench.tick(&[]);
        }
        19 if below(20) == 0 => {
            // The mind forgets what it was saying.
            bench.unsaid.clear();
            *utterance += 1;
            let count = usize::try_from((bench.limit - bench.sent).min(100)).unwrap();
            bench.send(UtteranceId(*utterance), &vec![2000; count]);
            bench.run(300, QUIET);
        }
        17 => bench.voice.handle_command(now, MindCommand::SendDigits(Vec::new())),
        20 => bench.voice.handle_command(now, MindCommand::ExpectWords(below(2) == 0)),
        21 => {
            let turn = bench.voice.turn.turn().wrapping_sub(u32::from(below(10) == 0));
            let (words, completeness) = (u16::try_from(below(6)).unwrap(), below(11) as f32 / 10.0);
            let is_backchannel = below(3) == 0;
            let transcript =
                Transcript { turn, words, revision: below(3) as u32, is_backchannel, completeness };
            bench.voice.handle_command(now, MindCommand::Transcript(transcript));
        }
        22 => {
            let opinions = [ProviderTurn::Likely, ProviderTurn::Ended, ProviderTurn::Resumed];
            let opinion = opinions[usize::try_from(below(3)).unwrap()];
            let turn = bench.voice.turn.turn().wrapping_sub(u32::from(below(10) == 0));
            bench.voice.handle_command(now, MindCommand::ProviderTurn { turn, opinion });
        }
        18 if below(50) == 0 => bench.voice.handle_command(now, MindCommand::HangUp),
        _ => {
            bench.tick(&[QUIET; FRAME_SAMPLES]);
        }
    }
}

const STALE: [&str; 2] = ["transcripts", "provider_turns"];

#[test]
fn no_order_of_events_breaks_it() {
    for seed in 0..8 {
        let mut seeds = Seeds::new([5, seed]);
        let mut bench = Bench::new();
        let mut utterance = 1;
        let mut cursor = (0, 0);
        let mut hang_ups = 0;
        let mut promises = Promises::default();
        let mut checked = 0;
        for step in 0..5_000 {
            let (before, told) = (bench.ticks, checked);
            let was_open = !bench.voice.utterances.is_empty();
            anything(&mut bench, &mut seeds, &mut utterance);
            let voice = &bench.voice;
            let place = format!("seed {seed} step {step}");
            // Credit.
            assert!(bench.sent <= bench.limit, "{place}");
            assert_eq!((voice.mixer.refused_samples(), voice.refused_samples), (0, 0), "{place}");
            // Bounds.
            assert!(voice.mixer.queued() <= 3200 && voice.utterances.len() <= MAX_OPEN, "{place}");
            let (events, notes) = voice.outbox.lens();
            assert!(events <= MAX_EVENTS && notes <= MAX_NOTES, "{place}");
            assert!(voice.key_strings.len() <= MAX_KEY_STRINGS, "{place}");
            // It has the floor if and only if it says something.
            let state = voice.turn.state();
            assert!(state != State::Speaking || !voice.utterances.is_empty(), "{place}");
            assert!(state == State::Speaking || !voice.utterances.is_begun(), "{place}");
            // What was heard was heard.
            if let Some(heard) = voice.mixer.cursor() {
                let heard = (heard.utterance.0, heard.samples_heard);
                assert!(heard >= cursor, "{place}: {heard:?} after {cursor:?}");
                cursor = heard;
            }
            // Who was stopped in a tick is silent in the same tick, after 5 ms.
            for (tick, event) in &bench.events[told..] {
                promises.check(event, &place);
                if let VoiceEvent::Interrupted { by: Interruption::Speech, .. } = event {
                    let frame = &bench.heard[(*tick as usize - 1) * FRAME_SAMPLES..][..FRAME_SAMPLES];
                    assert!(frame[40..].iter().all(|&sample| sample == 0), "{place}");
                }
            }
            checked = bench.events.len();
            if was_open && bench.voice.utterances.is_empty() && bench.ticks == before {
                let frame = bench.tick(&[QUIET; FRAME_SAMPLES]);
                assert!(frame[40..].iter().all(|&sample| sample == 0), "{place}");
            }
            while let Some(wish) = bench.voice.poll_wish(bench.now()) {
                hang_ups += u32::from(wish == VoiceWish::HangUp);
            }
        }
        assert!(hang_ups <= 1);
        bench.run(50 * 40, QUIET);
        bench.events.iter().skip(checked).for_each(|(_, event)| promises.check(event, "at the end"));
        assert!(promises.interrupted.is_none() && !promises.is_likely, "{promises:?}");
        bench.voice.handle_end();
        bench.tick(&[]);
        // Words of a turn that is over and opinions on it are sent here on purpose.
        let is_lost = |note: &&Dialogue| matches!(note, Dialogue::Dropped { kind, .. } if !STALE.contains(&kind.as_str()));
        let lost: Vec<_> = bench.notes.iter().filter(is_lost).collect();
        assert_eq!(lost, [] as [&Dialogue; 0], "a mind that listens loses nothing");
        // All of it was tried: an alarm that was true, one that was false, an utterance without an end.
        let happened = |wanted: fn(&Dialogue) -> bool| bench.notes.iter().any(wanted);
        assert!(happened(|note| matches!(note, Dialogue::BargeIn { by, .. } if by == "speech")));
        assert!(happened(|note| matches!(note, Dialogue::Unfinished { .. })));
        assert!(happened(|note| matches!(note, Dialogue::TurnCommitted { .. })));
    }
}
