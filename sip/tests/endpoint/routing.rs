//! Where requests and responses go (RFC 3261 12.2.1.1, 18.2.2, RFC 3581).

use caly_sip::endpoint::{Body, SessionId};
use caly_sip::message::{HeaderName, Request};
use caly_sip::transport::{Flow, Transport};

use crate::agent::{
    Agent, address, contact, in_dialog, invite, outgoing, reply, reply_with, text_of, to_tag,
};

/// Takes in an INVITE, answers, takes in the ACK.
fn answered(agent: &mut Agent, invite: &str) -> SessionId {
    agent.receive(invite);
    let id = agent.last_invite();
    agent.take_sent();
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
    agent.drain();
    let tag = to_tag(&agent.take_response().headers);
    agent.receive(&in_dialog("ACK", 1, &tag, "z9hG4bKack"));
    id
}

fn bye(agent: &mut Agent, id: SessionId) -> (Request, std::net::SocketAddr) {
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    let sent = agent.take_one();
    (crate::agent::request_of(&sent), sent.target.remote)
}

fn routes(request: &Request) -> Vec<String> {
    request.headers.routes().unwrap().iter().map(ToString::to_string).collect()
}

/// RFC 3261 12.1.1, 12.2.1.1: the callee keeps the order of Record-Route; loose routers leave the Request-URI alone.
#[test]
fn the_callee_follows_record_route_in_order() {
    let mut agent = Agent::new();
    let lines = "Record-Route: <sip:192.0.2.1:5070;lr>, <sip:192.0.2.2;lr=on>\r\nRecord-Route: <sip:192.0.2.3;lr>\r\nCSeq:";
    let id = answered(&mut agent, &invite("z9hG4bKa1").replace("CSeq:", lines));
    let (request, remote) = bye(&mut agent, id);
    assert_eq!(request.uri.to_string(), "sip:alice@192.0.2.9:5060");
    assert_eq!(routes(&request), ["<sip:192.0.2.1:5070;lr>", "<sip:192.0.2.2;lr=on>", "<sip:192.0.2.3;lr>"]);
    assert_eq!(remote, address("192.0.2.1:5070"));
}

/// RFC 3261 12.1.2: the caller reverses it.
#[test]
fn the_caller_follows_record_route_in_reverse() {
    let mut agent = Agent::new();
    let (id, invite) = agent.calls();
    let lines = "Record-Route: <sip:192.0.2.1;lr>,<sip:192.0.2.2;lr>\r\nContact: <sip:bob@10.0.0.4>\r\n";
    agent.receive(&reply_with(&invite, 200, "bob", lines));
    agent.endpoint.acknowledge(agent.now, id, None).unwrap();
    agent.drain();
    let sent = agent.take_one();
    let ack = crate::agent::request_of(&sent);
    assert_eq!(
        (ack.uri.to_string(), sent.target.remote),
        ("sip:bob@10.0.0.4".to_owned(), address("192.0.2.2:5060"))
    );
    assert_eq!(routes(&ack), ["<sip:192.0.2.2;lr>", "<sip:192.0.2.1;lr>"]);
    let (bye, remote) = bye(&mut agent, id);
    assert_eq!((routes(&bye), remote), (routes(&ack), address("192.0.2.2:5060")));
}

/// RFC 3261 12.2.1.1: a strict router becomes the Request-URI, the remote target the last Route.
#[test]
fn a_strict_router_takes_the_place_of_the_request_uri() {
    let mut agent = Agent::new();
    let lines = "Record-Route: <sip:192.0.2.1?X=y>, <sip:192.0.2.2;lr>\r\nCSeq:";
    let id = answered(&mut agent, &invite("z9hG4bKa1").replace("CSeq:", lines));
    let (request, remote) = bye(&mut agent, id);
    assert_eq!(request.uri.to_string(), "sip:192.0.2.1");
    assert_eq!(routes(&request), ["<sip:192.0.2.2;lr>", "<sip:alice@192.0.2.9:5060>"]);
    assert_eq!(remote, address("192.0.2.1:5060"));
}

