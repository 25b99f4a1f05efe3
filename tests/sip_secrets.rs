//! Passwords in SIP URIs stay out of what operators read: the row, the ladder and the log.

mod common;

use common::caller::{Caller, offer};
use common::rtp_peer::RtpPeer;
use common::server::Server;
use common::sipp::Transport;
use common::socket::UdpPeer;

#[test]
fn a_password_in_a_uri_reaches_neither_row_nor_ladder_nor_log() {
    let server = Server::start();
    let peer = UdpPeer::new(server.sip());
    let media = RtpPeer::new();
    let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Udp);
    let invite = caller.invite(&offer(media.local())).replace("sip:echo@", "sip:echo:s3cret@").replacen(
        "sip:caller@example.org",
        "sip:caller:s3cret@example.org?Authorization=s3cret",
        1,
    );
    assert!(invite.matches("s3cret").count() >= 4, "in Request-URI, To and From:\n{invite}");
    peer.send(invite);
    let answer = peer.expect_status(200).text();
    peer.send(caller.ack(&answer));
    peer.send(caller.bye(&answer));
    peer.expect("the 200 to BYE", |text| text.values("CSeq") == ["2 BYE"] && text.status() == 200);

    let row = &server.ended_calls(1)[0];
    assert_eq!(row["from_uri"], "sip:caller@example.org");
    let call = row["id"].as_str().unwrap_or_else(|| panic!("a row without an id: {row}"));
    let shown = server.caly(&["calls", "show", call]);
    assert!(shown.contains("INVITE sip:echo@"), "the ladder has the INVITE:\n{shown}");
    for text in [row.to_string(), shown, server.log()] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}
