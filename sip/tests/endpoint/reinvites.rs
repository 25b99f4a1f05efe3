//! Re-INVITE in both directions and what crosses it (RFC 3261 14).

use std::time::Duration;

use caly_sip::endpoint::{Body, Event, Reply, SessionError, SessionId};
use caly_sip::message::{HeaderName, Method, Request, StatusCode};

use crate::agent::{
    Agent, address, contact, from_callee, in_dialog, reply, reply_with, request_of, response_of, start_line,
    text_of,
};

fn reinvite(agent: &mut Agent, id: SessionId) -> Request {
    agent.endpoint.reinvite(agent.now, id, Some(Body::sdp("v=7\r\n"))).unwrap();
    agent.drain();
    agent.take_request()
}

/// RFC 3261 14.2, 12.2.2: accepted, it refreshes the remote target and repeats its 2xx until the ACK.
#[test]
fn the_peers_reinvite_is_handed_up_and_answered() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    let offer =
        in_dialog("INVITE", 2, &tag, "z9hG4bKr").replace("alice@192.0.2.9:5060>", "alice@192.0.2.50>");
    agent.receive(&offer);
    assert_eq!(agent.take_response().status, StatusCode::TRYING);
    let Event::Reinvite { body: None, .. } = &agent.events[0] else { panic!("{:?}", agent.events) };
    agent.endpoint.accept_reinvite(agent.now, id, Body::sdp("v=3\r\n")).unwrap();
    agent.drain();
    agent.advance(Duration::from_millis(500));
    let sent = agent.take_sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].bytes, sent[1].bytes);
    let ok = response_of(&sent[0]);
    assert_eq!(
        (ok.status, ok.headers.first(&HeaderName::Contact)),
        (StatusCode::OK, Some("<sip:caly@198.51.100.7:5060>"))
    );
    agent.receive(&in_dialog("ACK", 2, &tag, "z9hG4bKack2"));
    assert_eq!(agent.take_event_names(), ["Reinvite", "Acknowledged"]);
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    assert_eq!(agent.take_one().target.remote, address("192.0.2.50:5060"), "the new target");
}

#[test]
fn a_refused_reinvite_leaves_the_session_as_it_was() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    agent.receive(
        &in_dialog("INVITE", 2, &tag, "z9hG4bKr").replace("alice@192.0.2.9:5060>", "alice@192.0.2.50>"),
    );
    agent.endpoint.reject_reinvite(agent.now, id, Reply::new(StatusCode::NOT_ACCEPTABLE_HERE)).unwrap();
    agent.drain();
    assert_eq!(start_line(&agent.take_texts()[1]), "SIP/2.0 488 Not Acceptable Here");
    agent.receive(&in_dialog("ACK", 2, &tag, "z9hG4bKr"));
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.drain();
    assert_eq!(agent.take_one().target.remote, address("192.0.2.9:5060"), "the old target");
    assert_eq!(agent.take_event_names(), ["Reinvite"]);
}

/// RFC 3261 14.2: a second one before the final response to the first gets 500 with Retry-After of 0 to 10 s.
#[test]
fn a_second_reinvite_before_the_answer_gets_500() {
    let mut agent = Agent::new();
    let (_, tag) = agent.answered();
    agent.receive(&in_dialog("INVITE", 2, &tag, "z9hG4bKr"));
    agent.take_sent();
    agent.receive(&in_dialog("INVITE", 3, &tag, "z9hG4bKs"));
    let busy = agent.take_response();
    assert_eq!(busy.status, StatusCode::SERVER_INTERNAL_ERROR);
    assert!(busy.headers.seconds(&HeaderName::RetryAfter).is_some_and(|s| s <= 10));
    assert_eq!(agent.endpoint.counters().glare, 1);
}

/// RFC 3261 14.2: while ours is in progress, the peer's gets 491.
#[test]
fn the_peers_reinvite_during_ours_gets_491() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    let ours = reinvite(&mut agent, id);
    agent.receive(&in_dialog("INVITE", 2, &tag, "z9hG4bKr"));
    assert_eq!(agent.take_response().status, StatusCode::REQUEST_PENDING);
    agent.receive(&in_dialog("ACK", 2, &tag, "z9hG4bKr"));
    agent.receive(&reply(&ours, 200, ""));
    agent.endpoint.acknowledge(agent.now, id, None).unwrap();
    assert_eq!(agent.take_event_names(), ["ReinviteAccepted"]);
    agent.receive(&in_dialog("INVITE", 3, &tag, "z9hG4bKt"));
    assert_eq!(agent.take_event_names(), ["Reinvite"]);
}

