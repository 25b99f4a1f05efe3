//! A server that is told to stop while calls are up: new ones are sent elsewhere, running ones may finish, and whoever
//! is still there after the grace period, or at a second signal, gets a BYE. Nothing of what they leave is lost.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "here a failure is the test's failure")]

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::caller::{Caller, offer};
use common::raw_call::RawCall;
use common::records::{assert_whole, count, events_of, text};
use common::server::{Server, ServerSetup};
use common::sipp::Transport;
use common::socket::UdpPeer;
use common::stalls::StallWatch;
use common::{wait, wav};
use serde_json::Value;

#[test]
fn running_calls_go_on_new_ones_are_refused_and_the_last_end_stops_the_server() {
    let mut server = Server::start();
    let watch = StallWatch::start(server.pid());
    let mut echo = RawCall::speaking(server.sip(), "echo", 440.0);
    let record = RawCall::speaking(server.sip(), "record", 700.0);
    server.signal("TERM");
    wait_until_draining(&server);

    let refusal = RawCall::refused(server.sip(), "echo");
    assert_eq!(refusal.response.status(), 503);
    let seconds: u32 = refusal.response.header("Retry-After").parse().expect("seconds");
    assert!(seconds > 0);
    // A call that is up can still be changed.
    echo.reoffer("sendrecv");
    wait::last(Duration::from_secs(2));
    assert!(server.is_alive());
    let (echo_id, record_id) = (echo.call_id(), record.call_id());
    let heard = [("echo", echo.hang_up()), ("record", record.hang_up())];
    let stalls = watch.stop();
    heard.iter().for_each(|(whose, packets)| stalls.assert_unbroken(whose, packets, 90));

    assert_eq!(server.wait_for_exit(EXIT_LIMIT).code(), Some(0));
    let rows = everything_in_the_database(&server, 3);
    for call_id in [&echo_id, &record_id] {
        assert_end(&server, &rows, call_id, ("remote_bye", 200));
    }
    assert_end(&server, &rows, &refusal.call_id, ("draining", 503));
    assert_recorded(&server.records().call_of(&rows, &record_id));
}

#[test]
fn after_the_grace_period_the_rest_get_a_bye() {
    let mut server = ServerSetup::default().config("[limits]\ngrace_s = 1").start();
    let calls = ["echo", "record"].map(|user| RawCall::speaking(server.sip(), user, 440.0));
    let deaf = RawCall::speaking(server.sip(), "record", 700.0);
    let ringing = Ringing::place(&server);
    wait::last(Duration::from_millis(500));
    let told = Instant::now();
    server.signal("TERM");
    for call in &calls {
        let bye = call.expect_bye();
        assert!(told.elapsed() >= Duration::from_secs(1), "BYE after {:?}", told.elapsed());
        assert_eq!(bye.header("Reason"), "Q.850;cause=41;text=\"shutdown\"");
    }
    // Neither a peer that does not answer nor one that was never answered keeps the server.
    deaf.unanswered_bye();
    let ringing_id = ringing.expect_refusal();
    assert_eq!(server.wait_for_exit(EXIT_LIMIT).code(), Some(0));

    let rows = everything_in_the_database(&server, 4);
    for call in calls.iter().chain([&deaf]) {
        assert_end(&server, &rows, &call.call_id(), ("shutdown", 200));
    }
    assert_end(&server, &rows, &ringing_id, ("shutdown", 503));
    for call in [&calls[1], &deaf] {
        assert_recorded(&server.records().call_of(&rows, &call.call_id()));
    }
}

#[test]
fn a_second_signal_means_bye_now() {
    // The grace period is left at its default of 280 s.
    let mut server = Server::start();
    let call = RawCall::speaking(server.sip(), "record", 440.0);
    server.signal("INT");
    wait_until_draining(&server);
    assert!(call.is_left_alone_for(Duration::from_secs(1)));
    server.signal("TERM");
    let bye = call.expect_bye();
    assert_eq!(bye.header("Reason"), "Q.850;cause=41;text=\"shutdown\"");
    assert_eq!(server.wait_for_exit(EXIT_LIMIT).code(), Some(0));
    let rows = everything_in_the_database(&server, 1);
    assert_end(&server, &rows, &call.call_id(), ("shutdown", 200));
    assert_recorded(&server.records().call_of(&rows, &call.call_id()));
}

