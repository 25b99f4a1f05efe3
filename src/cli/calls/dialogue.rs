//! A call's conversation as people read it: who said what when, how much of it was heard, what the caller typed, which tools
//! were used, and what it came to. What stands in no turn is taken from the events beside them.

use serde::{Deserialize as _, Serialize};
use serde_json::{Value, json};

use std::collections::BTreeMap;

use super::columns::{clipped, printable, wrapped};
use super::hops;
use crate::call::dialogue::Dialogue;
use crate::call::hop::HopEvent;
use crate::call::log::Event;
use crate::store::{CallLog, StoredEvent, Turn};

/// One line of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    at_us: i64,
    seq: i64,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum What {
    Agent {
        name: String,
    },
    Idle {
        silence_ms: u64,
    },
    Tool(Tool),
    DrySlots {
        cause: String,
        count: u64,
    },
    Unfinished {
        utterance: u64,
    },
    Echo {
        delay_ms: u64,
        return_loss_db: u64,
    },
    Dropped {
        of: String,
        count: u64,
    },
    /// A provider that is in use from now on, or was of no use.
    Hop {
        /// Inside, since a fault has a `kind` of its own.
        event: HopEvent,
    },
    Outcome {
        name: String,
    },
    Gap {
        missing: u64,
    },
    Ended {
        cause: String,
    },
    #[serde(untagged)]
    Turn {
        #[serde(flatten)]
        turn: Turn,
        /// The key that interrupted it.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<char>,
        /// Of its words those that were heard, if it was cut and they are known.
        #[serde(skip_serializing_if = "Option::is_none")]
        heard_text: Option<String>,
    },
}

/// A tool with its answer, which is absent until it comes.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Tool {
    name: String,
    arguments: String,
    answer: Option<String>,
    took_ms: Option<u64>,
    is_ok: Option<bool>,
}

/// The conversation in the order in which it was heard; empty if there was none.
pub(super) fn entries(log: &CallLog) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for event in &log.events {
        add(&mut entries, event);
    }
    let has_words =
        !log.turns.is_empty() || entries.iter().any(|entry| matches!(entry.what, What::Agent { .. }));
    if !has_words {
        return Vec::new();
    }
    let heard = heard_texts(log);
    entries.extend(log.turns.iter().map(|turn| {
        let heard_text = turn.utterance.and_then(|utterance| heard.get(&utterance).cloned());
        let what = What::Turn { turn: turn.clone(), key: interrupting_key(turn, &log.turns), heard_text };
        Entry { at_us: turn.at_us, seq: turn.seq, what }
    }));
    entries.sort_by_key(|entry| (entry.at_us, entry.seq));
    entries
}

/// Lines of at most `width` columns.
pub(super) fn lines(entries: &[Entry], width: Option<usize>) -> Vec<String> {
    entries.iter().flat_map(|entry| wrapped(&head(entry), &text(&entry.what), width)).collect()
}

/// The same for programs: one object for each, with its `kind`.
pub(super) fn json(entries: &[Entry]) -> Value {
    let object = |entry: &Entry| {
        let mut value = json!(entry.what);
        value["at_us"] = entry.at_us.into();
        value["seq"] = entry.seq.into();
        value
    };
    entries.iter().map(object).collect()
}

fn add(entries: &mut Vec<Entry>, event: &StoredEvent) {
    let what = match Event::deserialize(&event.body) {
        Ok(Event::Dialogue(dialogue)) => beside_turns(dialogue),
        Ok(Event::Gap { missing }) => Some(What::Gap { missing }),
        Ok(Event::Ended(ended)) => Some(What::Ended { cause: ended.cause.as_str().to_owned() }),
        Ok(_) | Err(_) => None,
    };
    if let Some(What::Tool(answered)) = &what
        && answered.answer.is_some()
        && let Some(asked) = asked_tool(entries, &answered.name)
    {
        let arguments = std::mem::take(&mut asked.arguments);
        *asked = Tool { arguments, ..answered.clone() };
        return;
    }
    let (at_us, seq) = (i64_of(event.at_us), i64_of(event.seq));
    entries.extend(what.map(|what| Entry { at_us, seq, what }));
}

