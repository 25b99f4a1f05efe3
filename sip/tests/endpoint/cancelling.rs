//! CANCEL in both directions and what it crosses (RFC 3261 9, 13.3.1.4).

use std::time::Duration;

use caly_sip::endpoint::{Body, Event, Failure, Reply, SessionError};
use caly_sip::message::{HeaderName, Method, StatusCode};

use crate::agent::{Agent, contact, in_dialog, invite, reply, request_of, start_line, text_of, to_tag};

fn cancel(branch: &str) -> String {
    in_dialog("CANCEL", 1, "x", branch)
        .replace(";tag=x", "")
        .replace("sip:caly@198.51.100.7:5060 SIP", "sip:caly@198.51.100.7 SIP")
}

/// RFC 3261 9.2: 200 to the CANCEL with the To tag of the INVITE's responses, 487 to the INVITE, ACK consumed.
#[test]
fn a_cancel_is_answered_200_and_its_invite_487() {
    let mut agent = Agent::new();
    let id = agent.invited();
    agent.endpoint.provisional(agent.now, id, Reply::new(StatusCode::RINGING)).unwrap();
    agent.drain();
    let tag = to_tag(&agent.take_response().headers);
    agent.receive(&cancel("z9hG4bKa1"));
    let texts = agent.take_texts();
    assert_eq!(
        texts.iter().map(|t| start_line(t)).collect::<Vec<_>>(),
        ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]
    );
    assert!(texts.iter().all(|t| t.contains(&format!(";tag={tag}\r\n"))), "{texts:?}");
    assert!(texts[0].contains("CSeq: 1 CANCEL\r\n") && texts[1].contains("CSeq: 1 INVITE\r\n"));
    assert_eq!(agent.take_event_names(), ["Cancelled"]);
    agent.receive(&cancel("z9hG4bKa1"));
    assert_eq!(agent.take_texts(), [texts[0].clone()], "a repeated CANCEL gets the same 200");
    let late = agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact());
    assert_eq!(late, Err(SessionError::WrongState { id, state: "refused" }));
    agent.receive(&in_dialog("ACK", 1, &tag, "z9hG4bKa1"));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    agent.settle();
    agent.assert_empty();
}

/// RFC 3261 9.2: no effect after a final response.
#[test]
fn a_cancel_after_the_answer_changes_nothing() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    agent.receive(&cancel("z9hG4bKa1"));
    let ok = agent.take_response();
    assert_eq!((ok.status, to_tag(&ok.headers)), (StatusCode::OK, tag));
    assert!(agent.take_event_names().is_empty());
    agent.endpoint.bye(agent.now, id, None).unwrap();
}

/// RFC 3261 9.2.
#[test]
fn a_cancel_without_its_invite_gets_481() {
    let mut agent = Agent::new();
    agent.invited();
    agent.receive(&cancel("z9hG4bKother"));
    assert_eq!(agent.take_response().status, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
    assert!(agent.take_event_names().is_empty());
}

/// RFC 3261 9.1: the CANCEL waits for a provisional response, goes the INVITE's way on its branch, and is not cancelled
/// by itself.
#[test]
fn our_cancel_waits_for_a_provisional_response() {
    let mut agent = Agent::new();
    let mut call = crate::agent::outgoing("sip:bob@192.0.2.9");
    call.routes = vec!["<sip:192.0.2.77;lr>".parse().unwrap()];
    let id = agent.endpoint.invite(agent.now, call).unwrap();
    agent.drain();
    let sent = agent.take_one();
    let invite = request_of(&sent);
    agent.endpoint.cancel(agent.now, id).unwrap();
    agent.drain();
    assert!(agent.take_sent().is_empty());
    agent.receive(&reply(&invite, 100, ""));
    let cancel = agent.take_one();
    assert_eq!(cancel.target, sent.target);
    let request = request_of(&cancel);
    assert_eq!((request.method, request.uri), (Method::Cancel, invite.uri.clone()));
    for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::Route] {
        assert_eq!(request.headers.first(&name), invite.headers.first(&name));
    }
    assert_eq!(request.headers.first(&HeaderName::CSeq), Some("1 CANCEL"));
    agent.advance(Duration::from_millis(1_500));
    assert_eq!(agent.take_sent().iter().filter(|t| t.bytes == cancel.bytes).count(), 2, "repeats by timer E");
    agent.receive(&text_of(&cancel).replace("CANCEL sip:bob@192.0.2.9 SIP/2.0", "SIP/2.0 200 OK"));
    agent.receive(&reply(&invite, 487, "bob"));
    assert_eq!(start_line(&text_of(&agent.take_one())), "ACK sip:bob@192.0.2.9 SIP/2.0");
    let Event::Rejected { failure: Failure::Response(response), .. } = &agent.events[0] else { panic!() };
    assert_eq!(response.status, StatusCode::REQUEST_TERMINATED);
    assert_eq!(agent.take_event_names(), ["Rejected", "Terminated"]);
    agent.settle();
    agent.assert_empty();
}

