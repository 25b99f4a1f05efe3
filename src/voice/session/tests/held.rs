//! Nothing begins over a caller who speaks.

use super::super::super::exchange::{ProviderTurn, Transcript};
use super::super::super::hold::{LONGEST_HOLD, MOST_UNBEGUN};
use super::*;

/// A caller whose turn is over.
fn asked(expects_words: bool) -> Bench {
    let mut bench = Bench::new();
    bench.command(MindCommand::ExpectWords(expects_words));
    bench.run(50, SPEECH);
    if expects_words {
        words(&mut bench, 4, false);
    }
    bench.run(50, QUIET);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::TurnCommitted { .. })).len(), 1);
    bench.command(MindCommand::Think);
    bench
}

pub(super) fn words(bench: &mut Bench, words: u16, is_backchannel: bool) {
    let turn = bench.voice.turn.turn();
    let (revision, completeness) = (words.into(), 0.9);
    bench.command(MindCommand::Transcript(Transcript {
        turn,
        words,
        revision,
        is_backchannel,
        completeness,
    }));
    bench.mind();
}

fn answer(bench: &mut Bench) {
    bench.say_this(1, vec![10_000; 16_000]);
}

/// How much of what was said was heard when it was cut, and by what.
fn cuts(bench: &Bench) -> Vec<(UtteranceId, Duration)> {
    let cut = |(_, event): &(u32, VoiceEvent)| match event {
        VoiceEvent::Interrupted { utterance, heard, .. } => Some((*utterance, *heard)),
        _ => None,
    };
    bench.events.iter().filter_map(cut).collect()
}

fn held(bench: &Bench) -> Vec<(u64, &str)> {
    let held = |note| match note {
        &Dialogue::HeldBack { held_ms, ref until, .. } => Some((held_ms, until.as_str())),
        _ => None,
    };
    bench.notes.iter().filter_map(held).collect()
}

/// The tick from which the answer is heard.
fn begun(bench: &Bench) -> Option<u32> {
    let first = bench.heard.iter().position(|&sample| sample == 10_000)?;
    Some(u32::try_from(first / FRAME_SAMPLES).unwrap() + 1)
}

#[test]
fn in_silence_an_answer_begins_in_the_tick_that_takes_it() {
    for expects_words in [false, true] {
        let mut bench = asked(expects_words);
        answer(&mut bench);
        bench.run(1, QUIET);
        assert_eq!((begun(&bench), held(&bench)), (Some(101), vec![]));
    }
}

#[test]
fn who_speaks_on_before_the_first_sound_hears_nothing_of_the_answer_and_gets_another() {
    let mut bench = asked(false);
    bench.run(10, SPEECH);
    answer(&mut bench);
    bench.run(60, SPEECH);
    assert_eq!(begun(&bench), None);
    // It is known by its length where no words are expected: 500 ms.
    let stopped = bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. }));
    assert_eq!((stopped, cuts(&bench)), (vec![125], vec![(UtteranceId(1), Duration::ZERO)]));
    assert_eq!(held(&bench), [(280, "speech")]);
    bench.run(60, QUIET);
    let committed = bench.ticks_of(|event| matches!(event, VoiceEvent::TurnCommitted { turn: 1, .. }));
    assert_eq!(committed.len(), 1, "{:?}", bench.events);
    bench.say_this(2, vec![7_000; 1_600]);
    bench.run(1, QUIET);
    assert_eq!(bench.peak(), 7_000);
}

#[test]
fn an_answer_that_comes_late_into_speech_is_taken_back_at_once() {
    for expects_words in [false, true] {
        let mut bench = asked(expects_words);
        bench.run(60, SPEECH);
        answer(&mut bench);
        bench.run(1, SPEECH);
        assert_eq!((cuts(&bench).len(), begun(&bench)), (1, None));
        assert_eq!(held(&bench), [(0, "speech")]);
    }
    // Also in a pause of what he has to say.
    let mut bench = asked(true);
    bench.run(20, SPEECH);
    words(&mut bench, 2, false);
    bench.run(15, QUIET);
    answer(&mut bench);
    bench.run(1, QUIET);
    assert_eq!((cuts(&bench).len(), begun(&bench)), (1, None));
    let mut bench = asked(false);
    bench.run(30, SPEECH);
    bench.run(15, QUIET);
    answer(&mut bench);
    bench.run(1, QUIET);
    assert_eq!((cuts(&bench).len(), begun(&bench)), (1, None));
}

#[test]
fn words_decide_as_soon_as_they_are_known() {
    let mut bench = asked(true);
    bench.run(12, SPEECH);
    answer(&mut bench);
    bench.run(3, SPEECH);
    words(&mut bench, 2, false);
    assert_eq!((cuts(&bench), begun(&bench)), (vec![(UtteranceId(1), Duration::ZERO)], None));
    // A backchannel lets it begin in the next frame, though the caller is still at it.
    let mut bench = asked(true);
    bench.run(12, SPEECH);
    answer(&mut bench);
    bench.run(3, SPEECH);
    assert_eq!(begun(&bench), None);
    words(&mut bench, 1, true);
    bench.run(1, SPEECH);
    assert_eq!((begun(&bench), held(&bench)), (Some(116), vec![(40, "backchannel")]));
    bench.run(160, QUIET);
    assert_eq!(cuts(&bench), [], "heard to its end");
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. })).len(), 1);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::SpeechDismissed { turn: 1 })).len(), 1);
}

#[test]
fn behind_a_cough_the_answer_begins_within_100_ms() {
    for expects_words in [false, true] {
        for cough in [2, 4, 7] {
            let mut bench = asked(expects_words);
            bench.run(cough, SPEECH);
            answer(&mut bench);
            bench.run(20, QUIET);
            assert_eq!(begun(&bench), Some(100 + cough + 5), "{cough} {expects_words}");
            assert_eq!(cuts(&bench), []);
            assert_eq!(held(&bench), [(80, "silence")]);
        }
    }
}

