//! Any course of telephone-event packets: no panic, starts and ends take turns, and no digit lasts longer than it was heard.

#![no_main]

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use caly_rtp::dtmf::{Digit, DtmfEvent, DtmfReceiver};
use caly_rtp::packet::RtpTime;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Step {
    Packet { timestamp: u32, payload: [u8; 4] },
    Repeat,
    Short(Vec<u8>),
    Wait { ms: u16 },
    NewSource,
}

fuzz_target!(|steps: Vec<Step>| {
    let mut receiver = DtmfReceiver::new(8000);
    let mut now = Instant::now();
    let mut pressed = None;
    let mut last = (0, [0; 4]);
    for step in steps {
        let events: Vec<DtmfEvent> = match step {
            Step::Packet { timestamp, payload } => {
                last = (timestamp, payload);
                receiver.handle_packet(now, RtpTime(timestamp), &payload).into_iter().flatten().collect()
            }
            Step::Repeat => {
                receiver.handle_packet(now, RtpTime(last.0), &last.1).into_iter().flatten().collect()
            }
            Step::Short(payload) => {
                receiver.handle_packet(now, RtpTime(last.0), &payload).into_iter().flatten().collect()
            }
            Step::Wait { ms } => {
                now += Duration::from_millis(ms.into());
                receiver.handle_timeout(now).into_iter().collect()
            }
            Step::NewSource => receiver.handle_source_change().into_iter().collect(),
        };
        for event in events {
            pressed = follow(pressed, event);
        }
    }
});

/// The key that is down after the event.
fn follow(pressed: Option<Digit>, event: DtmfEvent) -> Option<Digit> {
    match event {
        DtmfEvent::Started { digit } => {
            assert_eq!(pressed, None, "two keys at once");
            Some(digit)
        }
        DtmfEvent::Ended { digit, volume, .. } => {
            assert_eq!(pressed, Some(digit), "an end without its start");
            assert!(volume <= 63);
            None
        }
    }
}
