//! What a receiver knows about the packets of one source: loss, duplicates, reordering and interarrival jitter
//! (RFC 3550 section 6.4.1, appendices A.3 and A.8).

use std::time::{Duration, Instant};

use super::packet::ReportBlock;
use crate::packet::{RtpTime, Ssrc};

/// Statistics of the source that is being received, and the sums of those before it.
#[derive(Clone, Debug)]
pub struct Reception {
    clock_rate: u32,
    source: Option<Source>,
    earlier: ReceptionTotals,
    deviations: Deviations,
}

/// One packet, as far as statistics care.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When the kernel received it.
    pub at: Instant,
    /// Its sequence number, unwrapped.
    pub sequence: u64,
    /// Its timestamp; `None` for packets whose timestamp is not their sampling time (telephone events).
    pub timestamp: Option<RtpTime>,
}

/// Sums since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceptionTotals {
    /// Packets received, each counted once.
    pub received: u64,
    /// Sequence numbers between the first and the newest packet that never came.
    pub lost: u64,
    /// Packets received once more.
    pub duplicate: u64,
    /// Packets that came after a newer one.
    pub reordered: u64,
}

impl Reception {
    /// Nothing received yet; timestamps count at `clock_rate` Hz.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1),
            source: None,
            earlier: ReceptionTotals::default(),
            deviations: Deviations::default(),
        }
    }

    /// The source's numbering begins anew, or another source's begins: sums are kept, its own statistics start again.
    pub fn restart(&mut self) {
        self.earlier = self.totals();
        self.source = None;
    }

    /// Counts a packet of the source `ssrc`; `wire_sequence` is its number as sent.
    pub fn handle_packet(&mut self, ssrc: Ssrc, wire_sequence: u16, arrival: Arrival) {
        let source =
            self.source.get_or_insert_with(|| Source::new(ssrc, arrival.sequence, wire_sequence, arrival.at));
        if !source.count(arrival.sequence) {
            return;
        }
        if let Some(timestamp) = arrival.timestamp
            && let Some(deviation) = source.measure(self.clock_rate, arrival.at, timestamp)
        {
            self.deviations.add(u64::from(deviation) * 1000 / u64::from(self.clock_rate));
        }
    }

    /// The block for the next report, and the end of the interval that its fraction of loss is about. `None` if nothing came
    /// since the last report.
    pub fn report(&mut self) -> Option<ReportBlock> {
        self.source.as_mut()?.report()
    }

    /// Sums since the beginning, over all sources.
    pub fn totals(&self) -> ReceptionTotals {
        let Some(source) = &self.source else { return self.earlier };
        ReceptionTotals {
            received: self.earlier.received + source.received,
            lost: self.earlier.lost + source.expected().saturating_sub(source.received),
            duplicate: self.earlier.duplicate + source.duplicate,
            reordered: self.earlier.reordered + source.reordered,
        }
    }

    /// The smoothed jitter of RFC 3550 appendix A.8.
    pub fn jitter(&self) -> Duration {
        let units = self.source.as_ref().map_or(0, Source::jitter);
        Duration::from_micros(u64::from(units) * 1_000_000 / u64::from(self.clock_rate))
    }

    /// The deviation between consecutive packets' transit times that a share of `quantile` (0-1) of them stayed within, in ms.
    pub fn deviation_ms(&self, quantile: f64) -> u32 {
        self.deviations.quantile(quantile)
    }

    /// The largest deviation between consecutive packets' transit times, in ms.
    pub fn largest_deviation_ms(&self) -> u32 {
        self.deviations.largest
    }
}

#[derive(Clone, Debug)]
struct Source {
    ssrc: Ssrc,
    began: Instant,
    first: u64,
    newest: u64,
    /// Added to an unwrapped number to give the extended number of reports, whose lower half is the number as sent.
    wire_offset: u64,
    /// Bit n: the packet n before the newest has come.
    window: u64,
    received: u64,
    duplicate: u64,
    reordered: u64,
    /// The jitter times 16, as in appendix A.8.
    scaled_jitter: u32,
    transit: Option<u32>,
    reported_expected: u64,
    reported_received: u64,
    heard_at_report: u64,
}

impl Source {
    fn new(ssrc: Ssrc, sequence: u64, wire_sequence: u16, began: Instant) -> Self {
        Self {
            ssrc,
            began,
            first: sequence,
            newest: sequence,
            wire_offset: u64::from(wire_sequence).wrapping_sub(sequence),
            window: 0,
            received: 0,
            duplicate: 0,
            reordered: 0,
            scaled_jitter: 0,
            transit: None,
            reported_expected: 0,
            reported_received: 0,
            heard_at_report: 0,
        }
    }

