//! Connections: reuse, loss, and large requests that start on TCP (RFC 3261 18).

use std::time::Duration;

use caly_sip::endpoint::{Body, Event, Failure, SessionId};
use caly_sip::message::{HeaderName, Method};
use caly_sip::transport::{Flow, Transport};

use crate::agent::{
    Agent, address, contact, in_dialog, invite, outgoing, reply, request_of, start_line, text_of, to_tag,
};

fn tcp(remote: &str) -> Flow {
    Flow { transport: Transport::Tcp, local: address("198.51.100.7:5060"), remote: address(remote) }
}

/// A call over a connection that the peer opened.
fn answered_over(agent: &mut Agent, flow: Flow, contact_of_peer: &str) -> SessionId {
    agent.flow = flow;
    agent.receive(&invite("z9hG4bKa1").replace("<sip:alice@192.0.2.9:5060>", contact_of_peer));
    let id = agent.last_invite();
    agent.take_sent();
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
    agent.drain();
    let tag = to_tag(&agent.take_response().headers);
    agent.receive(&in_dialog("ACK", 1, &tag, "z9hG4bKack"));
    agent.take_event_names();
    id
}

fn bye(agent: &mut Agent, id: SessionId) {
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
}

/// RFC 3261 18: our BYE goes over the connection that the caller opened; its port is not that of the Contact.
#[test]
fn requests_to_a_tcp_caller_use_its_connection() {
    for contact in ["<sip:alice@192.0.2.9:5070;transport=tcp>", "<sip:alice@192.0.2.9:5070>"] {
        let mut agent = Agent::new();
        let id = answered_over(&mut agent, tcp("192.0.2.9:49152"), contact);
        bye(&mut agent, id);
        let sent = agent.take_one();
        assert_eq!((sent.target.transport, sent.target.remote), (Transport::Tcp, address("192.0.2.9:49152")));
        assert_eq!(sent.fallback, Some(address("192.0.2.9:5070")));
        assert!(text_of(&sent).contains("Via: SIP/2.0/TCP 198.51.100.7:5060;"));
        agent.receive(&reply(&request_of(&sent), 200, ""));
        agent.settle();
        agent.assert_empty();
    }
}

/// A connection does not carry requests for another host.
#[test]
fn a_contact_on_another_host_gets_a_connection_of_its_own() {
    let mut agent = Agent::new();
    let id = answered_over(&mut agent, tcp("192.0.2.9:49152"), "<sip:alice@192.0.2.10;transport=tcp>");
    bye(&mut agent, id);
    let sent = agent.take_one();
    assert_eq!((sent.target.remote, sent.fallback), (address("192.0.2.10:5060"), None));
}

/// RFC 3263 4.3: the connection that should carry the BYE is gone and so is its fallback's first try: one direct try.
#[test]
fn a_bye_on_a_lost_connection_is_tried_once_more_at_the_contact() {
    for failed in ["192.0.2.9:49152", "192.0.2.9:5070"] {
        let mut agent = Agent::new();
        let id =
            answered_over(&mut agent, tcp("192.0.2.9:49152"), "<sip:alice@192.0.2.9:5070;transport=tcp>");
        bye(&mut agent, id);
        let first = agent.take_one();
        agent.endpoint.handle_transport_error(agent.now, tcp(failed));
        agent.drain();
        let second = agent.take_one();
        assert_eq!((second.target.remote, second.fallback), (address("192.0.2.9:5070"), None));
        assert_ne!(first.bytes, second.bytes, "another address is another transaction");
        agent.endpoint.handle_transport_error(agent.now, tcp("192.0.2.9:5070"));
        agent.drain();
        assert_eq!(agent.take_event_names(), ["Terminated"]);
        agent.settle();
        agent.assert_empty();
    }
}

/// The caller came back over another connection: the newer one is used. Strangers do not draw our requests.
#[test]
fn a_newer_connection_of_the_same_host_is_used() {
    for (remote, expected) in
        [("192.0.2.9:50001", "192.0.2.9:50001"), ("192.0.2.66:50001", "192.0.2.9:49152")]
    {
        let mut agent = Agent::over(Transport::Tcp);
        agent.flow = tcp("192.0.2.9:49152");
        let (id, tag) = agent.answered();
        agent.receive_over(tcp(remote), &in_dialog("OPTIONS", 2, &tag, "z9hG4bKo"));
        agent.take_sent();
        bye(&mut agent, id);
        assert_eq!(agent.take_one().target.remote, address(expected));
    }
}

