//! The samples load, the documented defaults are the real ones, and every fault is told at once with its place.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::*;

const DESTINATIONS: &[&str] = &["echo", "tone", "record", "ring", "busy"];
const SAMPLE_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/caly.toml");
const SAMPLE: &str = include_str!("../../config/caly.toml");
const REFERENCE: &str = include_str!("../../docs/configuration.md");

fn read(text: &str) -> Result<Config, Faults> {
    Config::parse("caly.toml", text, DESTINATIONS)
}

/// The faults of a text, one per line.
fn faults(text: &str) -> String {
    read(text).map(|_| ()).unwrap_err().to_string()
}

/// The sample with its commented keys put into effect.
fn full_sample() -> String {
    let is_key =
        |line: &str| line.starts_with("[[") || line.split_once(" = ").is_some_and(|(key, _)| is_name(key));
    let uncommented =
        SAMPLE.lines().map(|line| line.strip_prefix('#').filter(|line| is_key(line)).unwrap_or(line));
    uncommented.collect::<Vec<_>>().join("\n")
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// Keys by table header, as the text has them.
fn keys_of(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut header = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with('[') {
            header = line.trim().to_owned();
            keys.entry(header.clone()).or_default();
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.entry(header.clone()).or_default().push(key.to_owned());
        }
    }
    keys
}

/// The keys that the code knows below a header, from what it says about an unknown one.
fn known_keys(header: &str) -> Vec<String> {
    let told = faults(&format!("{header}\nzzzzzzzzzzzzzzzz = 1"));
    let list = told.lines().find_map(|line| line.split_once("known here: ")).map(|(_, list)| list.to_owned());
    list.unwrap_or_else(|| panic!("no list in {told}")).split(", ").map(str::to_owned).collect()
}

#[test]
fn the_sample_holds_the_defaults() {
    assert_eq!(read(SAMPLE).unwrap(), Config::default());
    assert_eq!(read("").unwrap(), Config::default());
    assert_eq!(Config::load(None, DESTINATIONS).unwrap(), Config::default());
}

#[test]
fn the_sample_and_the_reference_name_every_key_and_no_other() {
    let ca = std::env::temp_dir().join(format!("caly-sample-ca-{}.pem", std::process::id()));
    std::fs::write(&ca, "-----BEGIN CERTIFICATE-----\n").unwrap();
    let sample = full_sample().replace("\"ca.pem\"", &format!("{:?}", ca.display().to_string()));
    // The folders that it names are relative to its own.
    let config = Config::parse(SAMPLE_PATH, &sample, DESTINATIONS).unwrap();
    assert_eq!(config.agents, AgentsConfig::default());
    let shown = keys_of(&sample);
    // Tables with names are held against the reference where they are read.
    let are_named = ["asr", "llm", "tts", "realtime"];
    let tables: Vec<String> =
        known_keys("").into_iter().filter(|table| !are_named.contains(&table.as_str())).collect();
    let headers: Vec<_> = shown.keys().map(|header| header.trim_matches(['[', ']'])).collect();
    assert!(tables.iter().all(|table| headers.contains(&table.as_str())), "{tables:?} {headers:?}");
    for (header, mut keys) in shown {
        let mut known = known_keys(&header);
        known.sort();
        keys.sort();
        assert_eq!(keys, known, "{header}");
        let section = REFERENCE.split("\n## ").find(|section| section.starts_with(&format!("`{header}`")));
        let section = section.unwrap_or_else(|| panic!("no section `{header}` in the reference"));
        for key in keys {
            assert!(
                section.contains(&format!("\n| `{key}` |")),
                "{header} {key} is missing in the reference"
            );
        }
    }
}

