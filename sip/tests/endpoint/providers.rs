//! Calls shaped like those of carriers, from the fixtures.

use caly_sip::endpoint::{Body, Event, SessionId};
use caly_sip::message::{HeaderName, Message, Method, StatusCode};
use caly_sip::transport::{Flow, Transport};

use crate::agent::{Agent, address, contact, request_of, text_of};

/// A fixture with line ends as on the wire.
fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

/// Takes in a carrier's INVITE over this flow, answers it, acknowledges as the carrier would.
fn answered(agent: &mut Agent, name: &str, flow: Flow) -> SessionId {
    agent.flow = flow;
    agent.receive(&fixture(name));
    let id = agent.last_invite();
    let trying = agent.take_one();
    assert_eq!((trying.target.remote, trying.target.transport), (flow.remote, flow.transport));
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
    agent.drain();
    let ok = agent.take_response();
    let Message::Request(invite) = Message::parse_datagram(fixture(name).as_bytes()).unwrap() else {
        panic!()
    };
    let value = |name: &HeaderName| invite.headers.first(name).unwrap().to_owned();
    let ack = format!(
        "ACK sip:caly@198.51.100.7:5060 SIP/2.0\r\nVia: SIP/2.0/{} 192.0.2.10;branch=z9hG4bKack\r\n\
         From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} ACK\r\nContent-Length: 0\r\n\r\n",
        flow.transport,
        value(&HeaderName::From),
        ok.headers.first(&HeaderName::To).unwrap(),
        value(&HeaderName::CallId),
        invite.headers.essentials().unwrap().cseq.number,
    );
    agent.receive(&ack);
    assert_eq!(agent.take_event_names(), ["Invite", "Acknowledged"]);
    id
}

/// Two Record-Routes, a private Contact that names another transport: the Request-URI is that Contact unchanged, both
/// routes are there, the packet takes the connection of the first.
#[test]
fn a_twilio_call_over_tls_is_ended_through_its_routes() {
    let mut agent = Agent::new();
    let flow = Flow {
        transport: Transport::Tls,
        local: address("198.51.100.7:5061"),
        remote: address("192.0.2.10:58540"),
    };
    let id = answered(&mut agent, "twilio-origination-tls.sip", flow);
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    let sent = agent.take_one();
    let bye = request_of(&sent);
    assert_eq!(bye.method, Method::Bye);
    assert_eq!(bye.uri.to_string(), "sip:+15550100002@172.25.75.240:5060;transport=udp");
    let routes: Vec<_> = bye.headers.all(&HeaderName::Route).collect();
    assert_eq!(routes, ["<sip:192.0.2.10:5061;transport=tls;r2=on;lr>", "<sip:192.0.2.10;r2=on;lr>"]);
    assert_eq!((sent.target.transport, sent.target.remote), (Transport::Tls, flow.remote));
    assert_eq!(sent.fallback, Some(address("192.0.2.10:5061")));
    assert!(text_of(&sent).contains("Via: SIP/2.0/TLS 198.51.100.7:5060;branch=z9hG4bK"));
}

#[test]
fn a_twilio_call_over_udp_is_ended_through_its_routes() {
    let mut agent = Agent::new();
    let text = fixture("twilio-origination-udp-timer.sip");
    let Message::Request(invite) = Message::parse_datagram(text.as_bytes()).unwrap() else { panic!() };
    let first_route = invite.headers.record_routes().unwrap().remove(0);
    let remote = std::net::SocketAddr::new(first_route.uri.host.address().unwrap(), 5060);
    let flow = Flow { transport: Transport::Udp, local: address("198.51.100.7:5060"), remote };
    let id = answered(&mut agent, "twilio-origination-udp-timer.sip", flow);
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    let sent = agent.take_one();
    assert_eq!(sent.target.remote, remote);
    assert_eq!(sent.target.local, Some(flow.local));
    let contact = invite.headers.contact().unwrap().unwrap().uri;
    assert_eq!(request_of(&sent).uri, contact, "private or not, the Contact is theirs");
}

#[test]
fn the_responses_echo_both_vias_and_record_routes_of_a_twilio_call() {
    let mut agent = Agent::new();
    agent.flow = Flow {
        transport: Transport::Tls,
        local: address("198.51.100.7:5061"),
        remote: address("192.0.2.10:58540"),
    };
    agent.receive(&fixture("twilio-origination-tls.sip"));
    let id = agent.last_invite();
    agent.take_sent();
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
    agent.drain();
    let text = text_of(&agent.take_one());
    for line in fixture("twilio-origination-tls.sip").lines() {
        let is_echoed =
            ["Via:", "Record-Route:", "From:", "Call-ID:", "CSeq:"].iter().any(|n| line.starts_with(n));
        assert!(!is_echoed || text.contains(line), "{line} in {text}");
    }
}

/// TCP only, Record-Route and Contact without brackets, a Record-Route that says TLS on a TCP call.
#[test]
fn exotel_calls_are_answered_and_ended() {
    for name in ["exotel-inbound-tcp.sip", "exotel-inbound-fqdn-bare-uris.sip"] {
        let mut agent = Agent::new();
        let flow = Flow {
            transport: Transport::Tcp,
            local: address("198.51.100.7:5060"),
            remote: address("192.0.2.21:45001"),
        };
        let id = answered(&mut agent, name, flow);
        agent.endpoint.bye(agent.now, id, Some("Q.850;cause=16".to_owned())).unwrap();
        agent.drain();
        if let Some(Event::Resolve { query, .. }) = agent.events.first() {
            agent.endpoint.handle_resolved(agent.now, *query, &[flow.remote.ip()]);
            agent.drain();
        }
        let sent = agent.take_one();
        assert_eq!(request_of(&sent).method, Method::Bye, "{name}");
        assert!(sent.target.transport.is_reliable(), "{name}");
        agent.settle();
        assert_eq!(agent.take_event_names().last(), Some(&"Terminated"));
        agent.assert_empty();
    }
}

/// A BYE with two Vias and a Reason, of a call that we placed.
#[test]
fn a_twilio_bye_of_an_unknown_call_gets_481_through_both_vias() {
    let mut agent = Agent::new();
    agent.flow.remote = address("192.0.2.10:5060");
    agent.receive(&fixture("twilio-bye-with-reason.sip"));
    let refusal = agent.take_response();
    assert_eq!(refusal.status, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
    assert_eq!(refusal.headers.all(&HeaderName::Via).count(), 2);
}

/// 403 and 407 as carriers send them end the call and are acknowledged by the transaction.
#[test]
fn carriers_refusals_end_our_call() {
    for name in ["exotel-outbound-403.sip", "twilio-termination-407.sip"] {
        let mut agent = Agent::new();
        let (_, invite) = agent.calls();
        let Message::Response(mut refusal) = Message::parse_datagram(fixture(name).as_bytes()).unwrap()
        else {
            panic!()
        };
        for field in [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::CSeq] {
            refusal.headers.set(field.clone(), invite.headers.first(&field).unwrap());
        }
        agent.receive(&String::from_utf8(refusal.to_bytes()).unwrap());
        assert_eq!(agent.take_request().method, Method::Ack, "{name}");
        assert_eq!(agent.take_event_names(), ["Rejected", "Terminated"]);
    }
}
