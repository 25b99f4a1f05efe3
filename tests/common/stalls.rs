//! When the machine itself stood still, or had no core for a shard: threads that do nothing but wake up and write down
//! when they could not, and the scheduler's own account. What a stream lacks in such a time is not the server's fault.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::rtp_peer::RtpArrived;
use super::wait;

/// Watches until it is stopped.
pub(crate) struct StallWatch {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Stall>>>,
}

/// All stalls that were seen, by whom.
pub(crate) struct Stalls(Vec<Vec<Stall>>);

/// A thread was to be run at the one time and was run at the other.
#[derive(Clone, Copy, Debug)]
struct Stall {
    due: Instant,
    run: Instant,
}

impl StallWatch {
    /// Begins to watch the machine and the shards of the server whose process is `pid`.
    #[track_caller]
    pub(crate) fn start(pid: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for _ in 0..WATCHERS {
            let stop = Arc::clone(&stop);
            threads.push(std::thread::spawn(move || watch_machine(&stop)));
        }
        // A thread takes its name when it is first run.
        let shards = wait::until("a shard's thread", LONGEST_STALL * 10, || {
            Some(shards_of(pid)).filter(|shards| !shards.is_empty())
        });
        for shard in shards {
            let stop = Arc::clone(&stop);
            threads.push(std::thread::spawn(move || watch_shard(&shard, &stop)));
        }
        Self { stop, threads }
    }

    /// Ends and tells what was seen.
    pub(crate) fn stop(mut self) -> Stalls {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.threads.drain(..).map(|thread| thread.join().expect("a watcher does not panic"));
        Stalls(seen.collect())
    }
}

impl Drop for StallWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Stalls {
    /// How long at most one thread was kept waiting between two times.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Duration {
        let overlap = |stall: &Stall| stall.run.min(to).saturating_duration_since(stall.due.max(from));
        self.0.iter().map(|seen| seen.iter().map(overlap).sum()).max().unwrap_or_default()
    }

    /// Holds a stream of the server's against what a peer must hear: sequence numbers without a hole, 20 ms of
    /// timestamp and no long pause between two packets, but for the machine's own stalls.
    #[track_caller]
    pub(crate) fn assert_unbroken(&self, whose: &str, packets: &[RtpArrived], at_least: usize) {
        assert!(packets.len() >= at_least, "{whose}: {} packets", packets.len());
        for pair in packets.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            assert_eq!(
                after.sequence,
                before.sequence.wrapping_add(1),
                "{whose}: a hole in the sequence numbers"
            );
            let advance = after.timestamp.wrapping_sub(before.timestamp);
            assert_eq!(advance % FRAME_SAMPLES, 0, "{whose}: timestamps {advance} apart");
            // A stall that delayed the reading of both packets lies before the first of them was read.
            let stalled = self.between(before.at - LONGEST_STALL, after.at);
            let skipped = FRAME * (advance / FRAME_SAMPLES).saturating_sub(1);
            assert!(
                advance > 0 && (skipped.is_zero() || skipped <= stalled + BEAT * 2),
                "{whose}: timestamps {advance} apart, and the machine stood still for {stalled:?} only"
            );
            let pause = after.at - before.at;
            assert!(
                pause <= LONGEST_PAUSE + stalled,
                "{whose}: a pause of {pause:?}, and the machine stood still for {stalled:?} only"
            );
        }
    }

    /// Holds a whole call's stream against what a peer must hear, however late its packets were read: sequence numbers without a hole, a packet for
    /// each 20 ms of timestamp but for `missed` of them that the server says it missed, no more of these than the machine's stalls, and as
    /// much sound as time has passed.
    ///
    /// # Errors
    /// What is not so.
    pub(crate) fn check_whole(&self, packets: &[RtpArrived], missed: u64) -> Result<(), String> {
        let [first, .., last] = packets else { return Err(format!("{} packets", packets.len())) };
        let mut skipped = 0;
        for pair in packets.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            if after.sequence != before.sequence.wrapping_add(1) || after.ssrc != before.ssrc {
                return Err(format!("packet {} behind packet {}", after.sequence, before.sequence));
            }
            let advance = after.timestamp.wrapping_sub(before.timestamp);
            let frames = advance / FRAME_SAMPLES;
            if !advance.is_multiple_of(FRAME_SAMPLES) || !(1..=LONGEST_SKIP).contains(&frames) {
                return Err(format!("timestamps {advance} apart"));
            }
            skipped += frames - 1;
        }
        if u64::from(skipped) > missed {
            return Err(format!("{skipped} packets are missing, {missed} by the log"));
        }
        let stalled = self.between(first.at.checked_sub(LONGEST_STALL).unwrap_or(first.at), last.at);
        let sound = FRAME * (last.timestamp.wrapping_sub(first.timestamp) / FRAME_SAMPLES);
        let (lacking, astray) = (FRAME * skipped, sound.abs_diff(last.at - first.at));
        if lacking.max(astray) > stalled + LONGEST_PAUSE {
            let passed = last.at - first.at;
            return Err(format!(
                "{lacking:?} are missing, and {sound:?} of sound came in {passed:?}; the machine stood still for {stalled:?}"
            ));
        }
        Ok(())
    }
}

/// The scheduler's accounts of a server's shards.
#[track_caller]
fn shards_of(pid: u32) -> Vec<PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the server runs");
    let tasks = tasks.filter_map(|task| Some(task.ok()?.path()));
    let is_shard = |task: &PathBuf| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("caly-shard"))
    };
    tasks.filter(is_shard).map(|task| task.join("schedstat")).collect()
}

/// Writes down how long a thread that could run had to wait for a core.
fn watch_shard(schedstat: &PathBuf, stop: &AtomicBool) -> Vec<Stall> {
    let waited = || {
        let account = fs::read_to_string(schedstat).ok()?;
        account.split(' ').nth(1)?.parse().map(Duration::from_nanos).ok()
    };
    let mut seen = Vec::new();
    let Some(mut before) = waited() else { return seen };
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(BEAT);
        // The thread ends with its server.
        let Some(now) = waited() else { break };
        let run = Instant::now();
        if now > before {
            seen.push(Stall { due: run - (now - before), run });
        }
        before = now;
    }
    seen
}

fn watch_machine(stop: &AtomicBool) -> Vec<Stall> {
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let due = Instant::now() + BEAT;
        std::thread::sleep(BEAT);
        let run = Instant::now();
        if run - due >= BEAT {
            seen.push(Stall { due, run });
        }
    }
    seen
}

/// One for each core of a small machine: it may be only one of them that stands still.
const WATCHERS: usize = 2;
/// Far more often than a packet is due.
const BEAT: Duration = Duration::from_millis(5);
/// Three packets: a listener's jitter buffer bridges no more.
const LONGEST_PAUSE: Duration = Duration::from_millis(60);
/// Virtual machines stand still for 50 to 300 ms.
const LONGEST_STALL: Duration = Duration::from_millis(500);
/// 10 s: no machine that is of use stands still for longer.
const LONGEST_SKIP: u32 = 500;
const FRAME: Duration = Duration::from_millis(20);
const FRAME_SAMPLES: u32 = 160;
