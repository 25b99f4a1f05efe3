//! One server on `[::]` answers IPv4 and IPv6 callers alike, each in its own family.

mod common;

use std::net::{IpAddr, SocketAddr};

use common::records::{events_of, text};
use common::server::ServerSetup;
use common::sipp::{Sipp, Transport};

#[test]
fn callers_of_both_families_are_answered() {
    let server = ServerSetup::default().listen("[::]:0").start();
    let families: [IpAddr; 2] = [[127, 0, 0, 1].into(), [0, 0, 0, 0, 0, 0, 0, 1].into()];
    for address in families {
        for transport in Transport::BOTH {
            Sipp::new("basic_call", "echo").at(address).over(transport).run(&server);
        }
    }
    let rows = server.ended_calls(4);
    let media: Vec<IpAddr> = rows
        .iter()
        .map(|row| {
            let call = server.records().call(text(row, "id"));
            let local: SocketAddr = text(&events_of(&call, "media")[0], "local").parse().unwrap();
            local.ip()
        })
        .collect();
    for address in families {
        assert_eq!(media.iter().filter(|media| **media == address).count(), 2, "{media:?}");
    }
}