/// RFC 3261 14.1: 491 is tried again after 2.1-4 s by the side that made the Call-ID, after 0-2 s by the other.
#[test]
fn ours_is_tried_again_after_491() {
    for is_caller in [true, false] {
        let mut agent = Agent::new();
        let (id, _) = if is_caller {
            let (id, _) = agent.called();
            (id, String::new())
        } else {
            agent.answered()
        };
        let first = reinvite(&mut agent, id);
        agent.receive(&reply(&first, 491, ""));
        assert_eq!(agent.take_request().method, Method::Ack);
        assert_eq!(agent.endpoint.reinvite(agent.now, id, None), Err(SessionError::InvitePending(id)));
        agent.epoch = agent.now;
        agent.advance(Duration::from_millis(4_000));
        let tries = agent.times_of("INVITE");
        let window = if is_caller { 2_100..=4_000 } else { 0..=2_000 };
        assert!(window.contains(&tries[0]), "{tries:?}");
        let second = request_of(&agent.take_sent()[0]);
        let number = |r: &Request| r.headers.essentials().unwrap().cseq.number;
        assert_eq!((number(&second), &second.body), (number(&first) + 1, &first.body));
        agent.receive(&reply(&second, 200, ""));
        assert_eq!(agent.take_event_names(), ["ReinviteAccepted"]);
    }
}

/// RFC 3261 14.1: the retry waits while the peer's own re-INVITE is in progress; refusals do not go on for ever.
#[test]
fn a_retry_waits_for_the_peers_reinvite_and_gives_up_at_last() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    let mut ours = reinvite(&mut agent, id);
    agent.receive(&reply(&ours, 491, ""));
    agent.receive(&in_dialog("INVITE", 2, &tag, "z9hG4bKr"));
    assert_eq!(agent.take_event_names(), ["Reinvite"], "nothing of ours is in progress during the wait");
    agent.advance(Duration::from_secs(10));
    assert!(agent.times_of("INVITE").is_empty(), "one INVITE at a time");
    agent.endpoint.accept_reinvite(agent.now, id, Body::sdp("v=0\r\n")).unwrap();
    agent.receive(&in_dialog("ACK", 2, &tag, "z9hG4bKack2"));
    agent.take_sent();
    for _ in 0..5 {
        agent.advance(Duration::from_secs(3));
        ours = request_of(&agent.take_sent()[0]);
        agent.receive(&reply(&ours, 491, ""));
        agent.take_sent();
    }
    assert_eq!(agent.take_event_names(), ["Acknowledged", "ReinviteRejected"]);
    agent.endpoint.bye(agent.now, id, None).unwrap();
    agent.settle();
    agent.assert_empty();
}

/// RFC 3261 14.1: refused, the session goes on as before.
#[test]
fn ours_refused_is_acknowledged_and_told() {
    let mut agent = Agent::new();
    let (id, _) = agent.called();
    let ours = reinvite(&mut agent, id);
    agent.receive(&reply(&ours, 488, ""));
    assert_eq!(agent.take_request().method, Method::Ack);
    let Event::ReinviteRejected { status, .. } = agent.events[0] else { panic!() };
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE_HERE);
    assert_eq!(agent.take_event_names(), ["ReinviteRejected"]);
    reinvite(&mut agent, id);
}

/// RFC 3261 12.2.1.2, 14.1: 481, 408 and silence end the dialog.
#[test]
fn ours_without_a_dialog_on_the_other_side_ends_the_session() {
    for status in [481, 408, 0] {
        let mut agent = Agent::new();
        let (id, _) = agent.called();
        let ours = reinvite(&mut agent, id);
        if status == 0 {
            agent.advance(Duration::from_secs(32));
        } else {
            agent.receive(&reply(&ours, status, ""));
        }
        assert_eq!(agent.take_event_names(), ["ReinviteRejected", "Lost"]);
        assert_eq!(agent.times_of("BYE").len(), 1);
        agent.settle();
        assert_eq!(agent.take_event_names(), ["Terminated"]);
        agent.assert_empty();
    }
}

