//! Retransmission and patience of server transactions (RFC 3261 17.2, RFC 6026).

use std::time::Duration;

use caly_sip::endpoint::{Body, Reply};
use caly_sip::message::StatusCode;
use caly_sip::transport::Transport;

use crate::agent::{Agent, contact, in_dialog, invite, response_of, start_line, text_of, to_tag};

/// RFC 3261 17.2.1: 100 at once, well within its 200 ms; no To tag in it (8.2.6.2).
#[test]
fn an_invite_gets_100_at_once() {
    let mut agent = Agent::new();
    agent.receive(&invite("z9hG4bKa1").replace("CSeq:", "Timestamp: 54\r\nCSeq:"));
    let text = text_of(&agent.take_one());
    assert_eq!(start_line(&text), "SIP/2.0 100 Trying");
    assert!(text.contains("To: <sip:caly@198.51.100.7>\r\n") && text.contains("Timestamp: 54\r\n"), "{text}");
    assert_eq!(agent.take_event_names(), ["Invite"]);
}

/// RFC 3261 17.2.1: repeats of the INVITE get the last provisional response.
#[test]
fn a_repeated_invite_gets_the_last_provisional_response_again() {
    let mut agent = Agent::new();
    agent.receive(&invite("z9hG4bKa1"));
    let id = agent.last_invite();
    let trying = agent.take_one();
    agent.receive(&invite("z9hG4bKa1"));
    assert_eq!(agent.take_one().bytes, trying.bytes);
    let ringing = Reply::new(StatusCode::RINGING).with_contact(contact());
    agent.endpoint.provisional(agent.now, id, ringing).unwrap();
    agent.drain();
    let ringing = agent.take_one();
    assert!(text_of(&ringing).contains("Contact: <sip:caly@198.51.100.7:5060>\r\n"));
    agent.receive(&invite("z9hG4bKa1"));
    assert_eq!(agent.take_one().bytes, ringing.bytes);
    assert_eq!(agent.take_event_names(), ["Invite"]);
    assert_eq!(agent.endpoint.counters().retransmissions_received, 2);
}

/// RFC 3261 17.2.1: timer G doubles up to T2, timer H ends it after 64*T1.
#[test]
fn a_refusal_repeats_until_timer_h_if_no_ack_comes() {
    let mut agent = Agent::new();
    let id = agent.invited();
    agent.endpoint.reject(agent.now, id, Reply::new(StatusCode::BUSY_HERE)).unwrap();
    agent.drain();
    agent.advance(Duration::from_secs(40));
    let expected = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(agent.times_of("SIP/2.0 486"), expected);
    assert!(agent.sent.iter().all(|(_, t)| t.bytes == agent.sent[0].1.bytes));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    agent.assert_empty();
}

/// RFC 3261 17.2.1: the ACK stops timer G; timer I absorbs its repeats for T4.
#[test]
fn the_ack_of_a_refusal_ends_its_repeats_and_is_absorbed_for_5_s() {
    let mut agent = Agent::new();
    let id = agent.invited();
    agent.endpoint.reject(agent.now, id, Reply::new(StatusCode::BUSY_HERE)).unwrap();
    agent.drain();
    let refusal = agent.take_one();
    agent.advance(Duration::from_millis(600));
    agent.receive(&invite("z9hG4bKa1"));
    let repeats = agent.take_sent();
    assert!(repeats.len() == 2 && repeats.iter().all(|r| r.bytes == refusal.bytes));
    let ack = in_dialog("ACK", 1, &to_tag(&response_of(&refusal).headers), "z9hG4bKa1");
    agent.receive(&ack);
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    agent.receive(&ack);
    agent.advance(Duration::from_millis(4_999));
    assert_eq!(agent.endpoint.transaction_count(), 1);
    assert!(agent.take_sent().is_empty());
    agent.advance(Duration::from_millis(1));
    agent.assert_empty();
    assert_eq!(agent.endpoint.counters().stray_acks, 0);
}

/// RFC 3261 17.2.1: over reliable transports timer G stays off and timer I is zero.
#[test]
fn over_tcp_a_refusal_is_sent_once_and_its_ack_leaves_nothing() {
    let mut agent = Agent::over(Transport::Tcp);
    let id = agent.invited();
    agent.endpoint.reject(agent.now, id, Reply::new(StatusCode::BUSY_HERE)).unwrap();
    agent.drain();
    agent.advance(Duration::from_secs(31));
    let refusal = agent.take_one();
    agent.receive(&in_dialog("ACK", 1, &to_tag(&response_of(&refusal).headers), "z9hG4bKa1"));
    agent.assert_empty();
}

/// RFC 6026 7.1: after a 2xx repeats of the INVITE are absorbed for timer L; the core alone repeats the 2xx.
#[test]
fn an_invite_repeated_after_its_2xx_is_absorbed() {
    let mut agent = Agent::new();
    let (_, _) = agent.answered();
    agent.receive(&invite("z9hG4bKa1"));
    agent.advance(Duration::from_millis(31_999));
    agent.receive(&invite("z9hG4bKa1"));
    assert!(agent.take_sent().is_empty() && agent.take_event_names().is_empty());
    agent.advance(Duration::from_millis(1));
    assert_eq!(agent.endpoint.transaction_count(), 0);
}

