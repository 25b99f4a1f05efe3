//! A call's SIP messages as a ladder: us on the left, the peer on the right.

use super::clipped;
use super::events::at;
use crate::call::log::{Event, SipMessage, Way};
use crate::store::StoredEvent;

/// The ladder's lines; none if there is no SIP message in the log.
pub(super) fn lines(events: &[StoredEvent]) -> Vec<String> {
    let messages: Vec<(u64, SipMessage)> = events.iter().filter_map(message).collect();
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
    let text = clipped(&message.start_line, WIDTH - MARGIN);
    let dashes = "-".repeat(WIDTH - 4 - text.chars().count());
    let arrow = match message.way {
        Way::Received => format!("|<- {text} {dashes}|"),
        Way::Sent => format!("|-- {text} {dashes}>|").replacen("->|", ">|", 1),
    };
    let mut note = format!("CSeq {}", clipped(&message.cseq, MARGIN));
    if message.is_retransmission {
        note.push_str(", again");
    }
    if (message.peer, &message.transport) != (first.peer, &first.transport) {
        note.push_str(&format!(", {} {}", message.transport, message.peer));
    }
    format!("{:>12}  {arrow}  {note}", at(time))
}

/// Characters between the two sides.
const WIDTH: usize = 64;

/// What the arrow's ends take of it, and the most that a CSeq is shown of.
const MARGIN: usize = 24;

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
    fn a_call_without_messages_has_no_ladder() {
        assert!(lines(&[]).is_empty());
    }
}
