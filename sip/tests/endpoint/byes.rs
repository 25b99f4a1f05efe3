//! The end of sessions (RFC 3261 15, 12.2).

use std::time::Duration;

use caly_sip::endpoint::{Body, Event, SessionError};
use caly_sip::message::{HeaderName, Method, StatusCode};

use crate::agent::{Agent, contact, from_callee, in_dialog, reply, request_of, response_of, to_tag};

#[test]
fn a_bye_ends_the_session_with_its_reason() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    let bye = in_dialog("BYE", 2, &tag, "z9hG4bKb");
    agent.receive(&bye.replace("CSeq:", "Reason: Q.850;cause=16;text=\"Normal call clearing\"\r\nCSeq:"));
    assert_eq!(agent.take_response().status, StatusCode::OK);
    let Event::Bye { id: ended, reason: Some(reason) } = &agent.events[0] else {
        panic!("{:?}", agent.events)
    };
    assert_eq!((*ended, reason.as_str()), (id, "Q.850;cause=16;text=\"Normal call clearing\""));
    assert_eq!(agent.take_event_names(), ["Bye", "Terminated"]);
    assert_eq!(agent.endpoint.bye(agent.now, id, None), Err(SessionError::Unknown(id)));
    agent.settle();
    agent.assert_empty();
}

#[test]
fn our_bye_carries_a_reason_and_ends_with_its_response() {
    let mut agent = Agent::new();
    let (id, _) = agent.answered();
    agent.endpoint.bye(agent.now, id, Some("Q.850;cause=16".to_owned())).unwrap();
    agent.drain();
    let bye = agent.take_request();
    assert_eq!(bye.method, Method::Bye);
    assert_eq!(bye.uri.to_string(), "sip:alice@192.0.2.9:5060");
    assert_eq!(bye.headers.first(&HeaderName::Reason), Some("Q.850;cause=16"));
    assert_eq!(bye.headers.first(&HeaderName::To), Some("\"Alice\" <sip:alice@192.0.2.9>;tag=alice"));
    assert!(agent.take_event_names().is_empty());
    assert!(matches!(agent.endpoint.bye(agent.now, id, None), Err(SessionError::WrongState { .. })));
    agent.receive(&reply(&bye, 200, ""));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
}

/// RFC 3261 15: a callee waits for the ACK before its BYE, or for the end of its patience.
#[test]
fn a_callee_that_hangs_up_early_waits_for_the_ack() {
    let mut agent = Agent::new();
    let id = agent.invited();
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    let tag = to_tag(&agent.take_response().headers);
    agent.receive(&in_dialog("ACK", 1, &tag, "z9hG4bKack"));
    let bye = agent.take_request();
    assert_eq!(bye.method, Method::Bye);
    agent.receive(&reply(&bye, 200, ""));
    assert_eq!(
        agent.take_event_names(),
        ["Terminated"],
        "neither Acknowledged nor Bye: the application is gone"
    );
}

#[test]
fn a_callee_that_hangs_up_early_sends_its_bye_after_32_s_at_the_latest() {
    let mut agent = Agent::new();
    let id = agent.invited();
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    agent.advance(Duration::from_secs(32));
    assert_eq!(agent.times_of("BYE"), [32_000]);
    agent.settle();
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    agent.assert_empty();
}

/// RFC 3261 15.1: a caller that hangs up without acknowledging still owes the ACK.
#[test]
fn a_caller_that_hangs_up_at_once_acknowledges_first() {
    let mut agent = Agent::new();
    let (id, invite) = agent.calls();
    agent.receive(&reply(&invite, 200, "bob"));
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    let methods: Vec<_> = agent.take_sent().iter().map(|t| request_of(t).method).collect();
    assert_eq!(methods, [Method::Ack, Method::Bye]);
}

