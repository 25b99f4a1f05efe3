//! One shard: a thread that owns its calls. See the module above for how it lives.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer};

use super::clock::Wake;
use super::entry::Entry;
use super::pacing::PacingHistogram;
use super::surroundings::{Kernel, Surroundings};
use super::tick::{REFUSED_PER_WAKE, TickIo};
use super::wheel::{TICK, Turn, Wheel};
use crate::call::cause::HangupCause;
use crate::call::exchange::{CallAnswer, CallInput, CallKey, ShardAnswer, ShardRequest};
use crate::call::log::{CallId, CallTime, Event};
use crate::call::{CallPolicy, Output};
use crate::capture::Capture;
use crate::recorder::RecorderPort;
use crate::seed::Seeds;
use crate::store::EventSender;

/// The shard's ends of everything that leads to other threads.
#[derive(Debug)]
pub struct ShardLinks {
    /// Requests of the signaling thread.
    pub inbox: Consumer<ShardRequest>,
    /// Answers to it.
    pub outbox: Producer<ShardAnswer>,
    /// The way to the store.
    pub events: EventSender,
    /// The way to the recorder.
    pub recorder: RecorderPort,
    /// Where copies of the packets go.
    pub capture: Capture,
}

/// What a shard shows to the rest of the server.
#[derive(Debug, Default)]
pub struct ShardStats {
    /// Calls that live.
    pub calls: AtomicUsize,
    /// RTP packets of the calls' peers.
    pub received: AtomicU64,
    /// Datagrams on RTP ports that were dropped: of strangers, or no RTP.
    pub refused: AtomicU64,
    /// Times that a call's RTP socket was left with more to read, because one look at it takes only so many.
    pub cut_short: AtomicU64,
    /// RTP packets sent.
    pub sent: AtomicU64,
    /// Packets that the kernel refused to send.
    pub send_failed: AtomicU64,
    /// Ticks that were skipped because the thread was not run in time.
    pub ticks_missed: AtomicU64,
    /// Calls that were ended by a panic.
    pub panics: AtomicU64,
    /// Ended calls that were forgotten before their recording had reported or their last events had found room.
    pub logs_cut: AtomicU64,
}

/// A shard, built but not yet running. The server's has a thread ([`spawn`](Shard::spawn)); others take its turns by hand.
#[derive(Debug)]
pub struct Shard<S: Surroundings = Kernel> {
    pub(super) surroundings: S,
    pub(super) policy: CallPolicy,
    pub(super) links: ShardLinks,
    pub(super) seeds: Seeds,
    pub(super) stats: Arc<ShardStats>,
    pub(super) wheel: Wheel,
    pub(super) calls: Vec<Option<Entry<S::Sockets>>>,
    pub(super) free: Vec<usize>,
    pub(super) by_key: HashMap<CallKey, usize>,
    pub(super) recordings: HashMap<CallId, usize>,
    /// Ended calls by the time at which they are forgotten in any case.
    pub(super) closing: VecDeque<(Instant, CallKey)>,
    /// Answers that found no room in the outbox; at most a few per call.
    pub(super) unsent: VecDeque<ShardAnswer>,
    pub(super) has_answered: bool,
    pub(super) pacing: PacingHistogram,
    pub(super) buffer: Box<[u8; DATAGRAM_BYTES]>,
    /// Datagrams of strangers that may still be taken and dropped in this wake-up.
    pub(super) refusals_left: usize,
    /// Calls whose sockets are emptied at every wake-up.
    pub(super) flooded: Vec<usize>,
    /// Calls with events that found no room on the way to the store; each once, oldest first.
    pub(super) holding: VecDeque<CallKey>,
    pub(super) stopping: Option<Instant>,
}

/// Whether a thread is one of a shard.
pub fn is_shard(thread: &thread::Thread) -> bool {
    thread.name().is_some_and(|name| name.starts_with(THREAD_NAME))
}

