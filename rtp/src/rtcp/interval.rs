//! When the next report is due (RFC 3550 sections 6.2 and 6.3).
//!
//! A call has two members, so the number of members never changes and reconsideration (section 6.3.6) has nothing to do;
//! what remains is the share of the bandwidth, the minimum and the randomisation.

use std::time::{Duration, Instant};

use crate::seed::Seeded;

/// The report timer of one member.
#[derive(Clone, Debug)]
pub struct Interval {
    seeded: Seeded,
    /// Average size of the compound packets of both members, in octets with UDP and IP headers.
    average_octets: f64,
    due: Instant,
}

impl Interval {
    /// A timer for a session that begins now; its first report comes after about half the usual time (section 6.2).
    pub fn new(seed: u64, now: Instant) -> Self {
        let mut interval = Self { seeded: Seeded::new(seed), average_octets: TYPICAL_OCTETS, due: now };
        interval.due = now + interval.draw(MINIMUM_INTERVAL / 2);
        interval
    }

    /// True if a report is due.
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// When the next report is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// A report of so many octets has been sent: sets the time of the next one.
    pub fn handle_sent(&mut self, now: Instant, octets: usize) {
        self.average(octets);
        self.due = now + self.draw(MINIMUM_INTERVAL);
    }

    /// A compound packet of so many octets has been received.
    pub fn handle_received(&mut self, octets: usize) {
        self.average(octets);
    }

    fn average(&mut self, octets: usize) {
        // Datagrams are shorter than 2^16, so the conversion is exact.
        let octets = octets as f64 + IP_UDP_OCTETS;
        self.average_octets += (octets - self.average_octets) / 16.0;
    }

    /// Section 6.3.1: the deterministic interval, spread over half to one and a half of itself and divided by e - 3/2.
    fn draw(&mut self, minimum: Duration) -> Duration {
        let share = Duration::from_secs_f64(MEMBERS * self.average_octets / RTCP_OCTETS_PER_SECOND);
        let spread = 0.5 + self.seeded.next_fraction();
        share.max(minimum).mul_f64(spread / COMPENSATION)
    }
}

/// The smallest interval before randomisation (section 6.2).
pub const MINIMUM_INTERVAL: Duration = Duration::from_secs(5);

/// Us and the peer.
const MEMBERS: f64 = 2.0;

/// 5 % (section 6.2) of G.711's 50 packets a second of 160 + 12 + 28 octets.
const RTCP_OCTETS_PER_SECOND: f64 = 0.05 * 50.0 * 200.0;

/// The first guess: SR with one block and SDES.
const TYPICAL_OCTETS: f64 = 120.0;

const IP_UDP_OCTETS: f64 = 28.0;

/// e - 3/2: makes up for the timer's reconsideration, which converges below the average (section 6.3.1).
const COMPENSATION: f64 = std::f64::consts::E - 1.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, reports: usize, octets: usize) -> Vec<Duration> {
        let mut now = Instant::now();
        let mut interval = Interval::new(seed, now);
        let mut waits = vec![interval.due() - now];
        for _ in 0..reports {
            now = interval.due();
            interval.handle_sent(now, octets);
            waits.push(interval.due() - now);
        }
        waits
    }

    #[test]
    fn reports_are_due_between_two_and_six_seconds_apart_and_the_first_one_earlier() {
        for seed in 0..200 {
            let waits = drawn(seed, 20, 92);
            let least = MINIMUM_INTERVAL.mul_f64(0.5 / COMPENSATION);
            let most = MINIMUM_INTERVAL.mul_f64(1.5 / COMPENSATION);
            assert!(waits[0] >= least / 2 && waits[0] <= most / 2, "{:?}", waits[0]);
            assert!(waits[1..].iter().all(|wait| (least..=most).contains(wait)), "{waits:?}");
        }
    }

    #[test]
    fn two_sessions_do_not_report_in_step() {
        assert_ne!(drawn(1, 5, 92), drawn(2, 5, 92));
        assert_eq!(drawn(3, 5, 92), drawn(3, 5, 92));
    }

    #[test]
    fn large_reports_are_sent_less_often() {
        let sum = |octets| drawn(9, 100, octets).iter().sum::<Duration>();
        assert!(sum(8_000) > 3 * sum(92));
    }
}