/// RFC 3261 8.1.2: an outbound proxy as pre-loaded route.
#[test]
fn a_preloaded_route_takes_the_packet() {
    let mut agent = Agent::new();
    let mut call = outgoing("sip:bob@trunk.example");
    call.routes = vec!["<sip:192.0.2.80:5080;lr>".parse().unwrap()];
    agent.endpoint.invite(agent.now, call).unwrap();
    agent.drain();
    let sent = agent.take_one();
    assert_eq!(sent.target.remote, address("192.0.2.80:5080"));
    assert!(text_of(&sent).starts_with("INVITE sip:bob@trunk.example SIP/2.0\r\n"));
    assert!(text_of(&sent).contains("Route: <sip:192.0.2.80:5080;lr>\r\n"));
}

/// RFC 3261 12.1.1: the Contact decides, not the address that the INVITE came from.
#[test]
fn without_routes_the_contact_is_the_next_hop() {
    let mut agent = Agent::new();
    let id =
        answered(&mut agent, &invite("z9hG4bKa1").replace("alice@192.0.2.9:5060>", "alice@192.0.2.60:5099>"));
    let (request, remote) = bye(&mut agent, id);
    assert_eq!(
        (request.uri.to_string().as_str(), remote),
        ("sip:alice@192.0.2.60:5099", address("192.0.2.60:5099"))
    );
}

/// RFC 3261 18.2.2: without rport a UDP response goes to the source address and the port of sent-by.
#[test]
fn a_udp_response_goes_to_the_source_address_and_the_sent_by_port() {
    let mut agent = Agent::new();
    agent.flow.remote = address("203.0.113.5:41000");
    agent.receive(&invite("z9hG4bKa1").replace("UDP 192.0.2.9:5060", "UDP 192.0.2.9:5066"));
    let sent = agent.take_one();
    assert_eq!(sent.target.remote, address("203.0.113.5:5066"));
    assert_eq!(sent.target.local, Some(agent.flow.local), "it leaves from where the request came to");
    assert!(text_of(&sent).contains("branch=z9hG4bKa1;received=203.0.113.5\r\n"), "{}", text_of(&sent));
    agent.receive(
        &invite("z9hG4bKa2").replace("UDP 192.0.2.9:5060", "UDP pc.example").replace("call-1", "call-2"),
    );
    assert_eq!(agent.take_one().target.remote, address("203.0.113.5:5060"));
}

/// RFC 3581 4: with rport it goes to the source port, and both are noted.
#[test]
fn rport_takes_the_response_back_to_the_source_port() {
    let mut agent = Agent::new();
    agent.flow.remote = address("203.0.113.5:41000");
    agent.receive(&invite("z9hG4bKa1").replace(";branch", ";rport;branch"));
    let sent = agent.take_one();
    assert_eq!(sent.target.remote, address("203.0.113.5:41000"));
    assert!(
        text_of(&sent).contains(";rport=41000;branch=z9hG4bKa1;received=203.0.113.5\r\n"),
        "{}",
        text_of(&sent)
    );
}

/// RFC 3261 18.2.1: nothing is added when the source is what the Via says. All other Vias return as they came.
#[test]
fn vias_return_in_order_and_untouched() {
    let mut agent = Agent::new();
    let vias = "192.0.2.9:5060;branch=z9hG4bKa1, SIP/2.0/TLS  10.1.1.1 ;branch=z9hG4bKx\r\n\
                v: SIP / 2.0 / UDP 172.16.0.1:5060;rport=5060;received=10.0.0.1;branch=z9hG4bKy";
    agent.receive(&invite("z9hG4bKa1").replace("192.0.2.9:5060;branch=z9hG4bKa1", vias));
    let trying = agent.take_response();
    let all: Vec<_> = trying.headers.all(&HeaderName::Via).collect();
    assert_eq!(
        all,
        [
            "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKa1, SIP/2.0/TLS  10.1.1.1 ;branch=z9hG4bKx",
            "SIP / 2.0 / UDP 172.16.0.1:5060;rport=5060;received=10.0.0.1;branch=z9hG4bKy"
        ]
    );
}