impl Shard<Kernel> {
    /// Starts the thread; it runs until [`ShardRequest::Stop`].
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(mut self, index: usize) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new().name(format!("{THREAD_NAME}{index}")).spawn(move || {
            // The default slack of 50 µs would be the largest part of the pacing error. Failing to set it is harmless.
            let _ = nix::sys::prctl::set_timerslack(TIMER_SLACK_NS);
            self.run();
            tracing::info!(
                shard = index,
                ticks = self.pacing.count(),
                pacing_p50_us = self.pacing.percentile_us(50.0),
                pacing_p99_us = self.pacing.percentile_us(99.0),
                ticks_missed = self.stats.ticks_missed.load(Ordering::Relaxed),
                "shard stopped"
            );
        })
    }

    fn run(&mut self) {
        loop {
            self.surroundings.clock.sleep_until(self.next_due());
            let wake = Wake::sample(&self.surroundings.clock);
            if !self.turn(&wake) {
                return;
            }
        }
    }
}

impl<S: Surroundings> Shard<S> {
    /// A shard in its surroundings. `seeds` feeds SSRCs and the like.
    pub fn new(policy: CallPolicy, links: ShardLinks, surroundings: S, seeds: Seeds) -> Self {
        let start = surroundings.now();
        Self {
            surroundings,
            policy,
            links,
            seeds,
            stats: Arc::default(),
            wheel: Wheel::new(start),
            calls: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            recordings: HashMap::new(),
            closing: VecDeque::new(),
            unsent: VecDeque::new(),
            has_answered: false,
            pacing: PacingHistogram::new(),
            buffer: Box::new([0; DATAGRAM_BYTES]),
            refusals_left: REFUSED_PER_WAKE,
            flooded: Vec::new(),
            holding: VecDeque::new(),
            stopping: None,
        }
    }

    /// Its figures.
    pub fn stats(&self) -> Arc<ShardStats> {
        Arc::clone(&self.stats)
    }

    /// When the next slot is due: the time of the next [`turn`](Self::turn).
    pub fn next_due(&self) -> Instant {
        self.wheel.next_due()
    }

    /// All that a wake-up brings: the calls of the slots that are due, requests, reports of recordings, answers. False once
    /// the shard has stopped and wants no more turns.
    pub fn turn(&mut self, wake: &Wake) -> bool {
        self.refusals_left = REFUSED_PER_WAKE;
        while let Some(turn) = self.wheel.take_due(wake.now()) {
            self.serve_slot(turn, wake);
        }
        self.relieve_flooded(wake);
        self.serve_inbox();
        self.serve_recorder();
        self.forget_closed(wake.now());
        self.write_held();
        self.send_answers();
        !self.is_done(wake.now())
    }

    fn serve_slot(&mut self, turn: Turn, wake: &Wake) {
        let mut n = 0;
        while let Some(index) = self.wheel.member(turn.slot, n) {
            self.serve_call(index, turn, wake);
            // A call that ended or moved has left its place to another.
            if self.wheel.member(turn.slot, n) == Some(index) {
                n += 1;
            }
        }
    }

