//! A thread that does nothing but wake up every 5 ms and write down how late it was. When it was late, the machine was
//! somebody else's, and what the server did at that moment says little about the server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use caly::engine::clock::Clock;

/// Beats until it is stopped.
pub(crate) struct Heartbeat {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Beat>>,
}

struct Beat {
    /// Since the Unix epoch.
    at: Duration,
    late: Duration,
}

/// How the machine was, as far as a sleeper can tell.
#[derive(Debug)]
pub(crate) struct Weather {
    pub(crate) late_p50_us: u32,
    pub(crate) late_p99_us: u32,
    masked: BTreeSet<u128>,
    windows: BTreeSet<u128>,
}

impl Heartbeat {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("heartbeat".to_owned())
            .spawn(move || beat(&is_over))
            .expect("a thread for the heartbeat");
        Self { stop, thread }
    }

    /// Stops, and tells the weather between two moments (since the Unix epoch).
    pub(crate) fn stop(self, from: Duration, until: Duration) -> Weather {
        self.stop.store(true, Ordering::Relaxed);
        let beats = self.thread.join().expect("the heartbeat does not panic");
        Weather::of(beats.iter().filter(|beat| (from..until).contains(&beat.at)))
    }
}

impl Weather {
    fn of<'a>(beats: impl Iterator<Item = &'a Beat>) -> Self {
        let (mut masked, mut windows, mut late) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for beat in beats {
            let us = u32::try_from(beat.late.as_micros()).unwrap_or(u32::MAX);
            late.push(us);
            windows.insert(window_of(beat.at));
            if us > TOLERATED_US {
                // The stall began before the beat that tells of it.
                masked.insert(window_of(beat.at.saturating_sub(beat.late)));
                masked.insert(window_of(beat.at));
            }
        }
        late.sort_unstable();
        let percentile = |percent: usize| late.get(late.len() * percent / 100).copied().unwrap_or(0);
        Self { late_p50_us: percentile(50), late_p99_us: percentile(99), masked, windows }
    }

    /// Whether the machine stood still around this moment (since the Unix epoch).
    pub(crate) fn is_masked(&self, at: Duration) -> bool {
        self.masked.contains(&window_of(at))
    }

    /// The share of windows in which it did.
    pub(crate) fn masked_percent(&self) -> f64 {
        100.0 * self.masked.len() as f64 / self.windows.len().max(1) as f64
    }
}

fn beat(is_over: &AtomicBool) -> Vec<Beat> {
    let clock = Clock::new();
    let start = clock.now();
    let mut beats = Vec::with_capacity(RESERVED);
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        number += 1;
        let due = start + PERIOD * number;
        clock.sleep_until(due);
        let late = Instant::now().saturating_duration_since(due);
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        beats.push(Beat { at, late });
    }
    beats
}

fn window_of(at: Duration) -> u128 {
    at.as_millis() / WINDOW_MS
}

const PERIOD: Duration = Duration::from_millis(5);
const WINDOW_MS: u128 = 100;
/// The bound that pacing is held to.
const TOLERATED_US: u32 = 1_000;
/// Three minutes.
const RESERVED: usize = 36_000;
