//! What sipp cannot see: repeats on the wire, their times and bytes, and from and to which address they go.

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use common::caller::{Caller, offer};
use common::server::{Server, ServerSetup};
use common::sipp::Transport;
use common::socket::{Arrived, UdpPeer};

#[test]
fn an_answer_is_repeated_at_growing_intervals_until_its_ack_comes() {
    let server = Server::start();
    let peer = UdpPeer::new(server.sip());
    let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Udp);
    peer.send(caller.invite(&offer(NO_RTP)));
    let copies: Vec<Arrived> = (0..4).map(|_| peer.expect_status(200)).collect();
    for copy in &copies {
        assert_eq!(copy.bytes, copies[0].bytes, "repeats are byte for byte the same");
    }
    let gaps: Vec<f64> =
        copies.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at).as_secs_f64()).collect();
    // RFC 3261 13.3.1.4: T1, doubled each time. A machine that stands still delays one copy and so lengthens one gap
    // and shortens the next.
    for (gap, wanted) in gaps.iter().zip([0.5, 1.0, 2.0]) {
        assert!((gap - wanted).abs() < 0.35 * wanted + 0.1, "gaps of {gaps:?} s");
    }
    assert!(gaps[0] < gaps[1] && gaps[1] < gaps[2], "gaps of {gaps:?} s");

    let answer = copies[3].text();
    peer.send(caller.ack(&answer));
    peer.send(caller.bye(&answer));
    peer.expect("the 200 to BYE", |text| text.status() == 200 && text.header("CSeq") == "2 BYE");
    assert_eq!(server.ended_calls(1)[0]["cause"], "remote_bye");
}

#[test]
fn after_the_ack_the_answer_is_not_repeated() {
    let server = Server::start();
    let peer = UdpPeer::new(server.sip());
    let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Udp);
    peer.send(caller.invite(&offer(NO_RTP)));
    let answer = peer.expect_status(200);
    peer.send(caller.ack(&answer.text()));
    // The first repeat would come after 0.5 s and the second after 1.5 s. One may have crossed the ACK.
    let mut repeats = 0;
    let end = Instant::now() + Duration::from_secs(2);
    while let Some(arrived) = peer.receive(end.saturating_duration_since(Instant::now())) {
        repeats += u32::from(arrived.text().status() == 200);
    }
    assert!(repeats <= 1, "{repeats} repeats after the ACK");
    peer.send(caller.bye(&answer.text()));
    peer.expect("the 200 to BYE", |text| text.header("CSeq").ends_with("BYE"));
}

#[test]
fn a_refusal_is_repeated_until_its_ack_comes() {
    let server = Server::start();
    let peer = UdpPeer::new(server.sip());
    let mut caller = Caller::new("busy", server.sip(), peer.local(), Transport::Udp);
    let invite = caller.invite(&offer(NO_RTP));
    peer.send(&invite);
    let copies: Vec<Arrived> = (0..3).map(|_| peer.expect_status(486)).collect();
    assert!(copies.iter().all(|copy| copy.bytes == copies[0].bytes));
    let gap = |n: usize| copies[n + 1].at.duration_since(copies[n].at);
    assert!(gap(0) < gap(1), "{:?} and then {:?}", gap(0), gap(1));
    peer.send(caller.ack_refusal(&copies[0].text(), &invite));
    let another = peer.receive(Duration::from_millis(2_500));
    assert!(another.is_none(), "the ACK ends it: {another:?}");
}

#[test]
fn a_repeated_request_gets_the_same_bytes_again() {
    let server = Server::start();
    for (user, status) in [("echo", 200), ("busy", 486), ("ring", 180), ("nobody", 404)] {
        let peer = UdpPeer::new(server.sip());
        let mut caller = Caller::new(user, server.sip(), peer.local(), Transport::Udp);
        let invite = caller.invite(&offer(NO_RTP));
        peer.send(&invite);
        let first = peer.expect_status(status);
        let asked = Instant::now();
        peer.send(&invite);
        let again = peer.expect_status(status);
        assert_eq!(first.text().as_str(), again.text().as_str());
        // Timer G would send it too, but not before 0.5 s. A 2xx has only its own timer: the transaction absorbs
        // repeated requests then (RFC 6026 7.1).
        let limit = Duration::from_millis(if status == 200 { 1_000 } else { 400 });
        assert!(again.at - asked < limit, "{user}: {:?}", again.at - asked);
        finish(&peer, &mut caller, &invite, &first);
    }
    server.ended_calls(4);
}

