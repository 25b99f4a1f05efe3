use std::fs;
use std::path::Path;

use super::*;
use crate::call::dialogue::Dialogue;
use crate::call::log::Record;
use crate::cli::calls::columns::columns;
use crate::cli::{ReplayArgs, Style};
use crate::store::sample;
use crate::store::scratch::Folder;

fn read(events: &[(CallTime, Event)]) -> Waterfall {
    Waterfall::of(events.iter().map(|(at, event)| (*at, event)))
}

fn drawn(events: &[(CallTime, Event)], width: Option<usize>, style: Style) -> Vec<String> {
    let waterfall = read(events);
    let recorded = vec![None; waterfall.turns.len()];
    drawing::Drawing { width, style }.lines("018bcfe5", &waterfall, &recorded)
}

fn cascade() -> Vec<(CallTime, Event)> {
    known(&sample::stored(&sample::cascade_call(sample::call(1))))
}

#[test]
fn a_call_is_drawn_in_eighty_columns() {
    let lines = drawn(&cascade(), None, Style::Plain);
    assert_eq!(
        lines,
        [
            "call 018bcfe5",
            "",
            "turn 0 at 00:03.400  \"मेरा ऑर्डर कहाँ है\"            voice to voice 1180 ms (answer)",
            "  asr          <---=                                       750 ms ears",
            "  end of turn  -------------------                         600 ms words",
            "  llm                            -----------==========>    348 ms groq",
            "  tts                                         ----====>    150 ms mouth",
            "  answer                                           ===>   1840 ms",
            "",
            "turn 1 at 00:08.300  \"cancel kar do\"             voice to voice 1700 ms (filler)",
            "  asr          <=                                          800 ms ears",
            "  end of turn  --------                                    600 ms words",
            "  llm                 ---------------=                    1299 ms openai",
            "  fault                          ! llm by groq, timeout: no token for 1 s",
            "  filler                           ================       1300 ms",
            "  budget                             ! llm took 1299 ms where 700 are allowed",
            "  tool cancel…                        ------               440 ms",
            "  tts                                            --=       200 ms mouth",
            "  answer                                           ===>    780 ms cut",
            "  dry                                                 !",
            "               40 ms without sound, the mind was late",
            "",
            "in milliseconds                p50       p95   turns",
            "voice to voice                1180      1700       2",
            "  wait for turn's end          600       600       2",
            "  server's own share            12        12       1",
            "  asr: last words              100       150       2",
            "  llm: first token             348      1299       2",
            "  llm: first sentence           50      1000       2",
            "  tts: first sound             150       200       2",
        ]
    );
}

#[test]
fn no_line_is_longer_than_the_terminal_and_colours_are_no_more_than_colours() {
    for width in [60, 80, 100, 160, 400] {
        let lines = drawn(&cascade(), Some(width), Style::Plain);
        assert!(lines.iter().all(|line| columns(line) <= width), "{width}: {lines:#?}");
        let coloured = drawn(&cascade(), Some(width), Style::Coloured);
        assert!(coloured.iter().any(|line| line.contains('\u{1b}')));
        let bare: Vec<_> = coloured.iter().map(|line| console::strip_ansi_codes(line).into_owned()).collect();
        assert_eq!(bare, lines);
    }
    assert!(drawn(&cascade(), None, Style::Plain).iter().all(|line| !line.contains('\u{1b}')));
}

#[test]
fn logs_without_marks_and_logs_with_holes_are_drawn() {
    let bare = known(&sample::stored(&sample::answered_call(sample::call(1))));
    let lines = drawn(&bare, None, Style::Plain);
    assert_eq!(lines.last().unwrap(), "no turn of the caller is marked in this call's log");
    let script = known(&sample::stored(&sample::agent_call(sample::call(1))));
    let lines = drawn(&script, None, Style::Plain);
    assert!(lines[2].ends_with("no speech of the agent behind it"), "{lines:#?}");
    let whole = cascade();
    for left_out in 0..whole.len() {
        let mut events = whole.clone();
        events.remove(left_out);
        let lines = drawn(&events, None, Style::Plain);
        assert!(lines.iter().all(|line| columns(line) <= 80), "{left_out}: {lines:#?}");
        drawn(&whole[left_out..], None, Style::Plain);
    }
}

