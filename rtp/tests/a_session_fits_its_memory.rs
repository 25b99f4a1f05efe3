//! What a session in use costs: its struct and what it holds on the heap, measured as the growth of the process's resident
//! memory over many sessions. Bounded buffers are what keeps a thousand calls small.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

mod network;

use network::{Random, Talker, config, events, peer, tick};

use caly_rtp::dtmf::{Digit, QUEUE_LIMIT};
use caly_rtp::jitter::Release;
use caly_rtp::session::Session;

/// The largest that a session may be while a call runs as calls do.
const SESSION_BYTES: u64 = 10 * 1_024;

/// The largest that a session may become whatever its peer and its owner do.
const FLOODED_SESSION_BYTES: u64 = 14 * 1_024;

const SESSIONS: u64 = 2_000;

/// Resident memory of this process, from the kernel.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    resident.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1_024
}

/// What each session adds. The sessions are kept, so that the next measurement cannot reuse their memory.
fn grown_by(kept: &mut Vec<Session>, make: impl Fn(u64) -> Session) -> u64 {
    kept.push(make(0));
    let before = resident_bytes();
    kept.extend((1..=SESSIONS).map(make));
    (resident_bytes() - before) / SESSIONS
}

/// A call of two seconds with a digit in it.
fn in_use(seed: u64, release: Release) -> Session {
    let mut config = config();
    config.release = release;
    let mut session = Session::new(config, seed, tick(0));
    let mut talker = Talker::new(7);
    for number in 0..100 {
        session.handle_rtp(tick(number), peer(), &talker.audio(&[0x55; 160]));
        match release {
            Release::InOrder => while session.next_in_order(tick(number)).is_some() {},
            Release::Paced => drop(session.next_paced(tick(number))),
        }
        if number == 50 {
            session.queue_dtmf(&[Digit::FLASH]).unwrap();
        }
        session.send(tick(number), &[0; 160]);
        events(&mut session);
    }
    session
}

/// A session to which far too much of everything has come, and from which nothing was fetched.
fn flooded(seed: u64) -> Session {
    let mut session = Session::new(config(), seed, tick(0));
    let mut random = Random::new(seed);
    session.queue_dtmf(&[Digit::FLASH; QUEUE_LIMIT]).unwrap();
    let mut talker = Talker::new(7);
    for number in 0..300 {
        session.handle_rtp(tick(0), peer(), &talker.audio(&[0x55; 80]));
        for payload_type in [101, (number % 128) as u8] {
            let datagram = talker.other(payload_type, random.next() as u32, &[1, 0x80, 0, 9]);
            session.handle_rtp(tick(0), peer(), &datagram);
        }
        let mut third_party = peer();
        third_party.set_port(random.next() as u16);
        session.handle_rtp(tick(0), third_party, &Talker::new(random.next() as u32).audio(&[0; 160]));
    }
    assert!(session.quality().refused.dropped_events > 0, "the queue of events is full");
    session
}

#[test]
fn a_session_in_use_and_a_flooded_one_stay_within_their_bounds() {
    let mut kept = Vec::with_capacity(4 * SESSIONS as usize);
    let in_order = grown_by(&mut kept, |seed| in_use(seed, Release::InOrder));
    let paced = grown_by(&mut kept, |seed| in_use(seed, Release::Paced));
    let flooded = grown_by(&mut kept, flooded);
    println!(
        "session: struct {} B; in use {in_order} B in order, {paced} B paced; flooded {flooded} B",
        size_of::<Session>()
    );
    assert!(in_order <= SESSION_BYTES && paced <= SESSION_BYTES, "{in_order} B, {paced} B");
    assert!(flooded <= FLOODED_SESSION_BYTES, "{flooded} B");
    assert!(in_order >= size_of::<Session>() as u64, "the measurement sees the sessions");
}
