//! A real softphone calls: audio both ways, checked by its content. Server and baresip share one network that the test
//! makes for them.

mod common;

use std::time::Duration;

use serde_json::Value;

use common::baresip::Baresip;
use common::namespace::{OWN_ADDRESS, with_own_network};
use common::records::{count, directions, events_of, leg_quality, text};
use common::server::{Server, ServerSetup};
use common::sipp::Transport;
use common::tone::{self, MILLIWATT_DB};
use common::{wait, wav};

#[test]
fn echo_gives_back_what_was_said_pcmu_over_udp() {
    with_own_network("echo_gives_back_what_was_said_pcmu_over_udp", || echo("PCMU", Transport::Udp));
}

#[test]
fn echo_gives_back_what_was_said_pcma_over_udp() {
    with_own_network("echo_gives_back_what_was_said_pcma_over_udp", || echo("PCMA", Transport::Udp));
}

#[test]
fn echo_gives_back_what_was_said_pcmu_over_tcp() {
    with_own_network("echo_gives_back_what_was_said_pcmu_over_tcp", || echo("PCMU", Transport::Tcp));
}

#[test]
fn echo_gives_back_what_was_said_pcma_over_tcp() {
    with_own_network("echo_gives_back_what_was_said_pcma_over_tcp", || echo("PCMA", Transport::Tcp));
}

#[test]
fn record_keeps_the_caller_left_and_the_milliwatt_right() {
    with_own_network("record_keeps_the_caller_left_and_the_milliwatt_right", || {
        let server = start_server();
        let mut phone = Baresip::start("PCMA", &tone::sine(1_000.0, SAID_DB, 4.0));
        phone.dial("record", server.sip(), Transport::Udp);
        let heard = phone.received_audio(CALL_LIMIT);
        assert_steady_tone(&heard, 1_004.0, MILLIWATT_DB);

        let call = server.ended_call();
        let channels = recording(&server, &call);
        assert_eq!(channels.len(), 2, "caller and agent");
        assert_steady_tone(&channels[0], 1_000.0, SAID_DB);
        assert_steady_tone(&channels[1], 1_004.0, MILLIWATT_DB);
    });
}

#[test]
fn a_recorded_echo_is_the_same_on_both_sides() {
    with_own_network("a_recorded_echo_is_the_same_on_both_sides", || {
        let server = ServerSetup::default()
            .listen(&format!("{OWN_ADDRESS}:0"))
            .config("[[route]]\nnumber = \"+15550100001\"\ndestination = \"echo\"\nrecord = true")
            .start();
        let mut phone = Baresip::start("PCMU", &tone::sweep(400.0, 2_800.0, SAID_DB, 4.0));
        phone.dial("+15550100001", server.sip(), Transport::Udp);
        phone.received_audio(CALL_LIMIT);

        let call = server.ended_call();
        let channels = recording(&server, &call);
        let (caller, agent) = (&channels[0], &channels[1]);
        let recorded_ms = (caller.len() / 8) as u64;
        assert!(recorded_ms.abs_diff(count(&call, "talk_ms")) < 200, "{recorded_ms} ms of {call}");
        // The left side is what the call heard at each tick, so that the echo stands beside it, not after it.
        assert_steady_sameness(caller, agent);
    });
}

#[test]
fn keys_that_are_pressed_stand_in_the_log() {
    with_own_network("keys_that_are_pressed_stand_in_the_log", || {
        let server = start_server();
        let mut phone = Baresip::start("PCMU", &tone::sine(1_000.0, SAID_DB, 20.0));
        phone.dial("tone", server.sip(), Transport::Udp);
        phone.wait_for_audio();
        for digit in KEYS.chars() {
            phone.press(digit);
            let wanted = KEYS.find(digit).unwrap() + 1;
            wait::until(&format!("{wanted} digits in the log"), SOON, || {
                (digits_logged(&server).len() >= wanted).then_some(())
            });
        }
        phone.hang_up();
        phone.wait_for("CALL_CLOSED", CALL_LIMIT);
        server.ended_calls(1);
        assert_eq!(digits_logged(&server), KEYS, "each key once, in order");
    });
}

#[test]
fn hold_silences_both_sides_and_resume_brings_them_back() {
    with_own_network("hold_silences_both_sides_and_resume_brings_them_back", || {
        let server = start_server();
        let mut phone = Baresip::start("PCMU", &tone::sine(1_000.0, SAID_DB, 20.0));
        phone.dial("record", server.sip(), Transport::Udp);
        phone.wait_for_audio();
        wait::last(Duration::from_secs(1));
        phone.command("hold", "");
        wait_for_media(&server, 2);
        wait::last(Duration::from_secs(1));
        phone.command("resume", "");
        wait_for_media(&server, 3);
        wait::last(Duration::from_secs(1));
        phone.hang_up();
        phone.wait_for("CALL_CLOSED", CALL_LIMIT);

        let call = server.ended_call();
        assert_eq!(directions(&call), ["sendrecv", "recvonly", "sendrecv"]);
        let said = recording(&server, &call).remove(0);
        let blocks = tone::tone_db_by_block(&said, 1_000.0, BLOCK_MS);
        let is_tone: Vec<bool> = blocks.iter().map(|level| (level - SAID_DB).abs() < 1.0).collect();
        let runs = is_tone.chunk_by(|a, b| a == b).filter(|run| run.len() >= 5);
        let tone_runs: Vec<bool> = runs.map(|run| run[0]).collect();
        assert_eq!(tone_runs, [true, false, true], "tone, hold, tone: {blocks:?}");
        // The server says nothing to a caller that holds it.
        let spoken_ms = count(&leg_quality(&call), "sent") * 20;
        let talked_ms = count(&call, "talk_ms");
        assert!(spoken_ms + 800 < talked_ms, "{spoken_ms} ms sent in a call of {talked_ms} ms");
    });
}