#[test]
fn every_value_is_read_into_its_place() {
    let config = read(
        r#"
        [sip]
        listen = "[::1]:5070"
        advertise = "203.0.113.7"
        user_agent = "Caly"
        [http]
        listen = "127.0.0.1:0"
        [rtp]
        ports = "30000 - 30009"
        jitter_ms = 200
        timeout_s = 0
        codecs = ["PCMA"]
        [engine]
        shards = 3
        [limits]
        calls = 2
        invites_per_second_per_source = 3
        max_duration_s = 4
        ring_timeout_s = 5
        grace_s = 0
        [log]
        level = "warn,caly=debug"
        format = "json"
        phone_numbers = "shown"
        [data]
        dir = "/var/lib/caly"
        spool_max_mb = 0x10
        [[trunk]]
        name = "a"
        signaling = ["192.0.2.0/30", "2001:db8::/32", "198.51.100.1"]
        media = ["203.0.113.0/24"]
        advertise = "2001:db8::7"
        [[trunk]]
        name = "b"
        signaling = ["192.0.2.4/30"]
        [[route]]
        trunk = "a"
        source = "192.0.2.1"
        number = "+1415*"
        destination = "record"
        record = true
        [[route]]
        number = "100"
        destination = "busy"
        "#,
    )
    .unwrap();
    assert_eq!(config.sip.listen, "[::1]:5070".parse().unwrap());
    assert_eq!(config.sip.advertise, Some("203.0.113.7".parse().unwrap()));
    assert_eq!(config.sip.user_agent.as_deref(), Some("Caly"));
    assert_eq!(config.http.listen.port(), 0);
    assert_eq!((config.rtp.ports.first(), config.rtp.ports.last()), (30_000, 30_009));
    assert_eq!((config.rtp.jitter, config.rtp.timeout), (Duration::from_millis(200), Duration::ZERO));
    assert_eq!(config.rtp.codecs, [CodecName::Pcma]);
    assert_eq!(config.engine.shards.map(usize::from), Some(3));
    let limits = LimitsConfig {
        calls: 2,
        invites_per_second_per_source: 3,
        max_duration: Duration::from_secs(4),
        ring_timeout: Duration::from_secs(5),
        grace: Duration::ZERO,
    };
    assert_eq!(config.limits, limits);
    assert_eq!(config.log.format, crate::telemetry::LogFormat::Json);
    assert_eq!(config.log.phone_numbers, crate::telemetry::PhoneNumbers::Shown);
    assert_eq!(config.data.spool_max_bytes, 16 * 1024 * 1024);
    assert_eq!((config.trunks.len(), config.routes.len()), (2, 2));
    assert_eq!(config.trunks[0].advertise, Some("2001:db8::7".parse().unwrap()));
    assert_eq!((config.routes[0].record, config.routes[1].record), (true, false));
}

#[test]
fn networks_include_their_first_and_last_address() {
    let text =
        "[[trunk]]\nname = \"a\"\nsignaling = [\"54.172.60.0/30\", \"192.0.2.9\"]\nmedia = [\"10.0.0.0/31\"]";
    let config = read(text).unwrap();
    let trunk = &config.trunks[0];
    for (address, belongs) in [
        ("54.172.60.0", true),
        ("54.172.60.3", true),
        ("54.172.60.4", false),
        ("192.0.2.9", true),
        ("192.0.2.8", false),
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(trunk.signals_from(address), belongs, "{address}");
        assert!(!trunk.sends_media_from(address));
    }
    assert!(trunk.sends_media_from("10.0.0.1".parse().unwrap()));
}