#[test]
fn a_call_without_its_ack_gets_a_bye_too() {
    let mut server = Server::start();
    let peer = UdpPeer::new(server.sip());
    let mut caller = Caller::new("echo", server.sip(), peer.local(), Transport::Udp);
    peer.send(caller.invite(&offer(NO_RTP)));
    peer.expect_status(200);
    server.signal("TERM");
    wait_until_draining(&server);
    server.signal("TERM");
    let bye = peer.expect("a BYE", |text| text.start_line().starts_with("BYE "));
    assert_eq!(bye.text().header("Reason"), "Q.850;cause=41;text=\"shutdown\"");
    assert_eq!(server.wait_for_exit(EXIT_LIMIT).code(), Some(0));
    let rows = everything_in_the_database(&server, 1);
    assert_end(&server, &rows, &caller.call_id(), ("shutdown", 200));
}

#[test]
fn without_calls_it_stops_at_once() {
    let mut server = Server::start();
    server.signal("TERM");
    assert_eq!(server.wait_for_exit(EXIT_LIMIT).code(), Some(0));
}

/// A call that rings.
struct Ringing {
    peer: UdpPeer,
    caller: Caller,
    invite: String,
}

impl Ringing {
    #[track_caller]
    fn place(server: &Server) -> Self {
        let peer = UdpPeer::new(server.sip());
        let mut caller = Caller::new("ring", server.sip(), peer.local(), Transport::Udp);
        let invite = caller.invite("");
        peer.send(&invite);
        peer.expect_status(180);
        Self { peer, caller, invite }
    }

    /// Waits for the refusal, acknowledges it and tells the Call-ID.
    #[track_caller]
    fn expect_refusal(mut self) -> String {
        let refusal = self.peer.expect_status(503).text();
        self.peer.send(self.caller.ack_refusal(&refusal, &self.invite));
        self.caller.call_id()
    }
}

/// Probes as carriers do, until the server says that it takes no more calls.
#[track_caller]
fn wait_until_draining(server: &Server) {
    let peer = UdpPeer::new(server.sip());
    wait::until("503 to OPTIONS", Duration::from_secs(10), || {
        let mut probe = Caller::new("echo", server.sip(), peer.local(), Transport::Udp);
        peer.send(probe.options());
        let response = peer.receive(Duration::from_secs(1))?.text();
        let is_refused = response.status() == 503;
        assert!(!is_refused || response.header("Retry-After").parse::<u32>().is_ok());
        is_refused.then_some(())
    });
}

/// The rows that a stopped server has left; nothing waits in its spool or is half written.
#[track_caller]
fn everything_in_the_database(server: &Server, number: usize) -> Vec<Value> {
    assert_eq!(files(&server.data().join("spool")), Vec::<PathBuf>::new());
    let recordings = files(&server.data().join("recordings"));
    assert!(recordings.iter().all(|path| path.extension().is_some_and(|end| end == "wav")), "{recordings:?}");
    let rows = server.calls();
    assert_eq!(rows.len(), number, "{rows:?}");
    rows
}

#[track_caller]
fn assert_end(server: &Server, rows: &[Value], call_id: &str, expected: (&str, u64)) {
    let end = assert_whole(&server.records().call_of(rows, call_id));
    assert_eq!((text(&end, "cause"), count(&end, "status")), expected);
}

/// The recording is a WAV file as long as the call was.
#[track_caller]
fn assert_recorded(call: &Value) {
    let finished = &events_of(call, "recording_finished")[0];
    let (recorded_ms, talk_ms) = (count(finished, "duration_ms"), count(call, "talk_ms"));
    assert!(recorded_ms.abs_diff(talk_ms) <= 200, "{recorded_ms} ms recorded of {talk_ms} ms");
    let channels = wav::read(Path::new(text(call, "recording_path")));
    assert_eq!(channels.len(), 2);
    for channel in &channels {
        assert_eq!(channel.len() as u64, recorded_ms * 8);
    }
}

/// All files below a directory.
#[track_caller]
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// This call is about signalling: its RTP goes to the discard port.
const NO_RTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// The last messages and the writing of all that is left have 3 s and 5 s each; the rest is for a stalling machine.
const EXIT_LIMIT: Duration = Duration::from_secs(15);
