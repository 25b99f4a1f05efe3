//! What the mind sends, and what becomes of it.

use super::*;

#[test]
fn an_utterance_of_a_minute_delivered_at_once_is_heard_whole_and_never_overruns() {
    let mut bench = Bench::new();
    bench.say(1, 60 * 8000);
    let mut most = 0;
    for _ in 0..60 * 50 + 5 {
        bench.tick(&[QUIET; FRAME_SAMPLES]);
        most = most.max(bench.voice.mixer.queued());
        assert!(bench.sent <= bench.limit);
    }
    assert!(most <= 3200, "{most}");
    let begin = bench.heard.iter().position(|&sample| sample != 0).unwrap();
    let expected: Vec<i16> = (0..60 * 8000).map(|n| 2000 + (n % 8000) as i16).collect();
    assert!(bench.heard[begin..][..expected.len()] == expected, "every sample, in its place");
    assert!(bench.heard[begin + expected.len()..].iter().all(|&sample| sample == 0));
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. })).len(), 1);
    let credits = bench.ticks_of(|event| matches!(event, VoiceEvent::Credit { .. })).len();
    assert!((250..=305).contains(&credits), "{credits} messages in a minute");
    assert!(!bench.notes.iter().any(|note| matches!(note, Dialogue::DrySlots { .. })), "{:?}", bench.notes);
}

#[test]
fn dry_slots_are_counted_by_who_was_late() {
    let mut bench = Bench::new();
    bench.send(UtteranceId(1), &[5000; 320]);
    bench.run(7, QUIET);
    bench.send(UtteranceId(1), &[5000; 160]);
    bench.command(MindCommand::Finish { utterance: UtteranceId(1) });
    bench.run(3, QUIET);
    let dry: Vec<&Dialogue> =
        bench.notes.iter().filter(|note| matches!(note, Dialogue::DrySlots { .. })).collect();
    assert_eq!(dry, [&Dialogue::DrySlots { cause: "mind".to_owned(), count: 5 }]);
}

#[test]
fn dry_slots_are_noted_however_the_utterance_ends() {
    let endings: [fn(&mut Bench); 3] = [
        |bench| bench.press('5'),
        |bench| bench.command(MindCommand::Stop),
        |bench| bench.voice.handle_end(),
    ];
    for end in endings {
        let mut bench = Bench::new();
        bench.send(UtteranceId(1), &[5000; 320]);
        bench.run(12, QUIET);
        end(&mut bench);
        bench.run(3, QUIET);
        let dry = bench.noted(|note| matches!(note, Dialogue::DrySlots { .. }));
        assert_eq!(dry, [&Dialogue::DrySlots { cause: "mind".to_owned(), count: 10 }]);
    }
}

#[test]
fn the_scheduler_is_blamed_for_what_follows_its_pause_at_once_and_no_more() {
    let dry_after = |queued: usize, pause: u32, dry: u32| {
        let mut bench = Bench::new();
        bench.send(UtteranceId(1), &vec![5000; FRAME_SAMPLES * (2 + queued)]);
        bench.run(2, QUIET);
        bench.voice.handle_missed(pause);
        bench.run(u32::try_from(queued).unwrap() + dry, QUIET);
        bench.command(MindCommand::Finish { utterance: UtteranceId(1) });
        bench.run(2, QUIET);
        bench.notes.retain(|note| matches!(note, Dialogue::DrySlots { .. }));
        bench.notes
    };
    let dry = |cause: &str, count| Dialogue::DrySlots { cause: cause.to_owned(), count };
    assert_eq!(dry_after(0, 3, 2), [dry("scheduler", 2)]);
    assert_eq!(dry_after(0, 3, 5), [dry("scheduler", 3), dry("mind", 2)]);
    assert_eq!(dry_after(8, 10, 10), [dry("mind", 10)], "there was enough to send after the pause");
    // Who was late before the pause is so after it.
    let mut bench = Bench::new();
    bench.send(UtteranceId(1), &[5000; 320]);
    bench.run(4, QUIET);
    bench.voice.handle_missed(10);
    bench.run(2, QUIET);
    bench.press('1');
    bench.run(1, QUIET);
    assert_eq!(bench.noted(|note| matches!(note, Dialogue::DrySlots { .. })), [&dry("mind", 4)]);
}

#[test]
fn what_exceeds_the_credit_is_refused_and_counted_at_the_end() {
    let mut bench = Bench::new();
    bench.send(UtteranceId(1), &[5000; 4000]);
    bench.run(3, QUIET);
    bench.voice.handle_end();
    bench.run(1, QUIET);
    let dropped = bench.noted(|note| matches!(note, Dialogue::Dropped { .. }));
    assert_eq!(dropped, [&Dialogue::Dropped { kind: "samples".to_owned(), count: 800 }]);
}
