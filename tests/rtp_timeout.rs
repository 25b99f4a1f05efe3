//! Peers whose RTP stays away: the call is ended and says why; a call on hold is not.

mod common;

use std::time::{Duration, Instant};

use common::raw_call::RawCall;
use common::records::{assert_whole, count, directions, text};
use common::server::{Server, ServerSetup};
use common::wait;

#[test]
fn a_peer_that_falls_silent_or_never_speaks_gets_a_bye() {
    let server = start();
    let mut speaker = RawCall::speaking(server.sip(), "echo", 440.0);
    let mute = RawCall::place(server.sip(), "tone");
    let answered = Instant::now();
    wait::last(SPEECH);
    speaker.fall_silent();
    let silent = Instant::now();
    for (call, since) in [(&mute, answered), (&speaker, silent)] {
        let bye = call.expect_bye();
        // The last packet, or the answer, was a little before.
        assert!(since.elapsed() + Duration::from_millis(100) >= TIMEOUT, "BYE after {:?}", since.elapsed());
        assert_eq!(bye.header("Reason"), "Q.850;cause=102;text=\"rtp_timeout\"");
    }
    assert_timed_out(&server, &mute, TIMEOUT);
    assert_timed_out(&server, &speaker, SPEECH + TIMEOUT);
}

#[test]
fn a_call_on_hold_may_be_silent_for_longer_but_not_once_it_is_resumed() {
    let server = start();
    let holds = [("sendonly", "recvonly"), ("inactive", "inactive"), ("recvonly", "sendonly")];
    let mut calls = holds.map(|(offered, _)| {
        let mut call = RawCall::speaking(server.sip(), "echo", 440.0);
        call.reoffer(offered);
        call.fall_silent();
        call
    });
    for call in &calls {
        assert!(call.is_left_alone_for(TIMEOUT * 3), "a held call was ended");
    }
    for (call, (_, ours)) in calls.iter_mut().zip(holds) {
        call.reoffer("sendrecv");
        let resumed = Instant::now();
        call.expect_bye();
        assert!(resumed.elapsed() + Duration::from_millis(100) >= TIMEOUT, "{:?}", resumed.elapsed());
        let ended = assert_timed_out(&server, call, TIMEOUT * 4);
        assert_eq!(directions(&ended), ["sendrecv", ours, "sendrecv"]);
    }
}

/// The row and the log of a call that ended by the timeout after it had lasted for `at_least`.
#[track_caller]
fn assert_timed_out(server: &Server, call: &RawCall, at_least: Duration) -> serde_json::Value {
    let records = server.records();
    let ended = wait::until("the end in the call's row", Duration::from_secs(10), || {
        let rows = records.calls();
        let ended = records.call_of(&rows, &call.call_id());
        ended["cause"].is_string().then_some(ended)
    });
    let end = assert_whole(&ended);
    assert_eq!((text(&end, "cause"), count(&end, "status")), ("rtp_timeout", 200));
    let talk = Duration::from_millis(count(&end, "talk_ms"));
    assert!(talk + Duration::from_millis(100) >= at_least, "{talk:?}");
    ended
}

fn start() -> Server {
    ServerSetup::default().config("[rtp]\ntimeout_s = 1").start()
}

const TIMEOUT: Duration = Duration::from_secs(1);
const SPEECH: Duration = Duration::from_millis(600);
