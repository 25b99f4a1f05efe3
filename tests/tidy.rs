//! The layering of `docs/architecture.md`, kept: who may name what stands in one table, and every source file is
//! parsed and held against it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

#[path = "tidy/names.rs"]
mod names;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use names::{Name, Source};

/// One row of the table: these names stand only in files whose path begins so.
struct Row {
    what: &'static str,
    names: &'static [&'static str],
    only_in: &'static [&'static str],
}

const TABLE: &[Row] = &[
    Row {
        what: "SIP",
        names: &["caly_sip"],
        only_in: &[
            "sip/src/",
            "src/call/",
            "src/signaling/",
            "src/replay/",
            "src/app/phone.rs",
            "src/cli/call/",
        ],
    },
    Row {
        what: "RTP",
        names: &["caly_rtp"],
        only_in: &[
            "rtp/src/",
            "src/agent/",
            "src/call/",
            "src/engine/",
            "src/eval/",
            "src/voice/",
            "src/cli/call/",
            "src/prompt/",
            "src/replay/",
            "src/sound/",
        ],
    },
    Row {
        what: "an async runtime",
        names: &["tokio", "futures", "futures_util", "async_std", "smol"],
        only_in: &["src/app", "src/api/", "src/store/", "src/cli/", "src/prompt/", "src/pump/"],
    },
    Row {
        what: "a client of providers",
        names: &["caly_provider"],
        only_in: &[
            "provider/src/",
            "src/agent/",
            "src/app",
            "src/cli/",
            "src/config/",
            "src/mind/",
            "src/pump/",
            "src/sound/convert.rs",
        ],
    },
    Row {
        what: "a connection to a provider",
        names: &[
            "hyper::client",
            "ring::digest",
            "rustls",
            "tokio_rustls",
            "tokio_tungstenite",
            "webpki_roots",
        ],
        only_in: &["src/pump/"],
    },
    Row {
        what: "the readiness loop",
        names: &["mio"],
        only_in: &["src/signaling/mod.rs", "src/signaling/tcp.rs", "src/signaling/thread.rs", "src/engine/"],
    },
    Row {
        what: "a socket or a system call",
        names: &[
            "std::net::UdpSocket",
            "std::net::TcpStream",
            "std::net::TcpListener",
            "std::net::ToSocketAddrs",
            "std::os::unix::net",
            "tokio::net",
            "socket2",
            "nix",
            "libc",
        ],
        only_in: &[
            "src/signaling/tcp.rs",
            "src/signaling/thread.rs",
            "src/engine/",
            "src/api/",
            "src/app",
            "src/pump/",
        ],
    },
    Row { what: "a thread", names: &["std::thread"], only_in: SHELLS },
    Row {
        what: "a channel between threads",
        names: &["std::sync::mpsc", "crossbeam_channel", "flume"],
        only_in: SHELLS,
    },
    Row {
        what: "a lock",
        names: &[
            "std::sync::Mutex",
            "std::sync::RwLock",
            "std::sync::Condvar",
            "std::sync::Barrier",
            "tokio::sync::Mutex",
            "tokio::sync::RwLock",
            "parking_lot",
        ],
        only_in: &["src/app", "src/api/", "src/cli/", "src/pump/pool.rs", "src/recorder/", "src/store/"],
    },
    Row {
        what: "a clock",
        names: &[
            "std::time::Instant::now",
            "std::time::SystemTime::now",
            "jiff::Timestamp::now",
            "jiff::Zoned::now",
            ".elapsed",
        ],
        only_in: CLOCKS,
    },
    Row {
        what: "global randomness",
        names: &[
            "rand",
            "getrandom",
            "fastrand",
            "ring::rand",
            "caly::seed::from_kernel",
            "uuid::Uuid::new_v4",
            "uuid::Uuid::now_v7",
            "std::hash::RandomState",
            "std::collections::hash_map::RandomState",
        ],
        only_in: &["src/app", "src/cli/", "src/pump/websocket.rs"],
    },
    Row {
        what: "files, processes or the environment",
        names: &["std::fs", "std::process", "std::env", "tokio::fs", "tokio::process"],
        only_in: &[
            "src/app",
            "src/capture/",
            "src/cli/",
            "src/config/",
            "src/main.rs",
            "src/prompt/",
            "src/pump/program.rs",
            "src/recorder/",
            "src/seed.rs",
            "src/sound/",
            "src/store/",
            "src/telemetry/",
        ],
    },
    Row { what: "SQL", names: &["sqlx"], only_in: &["src/store/"] },
    Row {
        what: "an unbounded queue",
        names: &[
            "tokio::sync::mpsc::unbounded_channel",
            "tokio::sync::mpsc::UnboundedSender",
            "tokio::sync::mpsc::UnboundedReceiver",
            "std::sync::mpsc::channel",
            "std::sync::mpsc::Sender",
            "crossbeam_channel::unbounded",
            "flume::unbounded",
        ],
        only_in: &[],
    },
    Row {
        what: "unsafe code",
        names: &["unsafe", "unsafe_code"],
        only_in: &["src/engine/sockets.rs", "src/main.rs", "src/voice/vad.rs"],
    },
    Row {
        what: "what runs the call",
        names: &["caly::app", "caly::api", "caly::cli", "caly::engine", "caly::signaling", "caly::store"],
        only_in: RUNNERS,
    },
    Row { what: "the pump", names: &["caly::pump"], only_in: &["src/app", "src/cli/", "src/pump/"] },
];

