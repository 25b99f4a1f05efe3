//! How utterances, turns and calls end.

use super::super::super::turn::State;
use super::*;

#[test]
fn it_hangs_up_when_the_last_word_is_heard_or_after_a_minute() {
    let mut bench = Bench::new();
    bench.say(1, 8000);
    let now = bench.now();
    bench.voice.handle_command(now, MindCommand::HangUp);
    for _ in 0..49 {
        bench.tick(&[QUIET; FRAME_SAMPLES]);
        assert_eq!(bench.voice.poll_wish(bench.now()), None);
    }
    bench.run(1, QUIET);
    assert_eq!(bench.voice.poll_wish(bench.now()), Some(VoiceWish::HangUp));
    assert_eq!(bench.voice.poll_wish(bench.now()), None, "said once");
    bench.command(MindCommand::HangUp);
    bench.run(4000, QUIET);
    assert_eq!(bench.voice.poll_wish(bench.now()), None);
    // A mind that never finishes what it began does not keep the call.
    let mut bench = Bench::new();
    bench.command(MindCommand::HangUp);
    for n in 0..2999 {
        // It lives, but gets nowhere.
        if n % 100 == 0 {
            bench.send(UtteranceId(1), &[1; 160]);
        }
        bench.run(1, QUIET);
    }
    assert_eq!(bench.voice.poll_wish(bench.now()), None);
    bench.run(1, QUIET);
    assert_eq!(bench.voice.poll_wish(bench.now()), Some(VoiceWish::HangUp));
}

#[test]
fn a_turn_ends_700_ms_after_the_last_frame_of_speech() {
    let mut bench = Bench::new();
    bench.run(50, QUIET);
    bench.run(50, SPEECH);
    bench.run(80, QUIET);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::TurnCommitted { .. })), [100 + 35]);
    let committed = bench.noted(|note| matches!(note, Dialogue::TurnCommitted { .. }));
    assert_eq!(
        committed,
        [&Dialogue::TurnCommitted {
            speech_ms: 1000,
            why: "silence".to_owned(),
            silence_ms: 700,
            turn: Some(0)
        }]
    );
}

#[test]
fn an_utterance_without_a_sample_ends_nothing_but_itself() {
    let mut bench = Bench::new();
    bench.command(MindCommand::Finish { utterance: UtteranceId(1) });
    // All of it is sent at once: no later piece could open it again.
    bench.say(2, 3000);
    bench.run(2, QUIET);
    let played = bench.ticks_of(|event| matches!(event, VoiceEvent::Played { utterance: UtteranceId(1) }));
    assert_eq!(played, [1]);
    assert_eq!(bench.voice.turn.state(), State::Speaking);
    bench.press('1');
    bench.run(2, QUIET);
    let cut =
        bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { utterance: UtteranceId(2), .. }));
    assert_eq!(cut.len(), 1);
    assert_eq!(bench.peak(), 0);
}

#[test]
fn samples_that_are_none_open_and_end_nothing() {
    let mut bench = Bench::new();
    bench.send(UtteranceId(1), &[5000; 160]);
    bench.send(UtteranceId(2), &[]);
    bench.send(UtteranceId(1), &[5000; 160]);
    bench.command(MindCommand::Finish { utterance: UtteranceId(1) });
    bench.command(MindCommand::HangUp);
    bench.run(3, QUIET);
    assert_eq!(bench.heard.iter().filter(|&&sample| sample == 5000).count(), 320);
    assert_eq!(bench.voice.poll_wish(bench.now()), Some(VoiceWish::HangUp));
    assert_eq!(bench.noted(|note| matches!(note, Dialogue::DrySlots { .. })), [] as [&Dialogue; 0]);
}

#[test]
fn an_utterance_that_is_never_finished_is_over_after_5_s() {
    let mut bench = Bench::new();
    bench.send(UtteranceId(1), &[5000; 1600]);
    bench.run(10 + 249, QUIET);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. })), [] as [u32; 0]);
    bench.run(2, QUIET);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. })), [261]);
    assert_eq!(
        bench.noted(|note| matches!(note, Dialogue::Unfinished { .. } | Dialogue::DrySlots { .. })),
        [
            &Dialogue::Unfinished { utterance: 1 },
            &Dialogue::DrySlots { cause: "mind".to_owned(), count: 250 }
        ]
    );
    assert_eq!(bench.voice.turn.state(), State::Listening);
    // What comes of it after that comes too late, and takes nothing from what is said next.
    bench.send(UtteranceId(1), &[7000; 1600]);
    bench.say_this(2, vec![3000; 3000]);
    bench.run(30, QUIET);
    assert!(bench.heard[261 * FRAME_SAMPLES..].iter().all(|&sample| sample == 0 || sample == 3000));
    let played = bench.ticks_of(|event| matches!(event, VoiceEvent::Played { utterance: UtteranceId(2) }));
    assert_eq!(played.len(), 1);
}

#[test]
fn what_was_dropped_is_noted_when_the_call_is_over() {
    let mut bench = Bench::new();
    (0..100).for_each(|_| bench.press('1'));
    (0..11).for_each(|_| bench.command(MindCommand::SendDigits(Vec::new())));
    for _ in 0..1000 {
        bench.command(MindCommand::Note(Dialogue::SpeechStarted));
    }
    bench.run(1, QUIET);
    assert_eq!(std::iter::from_fn(|| bench.voice.poll_wish(bench.start)).count(), MAX_KEY_STRINGS);
    bench.voice.handle_end();
    bench.run(1, QUIET);
    let dropped = bench.noted(|note| matches!(note, Dialogue::Dropped { .. }));
    let of = |kind: &str, count| Dialogue::Dropped { kind: kind.to_owned(), count };
    assert_eq!(dropped, [&of("keys", 36), &of("notes", 744), &of("key_strings", 3)]);
    bench.voice.handle_end();
    bench.notes.clear();
    bench.run(1, QUIET);
    assert_eq!(bench.notes, [], "once");
}

#[test]
fn what_is_said_is_logged_when_it_is_heard_and_what_never_is_when_it_is_over() {
    let said = |utterance| {
        MindCommand::Note(Dialogue::Said {
            utterance,
            text: "words".to_owned(),
            language: "hi-IN".to_owned(),
        })
    };
    let mut bench = Bench::new();
    // The mind is ahead: the second waits behind the first, which takes 200 ms; the third is cut before it begins.
    for (utterance, samples) in [(1, 1_600), (2, 800), (3, 800)] {
        bench.command(said(utterance));
        bench.say(utterance, samples);
    }
    bench.run(12, QUIET);
    bench.press('5');
    bench.run(1, QUIET);
    let told: Vec<String> = bench
        .noted(|note| {
            matches!(note, Dialogue::Said { .. } | Dialogue::Heard { .. } | Dialogue::BargeIn { .. })
        })
        .into_iter()
        .map(|note| match note {
            Dialogue::Said { utterance, .. } => format!("said {utterance}"),
            Dialogue::Heard { utterance } => format!("heard {utterance}"),
            _ => "cut".to_owned(),
        })
        .collect();
    assert_eq!(told, ["said 1", "heard 1", "said 2", "said 3", "cut"]);
}
