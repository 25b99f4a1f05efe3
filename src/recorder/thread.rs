//! The thread that writes all recordings.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::file::OpenFile;
use super::tap::{self, BLOCK_SAMPLES, PortPeer, RecorderPort, RecordingOutcome, RecordingReport, Request};
use super::wav;
use super::window::Window;

/// Starts the thread that writes recordings.
#[derive(Debug)]
pub struct Recorder;

impl Recorder {
    /// Begins to write recordings below `dir` for `shards` shards, each with a port of its own. Call
    /// [`repair`](fn@super::repair) before.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(dir: &Path, shards: usize) -> io::Result<(RecorderHandle, Vec<RecorderPort>)> {
        let (ports, peers): (Vec<_>, Vec<_>) = (0..shards).map(|_| tap::port()).unzip();
        let stop = Arc::new(AtomicBool::new(false));
        let stats = Arc::new(RecorderStats::default());
        let desk = Desk::new(dir.to_path_buf(), peers, Arc::clone(&stats));
        let stopped = Arc::clone(&stop);
        let thread =
            thread::Builder::new().name("caly-recorder".to_owned()).spawn(move || run(desk, &stopped))?;
        Ok((RecorderHandle { thread: Some(thread), stop, stats }, ports))
    }

    /// A recorder without a thread, for `shards` shards: whoever has it takes its turns.
    pub fn by_hand(dir: &Path, shards: usize) -> (RecorderDesk, Vec<RecorderPort>) {
        let (ports, peers): (Vec<_>, Vec<_>) = (0..shards).map(|_| tap::port()).unzip();
        (RecorderDesk(Desk::new(dir.to_path_buf(), peers, Arc::default())), ports)
    }
}

/// All recordings, written when told to.
#[derive(Debug)]
pub struct RecorderDesk(Desk);

impl RecorderDesk {
    /// Begins what was asked for, writes what was pushed, ends and reports what is over. A tap holds two seconds: turns come
    /// more often than that.
    pub fn turn(&mut self) {
        self.0.turn(Turn::Ordinary);
    }

    /// The last turn: closes all files, also those whose taps are still open.
    pub fn close(&mut self) {
        self.0.turn(Turn::Last);
    }
}

/// Owns the recorder's thread; dropping it closes all files and joins the thread.
#[derive(Debug)]
pub struct RecorderHandle {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    stats: Arc<RecorderStats>,
}

impl RecorderHandle {
    /// The recorder's counters.
    pub fn stats(&self) -> Arc<RecorderStats> {
        Arc::clone(&self.stats)
    }

    /// Writes what was pushed, closes all files, also those whose taps are still open, and joins the thread. The last
    /// reports can be polled afterwards.
    pub fn shutdown(mut self) {
        self.join();
    }

    fn join(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.stop.store(true, Ordering::Release);
        thread.thread().unpark();
        if thread.join().is_err() {
            tracing::error!("the recorder's thread panicked");
        }
    }
}

impl Drop for RecorderHandle {
    fn drop(&mut self) {
        self.join();
    }
}

/// What the recorder tells health and metrics.
#[derive(Debug, Default)]
pub struct RecorderStats {
    active: AtomicU64,
    failed: AtomicU64,
    missing_blocks: AtomicU64,
}

impl RecorderStats {
    /// Recordings that run now.
    pub fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }

    /// Recordings that ended early.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Blocks of finished recordings that are silence because they came too late.
    pub fn missing_blocks(&self) -> u64 {
        self.missing_blocks.load(Ordering::Relaxed)
    }
}

fn run(mut desk: Desk, stop: &AtomicBool) {
    loop {
        let is_last = stop.load(Ordering::Acquire);
        desk.turn(if is_last { Turn::Last } else { Turn::Ordinary });
        if is_last {
            return;
        }
        thread::park_timeout(WAKE_INTERVAL);
    }
}

/// Whether recordings go on after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Ordinary,
    Last,
}

/// All recordings and the shards' ports. Their number is bounded by the number of calls.
#[derive(Debug)]
struct Desk {
    dir: PathBuf,
    peers: Vec<PortPeer>,
    recordings: Vec<Recording>,
    stats: Arc<RecorderStats>,
}

#[derive(Debug)]
struct Recording {
    shard: usize,
    request: Request,
    window: Window,
    wakes_since_header: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Writing(OpenFile),
    /// Over; the shard has not been told yet.
    Reporting(RecordingReport),
    Done,
}

impl Desk {
    fn new(dir: PathBuf, peers: Vec<PortPeer>, stats: Arc<RecorderStats>) -> Self {
        Self { dir, peers, recordings: Vec::new(), stats }
    }

