//! Full tables: what is refused, and that it is counted.

use std::time::Duration;

use caly_sip::endpoint::{Body, EndpointConfig, Limits, Reply, SessionError};
use caly_sip::message::{HeaderName, StatusCode};

use crate::agent::{Agent, contact, in_dialog, invite, outgoing};

fn with_limits(limits: Limits) -> Agent {
    Agent::with_config(EndpointConfig { limits, ..EndpointConfig::default() })
}

fn nth_invite(n: usize) -> String {
    invite(&format!("z9hG4bKn{n}")).replace("call-1@", &format!("call-n{n}@"))
}

/// RFC 3261 21.5.4: 503 with Retry-After, without state.
#[test]
fn with_all_sessions_taken_a_new_invite_gets_503() {
    let mut agent = with_limits(Limits { sessions: 2, ..Limits::default() });
    (0..2).for_each(|n| agent.receive(&nth_invite(n)));
    agent.take_sent();
    agent.receive(&nth_invite(2));
    let busy = agent.take_response();
    assert_eq!(busy.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(busy.headers.seconds(&HeaderName::RetryAfter), Some(5));
    let ours = agent.endpoint.invite(agent.now, outgoing("sip:bob@192.0.2.9"));
    assert_eq!(ours, Err(SessionError::Full { what: "sessions", limit: 2 }));
    assert_eq!(agent.take_event_names(), ["Invite", "Invite"]);
    assert_eq!((agent.endpoint.session_count(), agent.endpoint.transaction_count()), (2, 2));
    assert_eq!(agent.endpoint.counters().dropped_by_limit, 2);
}

/// With the transactions taken, calls in progress can still be ended, by either side.
#[test]
fn with_all_transactions_taken_calls_still_end() {
    let mut agent = with_limits(Limits { transactions: 2, ..Limits::default() });
    let (id, tag) = agent.answered();
    agent.receive(&nth_invite(1));
    agent.receive(&nth_invite(2));
    let statuses: Vec<_> =
        agent.take_sent().iter().map(|t| crate::agent::response_of(t).status.as_u16()).collect();
    assert_eq!(statuses, [100, 503]);
    agent.receive(&in_dialog("INVITE", 2, &tag, "z9hG4bKr"));
    assert_eq!(agent.take_response().status, StatusCode::SERVICE_UNAVAILABLE);
    agent.receive(&in_dialog("BYE", 3, &tag, "z9hG4bKbye"));
    assert_eq!(agent.take_response().status, StatusCode::OK);
    assert_eq!(agent.take_event_names(), ["Invite", "Bye", "Terminated"]);
    assert_eq!(agent.endpoint.transaction_count(), 2, "that 200 was sent without a transaction");
    assert!(agent.endpoint.bye(agent.now, id, None).is_err());
}

/// A slow application: messages are dropped as the network would drop them, nothing that waits is lost.
#[test]
fn with_outputs_waiting_messages_are_dropped_and_counted() {
    let mut agent = with_limits(Limits { queued_outputs: 10, ..Limits::default() });
    for n in 0..10 {
        agent.endpoint.handle_datagram(agent.now, agent.flow, nth_invite(n).as_bytes());
    }
    let dropped = agent.endpoint.counters().dropped_by_backlog;
    assert!((5..9).contains(&dropped), "{dropped}");
    agent.drain();
    assert_eq!(agent.take_event_names().len() as u64, 10 - dropped);
    (0..10).for_each(|n| agent.receive(&nth_invite(n)));
    assert_eq!(agent.endpoint.session_count(), 10, "repeats get through once there is room");
}

/// Timers of zero would never let the clock go on.
#[test]
fn timers_of_zero_are_lifted() {
    let timers = caly_sip::endpoint::Timers { t1: Duration::ZERO, t2: Duration::ZERO, t4: Duration::ZERO };
    let mut agent = Agent::with_config(EndpointConfig { timers, ..EndpointConfig::default() });
    let id = agent.invited();
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
    agent.drain();
    agent.receive(&nth_invite(1));
    let refused = agent.last_invite();
    agent.endpoint.reject(agent.now, refused, Reply::new(StatusCode::BUSY_HERE)).unwrap();
    agent.settle();
    agent.assert_empty();
}

/// The trace can be left out.
#[test]
fn the_ladder_names_each_message_of_a_session_once() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    agent.receive(&in_dialog("BYE", 2, &tag, "z9hG4bKbye"));
    let ladder: Vec<_> =
        agent.ladder.iter().map(|t| (t.id, t.start_line.as_str(), t.cseq.as_str())).collect();
    assert_eq!(
        ladder,
        [
            (id, "INVITE sip:caly@198.51.100.7 SIP/2.0", "1 INVITE"),
            (id, "SIP/2.0 100 Trying", "1 INVITE"),
            (id, "SIP/2.0 200 OK", "1 INVITE"),
            (id, "ACK sip:caly@198.51.100.7:5060 SIP/2.0", "1 ACK"),
            (id, "BYE sip:caly@198.51.100.7:5060 SIP/2.0", "2 BYE"),
            (id, "SIP/2.0 200 OK", "2 BYE"),
        ]
    );
    assert_eq!((agent.ladder[0].body_bytes, agent.ladder[2].body_bytes), (5, 5));
    assert!(agent.ladder.iter().all(|t| !t.is_retransmission));
    let mut silent = Agent::with_config(EndpointConfig { trace: false, ..EndpointConfig::default() });
    silent.answered();
    assert!(silent.ladder.is_empty());
}