fn echo(codec: &str, transport: Transport) {
    let server = start_server();
    let mut phone = Baresip::start(codec, &tone::sine(1_000.0, SAID_DB, 4.0));
    phone.dial("echo", server.sip(), transport);
    let heard = phone.received_audio(CALL_LIMIT);
    assert_steady_tone(&heard, 1_000.0, SAID_DB);

    let call = server.ended_call();
    assert_eq!(events_of(&call, "ended")[0]["cause"], "remote_bye");
    assert_eq!(
        events_of(&call, "opened")[0]["transport"],
        if transport == Transport::Udp { "udp" } else { "tcp" }
    );
    assert_eq!(events_of(&call, "media")[0]["codec"], codec);
    let leg = leg_quality(&call);
    assert!(
        count(&leg, "received") >= 190 && count(&leg, "sent") >= 190,
        "four seconds are 200 packets each way: {leg}"
    );
}

/// Both sides hold the caller's words, and the same at the same time.
#[track_caller]
fn assert_steady_sameness(caller: &[f64], agent: &[f64]) {
    assert_eq!(caller.len(), agent.len());
    let levels: Vec<f64> = agent.chunks_exact(BLOCK).map(tone::level_db).collect();
    let said = levels.iter().filter(|level| (**level - SAID_DB).abs() < 1.0).count();
    assert!(said >= 30, "four seconds were said: {levels:?}");
    let residue: Vec<f64> = caller.iter().zip(agent).map(|(a, b)| a - b).collect();
    assert!(tone::level_db(&residue) < -60.0, "{} dB are something else", tone::level_db(&residue));
}

fn start_server() -> Server {
    ServerSetup::default().listen(&format!("{OWN_ADDRESS}:0")).start()
}

/// The channels of the call's recording.
#[track_caller]
fn recording(server: &Server, call: &Value) -> Vec<Vec<f64>> {
    // The recorder may report after the call's end.
    let finished = wait::until("the finished recording", SOON, || {
        events_of(&server.call(text(call, "id")), "recording_finished").pop()
    });
    wav::read(&server.data().join("recordings").join(text(&finished, "file")))
}

/// The signal is this tone at this level for at least three seconds and hardly anything else.
#[track_caller]
fn assert_steady_tone(signal: &[f64], frequency_hz: f64, level_db: f64) {
    let blocks = tone::tone_db_by_block(signal, frequency_hz, BLOCK_MS);
    let right = |level: &f64| (level - level_db).abs() < 1.0;
    let first = blocks.iter().position(right).unwrap_or_else(|| panic!("no {frequency_hz} Hz: {blocks:?}"));
    let last = blocks.iter().rposition(right).unwrap_or(first);
    let tone_blocks = &blocks[first..=last];
    assert!(tone_blocks.len() >= 30, "too short: {blocks:?}");
    // A virtual machine that stands still for 300 ms may cost some blocks, not the rest.
    let wrong = tone_blocks.iter().filter(|level| !right(level)).count();
    assert!(wrong <= 6, "{wrong} blocks of {} are not at {level_db} dB: {blocks:?}", tone_blocks.len());

    let second = longest_run(&blocks, right);
    let samples = &signal[second.start * BLOCK..second.end * BLOCK];
    let measured = tone::frequency_hz(samples);
    assert!((measured - frequency_hz).abs() < 0.7, "{measured} Hz instead of {frequency_hz}");
    assert!((tone::tone_db(samples, frequency_hz) - level_db).abs() < 0.5);
    assert!((tone::level_db(samples) - level_db).abs() < 0.5, "there is something besides the tone");
}

/// The longest run of blocks that are as wanted.
fn longest_run(blocks: &[f64], wanted: impl Fn(&f64) -> bool) -> std::ops::Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for (number, block) in blocks.iter().enumerate() {
        if !wanted(block) {
            start = number + 1;
        } else if number + 1 - start > longest.len() {
            longest = start..number + 1;
        }
    }
    longest
}

fn digits_logged(server: &Server) -> String {
    let rows = server.calls();
    let Some(row) = rows.first() else { return String::new() };
    let digits = events_of(&server.call(text(row, "id")), "dtmf");
    assert!(digits.iter().all(|event| event["way"] == "received"), "{digits:?}");
    digits.iter().filter_map(|event| event["digit"].as_str().map(str::to_owned)).collect()
}

#[track_caller]
fn wait_for_media(server: &Server, times: usize) {
    wait::until(&format!("negotiation number {times}"), SOON, || {
        let rows = server.calls();
        (directions(&server.call(text(rows.first()?, "id"))).len() >= times).then_some(())
    });
}

/// What the caller says, in dB below full scale.
const SAID_DB: f64 = -10.0;
const KEYS: &str = "159*#0";
const BLOCK_MS: u32 = 100;
const BLOCK: usize = 800;
/// What follows at once, unless the machine stands still.
const SOON: Duration = Duration::from_secs(10);
/// The longest call here is four seconds of microphone.
const CALL_LIMIT: Duration = Duration::from_secs(20);
