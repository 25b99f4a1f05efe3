//! The server's own log tells the milestones of each call, and hides the numbers of those who talk unless it is told otherwise.
#![allow(clippy::expect_used, reason = "here a failure is the test's failure")]

mod common;

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::caller::Caller;
use common::namespace::{OWN_ADDRESS, with_own_network};
use common::server::{Server, ServerSetup};
use common::sipp::{Sipp, Transport};
use common::wait;

#[test]
fn a_call_leaves_its_milestones_in_the_log_without_the_number() {
    let server = ServerSetup::default().config(ROUTE).start();
    place_call(&server);
    let log = log_after_end(&server);
    let line = |what: &str| {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(what)).collect();
        assert_eq!(lines.len(), 1, "{what}: {log}");
        lines[0].to_owned()
    };
    let opened = line("call opened");
    assert!(opened.contains("number=+…210") && opened.contains("destination=\"echo\""), "{opened}");
    assert!(line("call answered").contains("setup_ms="), "{log}");
    let ended = line("call ended");
    assert!(ended.contains("cause=remote_bye") && ended.contains("status=200"), "{ended}");
    assert!(!log.contains("9876543210"), "{log}");
    let rows = server.ended_calls(1);
    let id = rows[0]["id"].as_str().expect("an id");
    assert_eq!(log.lines().filter(|line| line.contains(id)).count(), 3, "{id}: {log}");
}

#[test]
fn a_json_log_has_fields_and_shows_numbers_if_told_to() {
    let config = format!("{ROUTE}[log]\nformat = \"json\"\nphone_numbers = \"shown\"\n");
    let server = ServerSetup::default().config(&config).start();
    place_call(&server);
    let log = log_after_end(&server);
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("one JSON object per line")).collect();
    let opened = lines.iter().find(|line| line["message"] == "call opened").expect("a line");
    assert_eq!(opened["number"], "+919876543210");
    assert_eq!(opened["transport"], "udp");
    let ended = lines.iter().find(|line| line["message"] == "call ended").expect("a line");
    assert_eq!((&ended["call_id"], &ended["cause"]), (&opened["call_id"], &"remote_bye".into()));
    assert!(ended["talk_ms"].as_u64().is_some_and(|ms| ms >= 400), "{ended}");
}

#[test]
fn a_caller_that_no_trunk_lists_is_named_to_the_operator() {
    with_own_network("a_caller_that_no_trunk_lists_is_named_to_the_operator", || {
        let server = ServerSetup::default().listen(&format!("{OWN_ADDRESS}:0")).start();
        // The server learnt this host's own addresses when it started; this one is a stranger's to it.
        let added = Command::new("ip").args(["address", "add", STRANGER, "dev", "lo"]).status();
        assert!(added.expect("ip can be started").success());
        let stranger = UdpSocket::bind((STRANGER, 0)).expect("the address is ours");
        let address = stranger.local_addr().expect("a bound socket has an address");
        let invite = Caller::new("echo", server.sip(), address, Transport::Udp).invite("");
        for _ in 0..20 {
            stranger.send_to(invite.as_bytes(), server.sip()).expect("the network is up");
        }
        let told = |what: &str| {
            wait::until(what, Duration::from_secs(30), || Some(server.log()).filter(|log| log.contains(what)))
        };
        assert_eq!(told("a caller was dropped").matches(STRANGER).count(), 1);
        let log = told("counter=\"foreign\"");
        assert!(log.contains("total=20"), "{log}");
    });
}

#[test]
fn a_log_that_nobody_reads_stops_no_call() {
    // Two lines of some 200 bytes for each call; a pipe holds 64 KiB.
    let config = "[limits]\ncalls = 2000\ninvites_per_second_per_source = 2000\n";
    let server = ServerSetup::default().config(config).unread_log().start();
    Sipp::new("busy", "busy").calls(800, 200).run(&server);
    assert_eq!(server.ended_calls(800).len(), 800);
}

#[track_caller]
fn place_call(server: &Server) {
    let uri = format!("sip:+919876543210@{}", server.sip());
    let call = Command::new(env!("CARGO_BIN_EXE_caly"))
        .args(["call", &uri, "--duration", "0.5", "--json"])
        .stdin(Stdio::null())
        .output()
        .expect("caly can be started");
    assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stderr));
}

#[track_caller]
fn log_after_end(server: &Server) -> String {
    wait::until("the end of the call in the log", Duration::from_secs(10), || {
        Some(server.log()).filter(|log| log.contains("call ended"))
    })
}

const ROUTE: &str = "[[route]]\nnumber = \"+91*\"\ndestination = \"echo\"\n";

/// An address for documentation (RFC 5737).
const STRANGER: &str = "203.0.113.77";