/// Single names that may stand where their row forbids its like: signaling hands its questions to the resolver through
/// a bounded channel that it never waits for.
const DOORS: &[(&str, &str)] = &[("src/signaling/", "tokio::sync::mpsc::Sender")];

/// The parts that do IO; the rest is state machines and plain values.
const SHELLS: &[&str] = &[
    "src/api/",
    "src/app",
    "src/capture/",
    "src/cli/",
    "src/engine/",
    "src/main.rs",
    "src/recorder/",
    "src/signaling/",
    "src/store/",
];

/// Who may name what runs the call: the parts that do IO, and the replay, which does none.
const RUNNERS: &[&str] = &[
    "src/api/",
    "src/app",
    "src/capture/",
    "src/cli/",
    "src/engine/",
    "src/main.rs",
    "src/recorder/",
    "src/replay/",
    "src/signaling/",
    "src/store/",
];

/// Where the time may be read: signaling decides (the switchboard) without knowing what time it is.
const CLOCKS: &[&str] = &[
    "src/api/",
    "src/app",
    "src/capture/",
    "src/cli/",
    "src/engine/",
    "src/main.rs",
    "src/recorder/",
    "src/signaling/tcp.rs",
    "src/signaling/thread.rs",
    "src/store/",
];

/// SDP becomes RTP in one place; a file beyond these names one of the two only.
const SDP_AND_RTP: (&str, &str) = ("caly_sip::sdp", "caly_rtp");
const SDP_MEETS_RTP_IN: &[&str] = &["src/call/negotiate.rs"];

/// Where the table holds.
const SOURCES: &[&str] = &["src", "sip/src", "rtp/src", "provider/src"];

/// The crates without IO.
const CORES: &[&str] = &["caly-sip", "caly-rtp", "caly-provider"];

/// All that they may be built from; thiserror works at build time alone.
const CORE_DEPENDENCIES: &[&str] =
    &["arrayvec", "audio-codec-algorithms", "base64", "serde", "serde_json", "thiserror"];

#[test]
fn every_source_file_keeps_to_its_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in SOURCES {
        collect_sources(root, directory, &mut files);
    }
    assert!(files.len() > 20, "the sources were not found below {}", root.display());
    let faults = faults(&files);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn the_crates_without_io_are_built_from_nothing_that_runs() {
    let direct = cargo_tree(&["--depth", "1"]);
    let allowed = CORE_DEPENDENCIES.iter().chain(CORES).copied().collect::<BTreeSet<_>>();
    let strange: Vec<_> = direct.iter().filter(|name| !allowed.contains(name.as_str())).collect();
    assert!(strange.is_empty(), "not in CORE_DEPENDENCIES: {strange:?}");

    let all = cargo_tree(&[]);
    for runtime in
        ["tokio", "mio", "async-std", "smol", "futures", "socket2", "libc", "rand", "getrandom", "rsip"]
    {
        assert!(!all.contains(runtime), "{runtime} is among the dependencies of {CORES:?}: {all:?}");
    }
}

