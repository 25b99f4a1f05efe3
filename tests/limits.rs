//! Admission: calls at once, INVITEs per second, RTP ports. What is refused is told when to try again, and nobody else
//! notices.

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::caller::{Caller, offer};
use common::ports::PortBlock;
use common::server::{Server, ServerSetup};
use common::sipp::{Sipp, Transport};
use common::socket::UdpPeer;
use common::wait;

#[test]
fn one_call_more_than_the_limit_gets_503_with_retry_after() {
    let server = ServerSetup::default().config("[limits]\ncalls = 1\nmax_duration_s = 3").start();
    overload_while_one_call_is_up(&server);
    let rows = server.ended_calls(4);
    let refused = rows.iter().filter(|row| row["status"] == 503 && row["cause"] == "call_limit").count();
    let answered = rows.iter().filter(|row| row["status"] == 200).count();
    assert_eq!((refused, answered), (2, 2), "{rows:?}");
}

#[test]
fn a_call_without_a_free_port_gets_503_with_retry_after() {
    let ports = PortBlock::claim();
    let only = *ports.rtp().start();
    let server = ServerSetup::default()
        .rtp_ports(&format!("{only}-{}", only + 1))
        .config("[limits]\nmax_duration_s = 3")
        .start();
    overload_while_one_call_is_up(&server);
    let rows = server.ended_calls(4);
    let refused = rows.iter().filter(|row| row["status"] == 503 && row["cause"] == "ports_exhausted").count();
    let answered = rows.iter().filter(|row| row["status"] == 200).count();
    assert_eq!((refused, answered), (2, 2), "{rows:?}");
}

#[test]
fn more_invites_in_a_second_than_allowed_get_503_with_retry_after() {
    let server = ServerSetup::default().config("[limits]\ninvites_per_second_per_source = 5").start();
    let peer = UdpPeer::new(server.sip());
    let mut calls: Vec<Caller> =
        (0..30).map(|_| Caller::new("busy", server.sip(), peer.local(), Transport::Udp)).collect();
    let invites: Vec<String> = calls.iter_mut().map(|call| call.invite(&offer(NO_RTP))).collect();
    for invite in &invites {
        peer.send(invite);
    }
    let mut statuses = Vec::new();
    while statuses.len() < calls.len() {
        let response = peer.expect("a final response", |text| text.status() >= 200).text();
        let number =
            calls.iter().position(|call| call.call_id() == response.header("Call-ID")).expect("our Call-ID");
        peer.send(calls[number].ack_refusal(&response, &invites[number]));
        if response.status() == 503 {
            let seconds: u32 = response.header("Retry-After").parse().expect("seconds");
            assert!((1..=60).contains(&seconds), "{seconds}");
        }
        statuses.push(response.status());
    }
    let (refused, served) = (count(&statuses, 503), count(&statuses, 486));
    assert_eq!(refused + served, 30, "{statuses:?}");
    // The burst is twice the rate; on a machine that stands still some more time passes.
    assert!(served >= 10 && refused >= 5, "{served} served, {refused} refused");
    Sipp::new("options", "echo").run(&server);
}

/// One call takes all there is; the next ones are refused over both transports; once it is over there is room again.
#[track_caller]
fn overload_while_one_call_is_up(server: &Server) {
    std::thread::scope(|scope| {
        scope.spawn(|| Sipp::new("server_bye", "echo").echoing().run(server));
        wait::until("the first call", Duration::from_secs(10), || {
            server.calls().iter().any(|row| row["state"] == "answered").then_some(())
        });
        for transport in Transport::BOTH {
            Sipp::new("overload", "echo").over(transport).run(server);
        }
    });
    Sipp::new("server_bye", "echo").run(server);
}

fn count(statuses: &[u16], wanted: u16) -> usize {
    statuses.iter().filter(|&&status| status == wanted).count()
}

/// These calls are about signalling: their RTP goes to the discard port.
const NO_RTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