#[test]
fn trying_comes_first_and_at_once() {
    let server = Server::start();
    // One of several, since a virtual machine may stand still for longer than is allowed here.
    let fastest = (0..5).map(|_| time_to_trying(&server)).min().unwrap();
    assert!(fastest < Duration::from_millis(200), "100 Trying after {fastest:?}");
    server.ended_calls(5);
}

#[test]
fn the_response_goes_where_the_request_came_from() {
    let server = Server::start();
    let peer = UdpPeer::new(server.sip());
    let mut caller = Caller::new("echo", server.sip(), unreachable(), Transport::Udp);
    peer.send(caller.options());
    let response = peer.expect_status(200).text();
    assert_eq!(response.via_parameter("received"), Some("127.0.0.1"));
    assert_eq!(response.via_parameter("rport"), Some(peer.local().port().to_string().as_str()));
}

#[test]
fn without_rport_the_response_goes_to_the_port_of_the_via() {
    let server = Server::start();
    let (sender, listener) = (UdpPeer::new(server.sip()), UdpPeer::new(server.sip()));
    let sent_by = SocketAddr::new(unreachable().ip(), listener.local().port());
    let mut caller = Caller::new("echo", server.sip(), sent_by, Transport::Udp);
    sender.send(caller.options().replacen(";rport", "", 1));
    let response = listener.expect_status(200).text();
    assert_eq!(response.via_parameter("received"), Some("127.0.0.1"));
    assert_eq!(response.via_parameter("rport"), None);
}

#[test]
fn the_reply_comes_from_the_address_that_was_asked() {
    let server = ServerSetup::default().listen("0.0.0.0:0").start();
    let other: IpAddr = Ipv4Addr::new(127, 0, 0, 2).into();
    let asked = SocketAddr::new(other, server.sip().port());
    let peer = UdpPeer::new(asked);
    let mut caller = Caller::new("echo", asked, peer.local(), Transport::Udp);
    let invite = caller.invite(&offer(NO_RTP));
    peer.send(&invite);
    let answer = peer.expect_status(200);
    assert_eq!(answer.from, asked);
    let text = answer.text();
    assert!(text.header("Contact").contains(&asked.to_string()), "{}", text.header("Contact"));
    assert_eq!(text.rtp_address().ip(), other, "RTP is taken at the address that was called");
    finish(&peer, &mut caller, &invite, &answer);
}

fn time_to_trying(server: &Server) -> Duration {
    let peer = UdpPeer::new(server.sip());
    let mut caller = Caller::new("ring", server.sip(), peer.local(), Transport::Udp);
    let invite = caller.invite(&offer(NO_RTP));
    let asked = Instant::now();
    peer.send(&invite);
    let first = peer.expect("any response", |text| text.status() > 0);
    assert_eq!(first.text().status(), 100);
    let ringing = peer.expect_status(180);
    finish(&peer, &mut caller, &invite, &ringing);
    first.at - asked
}

/// Ends what an INVITE began, as its response demands.
fn finish(peer: &UdpPeer, caller: &mut Caller, invite: &str, response: &Arrived) {
    let text = response.text();
    match text.status() {
        180 => {
            peer.send(caller.cancel(invite));
            let refusal = peer.expect_status(487).text();
            peer.send(caller.ack_refusal(&refusal, invite));
        }
        200 => {
            peer.send(caller.ack(&text));
            peer.send(caller.bye(&text));
            peer.expect("the 200 to BYE", |text| text.header("CSeq").ends_with("BYE"));
        }
        _ => peer.send(caller.ack_refusal(&text, invite)),
    }
}

/// A documentation address: nobody is there.
fn unreachable() -> SocketAddr {
    SocketAddr::new(Ipv4Addr::new(192, 0, 2, 1).into(), 9)
}

/// These calls are about signalling: their RTP goes to the discard port.
const NO_RTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
