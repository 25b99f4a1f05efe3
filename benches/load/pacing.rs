//! How precisely the server's packets left, from the kernel's time of their arrival at the callers: on the loopback
//! interface a packet arrives within the system call that sends it.
//!
//! A shard serves its calls on a grid of 5 ms. The grid is found from the packets themselves: the phase of the earliest.
//! What is measured is therefore the time behind the earliest packets that the shard managed in this run, which lie some
//! 20 to 60 µs behind their tick; the shard's own figures count from the tick.

use std::collections::BTreeMap;
use std::time::Duration;

use super::heartbeat::Weather;
use crate::common::rtp_callers::Heard;

/// The distribution of the error in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WirePacing {
    /// Packets outside the masked windows.
    pub(crate) packets: usize,
    pub(crate) p50_us: u32,
    pub(crate) p99_us: u32,
    pub(crate) p999_us: u32,
    pub(crate) max_us: u32,
    /// The 99th percentile with the masked windows.
    pub(crate) unmasked_p99_us: u32,
}

/// What each caller should have heard and did not: packets that were sent and lost, and ticks without a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) packets: u64,
    pub(crate) ticks: u64,
}

/// The packets heard between two moments, by caller.
pub(crate) fn by_caller(heard: &[Heard], from: Duration, until: Duration) -> BTreeMap<u32, Vec<Heard>> {
    let mut callers: BTreeMap<u32, Vec<Heard>> = BTreeMap::new();
    for packet in heard.iter().filter(|packet| (from..until).contains(&packet.at)) {
        callers.entry(packet.caller).or_default().push(*packet);
    }
    callers
}

/// Measures one window.
pub(crate) fn measure(callers: &BTreeMap<u32, Vec<Heard>>, weather: &Weather) -> WirePacing {
    let offsets: Vec<Vec<(Duration, i64)>> = callers.values().map(|packets| offsets_us(packets)).collect();
    let earliest = |caller: &Vec<(Duration, i64)>| caller.iter().map(|(_, offset)| *offset).min();
    let bases: Vec<i64> = offsets.iter().filter_map(earliest).collect();
    let grid = grid_phase(&bases);
    let (mut clear, mut all) = (Vec::new(), Vec::new());
    for (caller, base) in offsets.iter().zip(&bases) {
        let place = (base - grid).rem_euclid(SLOT_US);
        for (at, offset) in caller {
            let error = u32::try_from(offset - base + place).unwrap_or(u32::MAX);
            all.push(error);
            if !weather.is_masked(*at) {
                clear.push(error);
            }
        }
    }
    clear.sort_unstable();
    all.sort_unstable();
    WirePacing {
        packets: clear.len(),
        p50_us: per_mille(&clear, 500),
        p99_us: per_mille(&clear, 990),
        p999_us: per_mille(&clear, 999),
        max_us: clear.last().copied().unwrap_or(0),
        unmasked_p99_us: per_mille(&all, 990),
    }
}

/// Counts what is missing in one window.
pub(crate) fn missing(callers: &BTreeMap<u32, Vec<Heard>>) -> Missing {
    let mut missing = Missing::default();
    for packets in callers.values() {
        for pair in packets.windows(2) {
            let step = pair[1].sequence.wrapping_sub(pair[0].sequence);
            let ticks = pair[1].timestamp.wrapping_sub(pair[0].timestamp) / FRAME_UNITS;
            missing.packets += u64::from(step.saturating_sub(1));
            missing.ticks += u64::from(ticks.saturating_sub(u32::from(step)));
        }
    }
    missing
}

/// Each packet's arrival minus its media time, from the caller's first packet on.
fn offsets_us(packets: &[Heard]) -> Vec<(Duration, i64)> {
    let Some(first) = packets.first() else { return Vec::new() };
    let offset = |packet: &Heard| {
        let media_us = i64::from(packet.timestamp.wrapping_sub(first.timestamp)) * US_PER_UNIT;
        let at_us = i64::try_from(packet.at.as_micros()).unwrap_or(i64::MAX);
        (packet.at, at_us - media_us)
    };
    packets.iter().map(offset).collect()
}

/// The phase at which the shard's slots begin: behind the widest gap between the callers' phases.
fn grid_phase(bases: &[i64]) -> i64 {
    let mut phases: Vec<i64> = bases.iter().map(|base| base.rem_euclid(SLOT_US)).collect();
    phases.sort_unstable();
    let Some((&first, &last)) = phases.first().zip(phases.last()) else { return 0 };
    let around = (first + SLOT_US - last, first);
    let between = phases.windows(2).map(|pair| (pair[1] - pair[0], pair[1]));
    between.chain([around]).max_by_key(|(gap, _)| *gap).map_or(0, |(_, phase)| phase)
}

fn per_mille(sorted: &[u32], share: usize) -> u32 {
    sorted.get(sorted.len() * share / 1_000).copied().unwrap_or(0)
}

const SLOT_US: i64 = 5_000;
/// At 8 kHz.
const US_PER_UNIT: i64 = 125;
const FRAME_UNITS: u32 = 160;