    /// True if the packet is new.
    fn count(&mut self, sequence: u64) -> bool {
        if sequence > self.newest {
            let shift = u32::try_from(sequence - self.newest).unwrap_or(u32::MAX);
            self.window = self.window.checked_shl(shift).unwrap_or(0) | 1;
            self.newest = sequence;
        } else {
            let age = self.newest - sequence;
            if age >= u64::from(u64::BITS) {
                // Too late to tell whether it has come before: it stays lost.
                return false;
            }
            let bit = 1 << age;
            if self.window & bit != 0 {
                self.duplicate += 1;
                return false;
            }
            self.window |= bit;
            self.reordered += u64::from(age > 0);
            self.first = self.first.min(sequence);
        }
        self.received += 1;
        true
    }

    /// Takes the packet into the jitter and says how far its transit time is from that of the packet before, in timestamp units.
    fn measure(&mut self, clock_rate: u32, at: Instant, timestamp: RtpTime) -> Option<u32> {
        let elapsed = at.saturating_duration_since(self.began).as_micros();
        // Transit times are only compared with each other, modulo 2^32.
        let units = (elapsed * u128::from(clock_rate) / 1_000_000) as u32;
        let transit = units.wrapping_sub(timestamp.0);
        let before = self.transit.replace(transit)?;
        let deviation = transit.wrapping_sub(before).cast_signed().unsigned_abs();
        // A jump of minutes is another timeline, not jitter.
        if deviation > clock_rate.saturating_mul(LONGEST_DEVIATION_SECONDS) {
            return None;
        }
        self.scaled_jitter = (self.scaled_jitter + deviation).saturating_sub((self.scaled_jitter + 8) >> 4);
        Some(deviation)
    }

    fn jitter(&self) -> u32 {
        self.scaled_jitter >> 4
    }

    fn expected(&self) -> u64 {
        self.newest - self.first + 1
    }

    fn report(&mut self) -> Option<ReportBlock> {
        let heard = self.received + self.duplicate;
        if heard == self.heard_at_report {
            return None;
        }
        self.heard_at_report = heard;
        let expected = self.expected();
        let expected_now = expected.saturating_sub(self.reported_expected);
        let lost_now = expected_now.saturating_sub(self.received.saturating_sub(self.reported_received));
        self.reported_expected = expected;
        self.reported_received = self.received;
        let fraction = (lost_now * 256).checked_div(expected_now).unwrap_or(0);
        let lost = expected.saturating_sub(self.received);
        Some(ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: i32::try_from(lost).unwrap_or(i32::MAX),
            highest_sequence: self.newest.wrapping_add(self.wire_offset) as u32,
            jitter: self.jitter(),
            last_report: 0,
            delay_since_last_report: 0,
        })
    }
}

/// How often each deviation occurred: whole milliseconds up to 32, then steps of 8.
#[derive(Clone, Debug)]
struct Deviations {
    counts: [u32; FINE_BINS + COARSE_BINS],
    largest: u32,
}

impl Default for Deviations {
    fn default() -> Self {
        Self { counts: [0; FINE_BINS + COARSE_BINS], largest: 0 }
    }
}

impl Deviations {
    fn add(&mut self, ms: u64) {
        let ms = usize::try_from(ms).unwrap_or(usize::MAX);
        let bin = if ms < FINE_BINS { ms } else { FINE_BINS + (ms - FINE_BINS) / COARSE_STEP_MS };
        let bin = bin.min(self.counts.len() - 1);
        if let Some(count) = self.counts.get_mut(bin) {
            *count = count.saturating_add(1);
        }
        self.largest = self.largest.max(u32::try_from(ms).unwrap_or(u32::MAX));
    }

    fn quantile(&self, quantile: f64) -> u32 {
        let all: u64 = self.counts.iter().copied().map(u64::from).sum();
        if all == 0 {
            return 0;
        }
        let wanted = (quantile.clamp(0.0, 1.0) * all as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bin = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        });
        let bin = bin.unwrap_or(self.counts.len() - 1);
        let upper_edge =
            if bin < FINE_BINS { bin } else { FINE_BINS + (bin + 1 - FINE_BINS) * COARSE_STEP_MS };
        u32::try_from(upper_edge).unwrap_or(u32::MAX).min(self.largest)
    }
}

const FINE_BINS: usize = 32;
/// 32 steps of 8 ms reach to 288 ms; what is above counts with the last.
const COARSE_BINS: usize = 32;
const COARSE_STEP_MS: usize = 8;
const LONGEST_DEVIATION_SECONDS: u32 = 60;

#[cfg(test)]
mod tests;
