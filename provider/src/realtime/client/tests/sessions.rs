//! What becomes of a call when its session stands still, breaks, or grows too old.

use super::*;

#[test]
fn what_nobody_answers_is_asked_again_once() {
    let mut stage = Stage::ready(OPENAI);
    stage.does(0, |client, now| client.respond(now, None));
    stage.until(4_999);
    assert_eq!(stage.told(), ["respond"]);
    stage.until(5_000);
    assert_eq!(stage.told(), ["close", "lost timeout"]);
    stage.until(6_000);
    stage.opened(6_100);
    stage.says(6_200, "ready");
    assert_eq!(stage.told(), ["open", "setup new", "respond", "ready"]);
    stage.until(11_200);
    assert_eq!(stage.told(), ["close", "failed timeout"]);
    assert_eq!(stage.client.poll_timeout(), None);
}

#[test]
fn an_answer_that_stands_still_is_broken() {
    let mut stage = Stage::ready(OPENAI);
    stage.says(0, "begin r1");
    stage.says(100, "sound r1 i1 100");
    stage.until(4_099);
    stage.told();
    stage.until(4_100);
    assert_eq!(stage.told(), ["close", "broken timeout", "lost timeout"]);
    let mut stage = Stage::ready(OPENAI);
    stage.says(0, "begin r1");
    stage.says(100, "sound r1 i1 100");
    stage.says(110, "complete");
    stage.told();
    stage.until(60_000);
    assert!(stage.told().is_empty(), "its end may be told when all is played");
}

#[test]
fn nobody_is_waited_for_while_the_caller_goes_on() {
    let mut stage = Stage::ready(OPENAI);
    stage.says(0, "stops");
    stage.says(1_000, "starts");
    stage.until(20_000);
    assert_eq!(stage.told(), ["stops", "starts"]);
    stage.says(20_000, "stops");
    stage.until(25_000);
    assert_eq!(stage.told(), ["stops", "close", "lost timeout"]);
}

#[test]
fn who_finds_no_turns_is_told_of_their_ends() {
    let mut stage = Stage::ready(Habits { ends_turns: false, ..OPENAI });
    stage.does(0, Client::end_turn);
    assert_eq!(stage.told(), ["commit", "respond"]);
    // Who takes too long to find out is told, too; whether an answer has to be asked for then is another matter.
    let mut stage = Stage::ready(OPENAI);
    stage.does(0, Client::end_turn);
    assert_eq!(stage.told(), ["commit", "respond"]);
    let mut stage = Stage::ready(Habits { answers_ended_turns: true, ..OPENAI });
    stage.does(0, Client::end_turn);
    assert_eq!(stage.told(), ["commit"]);
    stage.until(5_000);
    assert_eq!(stage.told(), ["close", "lost timeout"]);
}

#[test]
fn the_callers_words_that_a_break_swallowed_are_said_again() {
    let mut stage = Stage::ready(OPENAI);
    stage.does(0, |client, now| client.hear(now, &[0; 160]));
    stage.says(10, "turn u1");
    stage.says(20, "starts");
    stage.does(30, |client, now| client.hear(now, &[0; 80]));
    stage.dropped(40);
    stage.does(50, |client, now| client.hear(now, &[0; 40]));
    stage.until(1_040);
    stage.opened(1_050);
    stage.told();
    stage.says(1_060, "ready");
    assert_eq!(stage.told(), ["audio 120", "ready"]);
}

/// Some vendors say nothing of the caller's speech before they answer it.
#[test]
fn speech_that_others_heard_is_said_again_until_it_is_answered() {
    let second = [0; 8_000];
    let mut stage = Stage::ready(OPENAI);
    stage.does(0, |client, now| client.hear(now, &second));
    stage.does(0, |client, _| client.caller_begins());
    stage.does(10, |client, now| client.hear(now, &second));
    assert_eq!(stage.client.unsettled().len(), 16_000);
    stage.does(20, |client, _| client.caller_said_nothing());
    stage.does(20, |client, now| client.hear(now, &second));
    assert!(stage.client.unsettled().is_empty(), "silence is not handed on");
    stage.does(30, |client, _| client.caller_begins());
    stage.does(30, |client, now| client.hear(now, &second));
    stage.says(40, "turn u1");
    stage.does(50, |client, now| client.hear(now, &second));
    stage.does(60, |client, now| client.hear(now, &second));
    assert!(stage.client.unsettled().is_empty(), "what came before is part of the conversation");
}

#[test]
fn a_break_is_mended_three_times_and_tells_of_the_answer() {
    let mut stage = Stage::ready(OPENAI);
    stage.says(0, "begin r1");
    stage.told();
    stage.dropped(100);
    assert_eq!(stage.told(), ["broken dropped", "lost dropped"]);
    for (ms, end) in [(1_100, "lost dropped"), (2_200, "lost dropped"), (3_300, "failed dropped")] {
        stage.until(ms);
        stage.dropped(ms + 100);
        assert_eq!(stage.told(), ["open", end]);
    }
    assert_eq!(stage.client.poll_timeout(), None);
}

#[test]
fn a_session_is_made_anew_at_a_quiet_moment_before_it_is_too_old() {
    let mut stage = Stage::ready(OPENAI);
    stage.says(2_999_000, "starts");
    stage.until(3_001_000);
    assert_eq!(stage.told(), ["starts"]);
    stage.says(3_002_000, "stops");
    stage.says(3_002_100, "begin r1");
    stage.until(3_002_200);
    stage.says(3_002_300, "done");
    stage.until(3_002_300);
    assert_eq!(stage.told(), ["stops", "begun", "done", "close", "open", "recycled"]);
    let mut stage = Stage::ready(OPENAI);
    stage.says(2_999_000, "starts");
    stage.until(3_299_999);
    assert_eq!(stage.told(), ["starts"]);
    stage.until(3_300_000);
    assert_eq!(stage.told(), ["close", "open", "recycled"], "in any case");
}

#[test]
fn who_is_told_to_go_comes_back_into_the_same_session() {
    let mut stage = Stage::ready(OPENAI);
    stage.says(0, "handle h1");
    stage.says(0, "begin r1");
    stage.says(0, "away 5");
    stage.until(2_000);
    assert_eq!(stage.told(), ["begun"]);
    stage.says(2_000, "done");
    stage.until(2_000);
    assert_eq!(stage.told(), ["done", "close", "open", "recycled"]);
    stage.does(2_010, |client, now| client.note(now, Speaker::System, "late"));
    stage.opened(2_100);
    stage.says(2_200, "ready");
    assert_eq!(stage.told(), ["setup h1", "System late", "ready"]);
    // A handle that is of no use is not tried twice.
    stage.dropped(3_000);
    stage.until(4_000);
    stage.opened(4_010);
    assert_eq!(stage.told(), ["lost dropped", "open", "setup h1"]);
    stage.dropped(4_020);
    stage.until(5_020);
    stage.opened(5_030);
    stage.says(5_040, "ready");
    assert_eq!(stage.told(), ["lost dropped", "open", "setup new", "u:(late)", "ready"]);
}