#[test]
fn what_a_provider_says_commands_no_terminal() {
    let mut events = cascade();
    for (_, event) in &mut events {
        if let Event::Dialogue(Dialogue::Hop(crate::call::hop::HopEvent::Fault { detail, .. })) = event {
            *detail = "\u{1b}[2J\r\n".to_owned();
        }
    }
    let lines = drawn(&events, None, Style::Plain);
    assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:#?}");
}

#[test]
fn the_same_is_told_to_programs() {
    let waterfall = read(&cascade());
    let recorded = [Some(Recorded { caller_until_ms: 3_940, agent_from_ms: 5_120 }), None];
    let told = whole_json("018bcfe5", &waterfall, &recorded);
    let [quick, slow] = [&told["turns"][0], &told["turns"][1]];
    assert_eq!((&told["call"], &quick["text"]), (&json!("018bcfe5"), &json!("मेरा ऑर्डर कहाँ है")));
    let marks: Vec<_> = quick["marks"].as_array().unwrap().iter().map(|mark| &mark["mark"]).collect();
    let order = Mark::ALL.map(|mark| json!(mark));
    assert_eq!(marks, order.iter().collect::<Vec<_>>());
    assert_eq!(quick["marks"][0]["at_us"], 4_000_000);
    assert_eq!((&quick["voice_to_voice_ms"], &quick["own_ms"]), (&json!(1_180), &json!(12)));
    assert_eq!((&quick["first_speech"], &slow["first_speech"]), (&json!("answer"), &json!("filler")));
    assert_eq!(quick["recorded"]["voice_to_voice_ms"], 1_180);
    assert_eq!(slow["recorded"], Value::Null);
    assert_eq!(
        (&slow["tools"][0]["name"], &slow["tools"][0]["is_ok"]),
        (&json!("cancel_order"), &json!(true))
    );
    assert_eq!((&slow["incidents"][0]["kind"], &slow["said"][1]["is_cut"]), (&json!("fault"), &json!(true)));
    assert_eq!(told["totals"]["voice_to_voice"], json!({ "count": 2, "p50_ms": 1_180, "p95_ms": 1_700 }));
}

/// The call of a capture, run again: its log and its recording.
fn replayed(name: &str) -> (Folder, Vec<(CallTime, Event)>, String) {
    let dir = Folder::new(&format!("waterfall-{name}"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcap-fixtures").join(name).with_extension("pcap");
    let (agent, out, local, rtp, dtmf_pt) = ("demo".to_owned(), dir.path().join("out"), None, None, 101);
    let args = ReplayArgs { file, agent, out, local, rtp, dtmf_pt };
    let mut printed = Vec::new();
    crate::cli::replay::run(&args, &mut Output::new(&mut printed, Format::Json, Style::Plain)).unwrap();
    let log = fs::read_to_string(args.out.join("events.jsonl")).unwrap();
    let records = log.lines().map(|line| serde_json::from_str::<Record>(line).unwrap());
    let events: Vec<_> = records.map(|record| (record.at, record.event)).collect();
    let started = |(_, event): &(CallTime, Event)| match event {
        Event::RecordingStarted { file } => Some(file.clone()),
        _ => None,
    };
    let file = events.iter().find_map(started).unwrap();
    (dir, events, file)
}

#[test]
fn the_recording_says_the_same_as_the_marks() {
    for name in ["pcmu_speech", "pcma_speech", "barge_in_speech"] {
        let (dir, events, file) = replayed(name);
        let recording = Recording::open(&dir.path().join("out").join(file), &events).unwrap();
        let waterfall = read(&events);
        let mut found = 0;
        for turn in &waterfall.turns {
            let Some(marked) = turn.voice_to_voice_ms() else { continue };
            let recorded = recording.turn(turn).unwrap().voice_to_voice_ms();
            assert!(marked.abs_diff(recorded) <= 40, "{name}, turn {}: {marked} and {recorded}", turn.turn);
            found += 1;
        }
        assert!(found > 0, "{name}");
    }
}