#[test]
fn what_might_be_a_word_is_waited_for_until_its_words_would_be_known() {
    // Where none come, 200 ms of silence do.
    let mut bench = asked(false);
    bench.run(15, SPEECH);
    answer(&mut bench);
    bench.run(40, QUIET);
    assert_eq!(begun(&bench), Some(100 + 15 + 10));
    // 160 ms that are no cough and the 600 after which a pause is over.
    let mut bench = asked(true);
    bench.run(15, SPEECH);
    answer(&mut bench);
    bench.run(60, QUIET);
    assert_eq!((begun(&bench), held(&bench)), (Some(100 + 8 + 30), vec![(440, "silence")]));
    // Words that come after that stop it as ever.
    words(&mut bench, 2, false);
    assert_eq!(cuts(&bench).len(), 1);
}

#[test]
fn nothing_is_held_for_longer_than_its_bound_and_not_for_ever_either() {
    // Sounds here and there that are never speech for long enough, and never silence.
    let patient =
        Detection { learn_room: Duration::ZERO, stop_after: Duration::from_secs(60), ..Detection::default() };
    let mut bench = Bench::made(Box::new(Loud), patient);
    bench.run(50, SPEECH);
    bench.run(40, QUIET);
    bench.run(10, SPEECH);
    answer(&mut bench);
    bench.run(110, SPEECH);
    assert_eq!(held(&bench), [(LONGEST_HOLD.as_millis() as u64, "longest")]);
    assert_eq!(begun(&bench), Some(101 + 100));
    // Who goes on before every answer hears the fourth, and interrupts it as ever.
    let mut bench = asked(false);
    for round in 1..=u64::from(MOST_UNBEGUN) + 1 {
        bench.run(60, SPEECH);
        bench.say_this(round, vec![10_000; 16_000]);
        bench.run(5, SPEECH);
        assert_eq!(begun(&bench).is_some(), round == u64::from(MOST_UNBEGUN) + 1, "{round}");
        bench.run(60, SPEECH);
        assert_eq!(cuts(&bench).len() as u64, round);
        bench.run(50, QUIET);
    }
}

#[test]
fn a_key_and_the_end_of_the_turn_drop_what_is_held() {
    let mut bench = asked(true);
    bench.run(10, SPEECH);
    answer(&mut bench);
    bench.run(5, SPEECH);
    bench.press('1');
    bench.run(1, SPEECH);
    assert_eq!((cuts(&bench).len(), begun(&bench), held(&bench)), (1, None, vec![(80, "digit")]));
    // The speech provider ends the turn before the words come: the answer was one to less.
    let mut bench = asked(true);
    bench.run(25, SPEECH);
    answer(&mut bench);
    bench.run(2, QUIET);
    let opinion = ProviderTurn::Ended;
    bench.command(MindCommand::ProviderTurn { turn: 1, opinion });
    bench.run(12, QUIET);
    let told: Vec<u32> = bench.ticks_of(|event| {
        matches!(event, VoiceEvent::Interrupted { .. } | VoiceEvent::TurnCommitted { turn: 1, .. })
    });
    assert_eq!((told.len(), begun(&bench)), (2, None), "{:?}", bench.events);
    assert_eq!(told[0], told[1]);
    let place = |wanted: fn(&VoiceEvent) -> bool| bench.events.iter().position(|(_, event)| wanted(event));
    let cut = place(|event| matches!(event, VoiceEvent::Interrupted { .. }));
    let over = place(|event| matches!(event, VoiceEvent::TurnCommitted { turn: 1, .. }));
    assert!(cut < over, "the mind hears of the answer first");
    bench.command(MindCommand::Think);
    bench.say_this(2, vec![7_000; 1_600]);
    bench.run(1, QUIET);
    assert_eq!(bench.peak(), 7_000);
}

#[test]
fn what_must_be_heard_waits_and_is_never_lost() {
    let goodbye = |bench: &mut Bench| {
        bench.yields_to = YieldsTo::NOTHING;
        answer(bench);
        bench.command(MindCommand::HangUp);
    };
    // It begins when nobody speaks.
    let mut bench = asked(false);
    bench.run(10, SPEECH);
    goodbye(&mut bench);
    bench.run(30, SPEECH);
    assert_eq!((begun(&bench), bench.voice.poll_wish(bench.now())), (None, None));
    bench.run(110, QUIET);
    assert_eq!((begun(&bench), cuts(&bench)), (Some(140 + 10), vec![]));
    assert_eq!(bench.voice.poll_wish(bench.now()), Some(VoiceWish::HangUp));
    // Or although somebody does.
    let mut bench = asked(false);
    bench.run(10, SPEECH);
    goodbye(&mut bench);
    bench.run(300, SPEECH);
    assert_eq!((begun(&bench), cuts(&bench)), (Some(101 + 10 + 100), vec![]));
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. })).len(), 1);
}

#[test]
fn speech_in_which_a_turn_was_ended_holds_nothing() {
    // A loud room: its words are a whole sentence and no more come, so that the turn is over while speech is heard.
    let mut bench = Bench::new();
    bench.command(MindCommand::ExpectWords(true));
    bench.run(50, SPEECH);
    words(&mut bench, 4, false);
    bench.run(100, SPEECH);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::TurnCommitted { .. })).len(), 1);
    let from = bench.ticks;
    answer(&mut bench);
    bench.run(1, SPEECH);
    assert_eq!((begun(&bench), held(&bench)), (Some(from + 1), vec![]));
}
