//! Retransmission and patience of client transactions (RFC 3261 17.1).

use std::time::Duration;

use caly_sip::endpoint::{Event, Failure};
use caly_sip::transport::Transport;

use crate::agent::{Agent, outgoing, reply, text_of};

/// RFC 3261 17.1.1.2: timer A doubles without a cap, timer B ends it after 64*T1.
#[test]
fn an_unanswered_invite_repeats_at_doubling_intervals_and_times_out_after_32_s() {
    let mut agent = Agent::new();
    agent.endpoint.invite(agent.now, outgoing("sip:bob@192.0.2.9")).unwrap();
    agent.drain();
    agent.advance(Duration::from_secs(60));
    assert_eq!(agent.times_of("INVITE"), [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert!(agent.sent.iter().all(|(_, t)| t.bytes == agent.sent[0].1.bytes), "repeats are identical");
    assert!(matches!(
        &agent.events[..],
        [Event::Rejected { failure: Failure::Timeout, .. }, Event::Terminated { .. }]
    ));
    agent.assert_empty();
}

/// RFC 3261 17.1.1.2: a reliable transport repeats by itself; timer B still runs.
#[test]
fn over_tcp_an_invite_is_sent_once_and_still_times_out() {
    let mut agent = Agent::new();
    let mut invite = outgoing("sip:bob@192.0.2.9;transport=tcp");
    invite.body = None;
    agent.endpoint.invite(agent.now, invite).unwrap();
    agent.drain();
    assert_eq!(agent.sent[0].1.target.transport, Transport::Tcp);
    agent.advance(Duration::from_millis(31_999));
    assert!(agent.take_event_names().is_empty());
    agent.advance(Duration::from_millis(1));
    assert_eq!(agent.times_of("INVITE"), [0]);
    assert_eq!(agent.take_event_names(), ["Rejected", "Terminated"]);
    agent.assert_empty();
}

/// RFC 3261 17.1.1.2: any provisional response stops timers A and B; ringing may last.
#[test]
fn a_provisional_response_ends_the_repeats_of_an_invite() {
    let mut agent = Agent::new();
    let (_, invite) = agent.calls();
    agent.advance(Duration::from_millis(600));
    agent.receive(&reply(&invite, 100, ""));
    agent.take_sent();
    agent.advance(Duration::from_secs(300));
    assert!(agent.sent.is_empty());
    agent.receive(&reply(&invite, 180, "bob"));
    assert_eq!(agent.take_event_names(), ["Provisional"]);
    agent.receive(&reply(&invite, 486, "bob"));
    assert_eq!(agent.take_event_names(), ["Rejected", "Terminated"]);
}

/// RFC 3261 17.1.1.3: the ACK of a refusal has the INVITE's branch, Request-URI and From, the response's To; repeats of
/// the refusal get the same ACK for timer D, 32 s.
#[test]
fn a_refusal_is_acknowledged_by_the_transaction_each_time_it_comes() {
    let mut agent = Agent::new();
    let (_, invite) = agent.calls();
    let refusal = reply(&invite, 486, "bob");
    agent.receive(&refusal);
    let ack = agent.take_one();
    let text = text_of(&ack);
    assert!(text.starts_with("ACK sip:bob@192.0.2.9 SIP/2.0\r\n"), "{text}");
    let parsed = crate::agent::request_of(&ack);
    for name in [caly_sip::message::HeaderName::Via, caly_sip::message::HeaderName::From] {
        assert_eq!(parsed.headers.first(&name), invite.headers.first(&name));
    }
    assert!(text.contains(";tag=bob\r\n") && text.contains("CSeq: 1 ACK\r\n"), "{text}");
    agent.advance(Duration::from_secs(31));
    agent.receive(&refusal);
    assert_eq!(agent.take_one().bytes, ack.bytes);
    assert_eq!(agent.take_event_names(), ["Rejected", "Terminated"]);
    agent.advance(Duration::from_secs(1));
    agent.assert_empty();
    agent.receive(&refusal);
    assert_eq!(agent.endpoint.counters().stray_responses, 1);
}

/// RFC 3261 17.1.1.2: timer D is zero over reliable transports.
#[test]
fn over_tcp_nothing_is_kept_behind_a_refusal() {
    let mut agent = Agent::over(Transport::Tcp);
    agent.endpoint.invite(agent.now, outgoing("sip:bob@192.0.2.9;transport=tcp")).unwrap();
    agent.drain();
    let invite = agent.take_request();
    agent.receive(&reply(&invite, 404, "bob"));
    assert!(text_of(&agent.take_one()).starts_with("ACK "));
    agent.assert_empty();
}

/// RFC 3261 17.1.2.2: timer E doubles up to T2, timer F ends it after 64*T1.
#[test]
fn an_unanswered_bye_repeats_up_to_every_4_s_and_ends_after_32_s() {
    let mut agent = Agent::new();
    let (id, _) = agent.called();
    agent.epoch = agent.now;
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    agent.advance(Duration::from_secs(40));
    let expected = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(agent.times_of("BYE"), expected);
    assert!(agent.sent.iter().all(|(_, t)| t.bytes == agent.sent[0].1.bytes));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    agent.assert_empty();
}

/// RFC 3261 17.1.2.2: after a provisional response timer E is T2.
#[test]
fn a_provisional_response_to_bye_slows_its_repeats_to_t2() {
    let mut agent = Agent::new();
    let (id, _) = agent.called();
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    let bye = agent.take_request();
    agent.receive(&reply(&bye, 100, ""));
    agent.epoch = agent.now;
    agent.advance(Duration::from_secs(14));
    assert_eq!(agent.times_of("BYE"), [500, 4_500, 8_500, 12_500]);
    agent.receive(&reply(&bye, 200, ""));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
}

/// RFC 3261 17.1.2.2: timer K keeps the transaction for T4 over UDP to absorb repeats, not at all over TCP.
#[test]
fn the_response_to_bye_is_absorbed_for_5_s() {
    let mut agent = Agent::new();
    let (id, _) = agent.called();
    agent.advance(Duration::from_secs(33));
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    let bye = agent.take_request();
    agent.receive(&reply(&bye, 200, ""));
    agent.receive(&reply(&bye, 200, ""));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    assert_eq!(agent.endpoint.transaction_count(), 1);
    agent.advance(Duration::from_millis(4_999));
    assert_eq!(agent.endpoint.transaction_count(), 1);
    agent.advance(Duration::from_millis(1));
    agent.assert_empty();
    assert_eq!(agent.endpoint.counters().retransmissions_received, 1);
}

/// RFC 3261 17.1.4 and 18.4: an ICMP error or a refused connection ends what waits for an answer.
#[test]
fn a_transport_error_fails_the_call_at_once() {
    let mut agent = Agent::new();
    let (_, _) = agent.calls();
    agent.endpoint.handle_transport_error(agent.now, agent.flow);
    agent.drain();
    assert!(matches!(agent.events[0], Event::Rejected { failure: Failure::Transport, .. }));
    agent.assert_empty();
    assert_eq!(agent.endpoint.counters().transport_errors, 1);
}

/// RFC 3261 figure 5: in Proceeding nothing is being sent, and the answer may take another connection.
#[test]
fn a_lost_connection_does_not_end_a_ringing_call() {
    let mut agent = Agent::new();
    let (_, invite) = agent.calls();
    agent.receive(&reply(&invite, 180, "bob"));
    agent.endpoint.handle_transport_error(agent.now, agent.flow);
    agent.drain();
    agent.receive(&reply(&invite, 200, "bob"));
    assert_eq!(agent.take_event_names(), ["Provisional", "Answered"]);
}

/// RFC 3261 8.1.3.3, 17.1.3, 18.1.2.
#[test]
fn responses_that_match_nothing_are_dropped_and_counted() {
    let mut agent = Agent::new();
    let (_, invite) = agent.calls();
    let good = reply(&invite, 180, "bob");
    let two_vias = good.replace("Via: ", "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKx\r\nVia: ");
    let joined = good.replace(";rport\r\n", ";rport, SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKy\r\n");
    let other_branch = good.replace("branch=z9hG4bK", "branch=z9hG4bKf");
    let other_method = good.replace("1 INVITE", "1 BYE");
    let other_sent_by = good.replace("UDP 198.51.100.7:5060", "UDP 198.51.100.8:5060");
    for stray in [&two_vias, &joined, &other_branch, &other_method, &other_sent_by] {
        assert_ne!(*stray, good);
        agent.receive(stray);
    }
    assert_eq!(agent.endpoint.counters().stray_responses, 5);
    assert!(agent.take_event_names().is_empty());
    agent.receive(&good);
    assert_eq!(agent.take_event_names(), ["Provisional"]);
}
