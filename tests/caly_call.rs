//! `caly call` as its user meets it: a server, a sound, what comes back, what it says when the call fails.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "here a failure is the test's failure")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::scratch::Scratch;
use common::server::Server;
use common::sip_text::SipText;
use common::tone::{sine, tone_db};
use common::{wait, wav};
use serde_json::Value;

fn call(uri: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_caly"))
        .args(["call", uri])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("caly can be started")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a scratch path is UTF-8")
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_tone_sent_to_the_echo_comes_back_and_is_recorded_and_captured() {
    let (server, scratch) = (Server::start(), Scratch::new("call"));
    let (sound, record, capture) =
        (scratch.join("tone.wav"), scratch.join("out.wav"), scratch.join("out.pcap"));
    wav::write(&sound, &sine(1000.0, -10.0, 2.0));
    let uri = format!("sip:echo@{};transport=tcp", server.sip());
    let files = ["--wav", path(&sound), "--record", path(&record), "--capture", path(&capture)];
    let output = call(&uri, &[&files[..], &["--dtmf", "1#", "--json"]].concat());
    let report = json(&output);
    assert!(output.status.success(), "{report}");
    assert_eq!((report["cause"].as_str(), report["digits_sent"].as_str()), (Some("local_bye"), Some("1#")));
    assert!(report["quality"]["received"].as_u64() >= Some(100), "{report}");
    let channels = wav::read(&record);
    for (side, samples) in ["this side", "the echo"].iter().zip(&channels) {
        // From 1.2 s on no key is pressed.
        let level = tone_db(&samples[9600..15_000], 1000.0);
        assert!((level + 10.0).abs() < 1.0, "{side}: {level} dB");
    }
    // SIP and both directions of RTP; the file's header is 24 bytes.
    assert!(fs::metadata(&capture).unwrap().len() > 200 * 200, "{report}");
    assert!(report["captured_packets"].as_u64() >= Some(200), "{report}");
}

#[test]
fn a_captured_call_can_be_played_again() {
    let (server, scratch) = (Server::start(), Scratch::new("call"));
    let (capture, record) = (scratch.join("tone.pcap"), scratch.join("out.wav"));
    let uri = format!("sip:tone@{}", server.sip());
    assert!(call(&uri, &["--duration", "1.5", "--capture", path(&capture)]).status.success());
    let uri = format!("sip:echo@{}", server.sip());
    assert!(call(&uri, &["--pcap", path(&capture), "--record", path(&record)]).status.success());
    // The caller of the first call was silent; its stream is not the one that is played.
    let sent = &wav::read(&record)[0];
    let level = tone_db(&sent[2000..10_000], 1004.0);
    assert!((level + 3.2).abs() < 1.0, "{level} dB");
}

#[test]
fn each_failure_says_what_happened_and_exits_with_its_code() {
    let (server, scratch) = (Server::start(), Scratch::new("call"));
    let nothing = scratch.write("no.wav", "this is no WAV file");
    let at = |user: &str| format!("sip:{user}@{}", server.sip());
    for (uri, arguments, code, wanted) in [
        (at("busy"), &[][..], 1, "busy (486)"),
        (at("nobody"), &[], 1, "not found (404)"),
        ("sip:echo@127.0.0.1:9;transport=tcp".to_owned(), &[], 1, "cannot be reached"),
        ("sip:echo@127.0.0.1:9".to_owned(), &[], 1, "nobody listens there"),
        ("sip:echo@no-such-host.invalid".to_owned(), &[], 1, "no A or AAAA record"),
        ("mailto:a@b".to_owned(), &[], 2, "not a SIP URI"),
        ("echo".to_owned(), &[], 2, "write it like sip:"),
        (at("echo:s3cret"), &[], 2, "leave it out"),
        (format!("sips:echo@{}", server.sip()), &[], 2, "TLS is not supported yet"),
        (format!("{};transport=tls", at("echo")), &[], 2, "TLS is not supported yet"),
        (at("echo"), &["--wav", path(&nothing)], 2, "sox"),
        (at("echo"), &["--wav", "/"], 2, "is a directory"),
        (at("echo"), &["--wav", "/nowhere/at/all.wav"], 2, "No such file"),
        (at("echo"), &["--pcap", path(&nothing)], 2, "neither a pcap nor a pcapng"),
        (at("echo"), &["--record", "/nowhere/out.wav"], 2, "No such file"),
    ] {
        let output = call(&uri, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{uri} {arguments:?}: {said}");
        assert!(said.starts_with("caly: ") && said.lines().count() == 1, "{uri}: {said:?}");
        assert!(said.contains(wanted), "{uri} {arguments:?}: {said}");
        assert!(!said.contains("s3cret") && !String::from_utf8_lossy(&output.stdout).contains("s3cret"));
        assert!(said.contains("; "), "no word about what to do: {said}");
    }
    assert!(
        server.calls().iter().all(|row| row["to_uri"] != "sip:echo@127.0.0.1"),
        "refused before a packet"
    );
}

#[test]
fn files_that_are_there_stay_until_there_is_something_to_replace_them_with() {
    let (server, scratch) = (Server::start(), Scratch::new("call"));
    let (record, capture) = (scratch.write("out.wav", "old"), scratch.write("out.pcap", "old"));
    let files = ["--record", path(&record), "--capture", path(&capture)];
    let old = |file: &Path| fs::read(file).unwrap() == b"old";
    assert_eq!(call("sip:echo@no-such-host.invalid", &files).status.code(), Some(1));
    assert!(old(&record) && old(&capture), "no call was placed");
    assert_eq!(call(&format!("sip:busy@{}", server.sip()), &files).status.code(), Some(1));
    assert!(old(&record), "nothing was said");
    assert!(!old(&capture), "INVITE, 100, 486 and ACK were captured");
    let output = call(&format!("sip:echo@{}", server.sip()), &[&files[..], &["--duration", "0.5"]].concat());
    assert!(output.status.success() && wav::read(&record)[0].len() > 3000);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn a_call_does_not_write_where_it_reads_nor_two_things_into_one_file() {
    let scratch = Scratch::new("call");
    let sound = scratch.join("x.wav");
    wav::write(&sound, &sine(1000.0, -10.0, 0.1));
    let before = fs::read(&sound).unwrap();
    let other = scratch.join("y");
    for (arguments, told) in [
        (["--wav", path(&sound), "--record", path(&sound)], "--wav and --record name the same file"),
        (["--wav", path(&sound), "--capture", path(&sound)], "--wav and --capture name the same file"),
        (["--record", path(&other), "--capture", path(&other)], "--record and --capture name the same file"),
    ] {
        let output = call("sip:echo@127.0.0.1", &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(told) && said.lines().count() == 1, "{said}");
        assert_eq!(output.status.code(), Some(2));
    }
    assert_eq!(fs::read(&sound).unwrap(), before);
    assert!(!other.exists());
}

#[test]
fn a_signal_ends_the_call_properly_and_keeps_what_was_recorded() {
    for signal in ["INT", "TERM", "HUP"] {
        let (server, scratch) = (Server::start(), Scratch::new("call"));
        let record = scratch.join("out.wav");
        let caller = Command::new(env!("CARGO_BIN_EXE_caly"))
            .args(["call", &format!("sip:tone@{}", server.sip()), "--record", path(&record)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("caly can be started");
        wait::until("the answered call", Duration::from_secs(10), || {
            server.calls().first().filter(|row| row["state"] == "answered").map(drop)
        });
        let kill = format!("kill -{signal} {}", caller.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let output = caller.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), said.as_ref()),
            (Some(1), "caly: interrupted; the call was hung up\n")
        );
        assert_eq!(server.ended_call()["cause"], "remote_bye", "the BYE was sent");
        assert!(!wav::read(&record)[1].is_empty());
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_call_properly() {
    let server = Server::start();
    let mut caller = Command::new(env!("CARGO_BIN_EXE_caly"))
        .args(["call", &format!("sip:tone@{}", server.sip()), "--dtmf", "123456789", "--duration", "60"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("caly can be started");
    let mut lines = BufReader::new(caller.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("answered after")));
    drop(lines);
    let output = caller.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    assert_eq!(server.ended_call()["cause"], "remote_bye", "the BYE was sent");
}

#[test]
fn a_capture_that_breaks_off_is_played_to_there_and_told() {
    let (server, scratch) = (Server::start(), Scratch::new("call"));
    let capture = scratch.join("tone.pcap");
    let uri = format!("sip:tone@{}", server.sip());
    assert!(call(&uri, &["--duration", "0.5", "--capture", path(&capture)]).status.success());
    let whole = fs::read(&capture).unwrap();
    fs::write(&capture, &whole[..whole.len() - 5]).unwrap();
    let uri = format!("sip:echo@{}", server.sip());
    let report = json(&call(&uri, &["--pcap", path(&capture), "--json"]));
    assert!(report["notes"][0].as_str().unwrap().contains("is broken behind frame "), "{report}");
    let output = call(&uri, &["--pcap", path(&capture)]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("what comes before is played"));
}

#[test]
fn whoever_wants_credentials_is_told_apart_and_gets_its_ack() {
    let carrier = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    let uri = format!("sip:+15550100@{}", carrier.local_addr().unwrap());
    let caller = std::thread::spawn(move || call(&uri, &[]));
    let mut buffer = [0; 4096];
    let (length, from) = carrier.recv_from(&mut buffer).expect("the INVITE");
    let invite = SipText::new(&buffer[..length]);
    assert!(invite.start_line().starts_with("INVITE "), "{}", invite.as_str());
    let copied: String = ["Via", "From", "Call-ID", "CSeq"]
        .map(|name| format!("{name}: {}\r\n", invite.header(name)))
        .concat();
    let refusal = format!(
        "SIP/2.0 407 Proxy Authentication Required\r\n{copied}To: {};tag=1\r\n\
         Proxy-Authenticate: Digest realm=\"r\",nonce=\"n\"\r\nContent-Length: 0\r\n\r\n",
        invite.header("To")
    );
    carrier.send_to(refusal.as_bytes(), from).expect("a response");
    carrier.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (length, _) = carrier.recv_from(&mut buffer).expect("the ACK");
    assert!(buffer[..length].starts_with(b"ACK "));
    let output = caller.join().expect("the caller");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("credentials (407)"), "{said}");
}
