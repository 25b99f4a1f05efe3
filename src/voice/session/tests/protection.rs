//! What has to be heard is heard: as loud as it is, without a pause, and to its end.

use super::*;

/// Nothing of what the caller does changes anything of it.
fn is_whole(bench: &Bench, heard_from: usize, samples: usize) {
    let heard = &bench.heard[heard_from..][..samples];
    assert!(heard.iter().all(|&sample| sample == 10_000), "from {heard_from}");
}

#[test]
fn what_yields_to_nothing_is_neither_turned_down_nor_paused_nor_stopped() {
    for speech in [2, 9, 30, 110] {
        let mut bench = Bench::new();
        bench.yields_to = YieldsTo::NOTHING;
        bench.say_this(1, vec![10_000; 16_000]);
        bench.run(10, QUIET);
        bench.press('1');
        bench.run(speech, SPEECH);
        bench.press('2');
        bench.run(120, QUIET);
        is_whole(&bench, 0, 16_000);
        assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })), [] as [u32; 0]);
        assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. })), [100]);
        assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Digit(_))).len(), 2);
    }
}

#[test]
fn speech_and_keys_are_told_apart() {
    let mut bench = Bench::new();
    bench.yields_to = YieldsTo { speech: false, digits: true };
    bench.say_this(1, vec![10_000; 80_000]);
    bench.run(60, SPEECH);
    is_whole(&bench, 0, 60 * 160);
    bench.press('1');
    bench.run(1, QUIET);
    let by_digit =
        |event: &VoiceEvent| matches!(event, VoiceEvent::Interrupted { by: Interruption::Digit, .. });
    assert_eq!(bench.ticks_of(by_digit).len(), 1);
    let mut bench = Bench::new();
    bench.yields_to = YieldsTo { speech: true, digits: false };
    bench.say_this(1, vec![10_000; 80_000]);
    bench.run(5, QUIET);
    bench.press('1');
    bench.run(5, QUIET);
    is_whole(&bench, 0, 10 * 160);
    bench.run(60, SPEECH);
    let by_speech =
        |event: &VoiceEvent| matches!(event, VoiceEvent::Interrupted { by: Interruption::Speech, .. });
    assert_eq!(bench.ticks_of(by_speech).len(), 1);
}

#[test]
fn each_utterance_yields_to_what_was_said_of_it() {
    // The one that does not yield comes while the one before it is turned down or waits, and is close behind it.
    for speech in [3, 9] {
        let mut bench = Bench::new();
        bench.say_this(1, vec![10_000; 30 * 160]);
        bench.run(20, QUIET);
        bench.run(speech, SPEECH);
        bench.yields_to = YieldsTo::NOTHING;
        bench.say_this(2, vec![10_000; 3200]);
        bench.run(1, SPEECH);
        let from = bench.heard.len();
        bench.press('5');
        bench.run(60, SPEECH);
        let rest = 30 * 160 + 3200 - bench.heard[..from].len();
        is_whole(&bench, from, rest);
        assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })), [] as [u32; 0]);
        assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. })).len(), 2);
    }
}

#[test]
fn what_comes_behind_it_yields_again() {
    let mut bench = Bench::new();
    bench.yields_to = YieldsTo::NOTHING;
    bench.say_this(1, vec![10_000; 4_800]);
    bench.yields_to = YieldsTo::ANYTHING;
    bench.say_this(2, vec![10_000; 80_000]);
    bench.run(29, SPEECH);
    is_whole(&bench, 0, 29 * 160);
    bench.run(40, SPEECH);
    let stopped = bench
        .events
        .iter()
        .find(|(_, event)| matches!(event, VoiceEvent::Interrupted { utterance: UtteranceId(2), .. }));
    assert!(stopped.is_some(), "{:?}", bench.events);
}
