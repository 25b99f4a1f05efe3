//! `caly replay`: a captured call runs again and comes out as it was; twice the same; files that are none say so.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "here a failure is the test's failure")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::scratch::Scratch;
use common::server::Server;
use common::tone::{sine, tone_db};
use common::wav;
use serde_json::Value;

fn caly(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_caly"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("caly starts")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a scratch path is UTF-8")
}

fn replay(capture: &Path, out: &Path, more: &[&str]) -> Output {
    caly(&[&["replay", path(capture), "--out", path(out), "--json"], more].concat())
}

fn report(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// A call of two seconds with a 1 kHz tone and two keys, captured on the caller's side.
fn captured(server: &Server, scratch: &Scratch, parameters: &str) -> PathBuf {
    let (sound, capture) = (scratch.join("tone.wav"), scratch.join("call.pcap"));
    wav::write(&sound, &sine(1000.0, -10.0, 2.0));
    let uri = format!("sip:echo@{}{parameters}", server.sip());
    let call = caly(&["call", &uri, "--wav", path(&sound), "--dtmf", "4#", "--capture", path(&capture)]);
    assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stderr));
    capture
}

/// Every file of a folder and of those in it, by its name.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = PathBuf::from(entry.file_name());
        if entry.path().is_dir() {
            files.extend(contents(&entry.path()).into_iter().map(|(inner, bytes)| (name.join(inner), bytes)));
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

#[test]
fn a_captured_call_runs_again_as_it_was_and_twice_the_same() {
    let (server, scratch) = (Server::start(), Scratch::new("replay"));
    for (parameters, name) in [("", "udp"), (";transport=tcp", "tcp")] {
        let capture = captured(&server, &scratch, parameters);
        let [first, second] = ["first", "second"].map(|run| scratch.join(&format!("{name}-{run}")));
        let told = report(&replay(&capture, &first, &["--agent", "echo"]));
        let call = &told["calls"][0];
        assert_eq!(
            (told["calls"].as_array().unwrap().len(), &told["unfinished_calls"]),
            (1, &Value::from(0))
        );
        assert_eq!(
            (call["cause"].as_str(), call["keys"].as_str()),
            (Some("remote_bye"), Some("4#")),
            "{told}"
        );
        assert_eq!((call["lost"].as_u64(), told["media_undelivered"].as_u64()), (Some(0), Some(0)), "{told}");
        assert!(call["received"].as_u64() >= Some(90) && call["sent"].as_u64() >= Some(90), "{told}");
        // The caller's tone, and the echo's.
        for samples in wav::read(&first.join(call["recording"].as_str().unwrap())) {
            let level = tone_db(&samples[9600..15_000], 1000.0);
            assert!((level + 10.0).abs() < 1.0, "{level} dB");
        }
        let events = fs::read_to_string(first.join("events.jsonl")).unwrap();
        for wanted in [r#""type":"acknowledged""#, r#""type":"latched""#, r#""start_line":"BYE "#] {
            assert!(events.contains(wanted), "{wanted}: {events}");
        }
        report(&replay(&capture, &second, &["--agent", "echo"]));
        let files = contents(&first);
        assert_eq!(files.len(), 4, "{:?}", files.keys());
        assert!(files == contents(&second), "two runs of one capture differ");
    }
}

#[test]
fn the_same_call_meets_another_destination() {
    let (server, scratch) = (Server::start(), Scratch::new("replay"));
    let capture = captured(&server, &scratch, "");
    let told = report(&replay(&capture, &scratch.join("tone"), &["--agent", "tone"]));
    let sides = wav::read(&scratch.join("tone").join(told["calls"][0]["recording"].as_str().unwrap()));
    let level = tone_db(&sides[1][4000..12_000], 1004.0);
    assert!((level + 3.2).abs() < 1.0, "{level} dB");
    let busy = report(&replay(&capture, &scratch.join("busy"), &["--agent", "busy"]));
    assert_eq!(busy["calls"][0]["cause"], "busy", "{busy}");
}

/// The same capture, with the time of the packet that holds `text` a second before that of the first one.
fn hurried(capture: &[u8], text: &str) -> Vec<u8> {
    let number = |at: usize| u32::from_be_bytes(capture[at..at + 4].try_into().unwrap());
    assert_eq!(number(0), 0xa1b2_c3d4, "written big-endian, with microseconds");
    let (mut bytes, mut at, mut moved) = (capture.to_vec(), 24, 0);
    while at < bytes.len() {
        let end = at + 16 + number(at + 8) as usize;
        if capture[at..end].windows(text.len()).any(|window| window == text.as_bytes()) {
            bytes[at..at + 4].copy_from_slice(&(number(24) - 1).to_be_bytes());
            moved += 1;
        }
        at = end;
    }
    assert_eq!(moved, 1, "{text}");
    bytes
}

#[test]
fn a_captured_ack_waits_for_the_answer_of_now() {
    let (server, scratch) = (Server::start(), Scratch::new("replay"));
    let capture = captured(&server, &scratch, "");
    // As when the clocks of two network cards differ: by its time, the ACK comes before the INVITE.
    let early = hurried(&fs::read(&capture).unwrap(), "\nCSeq: 1 ACK");
    let path = scratch.join("early.pcap");
    fs::write(&path, &early).unwrap();
    let told = report(&replay(&path, &scratch.join("early"), &[]));
    assert_eq!(
        (&told["calls"][0]["cause"], &told["sip_withheld"]),
        (&"remote_bye".into(), &0.into()),
        "{told}"
    );
    let events = fs::read_to_string(scratch.join("early/events.jsonl")).unwrap();
    assert!(events.contains(r#""type":"acknowledged""#), "{events}");
}

#[test]
fn a_captured_bye_to_a_call_that_is_never_answered_is_counted() {
    let (server, scratch) = (Server::start(), Scratch::new("replay"));
    let capture = captured(&server, &scratch, "");
    let told = report(&replay(&capture, &scratch.join("ring"), &["--agent", "ring"]));
    assert_eq!((&told["sip_withheld"], &told["unfinished_calls"]), (&2.into(), &1.into()), "{told}");
}

#[test]
fn rtp_runs_without_its_sip() {
    let (server, scratch) = (Server::start(), Scratch::new("replay"));
    let capture = captured(&server, &scratch, "");
    let (first, second) = (scratch.join("first"), scratch.join("second"));
    let told = report(&replay(&capture, &first, &["--rtp"]));
    let call = &told["calls"][0];
    assert_eq!((&call["cause"], &call["lost"]), (&"remote_bye".into(), &0.into()), "{told}");
    assert_eq!((&told["sip_messages"], &told["stream"]["codec"]), (&3.into(), &"PCMU".into()), "{told}");
    let (from, to) = (told["stream"]["from"].as_str().unwrap(), told["stream"]["to"].as_str().unwrap());
    report(&replay(&capture, &second, &[&format!("--rtp={to}")]));
    assert!(contents(&first) == contents(&second), "two runs of one stream differ");
    // The other direction; the caller's has the keys, the echo has none.
    let back = report(&replay(&capture, &scratch.join("back"), &[&format!("--rtp={from}")]));
    assert_eq!(back["stream"]["from"], to);
    let mut keys = [call, &back["calls"][0]].map(|call| call["keys"].as_str().unwrap().to_owned());
    keys.sort();
    assert_eq!(keys, ["", "4#"], "{back}");
}

#[test]
fn the_report_tells_how_fast_the_call_was() {
    let (server, scratch) = (Server::start(), Scratch::new("replay"));
    let capture = captured(&server, &scratch, "");
    let told = report(&replay(&capture, &scratch.join("tone"), &["--agent", "tone"]));
    let timing = &told["calls"][0]["timing"];
    assert_eq!(timing["setup_ms"], 0, "virtual time does not pass while we work: {timing}");
    let first_audio = timing["first_audio_after_ack_ms"].as_u64();
    assert!(first_audio.is_some_and(|ms| ms <= 25), "{timing}");
    assert!(timing["quality"]["jitter_p50_ms"].as_f64().is_some_and(|ms| ms < 10.0), "{timing}");
    let turns: Value = serde_json::from_slice(&fs::read(scratch.join("tone/turns.json")).unwrap()).unwrap();
    assert_eq!(turns[0]["call"], told["calls"][0]["call"]);
    assert_eq!(turns[0]["turns"][0]["keys"], "4#", "{turns}");
    let output = caly(&["replay", path(&capture), "--out", path(&scratch.join("text"))]);
    let said = String::from_utf8_lossy(&output.stdout);
    for wanted in ["set up in 0 ms, acknowledged after", "jitter", "times as fast as the clock", "turns.json"]
    {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn a_capture_that_breaks_off_is_run_up_to_there() {
    let (server, scratch) = (Server::start(), Scratch::new("replay"));
    let capture = captured(&server, &scratch, "");
    let whole = fs::read(&capture).unwrap();
    let cut = scratch.join("cut.pcap");
    fs::write(&cut, &whole[..whole.len() / 2 + 7]).unwrap();
    let told = report(&replay(&cut, &scratch.join("cut"), &[]));
    assert_eq!(told["unfinished_calls"], 1, "{told}");
    assert_eq!(told["calls"][0]["cause"], "shutdown", "{told}");
    assert!(
        told["broken_after"][1].as_str().is_some_and(|what| what.contains("middle of a packet")),
        "{told}"
    );
}

#[test]
fn what_cannot_be_run_is_told_with_a_remedy() {
    let scratch = Scratch::new("replay");
    let text = scratch.write("text.pcap", "this is no capture");
    // A pcap of link type Ethernet without a packet.
    let header = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0];
    let empty = scratch.join("empty.pcap");
    fs::write(&empty, header).unwrap();
    // The same with an ARP request, and with a frame of which the capture kept nothing but the beginning of its IP header.
    let arp = [&[2; 12][..], &[8, 6], &[0; 28]].concat();
    let cut = [&[2; 12][..], &[8, 0, 0x45, 0]].concat();
    let frame = |bytes: &[u8], length: u8| {
        let kept = u8::try_from(bytes.len()).unwrap();
        [&[0; 8][..], &[kept, 0, 0, 0, length, 0, 0, 0], bytes].concat()
    };
    let foreign = scratch.join("foreign.pcap");
    fs::write(&foreign, [&header[..], &frame(&arp, 42), &frame(&cut, 200)].concat()).unwrap();
    let (only_arp, only_cut) = (scratch.join("arp.pcap"), scratch.join("cut.pcap"));
    fs::write(&only_arp, [&header[..], &frame(&arp, 42)].concat()).unwrap();
    fs::write(&only_cut, [&header[..], &frame(&cut, 200)].concat()).unwrap();
    let nothing = scratch.write("nothing.pcap", "");
    let packed = scratch.join("packed.pcap.gz");
    fs::write(&packed, [0x1f, 0x8b, 8, 0]).unwrap();
    let short = scratch.join("short.pcap");
    fs::write(&short, &header[..20]).unwrap();
    let (fresh, full) = (scratch.join("fresh"), scratch.join("full"));
    fs::create_dir(&full).unwrap();
    fs::write(full.join("old"), "").unwrap();
    for (file, out, more, code, wanted) in [
        (&text, &fresh, &[][..], 2, "neither a pcap nor a pcapng"),
        (&scratch.join("none.pcap"), &fresh, &[], 2, "No such file"),
        (&nothing, &fresh, &[], 2, "is empty"),
        (&packed, &fresh, &[], 2, "unpack it with gunzip"),
        (&short, &fresh, &[], 2, "is cut in its header"),
        (&full, &fresh, &[], 2, "is a directory"),
        (
            &foreign,
            &scratch.join("foreign"),
            &[],
            1,
            "2 frames, 1 of them neither UDP nor TCP, 1 only in part",
        ),
        (&only_arp, &scratch.join("arp"), &[], 1, "where there is IP"),
        (&only_cut, &scratch.join("cut"), &[], 1, "dumpcap -s 0"),
        (&empty, &scratch.join("empty"), &[], 1, "empty or broken"),
        (&empty, &fresh, &["--rtp"], 1, "no RTP with PCMU or PCMA"),
        (&empty, &scratch.join("rtp"), &["--rtp=192.0.2.1:4000"], 1, "to 192.0.2.1:4000 in the capture"),
        (&empty, &fresh, &["--rtp=here"], 2, "invalid value"),
        (&empty, &fresh, &["--dtmf-pt", "101"], 2, "--rtp"),
        (&empty, &scratch.join("local"), &["--local", "192.0.2.1:5060"], 1, "no INVITE to 192.0.2.1:5060"),
        (&empty, &scratch.join("empty"), &[], 1, "no INVITE in the capture"),
        (&empty, &full, &[], 2, "not empty"),
        (&empty, &fresh, &["--agent", "nobody"], 2, "echo, tone, record"),
    ] {
        let arguments = [&["replay", path(file), "--out", path(out)], more].concat();
        let output = caly(&arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.lines().count() == 1 && said.contains(wanted) && said.contains("; "), "{said}");
    }
}