/// What was heard of the utterances that were cut.
fn heard_texts(log: &CallLog) -> BTreeMap<i64, String> {
    let heard = |event: &StoredEvent| match Event::deserialize(&event.body) {
        Ok(Event::Dialogue(Dialogue::Hop(HopEvent::HeardText { utterance, text }))) => {
            Some((i64_of(utterance), text))
        }
        Ok(_) | Err(_) => None,
    };
    log.events.iter().filter_map(heard).collect()
}

/// The oldest of these tools that has not answered.
fn asked_tool<'a>(entries: &'a mut [Entry], name: &str) -> Option<&'a mut Tool> {
    entries.iter_mut().find_map(|entry| {
        if let What::Tool(tool) = &mut entry.what
            && tool.name == name
            && tool.answer.is_none()
        {
            return Some(tool);
        }
        None
    })
}

/// What people want to read and what is no turn; states are for those who read the events.
fn beside_turns(dialogue: Dialogue) -> Option<What> {
    match dialogue {
        Dialogue::Agent { name } => Some(What::Agent { name }),
        Dialogue::Idle { silence_ms } => Some(What::Idle { silence_ms }),
        Dialogue::ToolCalled { name, arguments } => {
            Some(What::Tool(Tool { name, arguments, answer: None, took_ms: None, is_ok: None }))
        }
        Dialogue::ToolAnswered { name, answer, took_ms, is_ok } => {
            let (answer, took_ms, is_ok) = (Some(answer), Some(took_ms), Some(is_ok));
            Some(What::Tool(Tool { name, arguments: String::new(), answer, took_ms, is_ok }))
        }
        Dialogue::DrySlots { cause, count } => Some(What::DrySlots { cause, count }),
        Dialogue::Unfinished { utterance } => Some(What::Unfinished { utterance }),
        Dialogue::Echo { delay_ms, return_loss_db } => Some(What::Echo { delay_ms, return_loss_db }),
        Dialogue::Dropped { kind, count } => Some(What::Dropped { of: kind, count }),
        Dialogue::Hop(event) => hops::is_in_dialogue(&event).then_some(What::Hop { event }),
        Dialogue::Outcome { name } => Some(What::Outcome { name }),
        Dialogue::Said { .. }
        | Dialogue::SaidOn { .. }
        | Dialogue::Heard { .. }
        | Dialogue::BargeIn { .. }
        | Dialogue::HeldBack { .. }
        | Dialogue::SpeechStarted
        | Dialogue::SpeechEnded { .. }
        | Dialogue::TurnCommitted { .. }
        | Dialogue::SpeechDismissed
        | Dialogue::State { .. }
        | Dialogue::Message { .. } => None,
    }
}

/// The first key behind an utterance that a key cut short.
fn interrupting_key(said: &Turn, turns: &[Turn]) -> Option<char> {
    if said.interrupted_by.as_deref() != Some("digit") {
        return None;
    }
    let later = turns.iter().filter(|turn| turn.kind == "keys" && turn.at_us >= said.at_us);
    later.min_by_key(|turn| turn.at_us)?.text.as_ref()?.chars().next()
}

fn head(entry: &Entry) -> String {
    let who = match &entry.what {
        What::Agent { .. } => "agent",
        What::Turn { turn, .. } => turn.role.as_str(),
        What::Idle { .. } => "caller",
        What::Tool(_) => "tool",
        What::DrySlots { .. } | What::Unfinished { .. } | What::Dropped { .. } | What::Gap { .. } => "server",
        What::Echo { .. } => "line",
        What::Hop { event } => hops::in_dialogue(event).0,
        What::Outcome { .. } => "outcome",
        What::Ended { .. } => "call",
    };
    format!("  {}  {who:<9}", clock(entry.at_us / 1_000))
}

