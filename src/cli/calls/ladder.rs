//! A call's SIP messages as a ladder: us on the left, the peer on the right.

use super::columns::{clipped, columns};
use super::events::at;
use crate::call::log::{Event, SipMessage, Way};
use crate::store::StoredEvent;

/// The ladder's lines; none if there is no SIP message in the log.
pub(super) fn lines(events: &[StoredEvent]) -> Vec<String> {
    let mut messages: Vec<(u64, SipMessage)> = events.iter().filter_map(message).collect();
    // The wire's own times: a message can enter the log behind events that were born later, on another thread.
    messages.sort_by_key(|(time, _)| *time);
    let Some((_, first)) = messages.first() else { return Vec::new() };
    let peer = format!("{} {}", first.transport, first.peer);
    let mut lines = vec![format!("{:>12}  us{:>width$}", "", peer, width = WIDTH)];
    lines.extend(messages.iter().map(|(time, message)| rung(*time, message, first)));
    lines
}

fn message(event: &StoredEvent) -> Option<(u64, SipMessage)> {
    match serde_json::from_value(event.body.clone()) {
        Ok(Event::Sip(message)) => Some((event.at_us, message)),
        _ => None,
    }
}

fn rung(time: u64, message: &SipMessage, first: &SipMessage) -> String {
    let text = clipped(without_version(&message.start_line), WIDTH - ARROW);
    let dashes = "-".repeat(WIDTH - 4 - columns(&text));
    let arrow = match message.way {
        Way::Received => format!("|<- {text} {dashes}|"),
        Way::Sent => format!("|-- {text} {dashes}>|").replacen("->|", ">|", 1),
    };
    let mut note = format!("CSeq {}", clipped(&message.cseq, MAX_CSEQ));
    if message.is_retransmission {
        note.push_str(", again");
    }
    if (message.peer, &message.transport) != (first.peer, &first.transport) {
        note.push_str(&format!(", {} {}", message.transport, message.peer));
    }
    format!("{:>12}  {arrow}  {note}", at(time))
}

/// What a reader of a ladder knows anyway.
fn without_version(start_line: &str) -> &str {
    let line = start_line.strip_prefix("SIP/2.0 ").unwrap_or(start_line);
    line.strip_suffix(" SIP/2.0").unwrap_or(line)
}

/// Characters between the two sides.
const WIDTH: usize = 64;

/// What the arrow takes of it at least.
const ARROW: usize = 6;

/// The most that is shown of a CSeq; methods are short words.
const MAX_CSEQ: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample;

    #[test]
    fn messages_point_their_way_and_repeats_are_marked() {
        let lines = lines(&sample::stored(&sample::answered_call(sample::call(1))));
        assert_eq!(lines.len(), 9);
        assert!(lines[0].trim_end().ends_with("udp 192.0.2.7:5060"));
        assert!(lines[1].contains("|<- INVITE sip:echo@192.0.2.1 ---"), "{}", lines[1]);
        assert!(lines[2].contains("|-- 100 Trying ---") && lines[2].contains("->|"), "{}", lines[2]);
        assert!(lines[5].trim_start().starts_with("+0.540000") && lines[5].ends_with("CSeq 1 INVITE, again"));
        let ends: Vec<usize> = lines[1..].iter().filter_map(|line| line.rfind('|')).collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{lines:#?}");
    }

    #[test]
    fn versions_are_left_out_and_long_lines_clipped() {
        assert_eq!(without_version("SIP/2.0 180 Ringing"), "180 Ringing");
        assert_eq!(without_version("BYE sip:a@b SIP/2.0"), "BYE sip:a@b");
        let mut events = sample::stored(&sample::answered_call(sample::call(1)));
        events[1].body["start_line"] = serde_json::json!(format!("INVITE sip:{}", "9".repeat(200)));
        events.swap(1, 2);
        let lines = lines(&events);
        assert!(lines[1].contains("999… --|  CSeq"), "{}", lines[1]);
        assert!(lines.iter().all(|line| line.chars().count() < 120), "{lines:#?}");
    }

    #[test]
    fn a_call_without_messages_has_no_ladder() {
        assert!(lines(&[]).is_empty());
    }
}
