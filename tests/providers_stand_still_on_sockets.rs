//! All providers of real calls stand still for half a minute: their connections stay open and nothing comes. What goes over the wire between caller
//! and server goes on as in calls whose providers are well, the calls go on or end politely, and nothing is left of them.
#![allow(clippy::expect_used, reason = "here a failure is the test's failure")]

mod common;
mod on_sockets;

use std::time::{Duration, Instant};

use caly_vendors::stage::Pause;

use common::process::Footprint;
use common::raw_call::RawCall;
use common::records::{count, leg_quality, missed};
use common::server::{Server, ServerSetup};
use common::stalls::StallWatch;
use common::wait;
use on_sockets::{ANSWER, Act, Asked, Asking, House, asking, dialogue, said, steady};

/// Calls whose providers stand still, and calls beside them whose providers do not.
const TROUBLED: usize = 6;
const CALM: usize = 2;
/// From the last call's begin until they stand still, for how long, and for how long the calls go on.
const BEFORE: Duration = Duration::from_secs(7);
const STILL: Duration = Duration::from_secs(30);
const AFTER: Duration = Duration::from_secs(6);

#[test]
fn rtp_goes_on_and_nothing_is_left_when_all_providers_stand_still() {
    let (mut house, pause) = (House::new("still"), Pause::default());
    for (hop, word) in on_sockets::cast::HOPS.iter().enumerate() {
        let kind = on_sockets::cast::KINDS[hop][0];
        house.provider(hop, kind, &format!("{word}-well"), &Act::Well);
        house.provider(hop, kind, &format!("{word}-still"), &Act::StandsStill(&pause));
    }
    let calm = house.agent([&["asr-well"], &["llm-well"], &["tts-well"]]);
    let troubled = house.agent([&["asr-still"], &["llm-still"], &["tts-still"]]);
    let server = ServerSetup::default().config(house.config()).start();
    let stalls = StallWatch::start(server.pid());
    // What is made on first use is made.
    Asking::new(RawCall::place(server.sip(), &troubled), &asking(0.5, 0.5)).end();
    let idle = settled(&server, &house);

    let mut calls: Vec<Asking> = Vec::new();
    for number in 0..TROUBLED + CALM {
        let agent = if number < TROUBLED { &troubled } else { &calm };
        // Each is somewhere else in its turn when they stand still.
        let audio = asking(2.0 + 0.7 * number as f64, 5.0);
        calls.push(Asking::new(RawCall::place(server.sip(), agent), &audio));
    }
    let from = go_on(&mut calls, BEFORE);
    house.stand_still(&pause, STILL);
    let until = go_on(&mut calls, STILL);
    go_on(&mut calls, AFTER);
    let ended: Vec<Asked> = calls.into_iter().map(Asking::end).collect();
    let stalls = stalls.stop();

    let during = |call: &Asked| call.heard.iter().filter(|packet| (from..until).contains(&packet.at)).count();
    let expected = during(&ended[TROUBLED]);
    let rows = server.ended_calls(1 + TROUBLED + CALM);
    let late_in_calm = missed(&server.records().call_of(&rows, &ended[TROUBLED].call_id));
    for (number, call) in ended.iter().enumerate() {
        let whose = format!("call {number}");
        stalls.assert_unbroken(&whose, &call.heard, 1_000);
        let record = server.records().call_of(&rows, &call.call_id);
        let shown = || format!("{whose}: {record:#}");
        if !call.by_agent {
            // A packet more or less at either end, and what a machine that stood still has cost either of them.
            let (heard, late) = (during(call), late_in_calm + missed(&record));
            let differ = heard.abs_diff(expected) as u64;
            assert!(differ <= 5 + late, "{whose}: {heard} packets, {expected} in calm, {late} by stalls");
        }
        let quality = leg_quality(&record);
        assert_eq!(count(&quality, "lost"), 0, "{}", shown());
        let received = count(&quality, "received");
        assert!(
            call.by_agent || received + 5 > u64::from(call.sent),
            "{received} of {}: {}",
            call.sent,
            shown()
        );
        let cause = if call.by_agent { "local_bye" } else { "remote_bye" };
        assert_eq!(record["cause"], cause, "{}", shown());
        let faults = dialogue(&record, "hop").iter().filter(|event| event["step"] == "fault").count();
        assert_eq!(faults > 0, number < TROUBLED, "{}", shown());
        let said = said(&record);
        // The others had asked a moment before, or were asking.
        let is_answered = !(TROUBLED / 2..TROUBLED).contains(&number);
        assert!(!is_answered || said.iter().any(|text| text == ANSWER), "{}", shown());
        if call.by_agent {
            assert_eq!(said.last().expect("something is said"), "Goodbye.", "{}", shown());
        }
    }
    let after = settled(&server, &house);
    // Connections to the models are kept for the next call.
    let (_, kept) = house.connections();
    assert!(kept <= TROUBLED + CALM, "{kept} connections are kept");
    assert_eq!(after.sockets - kept, idle.sockets, "{kept} connections are kept");
    // The database and the spool open a file now and then.
    assert!(after.descriptors <= idle.descriptors + kept + 2, "{idle:?} became {after:?}");
    assert!(after.resident_kib < idle.resident_kib + 24 * 1024, "{idle:?} became {after:?}");
    house.close();
}

/// Lets the calls be, and answers what the agents end. Returns when it was over.
fn go_on(calls: &mut [Asking], lasts: Duration) -> Instant {
    let end = Instant::now() + lasts;
    wait::until("a time in which calls are up", lasts + Duration::from_secs(10), || {
        calls.iter_mut().for_each(|call| {
            call.is_over();
        });
        (Instant::now() >= end).then_some(end)
    })
}

/// What the server holds when no call is up and all that belonged to one is gone.
fn settled(server: &Server, house: &House) -> Footprint {
    let held = |house: &House| {
        let held = Footprint::of(server.pid());
        (house.connections().0 == 0).then_some((held.descriptors, held.sockets, held.threads))
    };
    steady("a server that has settled", Duration::from_secs(40), || held(house));
    Footprint::of(server.pid())
}
