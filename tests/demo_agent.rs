//! The agent that is there without any key: what callers hear is what is shipped, and their keys do what they are told.
#![allow(clippy::expect_used, reason = "here a failure is the test's failure")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use caly_rtp::codec::Codec;
use serde_json::Value;

use common::baresip::Baresip;
use common::namespace::{OWN_ADDRESS, with_own_network};
use common::records::events_of;
use common::server::{Server, ServerSetup};
use common::sipp::Transport;
use common::tone;

#[test]
fn baresip_hears_the_greeting_that_is_shipped() {
    with_own_network("baresip_hears_the_greeting_that_is_shipped", || {
        let server = ServerSetup::default().listen(&format!("{OWN_ADDRESS}:0")).start();
        let greeting = shipped("hi", "नमस्ते! मैं कैली हूँ, आपकी ऑर्डर सहायक।");
        let seconds = (greeting.len() / 8000 + 3) as f64;
        // A line that is not dead, and is no speech either.
        let mut phone = Baresip::start("PCMU", &tone::sine(50.0, -70.0, seconds));
        phone.dial("demo", server.sip(), Transport::Udp);
        let heard = phone.received_audio(Duration::from_secs(30));
        let alike = likeness(&greeting, &heard);
        let right = alike.iter().filter(|likeness| **likeness > 0.98).count();
        // A machine that stands still for 300 ms may cost two blocks, not the rest.
        assert!(alike.len() >= 8 && right + 2 >= alike.len(), "{alike:?}");

        let call = server.ended_call();
        assert_eq!(said(&call)[0], "नमस्ते! मैं कैली हूँ, आपकी ऑर्डर सहायक।");
        assert_eq!(states(&call)[..2], ["greet", "menu"]);
    });
}

#[test]
fn a_caller_finds_an_order_cancels_it_and_is_seen_off() {
    let server = Server::start();
    let uri = format!("sip:demo@{}", server.sip());
    // English; an order; ABC123 on the keypad; cancel; yes; goodbye. A key interrupts what is said, and is not lost.
    let keys = "8,1,222123#,,1,1,,,5";
    let output = Command::new(env!("CARGO_BIN_EXE_caly"))
        .args(["call", &uri, "--dtmf", keys, "--duration", "40", "--json"])
        .output()
        .expect("caly can be started");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert!(output.status.success(), "{report}");

    assert_eq!(report["cause"], "remote_bye", "the agent hangs up: {report}");
    let call = server.ended_call();
    assert_eq!(events_of(&call, "ended")[0]["cause"], "local_bye");
    let walked = states(&call);
    let wanted = ["greet", "menu", "english", "menu", "ask_order", "look_up", "several", "status", "actions"];
    assert_eq!(walked[..wanted.len()], wanted, "{walked:?}");
    assert_eq!(walked[wanted.len()..][..], ["sure_cancel", "cancel", "cancelled", "actions", "goodbye"]);
    let tools: Vec<Value> =
        dialogue(&call, "tool_called").iter().map(|event| event["name"].clone()).collect();
    assert_eq!(tools, ["lookup_order", "cancel_order"]);
    let said = said(&call);
    assert!(said.iter().any(|line| line.contains("ABC123")), "{said:?}");
    assert!(said.contains(&"One moment, I am checking.".to_owned()), "{said:?}");
    assert_eq!(dialogue(&call, "barge_in")[0]["by"], "digit");
    assert_eq!(dialogue(&call, "tool_answered").len(), 2);
    let outcomes: Vec<Value> = dialogue(&call, "outcome").iter().map(|event| event["name"].clone()).collect();
    assert_eq!(outcomes, ["order_status", "order_cancelled"]);
}

#[test]
fn the_shop_remembers_across_calls() {
    let server = Server::start();
    let uri = format!("sip:demo@{}", server.sip());
    for _ in 0..2 {
        let keys = "8,1,222123#,,1,1,,";
        let output = Command::new(env!("CARGO_BIN_EXE_caly"))
            .args(["call", &uri, "--dtmf", keys])
            .output()
            .expect("caly can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let rows = server.ended_calls(2);
    let ends: Vec<String> = rows
        .iter()
        .map(|row| {
            let call = server.call(row["id"].as_str().expect("a call has an id"));
            states(&call)
                .into_iter()
                .find(|state| state == "cancelled" || state == "not_possible" || state == "already")
        })
        .map(|state| state.unwrap_or_default())
        .collect();
    assert!(ends.iter().all(|end| !end.is_empty()), "both callers were answered: {ends:?}");
    assert_eq!(
        ends.iter().filter(|end| *end == "cancelled").count(),
        1,
        "an order is cancelled once: {ends:?}"
    );
}

/// A clip of the shipped ones, as samples between -1 and 1.
fn shipped(language: &str, text: &str) -> Vec<f64> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prompts");
    let index = fs::read_to_string(folder.join("index.tsv")).expect("an index of the clips");
    let line = index
        .lines()
        .find(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            fields[1] == language && fields[3] == text
        })
        .unwrap_or_else(|| panic!("{text:?} is not shipped"));
    let address = line.split('\t').next().expect("a line has fields");
    let clip = fs::read(folder.join(format!("{address}.ulaw"))).expect("the clip");
    let mut samples = vec![0; clip.len()];
    Codec::Pcmu.decode(&clip, &mut samples);
    samples.into_iter().map(|sample| f64::from(sample) / f64::from(i16::MAX)).collect()
}

/// How alike the loud blocks of 200 ms of `wanted` and what was heard are, 1 being the same: each is looked for within 300 ms
/// of where the first one was found.
fn likeness(wanted: &[f64], heard: &[f64]) -> Vec<f64> {
    let blocks: Vec<(usize, &[f64])> = wanted
        .chunks_exact(BLOCK)
        .enumerate()
        .map(|(number, block)| (number * BLOCK, block))
        .filter(|(_, block)| tone::level_db(block) > -35.0)
        .collect();
    let Some((first_at, first)) = blocks.first() else { return Vec::new() };
    let (found, _) = best(first, heard, 0, heard.len());
    let shift = found as i64 - *first_at as i64;
    blocks
        .iter()
        .map(|(at, block)| {
            let around = *at as i64 + shift;
            let from = usize::try_from(around - 2400).unwrap_or(0);
            best(block, heard, from, from + 4800).1
        })
        .collect()
}

/// Where a block is most alike, and how much.
fn best(block: &[f64], heard: &[f64], from: usize, to: usize) -> (usize, f64) {
    let energy = |samples: &[f64]| samples.iter().map(|sample| sample * sample).sum::<f64>();
    let wanted = energy(block);
    (from..to.min(heard.len().saturating_sub(block.len())))
        .map(|at| {
            let there = &heard[at..at + block.len()];
            let product: f64 = block.iter().zip(there).map(|(a, b)| a * b).sum();
            (at, product / (wanted * energy(there)).sqrt().max(1e-9))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((0, 0.0))
}

fn dialogue(call: &Value, what: &str) -> Vec<Value> {
    events_of(call, "dialogue").into_iter().filter(|event| event["what"] == what).collect()
}

fn states(call: &Value) -> Vec<String> {
    dialogue(call, "state")
        .iter()
        .map(|event| event["name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn said(call: &Value) -> Vec<String> {
    dialogue(call, "said").iter().map(|event| event["text"].as_str().unwrap_or_default().to_owned()).collect()
}

const BLOCK: usize = 1600;