/// RFC 3261 18.1.1: from 1300 bytes on a request starts on TCP and falls back to UDP if that fails.
#[test]
fn a_large_request_starts_on_tcp_and_falls_back_to_udp() {
    let mut agent = Agent::new();
    let mut call = outgoing("sip:bob@192.0.2.9");
    call.body = Some(Body::sdp("a".repeat(1_300)));
    agent.endpoint.invite(agent.now, call).unwrap();
    agent.drain();
    let over_tcp = agent.take_one();
    assert_eq!(over_tcp.target.transport, Transport::Tcp);
    assert!(text_of(&over_tcp).contains("Via: SIP/2.0/TCP "));
    agent.endpoint.handle_transport_error(agent.now, tcp("192.0.2.9:5060"));
    agent.drain();
    let over_udp = agent.take_one();
    assert_eq!(
        (over_udp.target.transport, over_udp.target.remote),
        (Transport::Udp, address("192.0.2.9:5060"))
    );
    let (first, second) = (request_of(&over_tcp), request_of(&over_udp));
    assert_eq!(second.headers.all(&HeaderName::Via).count(), 1);
    for name in [HeaderName::From, HeaderName::CallId, HeaderName::CSeq] {
        assert_eq!(first.headers.first(&name), second.headers.first(&name));
    }
    agent.receive(&reply(&second, 180, "bob"));
    assert_eq!(agent.take_event_names(), ["Provisional"]);
    assert_eq!(agent.endpoint.counters().failovers, 1);
}

/// RFC 3261 18.1.1 leaves no choice where the URI names UDP, and a small request stays on UDP.
#[test]
fn a_named_transport_is_kept_whatever_the_size() {
    let mut agent = Agent::new();
    let mut call = outgoing("sip:bob@192.0.2.9;transport=udp");
    call.body = Some(Body::sdp("a".repeat(1_300)));
    agent.endpoint.invite(agent.now, call).unwrap();
    let mut small = outgoing("sip:bob@192.0.2.9");
    small.body = Some(Body::sdp("a".repeat(700)));
    agent.endpoint.invite(agent.now, small).unwrap();
    agent.drain();
    assert!(agent.take_sent().iter().all(|t| t.target.transport == Transport::Udp));
}

/// RFC 3261 18.1.1: silence on TCP is no reason to repeat the request over UDP.
#[test]
fn a_large_request_that_times_out_on_tcp_is_over() {
    let mut agent = Agent::new();
    let mut call = outgoing("sip:bob@192.0.2.9");
    call.body = Some(Body::sdp("a".repeat(1_300)));
    agent.endpoint.invite(agent.now, call).unwrap();
    agent.drain();
    agent.advance(Duration::from_secs(32));
    assert_eq!(agent.take_sent().len(), 1);
    assert!(matches!(agent.events[0], Event::Rejected { failure: Failure::Timeout, .. }));
    agent.assert_empty();
}

/// RFC 3261 17: no machine repeats anything over TCP; only the core's 2xx does (13.3.1.4, tested there).
#[test]
fn nothing_but_the_2xx_repeats_over_tcp() {
    let mut agent = Agent::new();
    let id = answered_over(&mut agent, tcp("192.0.2.9:49152"), "<sip:alice@192.0.2.9:5070;transport=tcp>");
    agent.endpoint.reinvite(agent.now, id, None).unwrap();
    agent.drain();
    agent.advance(Duration::from_secs(20));
    let sent = agent.take_sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(request_of(&sent[0]).method, Method::Invite);
    agent.receive(&reply(&request_of(&sent[0]), 488, ""));
    assert_eq!(start_line(&agent.take_texts()[0]), "ACK sip:alice@192.0.2.9:5070;transport=tcp SIP/2.0");
    bye(&mut agent, id);
    agent.advance(Duration::from_secs(20));
    assert_eq!(agent.times_of("BYE").len(), 1);
}

/// A session outlives its connection.
#[test]
fn a_lost_connection_leaves_the_session() {
    let mut agent = Agent::new();
    let flow = tcp("192.0.2.9:49152");
    let id = answered_over(&mut agent, flow, "<sip:alice@192.0.2.9:5070;transport=tcp>");
    agent.endpoint.handle_transport_error(agent.now, flow);
    agent.drain();
    assert!(agent.take_event_names().is_empty());
    bye(&mut agent, id);
    assert_eq!(agent.take_one().fallback, Some(address("192.0.2.9:5070")));
}