/// RFC 3261 13.2.2.4: its 2xx gets the same ACK each time, with the answer to a late offer; the target is refreshed.
#[test]
fn ours_accepted_is_acknowledged_by_the_application_and_repeated() {
    let mut agent = Agent::new();
    let (id, _) = agent.called();
    agent.endpoint.reinvite(agent.now, id, None).unwrap();
    agent.drain();
    let ours = agent.take_request();
    assert!(ours.body.is_empty());
    assert_eq!(ours.headers.first(&HeaderName::Contact), Some("<sip:caly@198.51.100.7:5060>"));
    let ok = reply_with(&ours, 200, "", "Contact: <sip:bob@192.0.2.99>\r\nContent-Type: application/sdp\r\n")
        .replace("Content-Length: 0\r\n\r\n", "Content-Length: 5\r\n\r\nv=9\r\n");
    agent.receive(&ok);
    let Event::ReinviteAccepted { body: Some(body), .. } = &agent.events[0] else {
        panic!("{:?}", agent.events)
    };
    assert_eq!(body.bytes, b"v=9\r\n");
    agent.endpoint.acknowledge(agent.now, id, Some(Body::sdp("v=10\r\n"))).unwrap();
    agent.drain();
    let ack = agent.take_one();
    assert_eq!(ack.target.remote, address("192.0.2.99:5060"));
    assert!(text_of(&ack).contains("CSeq: 2 ACK\r\n") && text_of(&ack).ends_with("v=10\r\n"));
    agent.receive(&ok);
    assert_eq!(agent.take_one().bytes, ack.bytes);
}

/// RFC 3261 9: the peer withdraws its re-INVITE; the session stays.
#[test]
fn a_cancelled_reinvite_leaves_the_session() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    agent.receive(&in_dialog("INVITE", 2, &tag, "z9hG4bKr"));
    agent.take_sent();
    agent.receive(&in_dialog("CANCEL", 2, &tag, "z9hG4bKr"));
    let statuses: Vec<_> = agent.take_sent().iter().map(|t| response_of(t).status.as_u16()).collect();
    assert_eq!(statuses, [200, 487]);
    assert_eq!(agent.take_event_names(), ["Reinvite", "ReinviteCancelled"]);
    let late = agent.endpoint.accept_reinvite(agent.now, id, Body::sdp("v=0\r\n"));
    assert_eq!(late, Err(SessionError::WrongState { id, state: "established" }));
    agent.receive(&in_dialog("ACK", 2, &tag, "z9hG4bKr"));
    agent.endpoint.bye(agent.now, id, None).unwrap();
}

/// RFC 3261 15.1.2: a BYE ends a re-INVITE that waits, from either side.
#[test]
fn a_bye_during_the_peers_reinvite_ends_it_with_487() {
    for is_ours in [true, false] {
        let mut agent = Agent::new();
        let (id, tag) = agent.answered();
        agent.receive(&in_dialog("INVITE", 2, &tag, "z9hG4bKr"));
        agent.take_sent();
        if is_ours {
            agent.endpoint.bye(agent.now, id, None).unwrap();
            agent.drain();
        } else {
            agent.receive(&in_dialog("BYE", 3, &tag, "z9hG4bKbye"));
        }
        assert!(agent.take_texts().iter().any(|t| t.starts_with("SIP/2.0 487")));
        agent.settle();
        assert_eq!(agent.take_event_names().last(), Some(&"Terminated"));
        agent.assert_empty();
    }
}

/// RFC 3261 13.3.1.4 for re-INVITE: no ACK of its 2xx ends the session.
#[test]
fn a_reinvite_whose_2xx_is_never_acknowledged_ends_the_session() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    agent.receive(&in_dialog("INVITE", 2, &tag, "z9hG4bKr"));
    agent.endpoint.accept_reinvite(agent.now, id, Body::sdp("v=0\r\n")).unwrap();
    agent.advance(Duration::from_secs(32));
    assert_eq!(agent.take_event_names(), ["Reinvite", "AckTimeout"]);
    assert_eq!(agent.times_of("BYE"), [32_000]);
    agent.settle();
    agent.assert_empty();
}

/// RFC 3261 14.1, 14.2: the 2xx of the first INVITE is not acknowledged yet, so an offer may still be open.
#[test]
fn a_reinvite_before_the_ack_gets_491() {
    let mut agent = Agent::new();
    let id = agent.invited();
    agent.endpoint.accept(agent.now, id, Body::sdp("v=0\r\n"), contact()).unwrap();
    agent.drain();
    let tag = crate::agent::to_tag(&agent.take_response().headers);
    agent.receive(&in_dialog("INVITE", 2, &tag, "z9hG4bKr"));
    assert_eq!(agent.take_response().status, StatusCode::REQUEST_PENDING);
    assert!(matches!(agent.endpoint.reinvite(agent.now, id, None), Err(SessionError::InvitePending(_))));
}