/// RFC 3261 17.2.2: a repeated BYE gets the same 200 for timer J, 32 s, though the session is gone.
#[test]
fn a_repeated_bye_gets_the_same_200_for_32_s() {
    let mut agent = Agent::new();
    let (_, tag) = agent.answered();
    let bye = in_dialog("BYE", 2, &tag, "z9hG4bKbye");
    agent.receive(&bye);
    let ok = agent.take_one();
    assert_eq!(start_line(&text_of(&ok)), "SIP/2.0 200 OK");
    assert_eq!(agent.take_event_names(), ["Bye", "Terminated"]);
    agent.advance(Duration::from_millis(31_999));
    agent.receive(&bye);
    assert_eq!(agent.take_one().bytes, ok.bytes);
    agent.advance(Duration::from_millis(1));
    agent.assert_empty();
    agent.receive(&bye);
    assert_eq!(agent.take_response().status, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
}

/// RFC 3261 17.2.3: without the magic cookie the old comparison decides; the ACK finds its INVITE.
#[test]
fn an_rfc_2543_peer_is_matched_without_a_branch() {
    let mut agent = Agent::new();
    let invite = invite("z").replace(";branch=z", "");
    agent.receive(&invite);
    agent.receive(&invite);
    assert_eq!(agent.take_event_names(), ["Invite"], "the repeat belongs to the same transaction");
    agent.receive(&invite.replace("CSeq: 1", "CSeq: 2").replace("tag=alice", "tag=alice2"));
    let id = agent.last_invite();
    assert_eq!(agent.take_event_names(), ["Invite"]);
    agent.take_sent();
    agent.endpoint.reject(agent.now, id, Reply::new(StatusCode::BUSY_HERE)).unwrap();
    agent.drain();
    let tag = to_tag(&agent.take_response().headers);
    let ack = in_dialog("ACK", 2, &tag, "z").replace(";branch=z", "").replace("tag=alice", "tag=alice2");
    agent.receive(&ack.replace("198.51.100.7:5060 SIP", "198.51.100.7 SIP"));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    agent.advance(Duration::from_secs(31));
    assert!(agent.take_sent().is_empty(), "the ACK stopped the repeats");
}

/// RFC 3261 17.2.3, older peers: the ACK of a 2xx on the INVITE's branch still reaches the dialog.
#[test]
fn an_ack_of_a_2xx_on_the_branch_of_its_invite_is_taken() {
    let mut agent = Agent::new();
    let id = agent.invited();
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
    agent.drain();
    let tag = to_tag(&agent.take_response().headers);
    agent.receive(&in_dialog("ACK", 1, &tag, "z9hG4bKa1"));
    assert_eq!(agent.take_event_names(), ["Acknowledged"]);
}

/// RFC 4475 3.2.1: a branch of nothing but the cookie is not unique and must not join other transactions.
#[test]
fn a_bare_magic_cookie_does_not_name_a_transaction() {
    let mut agent = Agent::new();
    agent.receive(&invite("z9hG4bK"));
    agent.receive(&invite("z9hG4bK").replace("call-1@", "call-2@"));
    assert_eq!(agent.take_event_names(), ["Invite", "Invite"]);
}

/// RFC 3261 17.2.3: the same branch from another sent-by is another transaction.
#[test]
fn the_sent_by_belongs_to_the_transaction_key() {
    let mut agent = Agent::new();
    agent.receive(&invite("z9hG4bKa1"));
    agent.receive(
        &invite("z9hG4bKa1").replace("UDP 192.0.2.9:5060", "UDP 192.0.2.10:5060").replace("call-1", "call-2"),
    );
    assert_eq!(agent.take_event_names(), ["Invite", "Invite"]);
}

/// RFC 3261 13.3.1.1: a provisional response every minute keeps proxies from cancelling.
#[test]
fn ringing_repeats_every_minute() {
    let mut agent = Agent::new();
    let id = agent.invited();
    agent.endpoint.provisional(agent.now, id, Reply::new(StatusCode::RINGING)).unwrap();
    agent.drain();
    agent.advance(Duration::from_secs(185));
    assert_eq!(agent.times_of("SIP/2.0 180"), [0, 60_000, 120_000, 180_000]);
}

/// RFC 3261 13.3.1: an INVITE that has expired is ended with 487.
#[test]
fn an_invite_ends_when_it_expires() {
    let mut agent = Agent::new();
    agent.receive(&invite("z9hG4bKa1").replace("CSeq:", "Expires: 20\r\nCSeq:"));
    agent.take_event_names();
    agent.advance(Duration::from_secs(21));
    assert_eq!(agent.times_of("SIP/2.0 487"), [20_000, 20_500]);
    assert_eq!(agent.take_event_names(), ["Cancelled"]);
}