/// RFC 3261 15.1.2: BYE in the early dialog gets 200, and the INVITE 487.
#[test]
fn a_caller_may_hang_up_in_the_early_dialog() {
    let mut agent = Agent::new();
    let id = agent.invited();
    let ringing = caly_sip::endpoint::Reply::new(StatusCode::RINGING).with_contact(contact());
    agent.endpoint.provisional(agent.now, id, ringing).unwrap();
    agent.drain();
    let tag = to_tag(&agent.take_response().headers);
    agent.receive(&in_dialog("BYE", 2, &tag, "z9hG4bKbye"));
    let statuses: Vec<_> = agent.take_sent().iter().map(|t| response_of(t).status.as_u16()).collect();
    assert_eq!(statuses, [200, 487]);
    assert_eq!(agent.take_event_names(), ["Cancelled"]);
    agent.receive(&in_dialog("ACK", 1, &tag, "z9hG4bKa1"));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    agent.settle();
    agent.assert_empty();
}

/// Both hang up at once: each answers the other, and neither is told of a BYE after its own.
#[test]
fn byes_that_cross_both_get_200() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    let bye = agent.take_request();
    agent.receive(&in_dialog("BYE", 2, &tag, "z9hG4bKbye"));
    assert_eq!(agent.take_response().status, StatusCode::OK);
    agent.receive(&reply(&bye, 481, ""));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    agent.settle();
    agent.assert_empty();
}

/// RFC 3261 13.3.1.4: the ACK was lost, the caller hangs up already.
#[test]
fn a_bye_before_the_ack_ends_the_repeats_of_the_2xx() {
    let mut agent = Agent::new();
    let id = agent.invited();
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
    agent.drain();
    let tag = to_tag(&agent.take_response().headers);
    agent.receive(&in_dialog("BYE", 2, &tag, "z9hG4bKbye"));
    agent.take_sent();
    agent.settle();
    assert!(agent.take_sent().is_empty());
    assert_eq!(agent.take_event_names(), ["Bye", "Terminated"]);
    agent.assert_empty();
}

/// RFC 3261 12.2.2: a request of an unknown dialog gets 481; so does one with a wrong tag on either side.
#[test]
fn a_bye_of_no_dialog_gets_481() {
    let mut agent = Agent::new();
    let (_, tag) = agent.answered();
    let good = in_dialog("BYE", 2, &tag, "z9hG4bKbye");
    for stray in [
        good.replace(&tag, "other"),
        good.replace("tag=alice", "tag=mallory"),
        good.replace("call-1", "call-2"),
        good.replace(&format!(";tag={tag}"), ""),
    ] {
        agent.receive(&stray);
        assert_eq!(agent.take_response().status, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
    }
    assert_eq!(agent.endpoint.counters().stray_requests, 4);
    assert!(agent.take_event_names().is_empty());
}

/// RFC 3261 12.2.2: a CSeq below the last is answered 500; gaps are fine.
#[test]
fn requests_out_of_order_get_500() {
    let mut agent = Agent::new();
    let (_, tag) = agent.answered();
    agent.receive(&in_dialog("OPTIONS", 40, &tag, "z9hG4bKo"));
    assert_eq!(agent.take_response().status, StatusCode::OK);
    agent.receive(&in_dialog("BYE", 39, &tag, "z9hG4bKbye"));
    assert_eq!(agent.take_response().status, StatusCode::SERVER_INTERNAL_ERROR);
    assert!(agent.take_event_names().is_empty());
    agent.receive(&in_dialog("BYE", 41, &tag, "z9hG4bKbye2"));
    assert_eq!(agent.take_response().status, StatusCode::OK);
}

#[test]
fn the_callee_of_our_call_hangs_up() {
    let mut agent = Agent::new();
    let (_, invite) = agent.called();
    agent.receive(&from_callee(&invite, "BYE", 1, "z9hG4bKbye"));
    assert_eq!(agent.take_response().status, StatusCode::OK);
    assert_eq!(agent.take_event_names(), ["Bye", "Terminated"]);
    agent.settle();
    agent.assert_empty();
}