#[test]
fn planted_violations_are_found() {
    for (file, text, what) in PLANTED {
        let found = faults(&[((*file).to_owned(), (*text).to_owned())]);
        assert!(
            found.len() == 1 && found[0].contains(what),
            "{file}: {text}\nexpected {what}, found {found:?}"
        );
    }
}

#[test]
fn what_is_allowed_passes() {
    for (file, text) in ALLOWED {
        let found = faults(&[((*file).to_owned(), (*text).to_owned())]);
        assert!(found.is_empty(), "{file}: {text}\n{found:?}");
    }
}

#[test]
fn modules_for_tests_are_exempt_wherever_their_file_is() {
    let parent = ("sip/src/dialog/mod.rs".to_owned(), "#[cfg(test)] mod tests; mod route;".to_owned());
    let clock = "fn epoch() -> std::time::Instant { std::time::Instant::now() }".to_owned();
    let tests = ("sip/src/dialog/tests.rs".to_owned(), clock.clone());
    let deeper = ("sip/src/dialog/tests/timers.rs".to_owned(), clock.clone());
    assert!(faults(&[parent.clone(), tests, deeper]).is_empty());
    let route = ("sip/src/dialog/route.rs".to_owned(), clock);
    assert_eq!(faults(&[parent, route]).len(), 1);
}