/// RFC 3261 9.1: never answered at all: timer B ends it, no CANCEL is sent.
#[test]
fn a_cancelled_call_that_nobody_ever_heard_of_just_times_out() {
    let mut agent = Agent::new();
    let (id, _) = agent.calls();
    agent.endpoint.cancel(agent.now, id).unwrap();
    agent.drain();
    agent.settle();
    assert!(agent.times_of("CANCEL").is_empty());
    assert_eq!(agent.take_event_names(), ["Rejected", "Terminated"]);
    agent.assert_empty();
}

/// RFC 3261 9.1: without a final response the INVITE counts as cancelled 64*T1 after its CANCEL.
#[test]
fn a_cancelled_call_without_a_final_response_ends_after_32_s() {
    let mut agent = Agent::new();
    let (id, invite) = agent.calls();
    agent.receive(&reply(&invite, 180, "bob"));
    agent.endpoint.cancel(agent.now, id).unwrap();
    agent.drain();
    agent.advance(Duration::from_millis(31_999));
    assert_eq!(agent.take_event_names(), ["Provisional"]);
    agent.advance(Duration::from_millis(1));
    assert!(matches!(agent.events[0], Event::Rejected { failure: Failure::Timeout, .. }));
    agent.settle();
    agent.assert_empty();
}

/// RFC 3261 9.1, 15: the 200 that crosses our CANCEL is acknowledged and ended with BYE.
#[test]
fn a_200_that_crosses_our_cancel_is_acknowledged_and_ended() {
    let mut agent = Agent::new();
    let (id, invite) = agent.calls();
    agent.receive(&reply(&invite, 180, "bob"));
    agent.endpoint.cancel(agent.now, id).unwrap();
    agent.drain();
    agent.take_sent();
    let ok = reply(&invite, 200, "bob");
    agent.receive(&ok);
    let sent = agent.take_sent();
    let methods: Vec<_> = sent.iter().map(|t| request_of(t).method).collect();
    assert_eq!(methods, [Method::Ack, Method::Bye]);
    assert_eq!(agent.take_event_names(), ["Provisional", "Rejected"]);
    agent.receive(&ok);
    assert_eq!(
        agent.take_one().bytes,
        sent[0].bytes,
        "the repeated 200 gets the ACK again and no second BYE"
    );
    agent.receive(&reply(&request_of(&sent[1]), 200, ""));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    agent.settle();
    agent.assert_empty();
}

/// RFC 3261 15.1: hanging up a call of ours that is not answered cancels it.
#[test]
fn hanging_up_before_the_answer_cancels() {
    let mut agent = Agent::new();
    let (id, invite) = agent.calls();
    agent.receive(&reply(&invite, 183, "bob"));
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    assert_eq!(agent.take_request().method, Method::Cancel);
}

/// RFC 3261 13.3.1: who was called may not hang up before answering; refusing is the way.
#[test]
fn a_call_that_waits_for_our_answer_takes_no_bye() {
    let mut agent = Agent::new();
    let id = agent.invited();
    assert_eq!(
        agent.endpoint.bye(agent.now, id, None),
        Err(SessionError::WrongState { id, state: "not answered yet" })
    );
    agent.receive(&invite("z9hG4bKa1"));
    assert_eq!(agent.take_response().status, StatusCode::TRYING);
}
