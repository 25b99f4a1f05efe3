//! SIP over TCP as networks deliver it: split, joined, slow, endless or broken.

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::caller::{Caller, offer};
use common::server::Server;
use common::sipp::Transport;
use common::socket::TcpPeer;

#[test]
fn a_message_may_come_byte_by_byte() {
    let server = Server::start();
    let mut peer = TcpPeer::connect(server.sip());
    let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Tcp);
    for byte in caller.invite(&offer(NO_RTP)).bytes() {
        assert!(peer.send([byte]), "the connection stays open");
    }
    hang_up(&mut peer, &mut caller);
    assert_eq!(server.ended_calls(1)[0]["cause"], "remote_bye");
}

#[test]
fn two_messages_may_come_in_one_segment() {
    let server = Server::start();
    let mut peer = TcpPeer::connect(server.sip());
    let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Tcp);
    let mut other = Caller::new("echo", server.sip(), peer.local(), Transport::Tcp);
    peer.send([caller.invite(&offer(NO_RTP)), other.options()].concat());
    let mut answers: Vec<String> = Vec::new();
    let mut invite_answer = None;
    while answers.len() < 2 {
        let answer = peer.expect_status(200).text();
        answers.push(answer.header("Call-ID").to_owned());
        invite_answer = invite_answer.or_else(|| (answer.header("CSeq") == "1 INVITE").then_some(answer));
    }
    assert!(answers.contains(&caller.call_id()) && answers.contains(&other.call_id()), "{answers:?}");
    let answer = invite_answer.expect("the call was answered");
    peer.send([caller.ack(&answer), caller.bye(&answer)].concat());
    peer.expect("the 200 to BYE", |text| text.header("CSeq") == "2 BYE");
    assert_eq!(server.ended_calls(1)[0]["cause"], "remote_bye");
}

#[test]
fn a_keep_alive_ping_gets_its_pong() {
    let server = Server::start();
    let mut peer = TcpPeer::connect(server.sip());
    // RFC 5626 3.5.1, twice, the second one in two parts and a message close behind.
    peer.send("\r\n\r\n");
    peer.expect("the pong", |text| text.as_str() == "\r\n");
    peer.send("\r\n");
    let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Tcp);
    peer.send(format!("\r\n{}", caller.options()));
    peer.expect("the second pong", |text| text.as_str() == "\r\n");
    peer.expect_status(200);
}

#[test]
fn what_is_no_sip_closes_its_own_connection_only() {
    let server = Server::start();
    let mut good = TcpPeer::connect(server.sip());
    let mut caller = Caller::new("echo", server.sip(), good.local(), Transport::Tcp);
    good.send(caller.invite(&offer(NO_RTP)));
    let answer = good.expect_status(200).text();
    good.send(caller.ack(&answer));

    let endless_line = vec![b'a'; 2 * 1024 * 1024];
    let endless_headers =
        "INVITE sip:echo@127.0.0.1 SIP/2.0\r\n".to_owned() + &"X-Header: value\r\n".repeat(100_000);
    let huge_body =
        caller.request("OPTIONS", "", "", "").replace("Content-Length: 0", "Content-Length: 99999999");
    let bad_length = caller.request("OPTIONS", "", "", "").replace("Content-Length: 0", "Content-Length: -5");
    let huge = [huge_body.as_bytes(), &endless_line].concat();
    for bytes in [&endless_line[..], endless_headers.as_bytes(), &huge, bad_length.as_bytes()] {
        let mut bad = TcpPeer::connect(server.sip());
        bad.send(bytes);
        let start = String::from_utf8_lossy(&bytes[..40]);
        assert!(bad.is_closed_within(Duration::from_secs(10)), "still open after {start:?}...");
    }

    good.send(caller.bye(&answer));
    good.expect("the 200 to BYE", |text| text.header("CSeq").ends_with("BYE"));
    assert_eq!(server.ended_calls(1)[0]["cause"], "remote_bye");
}

#[test]
fn a_peer_that_closes_its_side_still_gets_its_answers() {
    let server = Server::start();
    let mut peer = TcpPeer::connect(server.sip());
    let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Tcp);
    peer.send([caller.options(), caller.invite(&offer(NO_RTP))].concat());
    peer.shut_down();
    peer.expect("the 200 to OPTIONS", |text| {
        text.status() == 200 && text.header("CSeq").ends_with("OPTIONS")
    });
    let answer = peer.expect("the 200 to INVITE", |text| text.status() == 200).text();
    assert!(peer.is_closed_within(Duration::from_secs(10)), "nobody speaks any more");
    let mut again = TcpPeer::connect(server.sip());
    again.send([caller.ack(&answer), caller.bye(&answer)].concat());
    again.expect("the 200 to BYE", |text| text.header("CSeq").ends_with("BYE"));
    assert_eq!(server.ended_calls(1)[0]["cause"], "remote_bye");
}

#[test]
fn a_message_without_a_usable_length_is_answered_before_the_connection_closes() {
    let server = Server::start();
    for (length, status) in
        [("", 400), ("Content-Length: 99999999\r\n", 513), ("Content-Length: -5\r\n", 400)]
    {
        let mut peer = TcpPeer::connect(server.sip());
        let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Tcp);
        peer.send(caller.options().replace("Content-Length: 0\r\n", length));
        let answer = peer.expect_status(status).text();
        assert_eq!(answer.header("Call-ID"), caller.call_id(), "{length:?}");
        assert!(peer.is_closed_within(Duration::from_secs(10)), "{length:?}");
    }
}

#[test]
fn a_peer_that_drips_one_message_for_ever_is_dropped() {
    let server = Server::start();
    let mut slow = TcpPeer::connect(server.sip());
    let mut caller = Caller::new("echo", server.sip(), slow.local(), Transport::Tcp);
    let message = caller.options();
    // A message has 64*T1, 32 s.
    let is_dropped = message.bytes().take(45).any(|byte| {
        slow.send([byte]);
        slow.is_closed_within(Duration::from_secs(1))
    });
    assert!(is_dropped, "45 bytes in 45 s and the connection is still open");
    let mut other = TcpPeer::connect(server.sip());
    other.send(caller.options());
    other.expect_status(200);
}

#[test]
fn a_call_lives_on_when_its_connection_is_gone() {
    let server = Server::start();
    let mut first = TcpPeer::connect(server.sip());
    let mut caller = Caller::new("echo", server.sip(), first.local(), Transport::Tcp);
    first.send(caller.invite(&offer(NO_RTP)));
    let answer = first.expect_status(200).text();
    first.send(caller.ack(&answer));
    first.shut_down();
    drop(first);
    let mut second = TcpPeer::connect(server.sip());
    second.send(caller.bye(&answer));
    second.expect("the 200 to BYE", |text| text.status() == 200);
    assert_eq!(server.ended_calls(1)[0]["cause"], "remote_bye");
}

fn hang_up(peer: &mut TcpPeer, caller: &mut Caller) {
    let answer = peer.expect_status(200).text();
    peer.send(caller.ack(&answer));
    peer.send(caller.bye(&answer));
    peer.expect("the 200 to BYE", |text| text.status() == 200 && text.header("CSeq").ends_with("BYE"));
}

/// These calls are about signalling: their RTP goes to the discard port.
const NO_RTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
