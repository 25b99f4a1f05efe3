//! An INVITE of ours that a proxy forks (RFC 3261 12.1, 13.2.2.4).

use caly_sip::endpoint::Event;
use caly_sip::message::Method;

use crate::agent::{Agent, reply, reply_with, request_of};

/// RFC 3261 13.2.2.4: the first 2xx makes the session; each other branch is acknowledged and ended.
#[test]
fn a_second_2xx_from_another_branch_is_acknowledged_and_ended() {
    let mut agent = Agent::new();
    let (id, invite) = agent.called();
    let other = reply_with(&invite, 200, "carol", "Contact: <sip:carol@192.0.2.44>\r\n");
    agent.receive(&other);
    let sent = agent.take_sent();
    let requests: Vec<_> = sent.iter().map(request_of).collect();
    assert_eq!(requests.iter().map(|r| r.method.clone()).collect::<Vec<_>>(), [Method::Ack, Method::Bye]);
    for request in &requests {
        assert_eq!(request.uri.to_string(), "sip:carol@192.0.2.44");
        assert_eq!(request.headers.essentials().unwrap().to.tag(), Some("carol"));
    }
    agent.receive(&other);
    assert_eq!(agent.take_one().bytes, sent[0].bytes, "its repeat gets the ACK alone");
    assert!(agent.take_event_names().is_empty());
    assert_eq!(agent.endpoint.counters().forked_answers, 1);
    agent.receive(&reply(&requests[1], 200, ""));
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.settle();
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    agent.assert_empty();
}

/// RFC 3261 12.1: each To tag is an early dialog of its own; the application sees them all.
#[test]
fn several_early_dialogs_are_handed_up_and_one_of_them_answers() {
    let mut agent = Agent::new();
    let (_, invite) = agent.calls();
    agent.receive(&reply(&invite, 183, "bob"));
    agent.receive(&reply(&invite, 180, "carol"));
    agent.receive(&reply(&invite, 200, "carol"));
    let tags: Vec<_> = agent
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Provisional { response, .. } | Event::Answered { response, .. } => Some(response),
            _ => None,
        })
        .map(|r| r.headers.essentials().unwrap().to.tag().unwrap().to_owned())
        .collect();
    assert_eq!(tags, ["bob", "carol", "carol"]);
    agent.receive(&reply(&invite, 180, "bob"));
    assert_eq!(
        agent.take_event_names(),
        ["Provisional", "Provisional", "Answered"],
        "late ringing is absorbed"
    );
}

/// RFC 3261 13.2.2.4: the session may be over before another branch answers.
#[test]
fn a_branch_that_answers_after_the_end_is_ended_too() {
    let mut agent = Agent::new();
    let (id, invite) = agent.called();
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    let bye = agent.take_request();
    agent.receive(&reply(&bye, 200, ""));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
    agent.receive(&reply(&invite, 200, "carol"));
    let methods: Vec<_> = agent.take_sent().iter().map(|t| request_of(t).method).collect();
    assert_eq!(methods, [Method::Ack, Method::Bye]);
    assert!(agent.take_event_names().is_empty());
    agent.settle();
    agent.assert_empty();
}

/// More branches than anybody forks to are ignored and counted.
#[test]
fn branches_beyond_the_limit_are_ignored() {
    let mut agent = Agent::new();
    let (_, invite) = agent.called();
    for branch in 0..40 {
        agent.receive(&reply(&invite, 200, &format!("tag{branch}")));
    }
    assert_eq!(agent.endpoint.counters().forked_answers, 15);
    assert_eq!(agent.endpoint.counters().dropped_by_limit, 25);
}