    fn serve_call(&mut self, index: usize, turn: Turn, wake: &Wake) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(live) = &mut entry.live else { return };
        if live.not_before.is_some_and(|time| turn.due < time) {
            return;
        }
        live.not_before = None;
        let mut io = TickIo {
            surroundings: &self.surroundings,
            stats: &self.stats,
            pacing: &mut self.pacing,
            buffer: &mut self.buffer[..],
            capture: &mut self.links.capture,
            refusals_left: &mut self.refusals_left,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| io.tick(live, turn, wake)));
        let is_flooded = live.is_flooded;
        match outcome {
            Ok(()) => {
                if is_flooded {
                    self.note_flood(index);
                }
                self.drain(index, wake.now());
                self.advise_phase(index, turn, wake.now());
            }
            Err(_) => self.end_panicked(index, wake.now()),
        }
    }

    /// Moves a call whose packets wait long for their slot, while what it sends is silent.
    fn advise_phase(&mut self, index: usize, turn: Turn, now: Instant) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(live) = &mut entry.live else { return };
        let Some(steps) = live.phase.advice(now) else { return };
        let to = turn.slot.earlier(steps);
        if !live.call.is_silent() || self.wheel.is_crowded(to) {
            return;
        }
        self.wheel.remove(turn.slot, index);
        self.wheel.insert(to, index);
        live.slot = to;
        live.not_before = Some(turn.due + TICK);
        let at = entry.time(now);
        self.append(index, at, Event::SlotMoved { from: turn.slot.0, to: to.0 });
    }

    fn serve_inbox(&mut self) {
        let until = self.surroundings.now() + INBOX_TIME;
        while let Ok(request) = self.links.inbox.pop() {
            let now = self.surroundings.now();
            match request {
                ShardRequest::Open(open) => self.open(*open, now),
                ShardRequest::Call { key, at, input } => self.input(key, at, input),
                ShardRequest::Forget { key } => self.forget(key),
                ShardRequest::Stop => self.stop(now),
            }
            if now >= until {
                return;
            }
        }
    }

    pub(super) fn input(&mut self, key: CallKey, at: Instant, input: CallInput) {
        let Some(&index) = self.by_key.get(&key) else { return };
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(live) = &mut entry.live else { return self.note_late(index, at, input) };
        match catch_unwind(AssertUnwindSafe(|| live.call.handle_input(at, input))) {
            Ok(()) => self.drain(index, at),
            Err(_) => self.end_panicked(index, at),
        }
    }

    /// The call has ended; the messages that close its dialog still belong to its log.
    fn note_late(&mut self, index: usize, at: Instant, input: CallInput) {
        let message = match input {
            CallInput::Sip(message) => message,
            CallInput::Accepted
            | CallInput::Acknowledged { .. }
            | CallInput::Reoffer { .. }
            | CallInput::Progress { .. }
            | CallInput::Answered { .. }
            | CallInput::Ended { .. }
            | CallInput::HangUp { .. } => return,
        };
        if let Some(at) = self.time(index, at) {
            self.append(index, at, Event::Sip(message));
        }
    }

    /// A call's time of an instant.
    pub(super) fn time(&self, index: usize, now: Instant) -> Option<CallTime> {
        self.calls.get(index)?.as_ref().map(|entry| entry.time(now))
    }

    /// Appends an event to a call's log.
    pub(super) fn append(&mut self, index: usize, at: CallTime, event: Event) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        entry.append(&mut self.links.events, at, event);
        self.note_held(index);
    }

    /// A call whose events found no room waits for it.
    pub(super) fn note_held(&mut self, index: usize) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        if entry.log.is_holding() && !std::mem::replace(&mut entry.is_waiting, true) {
            self.holding.push_back(entry.key);
        }
    }

    pub(super) fn drain(&mut self, index: usize, now: Instant) {
        while let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) {
            let Some(output) = entry.live.as_mut().and_then(|live| live.call.poll_output()) else { return };
            match output {
                Output::Answer(answer) => {
                    if matches!(answer, CallAnswer::Accept { .. }) {
                        entry.answered_at = Some(now);
                    }
                    self.unsent.push_back(ShardAnswer { key: entry.key, answer });
                }
                Output::Event(at, event) => {
                    if event == Event::Answered {
                        entry.answered_at.get_or_insert(now);
                        entry.is_answer_told = true;
                    }
                    self.append(index, at, event);
                }
                Output::Ended(_, end) => self.close(index, end, now),
            }
        }
    }

    pub(super) fn send_answers(&mut self) {
        while let Some(answer) = self.unsent.pop_front() {
            if let Err(rtrb::PushError::Full(answer)) = self.links.outbox.push(answer) {
                self.unsent.push_front(answer);
                break;
            }
            self.has_answered = true;
        }
        if std::mem::take(&mut self.has_answered) {
            self.surroundings.wake_signaling();
        }
    }

    fn stop(&mut self, now: Instant) {
        self.stopping = Some(now + RECORDER_PATIENCE);
        let live: Vec<CallKey> = self.by_key.keys().copied().collect();
        for key in live {
            self.input(key, now, CallInput::HangUp { cause: HangupCause::Shutdown });
        }
    }

    /// Stopped, and every recording has reported and every event found room, or both have had their time.
    fn is_done(&self, now: Instant) -> bool {
        let is_told = self.recordings.is_empty() && self.holding.is_empty();
        self.stopping.is_some_and(|until| now >= until || is_told)
    }
}

/// Largest datagram looked at; no RTP packet of a telephone codec comes near.
const DATAGRAM_BYTES: usize = 2048;
/// Followed by the shard's number.
const THREAD_NAME: &str = "caly-shard-";
/// Time for requests after a slot's calls: opening a call costs some 100 µs, and the next slot is 5 ms away.
const INBOX_TIME: Duration = Duration::from_millis(3);
/// How long a stopping shard waits for the recorder.
const RECORDER_PATIENCE: Duration = Duration::from_secs(5);
/// 1 µs.
const TIMER_SLACK_NS: u64 = 1000;
