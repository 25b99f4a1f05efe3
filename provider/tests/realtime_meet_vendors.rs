//! The client of models that hear and speak talks with strict simulations of both vendors, which have nothing to complain of: whole turns with tools,
//! interruptions, sessions that end, connections that break, and vendors that refuse or fall silent.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod talking;

use std::time::Duration;

use caly_provider::audio::AudioFormat;
use caly_provider::llm::{ToolResult, Turn};
use caly_provider::policy::{Fault, FaultKind};
use caly_provider::realtime::{AnswerStatus, Event, GeminiAuth, GeminiTurns, OpenAiTurns, Speaker, Then};
use caly_vendors::echo;
use caly_vendors::faults::{Fault as Played, Faults, When};
use caly_vendors::gemini_live::{GeminiLive, ServerFrames};
use caly_vendors::hearing::{Manner, Script};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::openai_realtime::OpenAiRealtime;
use caly_vendors::seen::Seen;
use caly_vendors::stage::Stage;
use serde_json::{Value, json};
use talking::{Call, GEMINI_HOST, LINE, OPENAI_HOST, gemini, openai};

const SENTENCE: &str = "It is on its way and will be with you tomorrow in the morning.";
const SECOND: Duration = Duration::from_secs(1);

fn model() -> Model {
    let rules = [
        Rule::user("order").offered("track").call("track", r#"{"order":"12"}"#),
        Rule::tool("shipped").say(SENTENCE),
        Rule::always().say(SENTENCE),
    ];
    Model::new(rules, TokenPace::default())
}

/// One that only speaks.
fn simple() -> Model {
    Model::new([Rule::always().say(SENTENCE)], TokenPace::default())
}

/// Both vendors' simulations hear these lines.
fn simulated_openai(lines: &[&str], model: Model, seen: &Seen) -> OpenAiRealtime {
    OpenAiRealtime::new(&Script::new(lines.iter().copied()), Manner::default(), model, seen)
}

fn simulated_gemini(lines: &[&str], model: Model, seen: &Seen) -> GeminiLive {
    GeminiLive::new(&Script::new(lines.iter().copied()), Manner::default(), model, seen)
}

/// A call with each vendor, both with the same faults.
fn calls(lines: &[&str], model: &Model, faults: &Faults) -> [Call; 2] {
    let (one, other) = (Seen::default(), Seen::default());
    let at = |stage: Stage| stage.with_faults(faults.clone());
    [
        Call::new(
            openai(|_| {}),
            OPENAI_HOST,
            at(Stage::new(simulated_openai(lines, model.clone(), &one), &one)),
            &one,
        ),
        Call::new(
            gemini(|_| {}),
            GEMINI_HOST,
            at(Stage::new(simulated_gemini(lines, model.clone(), &other), &other)),
            &other,
        ),
    ]
}

fn is_whole(call: &Call) -> bool {
    let characters = SENTENCE.len() as u64;
    let ms = call.heard().as_millis() as u64;
    (60 * characters..75 * characters).contains(&ms)
}

fn statuses(call: &Call) -> Vec<AnswerStatus> {
    let status = |event: &Event| match event {
        Event::AnswerDone { status, .. } => Some(status.clone()),
        _ => None,
    };
    call.events.iter().filter_map(status).collect()
}

fn finals(call: &Call) -> Vec<&str> {
    let words = |event| match event {
        &Event::Transcript { ref text, is_final: true, .. } => Some(text.as_str()),
        _ => None,
    };
    call.events.iter().filter_map(words).collect()
}

fn count(call: &Call, is_it: fn(&Event) -> bool) -> usize {
    call.events.iter().filter(|event| is_it(event)).count()
}

/// What was sent on one of the connections, by its number from 0.
fn sent_on(call: &Call, arrival: usize) -> Vec<Value> {
    let record = call.seen.record();
    let of = record.frames.iter().filter(|seen| seen.arrival == arrival);
    let text = |frame: &caly_vendors::vendor::Frame| match frame {
        caly_vendors::vendor::Frame::Text(text) => serde_json::from_str(text).unwrap(),
        caly_vendors::vendor::Frame::Binary(_) => panic!("binary"),
    };
    of.map(|seen| text(&seen.frame)).collect()
}

fn of_type(messages: &[Value], kind: &str) -> Vec<Value> {
    messages.iter().filter(|message| message["type"] == kind).cloned().collect()
}

fn kind(fault: &Fault) -> FaultKind {
    fault.kind
}

#[test]
fn a_whole_turn_with_a_tool_is_heard_and_answered() {
    for mut call in calls(&[LINE], &model(), &Faults::default()) {
        call.passes(SECOND / 2);
        call.says(LINE);
        let asked = call.until(8 * SECOND, |event| match event {
            Event::ToolRequest(request) => Some(request.clone()),
            _ => None,
        });
        assert_eq!((asked.name.as_str(), asked.arguments.as_str()), ("track", r#"{"order":"12"}"#));
        call.passes(SECOND / 2);
        assert_eq!(call.heard(), Duration::ZERO);
        let result = ToolResult { id: asked.id.clone(), content: "shipped".to_owned(), is_error: false };
        call.does(|client, now| client.tool_result(now, result.clone(), Then::Answer));
        call.passes(3 * SECOND);
        assert_eq!((finals(&call), call.words.trim()), (vec![LINE], SENTENCE));
        assert!(is_whole(&call), "{:?}", call.heard());
        assert_eq!(statuses(&call).last(), Some(&AnswerStatus::Completed));
        assert!(call.events.iter().any(
            |event| matches!(event, Event::AnswerDone { usage: Some(usage), .. } if usage.output_tokens > 0)
        ));
        let history = call.client.history();
        let [
            Turn::User(said),
            Turn::Assistant { calls, .. },
            Turn::Results(results),
            Turn::Assistant { text, .. },
        ] = history.as_slice()
        else {
            panic!("{history:?}")
        };
        assert_eq!((said.as_str(), &calls[0], &results[0], text.trim()), (LINE, &asked, &result, SENTENCE));
        call.ends_well(1);
    }
}

#[test]
fn a_vendor_that_is_not_to_listen_for_turns_is_told_of_them_and_answers_although_sound_goes_on() {
    let (one, other, simple) = (Seen::default(), Seen::default(), simple());
    let at_openai = Stage::new(simulated_openai(&[LINE], simple.clone(), &one), &one);
    let at_gemini = Stage::new(simulated_gemini(&[LINE], simple, &other), &other);
    let calls = [
        Call::new(openai(|config| config.turns = OpenAiTurns::Manual), OPENAI_HOST, at_openai, &one),
        Call::new(gemini(|config| config.turns = GeminiTurns::Manual), GEMINI_HOST, at_gemini, &other),
    ];
    for mut call in calls {
        call.passes(SECOND / 2);
        call.says(LINE);
        call.passes(3 * SECOND);
        assert_eq!(count(&call, |event| matches!(event, Event::AnswerStarted)), 0);
        call.does(|client, now| client.end_turn(now));
        call.passes(3 * SECOND);
        assert_eq!(finals(&call), [LINE]);
        assert_eq!(
            (statuses(&call).as_slice(), is_whole(&call)),
            ([AnswerStatus::Completed].as_slice(), true)
        );
        call.ends_well(1);
    }
}

#[test]
fn a_vendor_that_may_interrupt_itself_is_told_what_was_heard_and_nothing_else() {
    let seen = Seen::default();
    let vendor = openai(|config| config.stops_when_interrupted = true);
    let stage = Stage::new(simulated_openai(&["haan"], model(), &seen), &seen);
    let mut call = Call::new(vendor, OPENAI_HOST, stage, &seen);
    call.does(|client, now| client.respond(now, None));
    let item = call.until(3 * SECOND, |event| match event {
        Event::Audio { item, .. } => Some(*item),
        _ => None,
    });
    call.says("haan");
    call.until(2 * SECOND, |event| matches!(event, Event::SpeechStarted).then_some(()));
    call.does(|client, now| client.interrupt(now, Some((item, SECOND / 10))));
    call.passes(5 * SECOND);
    let sent = sent_on(&call, 0);
    assert_eq!(of_type(&sent, "response.cancel").len(), 0);
    assert_eq!(of_type(&sent, "conversation.item.truncate")[0]["audio_end_ms"], 100);
    assert_eq!(statuses(&call), [AnswerStatus::Cancelled, AnswerStatus::Completed]);
    call.ends_well(1);
}

#[test]
fn what_was_heard_of_an_answer_is_told_whether_it_is_under_way_or_over() {
    let seen = Seen::default();
    let stage = Stage::new(simulated_openai(&[], model(), &seen), &seen);
    let mut call = Call::new(openai(|_| {}), OPENAI_HOST, stage, &seen);
    call.does(|client, now| client.respond(now, Some("Tell the caller.")));
    let item = call.until(3 * SECOND, |event| match event {
        Event::Audio { item, .. } => Some(*item),
        _ => None,
    });
    call.passes(SECOND / 10);
    let heard = Duration::from_millis(300);
    call.does(|client, now| client.interrupt(now, Some((item, heard))));
    let so_far = call.heard();
    call.passes(2 * SECOND);
    assert_eq!(call.heard(), so_far, "what comes after an interruption is not told");
    assert_eq!(statuses(&call), [AnswerStatus::Cancelled]);
    // The next one has all come when the caller interrupts: half of it was played.
    call.does(|client, now| client.respond(now, None));
    call.passes(3 * SECOND);
    assert_eq!(statuses(&call), [AnswerStatus::Cancelled, AnswerStatus::Completed]);
    let last = call.last_item();
    assert_ne!(last, item);
    call.does(|client, now| client.interrupt(now, Some((last, 2 * SECOND))));
    call.passes(SECOND / 2);
    let sent = sent_on(&call, 0);
    assert_eq!(of_type(&sent, "response.cancel").len(), 1, "what is over cannot be cancelled");
    let cuts: Vec<Value> = of_type(&sent, "conversation.item.truncate")
        .iter()
        .map(|cut| json!([cut["item_id"], cut["audio_end_ms"]]))
        .collect();
    assert_eq!(cuts.len(), 2);
    assert_eq!((&cuts[0][1], &cuts[1][1]), (&json!(300), &json!(2_000)));
    assert_ne!(cuts[0][0], cuts[1][0]);
    // Both are known as far as they were heard.
    for turn in call.client.history() {
        let Turn::Assistant { text, .. } = turn else { panic!("{turn:?}") };
        assert!(text.len() < SENTENCE.len() && SENTENCE.starts_with(text.trim()), "{text}");
    }
    call.ends_well(1);
}

#[test]
fn a_vendor_that_stops_by_itself_says_so_and_answers_who_interrupted() {
    let seen = Seen::default();
    let stage = Stage::new(simulated_gemini(&["haan"], model(), &seen), &seen);
    let mut call = Call::new(gemini(|_| {}), GEMINI_HOST, stage, &seen);
    call.does(|client, now| client.respond(now, None));
    let item = call.until(3 * SECOND, |event| match event {
        Event::Audio { item, .. } => Some(*item),
        _ => None,
    });
    call.says("haan");
    call.until(2 * SECOND, |event| matches!(event, Event::Interrupted).then_some(()));
    call.does(|client, now| client.interrupt(now, Some((item, SECOND / 10))));
    call.passes(5 * SECOND);
    assert_eq!(statuses(&call), [AnswerStatus::Cancelled, AnswerStatus::Completed]);
    assert_eq!(finals(&call), ["haan"]);
    call.ends_well(1);
}

#[test]
fn a_session_is_made_anew_before_the_vendor_ends_it_and_knows_what_was_said() {
    let seen = Seen::default();
    let simulated = simulated_openai(&[LINE, "haan"], model(), &seen).lasting(12 * SECOND);
    let vendor = openai(|config| config.recycle_after = 10 * SECOND);
    let mut call = Call::new(vendor, OPENAI_HOST, Stage::new(simulated, &seen), &seen);
    call.passes(SECOND / 2);
    call.says(LINE);
    let asked = call.until(8 * SECOND, |event| match event {
        Event::ToolRequest(request) => Some(request.clone()),
        _ => None,
    });
    let result = ToolResult { id: asked.id, content: "shipped".to_owned(), is_error: false };
    call.does(|client, now| client.tool_result(now, result.clone(), Then::Answer));
    call.passes(9 * SECOND);
    assert_eq!(count(&call, |event| matches!(event, Event::Recycled)), 1);
    let replayed: Vec<Value> = of_type(&sent_on(&call, 1), "conversation.item.create")
        .iter()
        .map(|message| {
            json!([message["item"]["role"], message["item"]["content"][0]["text"].as_str().unwrap().trim()])
        })
        .collect();
    let used = r#"The tool track was used with {"order":"12"}."#;
    let expected = json!([
        ["user", LINE],
        ["system", used],
        ["system", "The tool answered: shipped"],
        ["assistant", SENTENCE]
    ]);
    assert_eq!(json!(replayed), expected);
    // It still hears, and who asks is answered.
    let before = call.heard();
    call.says("haan");
    call.passes(6 * SECOND);
    assert_eq!(finals(&call), [LINE, "haan"]);
    assert!(call.heard() > before);
    assert_eq!(count(&call, |event| matches!(event, Event::Lost(_) | Event::Failed(_))), 0);
    assert_eq!(statuses(&call), [const { AnswerStatus::Completed }; 3]);
    call.ends_well(2);
}

#[test]
fn a_vendor_that_asks_to_go_is_left_in_time_and_found_again_by_its_handle() {
    let seen = Seen::default();
    let simulated = simulated_gemini(&["haan"], model(), &seen).lasting(60 * SECOND);
    let stage = Stage::new(simulated.framing(ServerFrames::Binary), &seen);
    let mut call = Call::new(gemini(|_| {}), GEMINI_HOST, stage, &seen);
    call.does(|client, now| client.respond(now, None));
    call.passes(9 * SECOND);
    assert_eq!(count(&call, |event| matches!(event, Event::Recycled)), 0);
    call.passes(3 * SECOND);
    assert_eq!(count(&call, |event| matches!(event, Event::Recycled)), 1);
    let setups: Vec<Value> =
        (0..2).map(|arrival| sent_on(&call, arrival)[0]["setup"]["sessionResumption"].clone()).collect();
    assert_eq!(setups, [json!({}), json!({ "handle": "handle-2" })]);
    let told_again =
        sent_on(&call, 1).iter().filter(|message| message.get("clientContent").is_some()).count();
    assert_eq!(told_again, 0, "the session knows it");
    call.says("haan");
    call.passes(6 * SECOND);
    assert_eq!(finals(&call), ["haan"]);
    assert_eq!(statuses(&call), [AnswerStatus::Completed, AnswerStatus::Completed]);
    call.ends_well(2);
}

#[test]
fn the_telephones_own_bytes_go_there_and_back_as_they_are() {
    for (format, name) in [(AudioFormat::MULAW_8K, "audio/pcmu"), (AudioFormat::ALAW_8K, "audio/pcma")] {
        let (seen, heard) = (Seen::default(), echo::Heard::default());
        let vendor = openai(|config| config.turns = OpenAiTurns::Manual);
        let stage = Stage::new(echo::Echo::new(&heard), &seen);
        let mut call = Call::of_format(vendor, OPENAI_HOST, stage, &seen, format);
        call.passes(SECOND / 2);
        let every_byte: Vec<u8> = (0..=255).cycle().take(5 * 256).collect();
        call.plays(&every_byte);
        call.passes(SECOND / 2);
        let said = call.said.clone();
        assert!(said.windows(every_byte.len()).any(|window| window == every_byte));
        call.does(|client, now| client.end_turn(now));
        call.passes(SECOND / 5);
        let heard = heard.bytes();
        assert!(!heard.is_empty() && said.starts_with(&heard), "{name}: {} {}", said.len(), heard.len());
        assert!(said.len() - heard.len() <= 160 * 3, "only what was under way was not heard");
        // Silence before the first sound is not waited for.
        let from = heard.len() - call.sound.len();
        let silence = if name == "audio/pcmu" { 0x7f } else { 0x55 };
        assert!(call.sound == heard[from..], "{name}");
        assert!(heard[..from].iter().all(|byte| byte & 0x7f == silence) && from > 0, "{name}");
        let audio = &sent_on(&call, 0)[0]["session"]["audio"];
        assert_eq!(
            (&audio["input"]["format"]["type"], &audio["output"]["format"]["type"]),
            (&json!(name), &json!(name))
        );
    }
}

#[test]
fn a_connection_that_breaks_within_an_answer_is_mended_and_told_what_was_said() {
    let faults = Faults::default().with(When::Nth(1), Played::DropAfter(26));
    for mut call in calls(&[LINE], &simple(), &faults) {
        call.passes(SECOND / 2);
        call.says(LINE);
        let lost = call.until(8 * SECOND, |event| match event {
            Event::Lost(fault) => Some(kind(fault)),
            _ => None,
        });
        assert_eq!(lost, FaultKind::Dropped);
        let begun = call.heard();
        assert!(!begun.is_zero() && !is_whole(&call), "{begun:?}");
        let over = statuses(&call);
        let [AnswerStatus::Failed(fault)] = over.as_slice() else { panic!("{over:?}") };
        assert_eq!(fault.kind, FaultKind::Dropped);
        call.passes(2 * SECOND);
        assert_eq!(count(&call, |event| matches!(event, Event::Ready { .. })), 2);
        assert_eq!(call.heard(), begun, "nobody repeats an answer unasked");
        let again = sent_on(&call, 1);
        let items = of_type(&again, "conversation.item.create");
        if again[0]["setup"].is_object() {
            assert_eq!(again[0]["setup"]["sessionResumption"], json!({ "handle": "handle-0" }));
        } else {
            let texts: Vec<&str> =
                items.iter().map(|item| item["item"]["content"][0]["text"].as_str().unwrap()).collect();
            assert!(texts[0] == LINE && SENTENCE.starts_with(texts[1].trim()), "{texts:?}");
        }
        (call.words, call.sound) = (String::new(), Vec::new());
        call.does(|client, now| client.respond(now, None));
        call.passes(3 * SECOND);
        assert_eq!((call.words.trim(), is_whole(&call)), (SENTENCE, true));
        call.ends_well(2);
    }
}

#[test]
fn a_wrong_key_is_told_at_once_and_not_tried_again() {
    let (one, other) = (Seen::default(), Seen::default());
    let wrong = caly_provider::secret::Secret::new("wrong");
    let with_wrong_key = [
        (
            openai(|config| config.key = Some(wrong.clone())),
            OPENAI_HOST,
            Stage::new(simulated_openai(&[], model(), &one), &one),
            &one,
        ),
        (
            gemini(|config| config.auth = GeminiAuth::Key(wrong.clone())),
            GEMINI_HOST,
            Stage::new(simulated_gemini(&[], model(), &other), &other),
            &other,
        ),
    ];
    for (vendor, host, stage, seen) in with_wrong_key {
        let mut call = Call::new(vendor, host, stage, seen);
        let failed = call.until(SECOND, |event| match event {
            Event::Failed(fault) => Some(fault.clone()),
            _ => None,
        });
        assert_eq!(failed.kind, FaultKind::Unauthorized, "{failed}");
        call.passes(10 * SECOND);
        assert_eq!((seen.arrivals(), call.client.poll_timeout()), (1, None));
    }
}

#[test]
fn a_session_that_is_not_set_up_in_time_is_tried_again() {
    let faults = Faults::default().with(When::Nth(1), Played::Stall);
    for mut call in calls(&[], &model(), &faults) {
        call.does(|client, now| client.note(now, Speaker::System, "It is noon."));
        call.does(|client, now| client.respond(now, Some("Greet the caller.")));
        let lost = call.until(4 * SECOND, |event| match event {
            Event::Lost(fault) => Some(kind(fault)),
            _ => None,
        });
        assert_eq!(lost, FaultKind::Timeout);
        call.passes(4 * SECOND);
        assert_eq!(count(&call, |event| matches!(event, Event::Ready { .. })), 1);
        assert!(is_whole(&call), "what was asked for meanwhile is not forgotten");
        call.ends_well(2);
    }
}

#[test]
fn who_does_not_answer_is_asked_once_more_on_another_connection_and_then_given_up() {
    let late = TokenPace { first: 60 * SECOND, each: Duration::ZERO };
    let late = Model::new([Rule::always().say(SENTENCE)], late);
    for mut call in calls(&[], &late, &Faults::default()) {
        call.does(|client, now| client.respond(now, None));
        call.until(7 * SECOND, |event| matches!(event, Event::Lost(_)).then_some(()));
        // An answer that has begun, although without a sound, is over: it is asked for anew by who wants it.
        if !statuses(&call).is_empty() {
            call.does(|client, now| client.respond(now, None));
        }
        let failed = call.until(8 * SECOND, |event| match event {
            Event::Failed(fault) => Some(fault.clone()),
            _ => None,
        });
        assert_eq!(failed.kind, FaultKind::Timeout, "{failed}");
        assert_eq!(count(&call, |event| matches!(event, Event::Lost(_))), 1);
        let asked = |message: &Value| {
            message["type"] == "response.create" || message["clientContent"]["turnComplete"] == true
        };
        let asked: Vec<usize> =
            (0..2).map(|arrival| sent_on(&call, arrival).iter().filter(|one| asked(one)).count()).collect();
        assert_eq!((asked.as_slice(), call.seen.arrivals()), ([1, 1].as_slice(), 2));
    }
}
