//! A call's events as lines, each with its time since the call began.

use super::columns::printable;
use super::{hops, seconds};
use crate::call::dialogue::Dialogue;
use crate::call::log::{Ended, Event, MediaAgreed, Opened, SipMessage, Way};
use crate::store::StoredEvent;

/// One line for each event, and one for each hole in the numbers. SIP messages stand in the ladder instead.
pub(super) fn lines(events: &[StoredEvent]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut expected = 0;
    for event in events {
        if event.seq > expected {
            lines.push(hole(event.seq - expected));
        }
        expected = event.seq + 1;
        let text = match serde_json::from_value(event.body.clone()) {
            Ok(Event::Sip(_)) => continue,
            Ok(known) => describe(&known),
            // Written by another version.
            Err(_) => event.body.to_string(),
        };
        lines.push(
            format!("{:>12}  {:18}  {}", at(event.at_us), event.r#type, printable(&text))
                .trim_end()
                .to_owned(),
        );
    }
    lines
}

/// Time since the call began.
pub(super) fn at(micros: u64) -> String {
    format!("+{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Events that are missing between two numbers.
pub(super) fn missing(events: &[StoredEvent]) -> u64 {
    let last = events.last().map_or(0, |event| event.seq + 1);
    last.saturating_sub(u64::try_from(events.len()).unwrap_or(u64::MAX))
}

fn hole(missing: u64) -> String {
    format!("{:>12}  {:18}  {missing} events were dropped on their way to the store", "", "(gap)")
}

fn describe(event: &Event) -> String {
    match event {
        Event::Opened(opened) => describe_opening(opened),
        Event::Sip(message) => describe_message(message),
        Event::Ringing { status } => status.to_string(),
        Event::Answered | Event::Acknowledged => String::new(),
        Event::Media(media) => describe_media(media),
        Event::Latched { source, ssrc } => format!("RTP comes from {source}, SSRC {ssrc:08x}"),
        Event::ForeignSource { source } => format!("packets from {source} are dropped"),
        Event::Dtmf { way, digit, duration_ms } => format!("{digit} {}, {duration_ms} ms", way_name(*way)),
        Event::StreamReset { what } => what.clone(),
        Event::UnknownPayloadType { payload_type } => {
            format!("payload type {payload_type} was not agreed on")
        }
        Event::ReoffersRefused { count } => format!("{count} re-INVITEs came too fast"),
        Event::SlotMoved { from, to } => format!("slot {from} to {to}"),
        Event::TickLate { missed } => format!("{missed} ticks skipped"),
        Event::RecordingStarted { file } => file.clone(),
        Event::RecordingFinished { file, duration_ms, missing_blocks } => {
            let length = seconds(i64::try_from(*duration_ms).unwrap_or(i64::MAX));
            format!("{file}, {length}, {missing_blocks} blocks missing")
        }
        Event::RecordingFailed { file, error, duration_ms } => {
            let length = seconds(i64::try_from(*duration_ms).unwrap_or(i64::MAX));
            format!("{file}: {error}; {length} kept")
        }
        Event::Dialogue(dialogue) => describe_dialogue(dialogue),
        Event::Gap { missing } => format!("{missing} events were dropped here"),
        Event::Quality { leg, pacing } => format!(
            "{} received, {} sent, {} lost; {} ticks, {} missed",
            leg.received, leg.sent, leg.lost, pacing.ticks, pacing.missed
        ),
        Event::Ended(ended) => describe_end(ended),
    }
}

fn describe_dialogue(dialogue: &Dialogue) -> String {
    let time = |ms: &u64| seconds(i64::try_from(*ms).unwrap_or(i64::MAX));
    match dialogue {
        Dialogue::Agent { name } => format!("agent {name} takes the call"),
        Dialogue::Said { utterance, text, language } => format!("says {utterance} ({language}): {text}"),
        Dialogue::SaidOn { utterance, text } => format!("goes on with {utterance}: {text}"),
        Dialogue::Heard { utterance } => format!("{utterance} was heard to its end"),
        Dialogue::BargeIn { utterance, heard_ms, by } => {
            format!("{utterance} was cut by a caller's {by} after {}", time(heard_ms))
        }
        Dialogue::HeldBack { utterance, held_ms, until } => {
            format!("{utterance} waited {} for the caller, {}", time(held_ms), describe_holding(until))
        }
        Dialogue::SpeechStarted => "the caller speaks".to_owned(),
        Dialogue::SpeechEnded { duration_ms } => format!("the caller spoke for {}", time(duration_ms)),
        Dialogue::TurnCommitted { speech_ms, why, silence_ms, turn: _ } => {
            let why = describe_ending(why, &time(silence_ms));
            format!("the caller's turn is over, {} of speech{why}", time(speech_ms))
        }
        Dialogue::SpeechDismissed => "what the caller said is no turn".to_owned(),
        Dialogue::Idle { silence_ms } => format!("nobody said anything for {}", time(silence_ms)),
        Dialogue::State { name } => format!("state {name}"),
        Dialogue::ToolCalled { name, arguments } => format!("tool {name} is asked {arguments}"),
        Dialogue::ToolAnswered { name, answer, took_ms, is_ok } => {
            let verb = if *is_ok { "answered" } else { "failed" };
            format!("tool {name} {verb} after {}: {answer}", time(took_ms))
        }
        Dialogue::Message { from_ms, to_ms } => {
            format!("a message from {} to {} of the recording", time(from_ms), time(to_ms))
        }
        Dialogue::DrySlots { cause, count } => {
            format!("{count} slots of 20 ms had nothing to send, the {cause} was late")
        }
        Dialogue::Unfinished { utterance } => {
            format!("{utterance} breaks off, the mind sent no more of it for 5 s")
        }
        Dialogue::Echo { delay_ms, return_loss_db } => {
            format!("echo of the agent after {delay_ms} ms, {return_loss_db} dB softer, is taken out")
        }
        Dialogue::Dropped { kind, count } => {
            format!("{count} {kind} found no room between the call and the mind")
        }
        Dialogue::Hop(event) => hops::described(event),
        Dialogue::Outcome { name } => format!("outcome {name}"),
    }
}

/// What became of an utterance that waited for the caller before its first sound.
fn describe_holding(until: &str) -> &str {
    match until {
        "silence" => "and began when nobody spoke",
        "backchannel" => "and began when he had only told the agent to go on",
        "longest" => "and began although he was still heard",
        "speech" => "and was never begun: he has said more",
        "digit" => "and was never begun: he pressed a key",
        "stopped" => "and was never begun: the agent had stopped",
        other => other,
    }
}

/// Why a turn was taken for over; nothing for logs that do not say.
fn describe_ending(why: &str, silence: &str) -> String {
    match why {
        "" => String::new(),
        "silence" => format!("; {silence} of silence without words ended it"),
        "words" => format!("; {silence} of silence after its words ended it"),
        "provider" => format!("; the speech provider ended it after {silence} of silence"),
        "longest" => "; it was cut where the longest turn ends".to_owned(),
        "stalled" => "; no more words came of the speech that is heard".to_owned(),
        "key" => "; a key ended it".to_owned(),
        other => format!("; {other} ended it"),
    }
}

fn describe_opening(opened: &Opened) -> String {
    let destination = opened.destination.as_deref().unwrap_or("nowhere");
    format!("{} for {} to {destination}", opened.from, opened.number)
}

fn describe_message(message: &SipMessage) -> String {
    format!("{} {}", message.start_line, way_name(message.way))
}

fn describe_media(media: &MediaAgreed) -> String {
    let remote = media.remote.map_or_else(|| "nowhere".to_owned(), |remote| remote.to_string());
    let dtmf = media.dtmf_payload_type.map_or_else(|| "none".to_owned(), |number| number.to_string());
    format!(
        "{} ({}), DTMF {dtmf}, {} to {remote}, {}",
        media.codec, media.payload_type, media.local, media.direction
    )
}

fn describe_end(ended: &Ended) -> String {
    let status = ended.status.map_or_else(String::new, |status| format!(", status {status}"));
    let reason = ended.reason.as_deref().map_or_else(String::new, |reason| format!(", Reason: {reason}"));
    format!("{}{status}{reason}", ended.cause)
}

fn way_name(way: Way) -> &'static str {
    match way {
        Way::Received => "received",
        Way::Sent => "sent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample;

    #[test]
    fn every_event_but_sip_has_its_line_and_holes_are_told() {
        let mut events = sample::stored(&sample::one_of_each(sample::call(1)));
        let sip = events.iter().filter(|event| event.r#type == "sip").count();
        assert_eq!(lines(&events).len(), events.len() - sip);
        assert_eq!(missing(&events), 0);
        events.remove(7);
        events.remove(7);
        let lines = lines(&events);
        assert!(
            lines.iter().any(|line| line.ends_with("2 events were dropped on their way to the store")),
            "{lines:?}"
        );
        assert_eq!(missing(&events), 2);
    }

    #[test]
    fn every_event_of_a_dialogue_has_words_of_its_own() {
        let name = || "cancel_order".to_owned();
        let answered = |is_ok| {
            let answer = "{\"result\":\"done\"}".to_owned();
            Dialogue::ToolAnswered { name: name(), answer, took_ms: 440, is_ok }
        };
        let ended = |why: &str, silence_ms| Dialogue::TurnCommitted {
            speech_ms: 1_400,
            why: why.to_owned(),
            silence_ms,
            turn: None,
        };
        let held = |until: &str| Dialogue::HeldBack { utterance: 3, held_ms: 420, until: until.to_owned() };
        let told = [
            (Dialogue::Agent { name: "Caly".to_owned() }, "agent Caly takes the call"),
            (
                Dialogue::Said {
                    utterance: 3, text: "नमस्ते!".to_owned(), language: "hi-IN".to_owned()
                },
                "says 3 (hi-IN): नमस्ते!",
            ),
            (Dialogue::Heard { utterance: 3 }, "3 was heard to its end"),
            (
                Dialogue::BargeIn { utterance: 3, heard_ms: 505, by: "digit".to_owned() },
                "3 was cut by a caller's digit after 0.505 s",
            ),
            (Dialogue::SpeechStarted, "the caller speaks"),
            (Dialogue::SpeechEnded { duration_ms: 1_400 }, "the caller spoke for 1.400 s"),
            (ended("", 0), "the caller's turn is over, 1.400 s of speech"),
            (
                ended("silence", 700),
                "the caller's turn is over, 1.400 s of speech; 0.700 s of silence without words ended it",
            ),
            (
                ended("words", 560),
                "the caller's turn is over, 1.400 s of speech; 0.560 s of silence after its words ended it",
            ),
            (
                ended("longest", 0),
                "the caller's turn is over, 1.400 s of speech; it was cut where the longest turn ends",
            ),
            (
                ended("stalled", 0),
                "the caller's turn is over, 1.400 s of speech; no more words came of the speech that is heard",
            ),
            (ended("key", 0), "the caller's turn is over, 1.400 s of speech; a key ended it"),
            (held("silence"), "3 waited 0.420 s for the caller, and began when nobody spoke"),
            (held("longest"), "3 waited 0.420 s for the caller, and began although he was still heard"),
            (held("speech"), "3 waited 0.420 s for the caller, and was never begun: he has said more"),
            (Dialogue::SpeechDismissed, "what the caller said is no turn"),
            (Dialogue::Idle { silence_ms: 10_000 }, "nobody said anything for 10.000 s"),
            (Dialogue::State { name: "menu".to_owned() }, "state menu"),
            (
                Dialogue::ToolCalled { name: name(), arguments: "{\"order\":\"ABC123\"}".to_owned() },
                "tool cancel_order is asked {\"order\":\"ABC123\"}",
            ),
            (answered(true), "tool cancel_order answered after 0.440 s: {\"result\":\"done\"}"),
            (answered(false), "tool cancel_order failed after 0.440 s: {\"result\":\"done\"}"),
            (
                Dialogue::Message { from_ms: 9_100, to_ms: 10_900 },
                "a message from 9.100 s to 10.900 s of the recording",
            ),
            (
                Dialogue::DrySlots { cause: "mind".to_owned(), count: 5 },
                "5 slots of 20 ms had nothing to send, the mind was late",
            ),
            (Dialogue::Unfinished { utterance: 3 }, "3 breaks off, the mind sent no more of it for 5 s"),
            (
                Dialogue::Echo { delay_ms: 182, return_loss_db: 21 },
                "echo of the agent after 182 ms, 21 dB softer, is taken out",
            ),
            (
                Dialogue::Dropped { kind: "keys".to_owned(), count: 6 },
                "6 keys found no room between the call and the mind",
            ),
            (Dialogue::Outcome { name: "message_taken".to_owned() }, "outcome message_taken"),
        ];
        for (dialogue, words) in told {
            let events =
                sample::stored(&sample::numbered(sample::call(1), vec![(1_234, Event::Dialogue(dialogue))]));
            assert_eq!(lines(&events), [format!("   +1.234000  dialogue            {words}")]);
        }
    }

    #[test]
    fn an_event_of_another_version_is_shown_as_it_is() {
        let body = serde_json::json!({ "type": "turn_committed", "words": 3 });
        let event = StoredEvent { seq: 0, at_us: 1_234_567, r#type: "turn_committed".to_owned(), body };
        assert_eq!(
            lines(&[event]),
            ["   +1.234567  turn_committed      {\"type\":\"turn_committed\",\"words\":3}"]
        );
    }
}