#[test]
fn the_callee_of_our_call_reinvites() {
    let mut agent = Agent::new();
    let (id, invite) = agent.called();
    agent.receive(&from_callee(&invite, "INVITE", 1, "z9hG4bKr"));
    agent.endpoint.accept_reinvite(agent.now, id, Body::sdp("v=0\r\n")).unwrap();
    agent.receive(&from_callee(&invite, "ACK", 1, "z9hG4bKack"));
    assert_eq!(agent.take_event_names(), ["Reinvite", "Acknowledged"]);
}

/// A re-INVITE that rings when the session ends may never get its final response; it is waited for 64*T1 and no longer.
#[test]
fn a_reinvite_without_a_final_response_does_not_outlive_its_session_for_long() {
    for is_ours in [true, false] {
        let mut agent = Agent::new();
        let (id, tag) = agent.answered();
        let ours = reinvite(&mut agent, id);
        agent.receive(&reply(&ours, 180, ""));
        agent.advance(Duration::from_secs(50));
        if is_ours {
            agent.endpoint.bye(agent.now, id, None).unwrap();
        } else {
            agent.receive(&in_dialog("BYE", 2, &tag, "z9hG4bKbye"));
        }
        agent.drain();
        agent.receive(&reply(&ours, 180, ""));
        agent.settle();
        agent.assert_empty();
    }
}

/// RFC 3261 17.1.1.3: after the end its refusal is still acknowledged.
#[test]
fn a_reinvite_refused_after_the_end_is_still_acknowledged() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    let ours = reinvite(&mut agent, id);
    agent.receive(&reply(&ours, 180, ""));
    agent.receive(&in_dialog("BYE", 2, &tag, "z9hG4bKbye"));
    agent.take_sent();
    agent.receive(&reply(&ours, 487, ""));
    assert_eq!(agent.take_request().method, Method::Ack);
    assert_eq!(agent.take_event_names(), ["Bye", "Terminated"]);
}

/// RFC 3261 17.2.1: refused with 491, it stays refused: a repeat that was under way while ours came to its end is no
/// other try. Nobody would acknowledge its 200.
#[test]
fn a_late_repeat_of_a_reinvite_refused_with_491_gets_491_again() {
    let mut agent = Agent::new();
    let (id, tag) = agent.answered();
    let ours = reinvite(&mut agent, id);
    let theirs = in_dialog("INVITE", 2, &tag, "z9hG4bKr");
    agent.receive(&theirs);
    let refusal = agent.take_one();
    agent.receive(&reply(&ours, 491, ""));
    agent.take_sent();
    agent.receive(&theirs);
    assert_eq!(agent.take_one().bytes, refusal.bytes);
    assert!(agent.take_event_names().is_empty());
    agent.advance(Duration::from_millis(500));
    assert!(agent.take_sent().iter().any(|t| t.bytes == refusal.bytes), "timer G");
    agent.receive(&in_dialog("ACK", 2, &tag, "z9hG4bKr"));
    assert_eq!(agent.endpoint.counters().stray_acks, 0);
}

/// The ACK of a re-INVITE that was refused is not that of the INVITE.
#[test]
fn the_ack_of_another_refusal_does_not_end_a_refused_session() {
    let mut agent = Agent::new();
    let id = agent.invited();
    agent
        .endpoint
        .provisional(agent.now, id, Reply::new(StatusCode::RINGING).with_contact(contact()))
        .unwrap();
    agent.drain();
    let tag = crate::agent::to_tag(&agent.take_response().headers);
    agent.receive(&in_dialog("INVITE", 2, &tag, "z9hG4bKr"));
    assert_eq!(agent.take_response().status, StatusCode::SERVER_INTERNAL_ERROR);
    agent.endpoint.reject(agent.now, id, Reply::new(StatusCode::BUSY_HERE)).unwrap();
    agent.receive(&in_dialog("ACK", 2, &tag, "z9hG4bKr"));
    assert!(agent.take_event_names().is_empty());
    agent.receive(&in_dialog("ACK", 1, &tag, "z9hG4bKa1"));
    assert_eq!(agent.take_event_names(), ["Terminated"]);
}