#[test]
fn the_carriers_samples_load() {
    let twilio = read(include_str!("../../config/trunks/twilio.toml")).unwrap();
    assert_eq!((twilio.trunks[0].name.as_str(), twilio.trunks[0].signaling.len()), ("twilio", 8));
    assert!(twilio.trunks[0].signals_from("54.172.60.0".parse().unwrap()));
    assert!(twilio.trunks[0].sends_media_from("168.86.191.255".parse().unwrap()));
    let exotel = read(include_str!("../../config/trunks/exotel.toml")).unwrap();
    assert_eq!((exotel.trunks[0].name.as_str(), exotel.trunks[0].media.len()), ("exotel", 6));
    for sample in
        [include_str!("../../config/trunks/twilio.toml"), include_str!("../../config/trunks/exotel.toml")]
    {
        assert!(sample.contains("last checked 2026-11-20"));
        read(&format!("{SAMPLE}\n{sample}")).unwrap();
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = r#"[sip]
listen = "0.0.0.0"
advertise = "0.0.0.0"
user_agent = ""
[rtp]
ports = "20000-10000"
jitter_ms = 500
jiter_ms = 60
timeout_s = -1
codecs = ["PCMU", "G729", 5]
[engine]
shards = 0
[limits]
calls = "many"
max_duration_s = 1.5
[log]
level = "loud=very"
format = "xml"
[data]
dir = ""
[http]
listne = "127.0.0.1:1"
[agent]
demo = true
"#;
    let expected = r#"caly.toml:2:10: [sip] listen = "0.0.0.0": must be an IP address and port, as "0.0.0.0:5060" or "[::]:5060"
caly.toml:3:13: [sip] advertise = "0.0.0.0": must be an address to which peers can send
caly.toml:4:14: [sip] user_agent = "": must be 1 to 128 bytes on one line; leave the key out to send none
caly.toml:6:9: [rtp] ports = "20000-10000": must have room for an even port above 0 and the next one
caly.toml:7:13: [rtp] jitter_ms = 500: must be 20..=200 ms
caly.toml:8:1: [rtp] jiter_ms: unknown key; did you mean `jitter_ms`?
caly.toml:9:13: [rtp] timeout_s = -1: must be 0..=3600 s, 0 for never
caly.toml:10:10: [rtp] codecs = ["PCMU", "G729", 5]: has 3 items; at most 2 are allowed
caly.toml:10:19: [rtp] codecs = "G729": must be "PCMU" or "PCMA"
caly.toml:12:10: [engine] shards = 0: must be 1..=256 threads
caly.toml:14:9: [limits] calls = "many": must be 1..=30000 calls
caly.toml:15:18: [limits] max_duration_s = 1.5: must be 1..=604800 s
caly.toml:17:9: [log] level = "loud=very": must be error, warn, info, debug or trace, or a list of target=level
caly.toml:18:10: [log] format = "xml": must be "text" or "json"
caly.toml:20:7: [data] dir = "": must be the path of a directory
caly.toml:22:1: [http] listne: unknown key; did you mean `listen`?
caly.toml:23:2: agent: unknown key; did you mean `agents`?"#;
    assert_eq!(faults(text), expected);
}

#[test]
fn faults_of_trunks_and_routes_name_them() {
    let text = r#"[[trunk]]
name = "a b"
signaling = ["54.172.60.1/30", "nowhere", 5]
[[trunk]]
name = "b"
signaling = []
[[trunk]]
name = "c"
media = ["10.0.0.0/8"]
[[route]]
trunk = "d"
source = "10.1.0.0/8"
number = "+1 415"
destination = "agent:dmeo"
[[route]]
destination = "echo"
record = "yes"
"#;
    let expected = r#"caly.toml:2:8: [[trunk]] 1 name = "a b": must be 1 to 64 letters, digits, dots, dashes or underscores
caly.toml:3:14: [[trunk]] 1 signaling = "54.172.60.1/30": has host bits set; write "54.172.60.0/30" or "54.172.60.1"
caly.toml:3:32: [[trunk]] 1 signaling = "nowhere": must be an address or a network, as "54.172.60.0/30"
caly.toml:3:43: [[trunk]] 1 signaling = 5: must be an address or a network, as "54.172.60.0/30"
caly.toml:6:13: [[trunk]] 2 signaling = []: must not be empty
caly.toml:7:1: [[trunk]] 3: needs the key `signaling`
caly.toml:11:9: [[route]] 1 trunk = "d": is no trunk; there are b, c
caly.toml:12:10: [[route]] 1 source = "10.1.0.0/8": has host bits set; write "10.0.0.0/8" or "10.1.0.0"
caly.toml:13:10: [[route]] 1 number = "+1 415": must not contain ' ': write numbers without blanks, as they arrive in SIP
caly.toml:14:15: [[route]] 1 destination = "agent:dmeo": is no destination; did you mean `agent:demo`?
caly.toml:15:1: [[route]] 2: needs the key `number`
caly.toml:17:10: [[route]] 2 record = "yes": must be true or false"#;
    assert_eq!(faults(text), expected);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let twice = "[[trunk]]\nname = \"a\"\nsignaling = [\"10.0.0.0/8\"]\n[[trunk]]\nname = \"a\"\nsignaling = [\"10.1.0.0/16\"]";
    assert_eq!(
        faults(twice),
        "caly.toml:5:8: [[trunk]] 2 name = \"a\": is the name of an earlier trunk already\n\
         caly.toml:6:13: [[trunk]] 2 signaling = [\"10.1.0.0/16\"]: 10.1.0.0/16 overlaps 10.0.0.0/8 of trunk \"a\": a \
         call from there can belong to one trunk only"
    );
    for (text, expected) in [
        (
            "[sip]\nlisten = \"0.0.0.0:15060\"",
            "caly.toml:2:10: [sip] listen = \"0.0.0.0:15060\": SIP on 0.0.0.0:15060 has one of the RTP ports 10000-20000",
        ),
        (
            "[rtp]\nports = \"5000-6000\"",
            "caly.toml:2:9: [rtp] ports = \"5000-6000\": SIP on 0.0.0.0:5060 has one of the RTP ports 5000-6000",
        ),
        (
            "[http]\nlisten = \"127.0.0.1:5060\"",
            "caly.toml:2:10: [http] listen = \"127.0.0.1:5060\": SIP and HTTP have the same TCP port, 5060",
        ),
        (
            "[sip]\nlisten = \"127.0.0.1:5050\"",
            "caly.toml:2:10: [sip] listen = \"127.0.0.1:5050\": SIP and HTTP have the same TCP port, 5050",
        ),
        ("[rtp]\ncodecs = []", "caly.toml:2:10: [rtp] codecs = []: must name at least one codec"),
        (
            "[rtp]\ncodecs = [\"PCMU\", \"PCMU\"]",
            "caly.toml:2:10: [rtp] codecs = [\"PCMU\", \"PCMU\"]: names a codec twice",
        ),
    ] {
        assert_eq!(faults(text), expected);
    }
    read("[sip]\nlisten = \"127.0.0.2:5050\"").unwrap();
    read("[sip]\nlisten = \"0.0.0.0:0\"\n[http]\nlisten = \"0.0.0.0:0\"").unwrap();
}

#[test]
fn a_route_that_never_matches_is_refused() {
    let trunk = "[[trunk]]\nname = \"a\"\nsignaling = [\"10.0.0.0/8\"]\n";
    let with = |routes: &str| read(&format!("{trunk}{routes}")).map(|_| ());
    let route = |keys: &str| format!("[[route]]\n{keys}\ndestination = \"echo\"\n");
    let pair = |first: &str, second: &str| with(&format!("{}{}", route(first), route(second)));
    for (first, second) in [
        ("number = \"*\"", "number = \"5\""),
        ("number = \"+1*\"", "number = \"+14*\"\ntrunk = \"a\""),
        ("number = \"5\"\ntrunk = \"a\"", "number = \"5\"\ntrunk = \"a\"\nsource = \"10.1.0.0/16\""),
        ("number = \"*\"\nsource = \"10.0.0.0/8\"", "number = \"5\"\nsource = \"10.1.0.0/16\""),
    ] {
        let told = pair(first, second).unwrap_err().to_string();
        assert!(
            told.contains("[[route]] 2: never matches: the route in line 4 takes all its calls"),
            "{told}"
        );
    }
    for (first, second) in [
        ("number = \"5\"", "number = \"*\""),
        ("number = \"*\"\ntrunk = \"a\"", "number = \"*\""),
        ("number = \"*\"\nsource = \"10.1.0.0/16\"", "number = \"*\"\nsource = \"10.0.0.0/8\""),
        ("number = \"*\"\ntrunk = \"unknown\"", "number = \"5\""),
    ] {
        let told = pair(first, second).err().map(|told| told.to_string()).unwrap_or_default();
        assert!(!told.contains("never matches"), "{told}");
    }
    let told =
        with(&route("number = \"*\"\ntrunk = \"a\"\nsource = \"11.0.0.0/8\"")).unwrap_err().to_string();
    assert_eq!(
        told,
        "caly.toml:7:10: [[route]] 1 source = \"11.0.0.0/8\": never matches: trunk \"a\" does not call from there"
    );
}

#[test]
fn wrong_shapes_of_tables_are_explained() {
    assert_eq!(faults("sip = 5"), "caly.toml:1:7: [sip]: must be a table: write [sip]");
    assert_eq!(faults("[[sip]]"), "caly.toml:1:1: [sip]: must be a table: write [sip]");
    assert!(
        faults("[trunk]")
            .contains("must be a list of tables: write [[trunk]] with double brackets above each")
    );
    assert!(faults("route = [5]").contains("[[route]]: must be a list of tables"));
    let many = "[[route]]\nnumber = \"5\"\ndestination = \"echo\"\n".repeat(MAX_ROUTES + 1);
    assert!(faults(&many).starts_with("caly.toml:1:1: [[route]]: there are 2001; at most 2000 are allowed"));
}

#[test]
fn broken_syntax_is_told_beside_the_other_faults() {
    let told = faults("[sip\nlisten = \"x\"\n[rtp]\njitter_ms = 500\nports =\n");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    assert!(lines[0].starts_with("caly.toml:1:5: is not TOML here: "), "{told}");
    assert_eq!(lines[1], "caly.toml:4:13: [rtp] jitter_ms = 500: must be 20..=200 ms");
    assert!(lines[2].starts_with("caly.toml:5:"), "{told}");
    assert!(
        faults("[sip]\nlisten = \"0.0.0.0:1\"\nlisten = \"0.0.0.0:2\"")
            .contains(":3:1: is not TOML here: duplicate key")
    );
}

#[test]
fn a_damaged_file_is_refused_or_read_but_never_a_panic() {
    let carriers = include_str!("../../config/trunks/twilio.toml");
    let seeds = [full_sample(), format!("{SAMPLE}{carriers}"), "a".repeat(100_000)];
    let mut state = 1_u64;
    let mut random = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound.max(1)
    };
    let (mut sound, mut faulty) = (0, 0);
    for round in 0..3_000 {
        let mut text = seeds[round % 2].as_bytes().to_vec();
        for _ in 0..=random(3) {
            let at = random(text.len());
            let end = (at + random(60)).min(text.len());
            match random(4) {
                0 => text[at] = b"[]=\"'#,.\n{}0*"[random(13)],
                1 => drop(text.drain(at..end)),
                2 => drop(text.splice(at..at, seeds[0].bytes().skip(end).take(40))),
                _ => text.truncate(at.max(1)),
            }
        }
        match read(&String::from_utf8_lossy(&text)) {
            Ok(_) => sound += 1,
            Err(faults) => {
                faulty += 1;
                assert!(
                    faults.iter().all(|fault| fault.place.is_some() && !fault.to_string().contains('\n'))
                );
            }
        }
    }
    assert!(sound > 100 && faulty > 1_000, "{sound} {faulty}");
    assert!(faults(&seeds[2]).contains("is not TOML here"));
    let long = faults(&format!("{} = 1", seeds[2]));
    assert!(long.ends_with("a…: unknown key") && long.len() < 100, "{long}");
    assert!(faults("\"a\\n\\u001bb\" = 1").starts_with("caly.toml:1:1: a \u{fffd}b: unknown key"));
}

#[test]
fn a_file_is_read_or_said_why_not() {
    let directory = std::env::temp_dir().join(format!("caly-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("caly.toml");
    let load = |bytes: &[u8]| {
        File::create(&path).unwrap().write_all(bytes).unwrap();
        Config::load(Some(&path), DESTINATIONS).map_err(|faults| faults.to_string())
    };
    assert_eq!(load(b"[engine]\nshards = 2").unwrap().engine.shards.map(usize::from), Some(2));
    assert!(
        load(b"[sip]\n# \xff")
            .unwrap_err()
            .ends_with("caly.toml: is not UTF-8 from byte 8 on; is it the right file?")
    );
    assert!(load(&vec![b'\n'; 1024 * 1024 + 1]).unwrap_err().contains("is longer than 1048576 bytes"));
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(load_missing(&path).contains("caly.toml: cannot be read: "));
}

fn load_missing(path: &Path) -> String {
    Config::load(Some(path), DESTINATIONS).unwrap_err().to_string()
}