/// RFC 3261 18.2.2 allows maddr; nobody may aim our responses at third parties.
#[test]
fn maddr_in_a_via_is_not_followed() {
    let mut agent = Agent::new();
    agent.receive(&invite("z9hG4bKa1").replace(";branch", ";maddr=203.0.113.99;branch"));
    assert_eq!(agent.take_one().target.remote, address("192.0.2.9:5060"));
}

/// RFC 3261 18.2.2: TCP responses use their connection; if it is gone, the fallback is sent-by at the source address.
#[test]
fn a_tcp_response_uses_its_connection_and_falls_back_to_sent_by() {
    let mut agent = Agent::new();
    let flow = Flow {
        transport: Transport::Tcp,
        local: address("198.51.100.7:5060"),
        remote: address("192.0.2.9:49152"),
    };
    agent.receive_over(flow, &invite("z9hG4bKa1").replace("UDP 192.0.2.9:5060", "TCP 192.0.2.9:5070"));
    let sent = agent.take_one();
    assert_eq!((sent.target.transport, sent.target.remote), (Transport::Tcp, flow.remote));
    assert_eq!(sent.fallback, Some(address("192.0.2.9:5070")));
}

/// IPv6 on both ends.
#[test]
fn ipv6_addresses_are_written_in_brackets() {
    let mut agent = Agent::new();
    let mut call = outgoing("sip:bob@[2001:db8::9]:5070");
    call.contact = "sip:caly@[2001:db8::7]:5060".parse().unwrap();
    agent.endpoint.invite(agent.now, call).unwrap();
    agent.drain();
    let sent = agent.take_one();
    assert_eq!(sent.target.remote, address("[2001:db8::9]:5070"));
    assert!(text_of(&sent).contains("Via: SIP/2.0/UDP [2001:db8::7]:5060;branch="), "{}", text_of(&sent));
    agent.receive(&reply(&crate::agent::request_of(&sent), 180, "bob"));
    assert_eq!(agent.take_event_names(), ["Provisional"]);
}

/// RFC 3263 4.1, 19.1.2: what the URI says about transport and port.
#[test]
fn the_uri_decides_transport_and_port() {
    for (target, transport, remote) in [
        ("sip:b@192.0.2.9", Transport::Udp, "192.0.2.9:5060"),
        ("sip:b@192.0.2.9;transport=TCP", Transport::Tcp, "192.0.2.9:5060"),
        ("sip:b@192.0.2.9:5070;transport=tls", Transport::Tls, "192.0.2.9:5070"),
        ("sips:b@192.0.2.9", Transport::Tls, "192.0.2.9:5061"),
        ("sip:b@ignored.example;maddr=192.0.2.8", Transport::Udp, "192.0.2.8:5060"),
    ] {
        let mut agent = Agent::new();
        agent.endpoint.invite(agent.now, outgoing(target)).unwrap();
        agent.drain();
        let sent = agent.take_one();
        assert_eq!((sent.target.transport, sent.target.remote), (transport, address(remote)), "{target}");
        assert!(text_of(&sent).contains(&format!("Via: SIP/2.0/{transport} ")));
    }
    let mut agent = Agent::new();
    for target in ["tel:+15550100001", "sip:b@192.0.2.9;transport=sctp"] {
        let refused = agent.endpoint.invite(agent.now, outgoing(target));
        assert_eq!(refused, Err(caly_sip::endpoint::SessionError::Unroutable));
    }
    agent.assert_empty();
}