fn text(what: &What) -> String {
    match what {
        What::Agent { name } => format!("{} takes the call", printable(name)),
        What::Turn { turn, key, heard_text } => turn_text(turn, *key, heard_text.as_deref()),
        What::Hop { event } => hops::in_dialogue(event).1,
        What::Idle { silence_ms } => format!("(said nothing for {})", tenths(i64_of(*silence_ms))),
        What::Tool(tool) => tool_text(tool),
        What::DrySlots { cause, count } => {
            format!("{} ms of silence within a sentence: the {} was late", count * 20, printable(cause))
        }
        What::Unfinished { utterance } => {
            format!("utterance {utterance} breaks off: the mind sent no more of it for 5 s")
        }
        What::Echo { delay_ms, return_loss_db } => {
            format!(
                "the agent's own voice comes back after {delay_ms} ms, {return_loss_db} dB softer, and is taken out"
            )
        }
        What::Dropped { of, count } => {
            format!("{count} {} were dropped, the mind did not take them in time", printable(of))
        }
        What::Outcome { name } => printable(name),
        What::Gap { missing } => format!("{missing} events were dropped here"),
        What::Ended { cause } => format!("ended: {cause}"),
    }
}

fn turn_text(turn: &Turn, key: Option<char>, heard_text: Option<&str>) -> String {
    let words = printable(turn.text.as_deref().unwrap_or_default());
    match turn.kind.as_str() {
        "keys" => format!("keys {words}"),
        "speech" => match (turn.speech_ms, words.is_empty()) {
            (Some(speech_ms), true) => format!("spoke {}", tenths(speech_ms)),
            (Some(speech_ms), false) => format!("{words}  (spoke {})", tenths(speech_ms)),
            (None, true) => "speaks".to_owned(),
            (None, false) => words,
        },
        "message" => {
            let (from, to) = (turn.from_ms.unwrap_or(0), turn.to_ms.unwrap_or(0));
            format!("message of {} ({} to {} of the recording)", tenths(to - from), clock(from), clock(to))
        }
        _ => {
            let text = heard_text.map_or_else(String::new, |text| format!(": \"{}\"", printable(text)));
            format!("{words}  ({}{text})", heard(turn, key))
        }
    }
}

fn heard(turn: &Turn, key: Option<char>) -> String {
    let Some(heard_ms) = turn.heard_ms else { return "not known how much was heard".to_owned() };
    let cut = match (turn.interrupted_by.as_deref(), key) {
        (None, _) => String::new(),
        (Some("digit"), Some(key)) => format!(", interrupted by key {key}"),
        (Some("digit"), None) => ", interrupted by a key".to_owned(),
        (Some("agent"), _) => ", cut by the agent".to_owned(),
        (Some("end"), _) => ", cut by the end of the call".to_owned(),
        (Some(by), _) => format!(", interrupted by {}", printable(by)),
    };
    format!("heard {}{cut}", tenths(heard_ms))
}

fn tool_text(tool: &Tool) -> String {
    let asked = format!("{} {}", printable(&tool.name), clipped(&tool.arguments, MAX_TOOL_COLUMNS));
    let took = tenths(i64_of(tool.took_ms.unwrap_or(0)));
    match (&tool.answer, tool.is_ok) {
        (None, _) => format!("{asked}  (no answer)"),
        (Some(answer), Some(false)) => {
            format!("{asked} failed: {}  (after {took})", clipped(answer, MAX_TOOL_COLUMNS))
        }
        (Some(answer), _) => format!("{asked} -> {}  ({took})", clipped(answer, MAX_TOOL_COLUMNS)),
    }
}

/// Minutes, seconds and milliseconds.
fn clock(ms: i64) -> String {
    let ms = ms.max(0);
    format!("{:02}:{:02}.{:03}", ms / 60_000, ms / 1_000 % 60, ms % 1_000)
}

