//! The 2xx and its ACK, on both sides (RFC 3261 13.2.2.4, 13.3.1.4).

use std::time::Duration;

use caly_sip::endpoint::{Body, Event, SessionError};
use caly_sip::message::{HeaderName, Method};
use caly_sip::transport::Transport;

use crate::agent::{
    Agent, contact, in_dialog, outgoing, reply, reply_with, request_of, response_of, start_line, text_of,
    to_tag,
};

const ANSWER_TIMES: [u128; 11] =
    [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];

/// RFC 3261 13.3.1.4: T1, doubling to T2; after 64*T1 a BYE.
#[test]
fn a_2xx_repeats_until_its_ack_and_ends_in_a_bye_without_one() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut agent = Agent::over(transport);
        let id = agent.invited();
        agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
        agent.drain();
        agent.advance(Duration::from_secs(32));
        assert_eq!(agent.times_of("SIP/2.0 200"), ANSWER_TIMES, "over TCP too");
        assert!(agent.sent.iter().take(11).all(|(_, t)| t.bytes == agent.sent[0].1.bytes));
        assert_eq!(agent.times_of("BYE"), [32_000]);
        assert_eq!(agent.take_event_names(), ["AckTimeout"]);
        agent.settle();
        assert_eq!(agent.take_event_names(), ["Terminated"]);
        agent.assert_empty();
    }
}

/// RFC 3261 13.3.1.4, 12.1.1: what the 2xx carries.
#[test]
fn the_2xx_carries_contact_allow_record_routes_and_the_answer() {
    let mut agent = Agent::new();
    let routed = crate::agent::invite("z9hG4bKa1").replace(
        "CSeq:",
        "Record-Route: <sip:192.0.2.1;lr>, <sip:192.0.2.2;lr>\r\nRecord-Route: <sip:192.0.2.3;lr>\r\nCSeq:",
    );
    agent.receive(&routed);
    let id = agent.last_invite();
    agent.take_sent();
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\ns=x\r\n"), contact()).unwrap();
    agent.drain();
    let ok = agent.take_response();
    let first = |name| ok.headers.first(&name).unwrap_or_default().to_owned();
    assert_eq!(first(HeaderName::Contact), "<sip:caly@198.51.100.7:5060>");
    assert_eq!(first(HeaderName::Allow), "INVITE, ACK, CANCEL, OPTIONS, BYE");
    assert_eq!(first(HeaderName::ContentType), "application/sdp");
    assert_eq!(first(HeaderName::From), "\"Alice\" <sip:alice@192.0.2.9>;tag=alice");
    let routes: Vec<_> = ok.headers.all(&HeaderName::RecordRoute).collect();
    assert_eq!(routes, ["<sip:192.0.2.1;lr>, <sip:192.0.2.2;lr>", "<sip:192.0.2.3;lr>"]);
    assert_eq!(ok.body, b"v=0\r\ns=x\r\n");
}

/// RFC 3261 13.3.1.4: the first ACK counts, its repeats are silent; the late-offer answer in it is handed up.
#[test]
fn the_ack_stops_the_2xx_and_hands_up_its_body() {
    let mut agent = Agent::new();
    let id = agent.invited();
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
    agent.drain();
    agent.advance(Duration::from_millis(600));
    let tag = to_tag(&response_of(&agent.take_sent()[0]).headers);
    let ack = in_dialog("ACK", 1, &tag, "z9hG4bKack").replace(
        "Content-Length: 0\r\n\r\n",
        "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=1\r\n",
    );
    agent.receive(&ack.replace("CSeq: 1", "CSeq: 9"));
    assert!(agent.take_event_names().is_empty(), "not the number of the INVITE");
    agent.receive(&ack);
    let Event::Acknowledged { body: Some(body), .. } = &agent.events[0] else { panic!("{:?}", agent.events) };
    assert_eq!((body.content_type.as_str(), &body.bytes[..]), ("application/sdp", &b"v=1\r\n"[..]));
    agent.receive(&ack);
    agent.advance(Duration::from_secs(20));
    assert_eq!(agent.take_event_names(), ["Acknowledged"]);
    assert!(agent.take_sent().is_empty());
}

