//! Requests that cross: whatever comes first, the call ends once, every request is answered and every port comes back.

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::caller::{Caller, offer};
use common::ports::PortBlock;
use common::server::{Server, ServerSetup};
use common::sip_text::SipText;
use common::sipp::Transport;
use common::socket::UdpPeer;
use common::wait;

#[test]
fn cancel_that_crosses_the_answer_loses_no_port() {
    let (server, _ports) = server_with_two_calls_ports();
    let mut outcomes = Vec::new();
    for round in 0..60 {
        let peer = UdpPeer::new(server.sip());
        let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Udp);
        let invite = caller.invite(&offer(NO_RTP));
        peer.send(&invite);
        // The shard answers within 5 ms or so: before, while and after it does.
        wait::last(Duration::from_micros(200) * (round % 40));
        peer.send(caller.cancel(&invite));
        outcomes.push(end_of_crossing(&peer, &mut caller, &invite));
    }
    let rows = server.ended_calls(outcomes.len());
    for (outcome, cause) in [(487, "canceled"), (200, "remote_bye")] {
        let seen = outcomes.iter().filter(|status| **status == outcome).count();
        let told = rows.iter().filter(|row| row["cause"] == cause).count();
        assert_eq!(seen, told, "{cause}: {outcomes:?}");
    }
    // Every one of them has taken a port; there are two.
    assert!(outcomes.iter().all(|status| [200, 487].contains(status)), "{outcomes:?}");
}

#[test]
fn bye_before_the_ack_ends_the_call() {
    let (server, _ports) = server_with_two_calls_ports();
    for _ in 0..5 {
        let (peer, mut caller, answer) = answered(&server);
        peer.send(caller.bye(&answer));
        expect_ok_to_bye(&peer);
        // No more answers are repeated, and the late ACK hurts nobody.
        peer.send(caller.ack(&answer));
        assert!(peer.receive(Duration::from_millis(600)).is_none(), "the call is over");
    }
    let rows = server.ended_calls(5);
    assert!(rows.iter().all(|row| row["cause"] == "remote_bye"), "{rows:?}");
}

#[test]
fn bye_again_and_again_gets_the_same_answer() {
    let server = Server::start();
    let (peer, mut caller, answer) = answered(&server);
    peer.send(caller.ack(&answer));
    let bye = caller.bye(&answer);
    peer.send(&bye);
    let first = expect_ok_to_bye(&peer);
    peer.send(&bye);
    assert_eq!(first, expect_ok_to_bye(&peer));
    let late = caller.bye(&answer);
    peer.send(late);
    peer.expect("481 to a second BYE", |text| text.status() == 481 && text.header("CSeq") == "3 BYE");
    assert_eq!(server.ended_calls(1)[0]["cause"], "remote_bye");
}

#[test]
fn byes_that_cross_are_both_answered() {
    let server = ServerSetup::default().config("[limits]\nmax_duration_s = 1").start();
    let (peer, mut caller, answer) = answered(&server);
    peer.send(caller.ack(&answer));
    let theirs = peer.expect("the server's BYE", |text| text.start_line().starts_with("BYE ")).text();
    let ours = caller.bye(&answer);
    peer.send(ours);
    let status = peer.expect("an answer to our BYE", |text| text.values("CSeq") == ["2 BYE"]).text().status();
    assert!([200, 481].contains(&status), "{status}");
    peer.send(ok_to(&theirs));
    assert_eq!(server.ended_calls(1)[0]["cause"], "max_duration", "the first end is the cause");
}

#[test]
fn a_reinvite_that_crosses_the_end_is_answered() {
    let server = Server::start();
    let (peer, mut caller, answer) = answered(&server);
    peer.send(caller.ack(&answer));
    let tag =
        answer.header("To").split(';').find(|part| part.starts_with("tag=")).expect("a To tag").to_owned();
    let bye = caller.bye(&answer);
    peer.send(bye);
    let again =
        caller.request("INVITE", &format!(";{tag}"), "Content-Type: application/sdp\r\n", &offer(NO_RTP));
    let again = again.replace("CSeq: 2 INVITE", "CSeq: 3 INVITE");
    peer.send(&again);
    expect_ok_to_bye(&peer);
    let refusal =
        peer.expect("a refusal", |text| text.status() >= 300 && text.header("CSeq") == "3 INVITE").text();
    assert_eq!(refusal.status(), 481);
    peer.send(caller.ack_refusal(&refusal, &again));
    assert_eq!(server.ended_calls(1)[0]["cause"], "remote_bye");
}

/// Ends what is left after INVITE and CANCEL have crossed the answer; tells the INVITE's final status.
fn end_of_crossing(peer: &UdpPeer, caller: &mut Caller, invite: &str) -> u16 {
    let finals = |peer: &UdpPeer| peer.expect("a final response", |text| text.status() >= 200).text();
    let is_to_cancel = |text: &SipText| text.header("CSeq").ends_with("CANCEL");
    let (first, second) = (finals(peer), finals(peer));
    let (to_cancel, answer) = if is_to_cancel(&first) { (first, second) } else { (second, first) };
    assert!(is_to_cancel(&to_cancel) && to_cancel.status() == 200, "{}", to_cancel.as_str());
    assert!(!is_to_cancel(&answer), "{}", answer.as_str());
    if answer.status() == 200 {
        peer.send(caller.ack(&answer));
        peer.send(caller.bye(&answer));
        expect_ok_to_bye(peer);
    } else {
        peer.send(caller.ack_refusal(&answer, invite));
    }
    answer.status()
}

/// A call that has its 200 and no ACK yet.
#[track_caller]
fn answered(server: &Server) -> (UdpPeer, Caller, SipText) {
    let peer = UdpPeer::new(server.sip());
    let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Udp);
    peer.send(caller.invite(&offer(NO_RTP)));
    let answer = peer.expect_status(200).text();
    (peer, caller, answer)
}

#[track_caller]
fn expect_ok_to_bye(peer: &UdpPeer) -> String {
    let is_it = |text: &SipText| text.status() == 200 && text.header("CSeq").ends_with("BYE");
    peer.expect("the 200 to BYE", is_it).text().as_str().to_owned()
}

/// 200 to a request of the server.
fn ok_to(request: &SipText) -> String {
    let copied = ["Via", "From", "To", "Call-ID", "CSeq"];
    let headers: String = copied
        .iter()
        .flat_map(|name| request.values(name).into_iter().map(move |value| format!("{name}: {value}\r\n")))
        .collect();
    format!("SIP/2.0 200 OK\r\n{headers}Content-Length: 0\r\n\r\n")
}

/// Room for two calls: a port that does not come back is missed at once.
fn server_with_two_calls_ports() -> (Server, PortBlock) {
    let ports = PortBlock::claim();
    let first = *ports.rtp().start();
    let limits = "[limits]\ninvites_per_second_per_source = 1000";
    let server = ServerSetup::default().config(limits).rtp_ports(&format!("{first}-{}", first + 3)).start();
    (server, ports)
}

/// These calls are about signalling: their RTP goes to the discard port.
const NO_RTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
