//! An INVITE that reaches an idle server in the moment before it is told to drain: either it is refused, or the call is
//! one like all others and gets its BYE when the grace period is over.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "here a failure is the test's failure")]

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use caly::signaling::Destinations;
use common::caller::{Caller, offer};
use common::in_process::InProcess;
use common::raw_call::ok_to;
use common::sip_text::SipText;
use common::sipp::Transport;
use common::socket::UdpPeer;
use common::wait;

#[test]
fn a_call_let_in_just_before_the_order_to_drain_is_not_forgotten() {
    for round in 0..ROUNDS {
        let server = InProcess::start("", &["echo"], Destinations::for_testing(), 4);
        let sip = UdpPeer::new(server.app().sip());
        let mut caller = Caller::new("echo", server.app().sip(), sip.local(), Transport::Udp);
        let invite = caller.invite(&offer(NO_RTP));
        std::thread::scope(|scope| {
            sip.send(&invite);
            scope.spawn(|| {
                let last = sip.expect("a final response", |text| text.status() >= 200).text();
                if last.status() == 503 {
                    return sip.send(caller.ack_refusal(&last, &invite));
                }
                assert_eq!(last.status(), 200);
                sip.send(caller.ack(&last));
                let is_bye = |text: &SipText| text.start_line().starts_with("BYE ");
                let bye = sip.expect("the BYE at the end of the grace period", is_bye).text();
                sip.send(ok_to(&bye));
            });
            wait::last(STEP * round);
            server.drain(GRACE);
            drop(server);
        });
    }
}

/// Each time the INVITE may be a little sooner or later than the order.
const ROUNDS: u32 = 20;
const STEP: Duration = Duration::from_micros(30);
const GRACE: Duration = Duration::from_millis(300);
/// This test is about signalling: the RTP goes to the discard port.
const NO_RTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
