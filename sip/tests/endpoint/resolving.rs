//! Names in URIs: questions, several addresses, the next one when one fails (RFC 3263 4.2, 4.3).

use std::net::IpAddr;
use std::time::Duration;

use caly_sip::endpoint::{Event, Failure};
use caly_sip::message::{Method, StatusCode};
use caly_sip::transport::{Flow, Transport};

use crate::agent::{Agent, address, branch_of, outgoing, reply, reply_with, request_of};

fn ips(count: u8) -> Vec<IpAddr> {
    (1..=count).map(|n| IpAddr::from([203, 0, 113, n])).collect()
}

/// Places a call to a name and answers the question with this many addresses.
fn called(agent: &mut Agent, count: u8) -> caly_sip::endpoint::SessionId {
    let id = agent.endpoint.invite(agent.now, outgoing("sip:bob@trunk.example:5070")).unwrap();
    agent.drain();
    assert!(agent.take_sent().is_empty());
    assert!(matches!(&agent.events[0], Event::Resolve { host, .. } if host == "trunk.example"));
    let query = agent.last_query();
    agent.take_event_names();
    agent.endpoint.handle_resolved(agent.now, query, &ips(count));
    agent.drain();
    id
}

#[test]
fn a_name_is_asked_for_and_its_first_address_tried() {
    let mut agent = Agent::new();
    called(&mut agent, 3);
    let sent = agent.take_one();
    assert_eq!(sent.target.remote, address("203.0.113.1:5070"));
    assert_eq!(request_of(&sent).uri.to_string(), "sip:bob@trunk.example:5070");
}

/// RFC 3263 4.3: transport error, timeout and 503 lead to the next address, each time in a new transaction.
#[test]
fn each_failure_leads_to_the_next_address() {
    let mut agent = Agent::new();
    called(&mut agent, 4);
    let first = agent.take_one();
    let flow = Flow { remote: first.target.remote, ..agent.flow };
    agent.endpoint.handle_transport_error(agent.now, flow);
    agent.drain();
    let second = agent.take_one();
    assert_eq!(second.target.remote, address("203.0.113.2:5070"));
    agent.advance(Duration::from_secs(32));
    let third = agent.take_sent().pop().unwrap();
    assert_eq!(third.target.remote, address("203.0.113.3:5070"));
    agent.receive(&reply(&request_of(&third), 503, "bob"));
    let sent = agent.take_sent();
    assert_eq!(request_of(&sent[0]).method, Method::Ack);
    let fourth = request_of(&sent[1]);
    assert_eq!(sent[1].target.remote, address("203.0.113.4:5070"));
    let branches = [&request_of(&first), &request_of(&second), &request_of(&third), &fourth]
        .map(|r| branch_of(&r.headers));
    assert!((0..4).all(|i| !branches[..i].contains(&branches[i])), "{branches:?}");
    assert!(agent.take_event_names().is_empty());
    agent.receive(&reply(&fourth, 503, "bob"));
    let Event::Rejected { failure: Failure::Response(last), .. } = &agent.events[0] else { panic!() };
    assert_eq!(last.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(agent.endpoint.counters().failovers, 3);
    agent.settle();
    agent.assert_empty();
}

/// Other refusals are the callee's word.
#[test]
fn a_refusal_other_than_503_ends_the_search() {
    let mut agent = Agent::new();
    called(&mut agent, 3);
    let invite = agent.take_request();
    agent.receive(&reply(&invite, 486, "bob"));
    assert_eq!(agent.take_event_names(), ["Rejected", "Terminated"]);
}

#[test]
fn a_name_without_addresses_or_without_an_answer_fails_the_call() {
    let mut agent = Agent::new();
    called(&mut agent, 0);
    assert!(matches!(agent.events[0], Event::Rejected { failure: Failure::Unresolved, .. }));
    agent.assert_empty();
    agent.endpoint.invite(agent.now, outgoing("sip:bob@trunk.example")).unwrap();
    agent.drain();
    let query = agent.last_query();
    agent.advance(Duration::from_millis(9_999));
    assert_eq!(agent.endpoint.session_count(), 1);
    agent.advance(Duration::from_millis(1));
    agent.assert_empty();
    agent.take_event_names();
    agent.endpoint.handle_resolved(agent.now, query, &ips(1));
    agent.drain();
    assert!(agent.take_sent().is_empty());
}

/// RFC 3261 9.1: nothing was sent, so there is nothing to cancel; a late answer sends nothing.
#[test]
fn a_call_cancelled_before_its_address_is_known_just_ends() {
    let mut agent = Agent::new();
    let id = agent.endpoint.invite(agent.now, outgoing("sip:bob@trunk.example")).unwrap();
    agent.drain();
    let query = agent.last_query();
    agent.take_event_names();
    agent.endpoint.cancel(agent.now, id).unwrap();
    agent.drain();
    assert!(matches!(agent.events[0], Event::Rejected { failure: Failure::Cancelled, .. }));
    agent.endpoint.handle_resolved(agent.now, query, &ips(1));
    agent.drain();
    assert!(agent.take_sent().is_empty());
    agent.assert_empty();
}

/// Whoever gave up is not called at another address.
#[test]
fn a_cancelled_call_tries_no_further_address() {
    let mut agent = Agent::new();
    let id = called(&mut agent, 3);
    agent.endpoint.cancel(agent.now, id).unwrap();
    agent.take_sent();
    agent.settle();
    assert!(agent.sent.iter().all(|(_, t)| t.target.remote == address("203.0.113.1:5070")));
    agent.assert_empty();
}

/// RFC 3261 13.2.2.4: the ACK of a 2xx goes where its name leads; a repeat that comes meanwhile waits for it.
#[test]
fn an_ack_to_a_name_waits_for_its_address() {
    let mut agent = Agent::new();
    let (id, invite) = agent.calls();
    let ok = reply_with(&invite, 200, "bob", "Record-Route: <sip:edge.example;transport=tcp;lr>\r\n");
    agent.receive(&ok);
    agent.endpoint.acknowledge(agent.now, id, None).unwrap();
    agent.drain();
    let query = agent.last_query();
    agent.receive(&ok);
    assert!(agent.take_sent().is_empty());
    agent.endpoint.handle_resolved(agent.now, query, &ips(2));
    agent.drain();
    let ack = agent.take_one();
    assert_eq!((ack.target.transport, ack.target.remote), (Transport::Tcp, address("203.0.113.1:5060")));
    agent.receive(&ok);
    assert_eq!(agent.take_one().bytes, ack.bytes);
}

/// Eight addresses are enough.
#[test]
fn addresses_beyond_the_limit_are_not_tried() {
    let mut agent = Agent::new();
    called(&mut agent, 20);
    agent.settle();
    let mut tried: Vec<_> = agent.sent.iter().map(|(_, t)| t.target.remote).collect();
    tried.dedup();
    assert_eq!(tried.len(), 8);
    agent.assert_empty();
}