/// RFC 3261 13.2.2.4: one ACK per 2xx, all alike, a request of its own with the CSeq number of the INVITE.
#[test]
fn every_repeat_of_a_2xx_gets_the_identical_ack() {
    let mut agent = Agent::new();
    let (id, invite) = agent.calls();
    let ok = reply_with(&invite, 200, "bob", "Contact: <sip:bob@192.0.2.30:5070>\r\n");
    agent.receive(&ok);
    agent.receive(&ok);
    assert_eq!(agent.take_event_names(), ["Answered"]);
    assert!(agent.take_sent().is_empty(), "the application has not acknowledged");
    agent.endpoint.acknowledge(agent.now, id, Some(Body::sdp("v=2\r\n"))).unwrap();
    agent.drain();
    let ack = agent.take_one();
    let request = request_of(&ack);
    assert_eq!(request.method, Method::Ack);
    assert_eq!(request.uri.to_string(), "sip:bob@192.0.2.30:5070");
    assert_eq!(ack.target.remote, crate::agent::address("192.0.2.30:5070"));
    assert_eq!(request.body, b"v=2\r\n");
    assert_eq!(request.headers.first(&HeaderName::CSeq), Some("1 ACK"));
    assert_ne!(crate::agent::branch_of(&request.headers), crate::agent::branch_of(&invite.headers));
    for _ in 0..3 {
        agent.advance(Duration::from_secs(4));
        agent.receive(&ok);
        let repeat = agent.take_one();
        assert_eq!((repeat.bytes, repeat.target), (ack.bytes.clone(), ack.target));
    }
    assert!(agent.take_event_names().is_empty());
    assert_eq!(
        agent.endpoint.acknowledge(agent.now, id, None),
        Err(SessionError::WrongState { id, state: "established" })
    );
}

/// RFC 6026 7.2: after timer M a 2xx is a stray.
#[test]
fn a_2xx_that_comes_after_32_s_is_a_stray() {
    let mut agent = Agent::new();
    let (_, invite) = agent.called();
    agent.advance(Duration::from_secs(32));
    agent.receive(&reply(&invite, 200, "bob"));
    assert!(agent.take_sent().is_empty());
    assert_eq!(agent.endpoint.counters().stray_responses, 1);
}

/// RFC 3261 12.2.2: an ACK that matches nothing is never answered.
#[test]
fn a_stray_ack_is_ignored() {
    let mut agent = Agent::new();
    agent.receive(&in_dialog("ACK", 1, "nobody", "z9hG4bKs"));
    assert!(agent.take_sent().is_empty() && agent.events.is_empty());
    assert_eq!(agent.endpoint.counters().stray_acks, 1);
}

/// RFC 3261 8.1.1, 13.2.1: what an INVITE of ours carries.
#[test]
fn an_invite_of_ours_is_complete() {
    let mut agent = Agent::new();
    let mut invite = outgoing("sip:bob@192.0.2.9");
    invite.headers.push(HeaderName::Subject, "trial");
    agent.endpoint.invite(agent.now, invite).unwrap();
    agent.drain();
    let text = text_of(&agent.take_one());
    assert_eq!(start_line(&text), "INVITE sip:bob@192.0.2.9 SIP/2.0");
    for part in [
        "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK",
        ";rport\r\n",
        "Max-Forwards: 70\r\n",
        "From: <sip:caly@198.51.100.7>;tag=",
        "To: <sip:bob@192.0.2.9>\r\n",
        "CSeq: 1 INVITE\r\n",
        "Contact: <sip:caly@198.51.100.7:5060>\r\n",
        "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE\r\n",
        "Subject: trial\r\n",
        "Content-Type: application/sdp\r\n",
        "Content-Length: 5\r\n\r\nv=0\r\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}
