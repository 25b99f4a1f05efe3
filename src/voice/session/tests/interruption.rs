//! What stops the agent, and what does not.

use super::*;

#[test]
fn speech_turns_the_agent_down_and_then_stops_it_within_the_tick() {
    let mut bench = Bench::new();
    bench.say_this(7, vec![4000; 80_000]);
    bench.run(50, QUIET);
    let before = bench.heard.len();
    let level = |frame: &[i16]| frame.iter().map(|&sample| f32::from(sample).abs()).sum::<f32>();
    let expected = level(&bench.heard[before - 160..]);
    let frames: Vec<f32> = (0..30).map(|_| level(&bench.tick(&sound(SPEECH)))).collect();
    assert!(frames[0] > expected * 0.99, "one frame is a click");
    assert!(frames[1] < expected * 0.8, "the second one turns it down in the same tick");
    assert!((frames[3] / expected - 0.25).abs() < 0.03, "{frames:?}");
    assert!(frames[7] > 0.0 && frames[7] < expected * 0.1, "it fades out at the eighth: {frames:?}");
    assert!(frames[8..] == [0.0; 22], "and is silent from the ninth: {frames:?}");
    let (tick, heard) = bench
        .events
        .iter()
        .find_map(|(tick, event)| match event {
            VoiceEvent::Interrupted { utterance: UtteranceId(7), heard, by: Interruption::Speech } => {
                Some((*tick, *heard))
            }
            _ => None,
        })
        .unwrap();
    assert_eq!(tick, 75);
    // 57 whole frames and the 10 ms in which the 58th faded out.
    assert_eq!(heard, FRAME * 57 + Duration::from_millis(10));
    // The caller goes on; the turn ends 700 ms after the last word, 200 of which it took to find that it was the last.
    bench.run(11, SPEECH);
    bench.run(60, QUIET);
    let ended = bench.ticks_of(|event| matches!(event, VoiceEvent::SpeechEnded { .. }));
    let committed = bench.ticks_of(|event| matches!(event, VoiceEvent::TurnCommitted { .. }));
    assert_eq!((ended.len(), committed.len()), (1, 1), "{:?}", bench.events);
    assert_eq!(committed[0] - ended[0], 25);
}

#[test]
fn a_key_stops_the_agent_at_once_and_is_told_after_that() {
    let mut bench = Bench::new();
    bench.say(1, 80_000);
    bench.run(10, QUIET);
    let now = bench.now();
    bench.voice.handle_digit(now, Digit::from_char('5').unwrap());
    let last = bench.tick(&[QUIET; FRAME_SAMPLES]);
    assert!(last[0] != 0 && last[40..].iter().all(|&sample| sample == 0));
    let told: Vec<&VoiceEvent> = bench.events.iter().map(|(_, event)| event).collect();
    let interrupted = told.iter().position(|event| matches!(event, VoiceEvent::Interrupted { .. })).unwrap();
    let digit = told.iter().position(|event| matches!(event, VoiceEvent::Digit(_))).unwrap();
    assert!(interrupted < digit);
    // The mind may speak again at once.
    bench.say(2, 1600);
    bench.run(12, QUIET);
    assert!(
        bench.ticks_of(|event| matches!(event, VoiceEvent::Played { utterance: UtteranceId(2) })).len() == 1
    );
}

#[test]
fn a_cough_is_forgiven_and_nothing_is_skipped_or_said_twice() {
    let mut bench = Bench::new();
    bench.say(1, 16_000);
    bench.run(20, QUIET);
    bench.run(3, SPEECH);
    bench.run(100, QUIET);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })), [] as [u32; 0]);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. })).len(), 1);
    // 2 s are heard in 2 s; after the alarm the ramp goes on where it would have been.
    let place = 160 * 50;
    assert_eq!(bench.heard[place], 2000 + (place % 8000) as i16);
}

#[test]
fn a_longer_cough_makes_it_wait_and_then_repeat_20_ms() {
    let mut bench = Bench::new();
    bench.say(1, 16_000);
    bench.run(20, QUIET);
    bench.run(9, SPEECH);
    bench.run(120, QUIET);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })), [] as [u32; 0]);
    // Frame 28 fades out; the alarm is forgiven in tick 39, 200 ms after the last speech, in which frame 28 comes again.
    let frame = |n: usize| &bench.heard[(n - 1) * FRAME_SAMPLES..][..FRAME_SAMPLES];
    let said = |n: usize| -> Vec<i16> {
        let from = (n - 1) * FRAME_SAMPLES;
        (from..from + FRAME_SAMPLES).map(|n| 2000 + (n % 8000) as i16).collect()
    };
    assert!((29..=38).all(|n| frame(n).iter().all(|&sample| sample == 0)));
    assert_eq!(frame(39)[80..], said(28)[80..]);
    for n in 29..=100 {
        assert_eq!(frame(n + 11), said(n), "{n}");
    }
    let played = bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. }));
    assert_eq!(played, [100 + 11]);
}

#[test]
fn who_was_stopped_while_turned_down_is_as_loud_as_ever_after_that() {
    for speech in [3, 9] {
        for queued in [320, 3200] {
            let mut bench = Bench::new();
            bench.send(UtteranceId(1), &vec![10_000; queued]);
            bench.run(5, QUIET);
            bench.run(speech, SPEECH);
            bench.command(MindCommand::Stop);
            bench.run(10, QUIET);
            bench.say_this(2, vec![10_000; 16_000]);
            bench.run(2, QUIET);
            assert_eq!(bench.peak(), 10_000, "{speech} frames of speech, {queued} samples");
        }
    }
}

#[test]
fn a_flood_of_keys_interrupts_once() {
    let mut bench = Bench::new();
    bench.say(1, 80_000);
    bench.run(5, QUIET);
    (0..10_000).for_each(|_| bench.press('1'));
    bench.mind();
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })).len(), 1);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Digit(_))).len(), 64);
}

#[test]
fn a_key_or_500_ms_of_speech_is_answered_by_silence_in_the_next_frame() {
    // Wherever in the utterance, and whether it was turned down or waits.
    for tick in 1..40 {
        for speech_before in 0..9 {
            let mut bench = Bench::new();
            bench.say_this(1, vec![9000; 80_000]);
            bench.run(tick, QUIET);
            bench.run(speech_before, SPEECH);
            bench.press('5');
            let frame = bench.tick(&[QUIET; FRAME_SAMPLES]);
            assert!(frame[40..].iter().all(|&sample| sample == 0), "{tick} {speech_before}");
            assert!(frame.is_sorted_by(|a, b| a >= b), "it fades");
        }
        let mut bench = Bench::new();
        bench.say_this(1, vec![9000; 80_000]);
        bench.run(tick, QUIET);
        let frames: Vec<_> = (0..25).map(|_| bench.tick(&sound(SPEECH))).collect();
        assert_eq!(frames[24], [0; FRAME_SAMPLES]);
        assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })), [tick + 25]);
    }
}

#[test]
fn an_agent_may_be_harder_to_interrupt() {
    let detection = Detection {
        duck_after: Duration::from_millis(100),
        pause_after: Duration::from_secs(1),
        stop_after: Duration::from_millis(600),
        forgive_after: Duration::from_secs(2),
        ..Detection::default()
    };
    let mut bench = Bench::made(Box::new(Loud), detection);
    bench.say_this(1, vec![9000; 80_000]);
    bench.run(10, QUIET);
    bench.run(4, SPEECH);
    assert_eq!(bench.peak(), 9000);
    bench.run(25, SPEECH);
    assert_eq!(bench.peak(), 2261);
    bench.run(1, SPEECH);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })), [40]);
}