/// One line for each name that stands where it must not.
fn faults(files: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut sources = Vec::new();
    for (file, text) in files {
        match Source::read(file, text) {
            Ok(source) => sources.push((file, source)),
            Err(error) => found.push(error),
        }
    }
    let test_modules: Vec<&String> = sources.iter().flat_map(|(_, source)| &source.test_modules).collect();
    for (file, source) in &sources {
        let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
        let is_test = test_modules.iter().any(|module| {
            stem.strip_prefix(module.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if !is_test {
            found.extend(faults_of(file, &source.names));
        }
    }
    found
}

fn faults_of(file: &str, names: &[Name]) -> Vec<String> {
    let is_door =
        |name: &Name| DOORS.iter().any(|(place, door)| file.starts_with(place) && name.path == *door);
    let mut lines = BTreeSet::new();
    for row in TABLE.iter().filter(|row| !is_below(file, row.only_in)) {
        let is_of_row = |name: &&Name| row.names.iter().any(|wanted| is_or_holds(&name.path, wanted));
        for name in names.iter().filter(is_of_row).filter(|name| !is_door(name)) {
            lines.insert((name.line, format!("{file}:{}: {} here: `{}`", name.line, row.what, name.path)));
        }
    }
    let (sdp, rtp) = SDP_AND_RTP;
    let first = |wanted: &str| names.iter().find(|name| is_or_holds(&name.path, wanted));
    if let (Some(_), Some(name), false) = (first(sdp), first(rtp), is_below(file, SDP_MEETS_RTP_IN)) {
        lines.insert((name.line, format!("{file}:{}: SDP and RTP in one file", name.line)));
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

fn is_below(file: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| file.starts_with(beginning))
}

/// `std::net::UdpSocket::bind` is of `std::net::UdpSocket`, and `std::net::*` brings it in.
fn is_or_holds(path: &str, wanted: &str) -> bool {
    let below = |path: &str, above: &str| path.strip_prefix(above).is_some_and(|rest| rest.starts_with("::"));
    let is_brought_in = path.strip_suffix("::*").is_some_and(|module| below(wanted, module));
    path == wanted || below(path, wanted) || is_brought_in
}

fn collect_sources(root: &Path, directory: &str, files: &mut Vec<(String, String)>) {
    let entries =
        std::fs::read_dir(root.join(directory)).unwrap_or_else(|error| panic!("{directory}: {error}"));
    for entry in entries.map(Result::unwrap) {
        let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            collect_sources(root, &path, files);
        } else if path.ends_with(".rs") {
            files.push((path, std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

/// The names of the packages that caly-sip and caly-rtp are built from.
fn cargo_tree(more: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "-e", "normal", "--prefix", "none"])
        .args(CORES.iter().flat_map(|name| ["-p", name]))
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<_> =
        text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(CORES.iter().all(|name| names.contains(*name)), "{text}");
    names
}

/// One fault each: where, the code, what is found.
const PLANTED: &[(&str, &str, &str)] = &[
    ("sip/src/endpoint.rs", "use caly_rtp::packet::Packet;", "RTP"),
    ("rtp/src/session.rs", "fn f() -> caly_sip::sdp::Media { g() }", "SIP"),
    ("src/engine/shard.rs", "use caly_sip::message::Request;", "SIP"),
    ("src/voice/turn.rs", "use caly_sip as s;", "SIP"),
    ("src/signaling/udp.rs", "use caly_rtp::session;", "RTP"),
    ("src/call/route.rs", "use {caly_sip::sdp, caly_rtp::packet};", "SDP and RTP"),
    ("sip/src/endpoint.rs", "use caly_provider::link::LinkId;", "client of providers"),
    ("rtp/src/session.rs", "fn f(link: caly_provider::link::LinkId) {}", "client of providers"),
    ("src/voice/turn.rs", "use caly_provider as p;", "client of providers"),
    ("src/call/call.rs", "use caly_provider::audio::AudioFormat;", "client of providers"),
    ("src/engine/shard.rs", "use caly_provider::audio::*;", "client of providers"),
    ("src/signaling/mod.rs", "use caly_provider::secret::Secret;", "client of providers"),
    ("src/api/health.rs", "use tokio_rustls::TlsConnector;", "connection to a provider"),
    ("src/mind/history.rs", "use crate::pump::Links;", "the pump"),
    ("src/pump/connect.rs", "fn f() { std::env::var(\"HTTPS_PROXY\"); }", "files"),
    ("src/pump/links.rs", "use tokio::sync::mpsc::unbounded_channel;", "unbounded"),
    ("src/mind/speech.rs", "use futures_util::StreamExt;", "async runtime"),
    ("sip/src/endpoint.rs", "fn f() { tokio::spawn(async {}); }", "async runtime"),
    ("sip/src/endpoint.rs", "#[tokio::test] async fn f() {}", "async runtime"),
    ("src/engine/shard.rs", "extern crate tokio;", "async runtime"),
    ("src/signaling/mod.rs", "use tokio::sync::mpsc::Receiver;", "async runtime"),
    ("src/recorder/wav.rs", "fn f() { ::mio::Poll::new(); }", "readiness"),
    ("rtp/src/session.rs", "use std::net::{IpAddr, UdpSocket};", "socket"),
    ("rtp/src/session.rs", "use std::net; fn f(s: net::UdpSocket) {}", "socket"),
    ("rtp/src/session.rs", "use std::net::*;", "socket"),
    ("rtp/src/session.rs", "use std as s; fn f(s: s::net::TcpStream) {}", "socket"),
    ("rtp/src/session.rs", "struct S { queue: Vec<Option<std::net::UdpSocket>> }", "socket"),
    ("src/recorder/wav.rs", "use std::net::TcpListener as Port;", "socket"),
    ("sip/src/endpoint.rs", "fn f() { std::thread::yield_now(); }", "thread"),
    ("src/call/call.rs", "fn f() { assert!(std::thread::panicking()); }", "thread"),
    ("src/call/call.rs", "use std::sync::mpsc::sync_channel;", "channel"),
    ("src/call/call.rs", "struct S(std::sync::Arc<std::sync::Mutex<u8>>);", "lock"),
    ("src/engine/shard.rs", "use std::sync::{Arc, Mutex};", "lock"),
    ("src/signaling/switchboard.rs", "use mio::Poll;", "readiness"),
    ("src/replay/player.rs", "fn f() { let now = std::time::Instant::now(); }", "a clock"),
    ("src/signaling/events.rs", "fn f() { let now = std::time::SystemTime::now(); }", "a clock"),
    ("src/signaling/mod.rs", "use std::sync; struct S(sync::RwLock<u8>);", "lock"),
    ("sip/src/endpoint.rs", "fn f() -> std::time::Instant { std::time::Instant::now() }", "clock"),
    ("sip/src/endpoint.rs", "use std::time::Instant; fn f() { let n = Instant::now; }", "clock"),
    ("sip/src/endpoint.rs", "use std::time::Instant as I; fn f() { dbg!(I::now()); }", "clock"),
    ("src/call/call.rs", "fn f(t: std::time::Instant) { g(t.elapsed()); }", "clock"),
    ("src/call/call.rs", "fn f(t: std::time::Instant) { assert!(t.elapsed() > g()); }", "clock"),
    ("src/mind/history.rs", "use std::time::SystemTime; fn f() { SystemTime::now(); }", "clock"),
    ("rtp/src/session.rs", "fn f() -> u32 { rand::random() }", "randomness"),
    ("src/call/call.rs", "fn f() { format!(\"{}\", uuid::Uuid::new_v4()); }", "randomness"),
    ("src/engine/shard.rs", "use crate::seed; fn f() { seed::from_kernel(); }", "randomness"),
    ("src/call/call.rs", "fn f() { std::fs::write(\"a\", b\"b\"); }", "files"),
    ("src/signaling/mod.rs", "fn f() { std::env::var(\"PORT\"); }", "files"),
    ("src/api/health.rs", "async fn f() { sqlx::query!(\"select 1\"); }", "SQL"),
    ("src/app.rs", "use tokio::sync::mpsc; fn f() { mpsc::unbounded_channel::<u8>(); }", "unbounded"),
    ("src/app.rs", "fn f() { let (a, b) = std::sync::mpsc::channel(); }", "unbounded"),
    ("src/app.rs", "fn f() { unsafe { g() } }", "unsafe"),
    ("src/engine/shard.rs", "#![allow(unsafe_code)]", "unsafe"),
    ("sip/src/endpoint.rs", "#[cfg(test)] mod tests { #[expect(unsafe_code)] fn f() {} }", "unsafe"),
    ("src/call/call.rs", "fn f() { crate::store::open(); }", "runs the call"),
    ("src/call/call.rs", "use super::super::engine::Shard;", "runs the call"),
    ("src/call/destination/echo.rs", "use super::super::super::engine::Shard;", "runs the call"),
    ("sip/src/broken.rs", "fn f( {", "sip/src/broken.rs"),
];

/// Near misses.
const ALLOWED: &[(&str, &str)] = &[
    ("sip/src/endpoint.rs", "use std::net::{IpAddr, SocketAddr}; use std::time::{Duration, Instant};"),
    ("sip/src/endpoint.rs", "use crate::message::Request; fn f() -> super::sdp::Media { g() }"),
    ("sip/src/endpoint.rs", "#[cfg(test)] mod tests { fn epoch() { std::time::Instant::now(); } }"),
    ("sip/src/endpoint.rs", "#[cfg(test)] use std::sync::Mutex;"),
    (
        "sip/src/endpoint.rs",
        "/// Unlike `tokio::spawn`, `std::thread` or Instant::now().\nfn f(rand: u32) -> u32 { rand }",
    ),
    (
        "rtp/src/codec/g711.rs",
        "static TABLE: std::sync::LazyLock<[u8; 4]> = std::sync::LazyLock::new(build);",
    ),
    ("rtp/src/session.rs", "fn f(tokio: u8) { g(tokio, \"std::fs::write\"); }"),
    ("src/call/negotiate.rs", "use caly_rtp::codec::Codec; use caly_sip::sdp::Media;"),
    ("src/call/call.rs", "use caly_rtp::session::Session; use caly_sip::message::StatusCode;"),
    ("src/engine/sockets.rs", "#![allow(unsafe_code)] fn f() { unsafe { libc::time(0) } }"),
    ("src/engine/shard.rs", "fn f() { let (a, b) = std::sync::mpsc::sync_channel::<u8>(8); }"),
    ("src/app.rs", "use tokio::sync::mpsc; fn f() { mpsc::channel::<u8>(8); }"),
    ("src/app.rs", "use std::sync::{Arc, Mutex};"),
    ("src/call/call.rs", "use crate::seed::Seeds;"),
    ("src/signaling/mod.rs", "struct S { resolver: tokio::sync::mpsc::Sender<u8> }"),
];
