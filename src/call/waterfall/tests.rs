use super::*;
use crate::store::sample;

fn read(events: &[(CallTime, Event)]) -> Waterfall {
    Waterfall::of(events.iter().map(|(at, event)| (*at, event)))
}

fn cascade() -> Vec<(CallTime, Event)> {
    sample::cascade_call(sample::call(1)).into_iter().map(|record| (record.at, record.event)).collect()
}

fn of_marks(marks: &[(Mark, u64)]) -> Waterfall {
    let event = |(mark, at_ms): &(Mark, u64)| {
        let at = CallTime(at_ms * 1_000);
        let marked = HopEvent::Mark { turn: 0, mark: *mark, at_us: None, utterance: None, provider: None };
        (at, Event::Dialogue(Dialogue::Hop(marked)))
    };
    read(&marks.iter().map(event).collect::<Vec<_>>())
}

#[test]
fn a_turn_has_what_the_caller_waited_and_the_servers_share_of_it() {
    let waterfall = read(&cascade());
    let [quick, slow] = &waterfall.turns[..] else { panic!("{waterfall:#?}") };
    assert_eq!((quick.voice_to_voice_ms(), quick.end_of_turn_ms()), (Some(1_180), Some(600)));
    // 2 ms to the request and 10 from the first sound to its departure.
    assert_eq!((quick.own_ms(), quick.first_speech()), (Some(12), Some(FirstSpeech::Answer)));
    assert_eq!((slow.voice_to_voice_ms(), slow.first_speech()), (Some(1_700), Some(FirstSpeech::Filler)));
    assert_eq!((slow.own_ms(), slow.answered_at()), (None, Some(CallTime(12_120_000))));
    assert_eq!(slow.tools[0].answered, Some((CallTime(11_440_000), true)));
    let kinds: Vec<_> = slow.incidents.iter().map(|incident| incident.kind).collect();
    assert_eq!(kinds, ["fault", "budget", "dry"]);
    let said: Vec<_> = slow.sayings.iter().map(|saying| (saying.utterance, saying.is_cut)).collect();
    assert_eq!(said, [(3, false), (4, true)]);
}

#[test]
fn totals_are_over_the_turns_that_have_the_part() {
    let totals = read(&cascade()).totals();
    let figure = |count, p50, p95| Figure { count, p50_ms: Some(p50), p95_ms: Some(p95) };
    assert_eq!(totals.voice_to_voice, figure(2, 1_180, 1_700));
    assert_eq!((totals.own, totals.llm), (figure(1, 12, 12), figure(2, 348, 1_299)));
    assert_eq!((totals.text, totals.tts), (figure(2, 50, 1_000), figure(2, 150, 200)));
    assert_eq!(Waterfall::default().totals(), Totals::default());
}

#[test]
fn a_model_that_was_asked_ahead_takes_nothing_of_the_servers_share() {
    let ahead = |asked_ms| {
        let committed =
            Dialogue::TurnCommitted { speech_ms: 1, why: String::new(), silence_ms: 1, turn: None };
        let mut events = vec![(CallTime(1_000_000), Event::Dialogue(committed))];
        for (mark, at_ms) in [(Mark::LlmStart, asked_ms), (Mark::TtsFrame, 1_300), (Mark::MediaOut, 1_308)] {
            let at_us = Some(CallTime(at_ms * 1_000));
            let marked = HopEvent::Mark { turn: 0, mark, at_us, utterance: Some(1), provider: None };
            events.push((CallTime(2_000_000), Event::Dialogue(Dialogue::Hop(marked))));
        }
        read(&events).turns[0].own_ms()
    };
    assert_eq!((ahead(700), ahead(1_004)), (Some(8), Some(12)));
}

#[test]
fn a_script_answers_by_what_it_says() {
    let turn = &of_marks(&[(Mark::MediaIn, 1_000), (Mark::MediaOut, 1_760)]).turns[0];
    assert_eq!((turn.voice_to_voice_ms(), turn.first_speech()), (Some(760), Some(FirstSpeech::Answer)));
    assert_eq!(turn.own_ms(), None);
}

#[test]
fn any_part_of_a_log_is_read() {
    let whole = cascade();
    for left_out in 0..whole.len() {
        let mut events = whole.clone();
        events.remove(left_out);
        let waterfall = read(&events);
        assert!(waterfall.turns.len() >= 2, "{left_out}");
        read(&whole[left_out..]).totals();
        read(&whole[..left_out]).totals();
    }
    // Marks that run backwards take no time.
    let turn = &of_marks(&[(Mark::MediaOut, 1_000), (Mark::MediaIn, 1_500)]).turns[0];
    assert_eq!(turn.voice_to_voice_ms(), Some(0));
}

#[test]
fn what_went_wrong_before_the_first_turn_is_told_too() {
    let mut events = cascade();
    events.insert(3, (CallTime(45_000), Event::Gap { missing: 3 }));
    let waterfall = read(&events);
    assert_eq!(waterfall.before.iter().map(|incident| incident.kind).collect::<Vec<_>>(), ["gap"]);
}

#[test]
fn an_answer_that_waited_for_the_caller_says_so_and_is_no_share_of_the_servers() {
    let committed = Dialogue::TurnCommitted { speech_ms: 1, why: String::new(), silence_ms: 1, turn: None };
    let mark = |mark| {
        let (at_us, utterance) = (Some(CallTime(1_500_000)), Some(1));
        Dialogue::Hop(HopEvent::Mark { turn: 0, mark, at_us, utterance, provider: None })
    };
    let turn = |until: Option<&str>| {
        let held =
            until.map(|until| Dialogue::HeldBack { utterance: 1, held_ms: 420, until: until.to_owned() });
        let told = [committed.clone(), mark(Mark::LlmStart), mark(Mark::TtsFrame), mark(Mark::MediaOut)];
        let events = told.into_iter().chain(held).map(|what| (CallTime(1_000_000), Event::Dialogue(what)));
        read(&events.collect::<Vec<_>>()).turns.remove(0)
    };
    assert_eq!((turn(None).own_ms(), turn(None).incidents), (Some(500), vec![]));
    for (until, told) in [("silence", "before it began (silence)"), ("speech", "and was not begun (speech)")]
    {
        let turn = turn(Some(until));
        assert_eq!(turn.own_ms(), None);
        assert_eq!(turn.incidents[0].kind, "held");
        assert_eq!(turn.incidents[0].what, format!("utterance 1 waited 420 ms for the caller {told}"));
    }
}