    /// Begins what was asked for, writes what was pushed, ends what is over, and reports it.
    fn turn(&mut self, turn: Turn) {
        for shard in 0..self.peers.len() {
            while let Ok(request) = self.peers[shard].requests.pop() {
                let recording = Recording::begin(&self.dir, shard, request);
                self.recordings.push(recording);
            }
        }
        for recording in &mut self.recordings {
            recording.advance(turn);
            recording.report(&mut self.peers, &self.stats);
        }
        self.recordings.retain(|recording| !matches!(recording.state, State::Done));
        self.stats.active.store(u64::try_from(self.recordings.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Recording {
    fn begin(dir: &Path, shard: usize, request: Request) -> Self {
        let created = if wav::RATES.contains(&request.sample_rate) {
            OpenFile::create(dir, &request.file, request.sample_rate)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "the sample rate is none of a call's"))
        };
        let state = match created {
            Ok(file) => State::Writing(file),
            Err(error) => State::Reporting(failed(&request, &error, 0)),
        };
        Self { shard, request, window: Window::new(), wakes_since_header: 0, state }
    }

    /// Takes what was pushed, and ends the file if the tap is gone, the server stops, or the disk refuses.
    fn advance(&mut self, turn: Turn) {
        let mut file = match std::mem::replace(&mut self.state, State::Done) {
            State::Writing(file) => file,
            other @ (State::Reporting(_) | State::Done) => {
                self.state = other;
                return;
            }
        };
        // Asked before the ring is emptied: what was pushed before the tap went is then seen below.
        let is_over = self.request.chunks.is_abandoned() || turn == Turn::Last;
        let report = match self.write(&mut file, is_over) {
            Ok(()) if !is_over => {
                self.state = State::Writing(file);
                return;
            }
            Ok(()) => match file.finish(self.window.end()) {
                Ok(()) => self.finished(),
                Err(error) => failed(&self.request, &error, self.window.end()),
            },
            Err(error) => {
                let blocks = file.blocks();
                if let Err(error) = file.finish(blocks) {
                    tracing::error!(call_id = %self.request.call, %error, "a failed recording cannot be closed in order");
                }
                failed(&self.request, &error, blocks)
            }
        };
        self.state = State::Reporting(report);
    }

    fn write(&mut self, file: &mut OpenFile, is_over: bool) -> io::Result<()> {
        for _ in 0..self.request.chunks.slots() {
            let Ok(chunk) = self.request.chunks.pop() else { break };
            for block in &chunk {
                self.window.place(block, file)?;
            }
        }
        if is_over {
            return self.window.write_all(file);
        }
        // At once what came since the last turn, a quarter of a second: one write of 8 kB costs a third of twelve small ones.
        self.window.write_ready(file)?;
        self.wakes_since_header += 1;
        if self.wakes_since_header >= WAKES_PER_HEADER {
            self.wakes_since_header = 0;
            file.write_header()?;
        }
        Ok(())
    }

    fn finished(&self) -> RecordingReport {
        let frames = u64::from(self.window.end()) * BLOCK_SAMPLES as u64;
        let outcome = RecordingOutcome::Finished {
            file: self.request.file.clone(),
            duration_ms: wav::duration_ms(frames, self.request.sample_rate),
            missing_blocks: self.window.late() + self.request.missing.load(Ordering::Relaxed),
        };
        RecordingReport { call: self.request.call, outcome }
    }

    /// Tells the shard; if its ring is full, at the next turn.
    fn report(&mut self, peers: &mut [PortPeer], stats: &RecorderStats) {
        let State::Reporting(report) = &self.state else { return };
        let Some(peer) = peers.get_mut(self.shard) else { return };
        if peer.reports.is_full() && !peer.reports.is_abandoned() {
            return;
        }
        match &report.outcome {
            RecordingOutcome::Finished { missing_blocks, .. } => {
                stats.missing_blocks.fetch_add(*missing_blocks, Ordering::Relaxed);
            }
            RecordingOutcome::Failed { .. } => {
                stats.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        // Without a shard there is nobody to tell; the next start finds the complete file.
        let _ = peer.reports.push(report.clone());
        self.state = State::Done;
    }
}

/// The first `blocks` blocks are in the file.
fn failed(request: &Request, error: &io::Error, blocks: u32) -> RecordingReport {
    tracing::error!(call_id = %request.call, file = %request.file, %error, "a recording stopped early; the call goes on");
    let duration_ms = wav::duration_ms(u64::from(blocks) * BLOCK_SAMPLES as u64, request.sample_rate);
    let outcome =
        RecordingOutcome::Failed { file: request.file.clone(), error: error.to_string(), duration_ms };
    RecordingReport { call: request.call, outcome }
}

/// How often rings are emptied; a tap holds two seconds.
const WAKE_INTERVAL: Duration = Duration::from_millis(250);

/// The header is brought up to date every four seconds: what a player misses of a file that nobody repaired.
const WAKES_PER_HEADER: u32 = 16;

#[cfg(test)]
mod tests;