/// Milliseconds as seconds, as exactly as people want them.
fn tenths(ms: i64) -> String {
    let tenths = (ms.max(0) + 50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

fn i64_of(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Of what a tool was asked and answered; all of it is in the events.
const MAX_TOOL_COLUMNS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::log::Record;
    use crate::cli::calls::columns::columns;
    use crate::store::{Lookup, Store, StoreReader, event_ring, sample};
    use crate::store::{SpoolWriter, scratch::Folder};

    fn stored(name: &str) -> CallLog {
        through_store(name, &sample::agent_call(sample::call(1)))
    }

    /// The call as it comes back out of a real store: through ring, spool, database and reader.
    fn through_store(name: &str, records: &[Record]) -> CallLog {
        let dir = Folder::new(name);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut store = Store::open(dir.path()).await.unwrap();
            let (mut sender, receiver) = event_ring();
            let spool = SpoolWriter::start(&store.data_dir().spool(), vec![receiver], 1024 * 1024).unwrap();
            records.iter().for_each(|record| sender.append(record.clone()));
            spool.shutdown().unwrap();
            store.recover().await.unwrap();
            store.close().await.unwrap();
            let mut reader = StoreReader::open(dir.path()).await.unwrap();
            let found = reader.find(&sample::call(1).to_string()).await.unwrap();
            reader.close().await.unwrap();
            let Lookup::Found(log) = found else { panic!("{found:?}") };
            *log
        })
    }

    #[test]
    fn a_conversation_reads_as_it_was() {
        let lines = lines(&entries(&stored("dialogue-golden")), None);
        assert_eq!(
            lines,
            [
                "  00:00.040  agent    Caly takes the call",
                "  00:00.040  agent    नमस्ते! मैं कैली हूँ, आपकी ऑर्डर सहायक।  (heard 3.2 s, interrupted by key 1)",
                "  00:03.240  caller   keys 1",
                "  00:03.260  agent    Please type your order number on the keypad, then press hash.  (heard 1.4 s)",
                "  00:04.920  caller   keys 222123#",
                "  00:06.300  tool     cancel_order {\"order\":\"ABC123\"} -> {\"result\":\"done\",\"amount_paise\":129900}  (0.4 s)",
                "  00:06.740  agent    It is cancelled.  (heard 1.3 s)",
                "  00:07.000  agent    Please leave a message behind the tone.  (heard 1.3 s, interrupted by speech)",
                "  00:09.100  caller   spoke 1.4 s",
                "  00:09.200  caller   message of 1.8 s (00:09.100 to 00:10.900 of the recording)",
                "  00:11.000  outcome  message_taken",
                "  00:11.010  server   100 ms of silence within a sentence: the mind was late",
                "  00:11.020  agent    Thank you, goodbye.  (heard 10.0 s, cut by the end of the call)",
                "  00:21.000  caller   (said nothing for 10.0 s)",
                "  00:21.020  call     ended: remote_bye",
            ]
        );
    }

    #[test]
    fn words_of_both_and_what_providers_did_stand_in_their_places() {
        let log = through_store("dialogue-words", &sample::cascade_call(sample::call(1)));
        let entries = entries(&log);
        assert_eq!(
            lines(&entries, None),
            [
                "  00:00.040  agent    Caly takes the call",
                "  00:00.040  agent    नमस्ते! मैं कैली हूँ।  (heard 2.0 s)",
                "  00:00.060  asr      by ears",
                "  00:03.000  caller   मेरा ऑर्डर कहाँ है  (spoke 1.0 s)",
                "  00:05.160  agent    आपका ऑर्डर रास्ते में है।  (heard 1.8 s)",
                "  00:08.000  caller   cancel kar do  (spoke 1.0 s)",
                "  00:10.600  llm      groq failed, timeout: no token for 1 s, request req-7",
                "  00:10.700  agent    Ek second.  (heard 1.3 s)",
                "  00:10.900  llm      took 1299 ms in turn 1 where 700 are allowed",
                "  00:11.000  tool     cancel_order {} -> {\"result\":\"done\"}  (0.4 s)",
                "  00:12.120  agent    It is cancelled, the money comes back.  (heard 0.8 s, interrupted by speech: \"It is cancelled,\")",
                "  00:12.640  caller   haan  (spoke 0.3 s)",
                "  00:12.920  server   40 ms of silence within a sentence: the mind was late",
                "  00:14.000  call     ended: remote_bye",
            ]
        );
        let told = json(&entries);
        let of = |key: &str, value: &str| {
            told.as_array().unwrap().iter().find(|entry| entry[key] == value).unwrap().clone()
        };
        let is_fault = |entry: &&Value| entry["kind"] == "hop" && entry["event"]["step"] == "fault";
        let fault = &told.as_array().unwrap().iter().find(is_fault).unwrap()["event"];
        assert_eq!((&fault["kind"], &fault["provider"]), (&"timeout".into(), &"groq".into()));
        assert_eq!(of("kind", "speech")["text"], "मेरा ऑर्डर कहाँ है");
        assert_eq!(of("interrupted_by", "speech")["heard_text"], "It is cancelled,");
    }

    #[test]
    fn narrow_terminals_get_short_lines_under_their_column() {
        let entries = entries(&stored("dialogue-narrow"));
        let lines = lines(&entries, Some(60));
        assert!(lines.iter().all(|line| columns(line) <= 60), "{lines:#?}");
        let wrapped = lines.iter().position(|line| line.contains("Please type")).unwrap();
        assert!(lines[wrapped + 1].starts_with(&" ".repeat(21)), "{lines:#?}");
    }

    #[test]
    fn the_same_is_told_to_programs() {
        let told = json(&entries(&stored("dialogue-json")));
        assert_eq!(told[0]["kind"], "agent");
        assert_eq!((&told[1]["kind"], &told[1]["key"]), (&"said".into(), &"1".into()));
        assert_eq!((&told[1]["role"], &told[1]["heard_ms"]), (&"agent".into(), &3_200.into()));
        let tool = told.as_array().unwrap().iter().find(|entry| entry["kind"] == "tool").unwrap();
        assert_eq!((&tool["name"], &tool["took_ms"]), (&"cancel_order".into(), &440.into()));
        assert_eq!(told.as_array().unwrap().last().unwrap()["kind"], "ended");
    }

    #[test]
    fn tools_without_an_answer_and_answers_without_a_question_are_told() {
        let mut log = stored("dialogue-tools");
        let tool = |log: &CallLog| {
            let entries = entries(log);
            let found = entries.iter().find(|entry| matches!(entry.what, What::Tool(_))).unwrap();
            text(&found.what)
        };
        let asked = log.events.iter().position(|event| event.body["what"] == "tool_called").unwrap();
        let question = log.events.remove(asked);
        assert_eq!(tool(&log), "cancel_order  -> {\"result\":\"done\",\"amount_paise\":129900}  (0.4 s)");
        let answer = std::mem::replace(&mut log.events[asked], question);
        assert_eq!(tool(&log), "cancel_order {\"order\":\"ABC123\"}  (no answer)");
        let mut failed = answer;
        failed.body["is_ok"] = false.into();
        failed.body["answer"] = "\"it took too long\"".into();
        log.events.push(failed);
        assert_eq!(
            tool(&log),
            "cancel_order {\"order\":\"ABC123\"} failed: \"it took too long\"  (after 0.4 s)"
        );
    }

    #[test]
    fn a_call_without_a_conversation_has_no_dialogue() {
        let records = sample::answered_call(sample::call(1));
        let events = sample::stored(&records);
        let log = CallLog { row: sample::row(&records), events, turns: Vec::new(), events_in_spool: 0 };
        assert_eq!(entries(&log), []);
    }
}
