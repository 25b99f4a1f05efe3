//! One shard: a thread that owns its calls. See the module above for how it lives.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::Waker;
use rtrb::{Consumer, Producer};

use super::clock::{Clock, Wake};
use super::entry::{Entry, Live, RecordingTap};
use super::pacing::PacingHistogram;
use super::phase::Phase;
use super::ports::{MediaSockets, PortError, PortPool};
use super::tick::{REFUSED_PER_WAKE, TickIo};
use super::wheel::{TICK, Turn, Wheel};
use crate::call::cause::HangupCause;
use crate::call::destination::Begin;
use crate::call::exchange::{
    BoundMedia, CallAnswer, CallInput, CallKey, Offer, OpenCall, Refusal, ShardAnswer, ShardRequest,
};
use crate::call::log::{CallId, CallLog, Ended, Event};
use crate::call::{Call, CallConfig, CallPolicy, End, Output};
use crate::capture::Capture;
use crate::recorder::{self, RecorderPort, RecordingOutcome};
use crate::seed::Seeds;
use crate::store::EventSender;

/// The shard's ends of everything that leads to other threads.
#[derive(Debug)]
pub struct ShardLinks {
    /// Requests of the signaling thread.
    pub inbox: Consumer<ShardRequest>,
    /// Answers to it.
    pub outbox: Producer<ShardAnswer>,
    /// Wakes the signaling thread.
    pub waker: Arc<Waker>,
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
}

/// A shard, built but not yet running.
#[derive(Debug)]
pub struct Shard {
    clock: Clock,
    policy: CallPolicy,
    links: ShardLinks,
    ports: PortPool,
    seeds: Seeds,
    stats: Arc<ShardStats>,
    wheel: Wheel,
    calls: Vec<Option<Entry>>,
    free: Vec<usize>,
    by_key: HashMap<CallKey, usize>,
    recordings: HashMap<CallId, usize>,
    /// Ended calls by the time at which they are forgotten in any case.
    closing: VecDeque<(Instant, CallKey)>,
    /// Answers that found no room in the outbox; at most a few per call.
    unsent: VecDeque<ShardAnswer>,
    has_answered: bool,
    pacing: PacingHistogram,
    buffer: Box<[u8; DATAGRAM_BYTES]>,
    /// Datagrams of strangers that may still be taken and dropped in this wake-up.
    refusals_left: usize,
    /// Calls whose sockets are emptied at every wake-up.
    flooded: Vec<usize>,
    stopping: Option<Instant>,
}

/// What a look at a flooded call's socket has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flood {
    GoesOn,
    Over,
}

/// Whether a thread is one of a shard.
pub fn is_shard(thread: &thread::Thread) -> bool {
    thread.name().is_some_and(|name| name.starts_with(THREAD_NAME))
}

impl Shard {
    /// A shard over its part of the ports. `seeds` feeds SSRCs and the like.
    pub fn new(policy: CallPolicy, links: ShardLinks, ports: PortPool, seeds: Seeds) -> Self {
        let clock = Clock::new();
        Self {
            clock,
            policy,
            links,
            ports,
            seeds,
            stats: Arc::default(),
            wheel: Wheel::new(clock.now()),
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
            stopping: None,
        }
    }

    /// Its figures.
    pub fn stats(&self) -> Arc<ShardStats> {
        Arc::clone(&self.stats)
    }

    /// Starts the thread; it runs until [`ShardRequest::Stop`].
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
            self.clock.sleep_until(self.wheel.next_due());
            let wake = Wake::sample(&self.clock);
            self.refusals_left = REFUSED_PER_WAKE;
            while let Some(turn) = self.wheel.take_due(wake.now()) {
                self.serve_slot(turn, &wake);
            }
            self.relieve_flooded(&wake);
            self.serve_inbox();
            self.serve_recorder();
            self.forget_closed(wake.now());
            self.send_answers();
            if self.is_done(wake.now()) {
                return;
            }
        }
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
            clock: &self.clock,
            stats: &self.stats,
            pacing: &mut self.pacing,
            buffer: &mut self.buffer[..],
            capture: &mut self.links.capture,
            refusals_left: &mut self.refusals_left,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| io.tick(live, turn, wake)));
        if live.is_flooded && self.flooded.len() < MAX_FLOODED && !self.flooded.contains(&index) {
            self.flooded.push(index);
        }
        match outcome {
            Ok(()) => {
                self.drain(index, wake.now());
                self.advise_phase(index, turn, wake.now());
            }
            Err(_) => self.end_panicked(index, wake.now()),
        }
    }

    /// Empties the sockets of flooded calls, also between their ticks.
    fn relieve_flooded(&mut self, wake: &Wake) {
        let mut n = 0;
        while let Some(&index) = self.flooded.get(n) {
            match self.relieve(index, wake) {
                Flood::GoesOn => n += 1,
                Flood::Over => drop(self.flooded.swap_remove(n)),
            }
        }
    }

    fn relieve(&mut self, index: usize, wake: &Wake) -> Flood {
        let entry = self.calls.get_mut(index).and_then(Option::as_mut);
        let Some(live) = entry.and_then(|entry| entry.live.as_mut()) else { return Flood::Over };
        // Its own tick has emptied it in this very wake-up, or has found the flood to be over.
        if !live.is_flooded {
            return Flood::Over;
        }
        if live.drained_at == wake.now() {
            return Flood::GoesOn;
        }
        let mut io = TickIo {
            clock: &self.clock,
            stats: &self.stats,
            pacing: &mut self.pacing,
            buffer: &mut self.buffer[..],
            capture: &mut self.links.capture,
            refusals_left: &mut self.refusals_left,
        };
        if catch_unwind(AssertUnwindSafe(|| io.relieve(live, wake))).is_err() {
            self.end_panicked(index, wake.now());
            return Flood::Over;
        }
        // A quarter of a tick's flood is a flood still: only the next tick says that it is over.
        live.is_flooded = true;
        Flood::GoesOn
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
        entry.append(&mut self.links.events, at, Event::SlotMoved { from: turn.slot.0, to: to.0 });
    }

    fn serve_inbox(&mut self) {
        let until = self.clock.now() + INBOX_TIME;
        while let Ok(request) = self.links.inbox.pop() {
            let now = self.clock.now();
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

    fn open(&mut self, open: OpenCall, now: Instant) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.calls.push(None);
            self.calls.len() - 1
        });
        let mut entry = Entry {
            key: open.key,
            log: CallLog::new(open.call),
            started: open.at,
            live: None,
            answered_at: None,
            recording: None,
            is_forgotten: false,
        };
        let at = entry.time(open.at);
        entry.append(&mut self.links.events, at, Event::Opened(open.opened.clone()));
        self.by_key.insert(open.key, index);
        let prepared = catch_unwind(AssertUnwindSafe(|| self.prepare(open, now, &mut entry)));
        let prepared = prepared.unwrap_or_else(|_| {
            self.report_panic(&entry);
            Err(HangupCause::InternalError)
        });
        self.calls[index] = Some(entry);
        match prepared {
            Ok((live, offer)) => self.begin(index, live, offer, now),
            Err(cause) => self.end_unopened(index, cause, now),
        }
    }

    fn prepare(
        &mut self,
        open: OpenCall,
        now: Instant,
        entry: &mut Entry,
    ) -> Result<(Box<Live>, Offer), HangupCause> {
        let needs_media = open.offer == Offer::Ours || open.destination.begin() == Begin::Answer;
        let sockets = if needs_media { Some(self.bind(open.media.bind)?) } else { None };
        let bound = sockets
            .as_ref()
            .map(|sockets| BoundMedia { local: sockets.rtp.local(), advertised: open.media.advertised });
        let tap = if open.record && needs_media { self.start_recording(open.call, now, entry) } else { None };
        let config = CallConfig {
            at: open.at,
            destination: open.destination,
            media: bound,
            media_sources: open.media_sources,
            seeds: Seeds::new(self.seeds.next_key()),
        };
        let live = Box::new(Live {
            call: Call::new(config, self.policy.clone()),
            sockets,
            tap: RecordingTap(tap),
            slot: self.wheel.emptiest(),
            last_due: None,
            not_before: None,
            drained_at: now,
            is_flooded: false,
            rtcp_drained_at: now,
            turns: 0,
            ticks: 0,
            missed: 0,
            phase: Phase::new(now),
            pacing: PacingHistogram::new(),
        });
        Ok((live, open.offer))
    }

    fn bind(&mut self, address: std::net::IpAddr) -> Result<MediaSockets, HangupCause> {
        self.ports.bind(address).map_err(|error| {
            tracing::warn!(%error, "a call is refused");
            match error {
                PortError::Exhausted | PortError::Bind(_) => HangupCause::PortsExhausted,
            }
        })
    }

    fn start_recording(&mut self, call: CallId, now: Instant, entry: &mut Entry) -> Option<recorder::Tap> {
        let file = recorder::file_name(call);
        let at = entry.time(now);
        let tap = self.links.recorder.open(call, file.clone(), 8000);
        let event = match &tap {
            Some(_) => Event::RecordingStarted { file: file.clone() },
            None => {
                Event::RecordingFailed { file: file.clone(), error: "the recorder is overloaded".to_owned() }
            }
        };
        entry.append(&mut self.links.events, at, event);
        if tap.is_some() {
            entry.recording = Some(file);
        }
        tap
    }

    fn begin(&mut self, index: usize, live: Box<Live>, offer: Offer, now: Instant) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        self.stats.calls.fetch_add(1, Ordering::Relaxed);
        self.wheel.insert(live.slot, index);
        if entry.recording.is_some() {
            self.recordings.insert(entry.log.call(), index);
        }
        let live = entry.live.insert(live);
        match catch_unwind(AssertUnwindSafe(|| live.call.begin(now, offer))) {
            Ok(()) => self.drain(index, now),
            Err(_) => self.end_panicked(index, now),
        }
    }

    fn input(&mut self, key: CallKey, at: Instant, input: CallInput) {
        let Some(&index) = self.by_key.get(&key) else { return };
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        match (&mut entry.live, input) {
            (Some(live), input) => match catch_unwind(AssertUnwindSafe(|| live.call.handle_input(at, input)))
            {
                Ok(()) => self.drain(index, at),
                Err(_) => self.end_panicked(index, at),
            },
            // The call has ended; the messages that close its dialog still belong to its log.
            (None, CallInput::Sip(message)) => {
                let at = entry.time(at);
                entry.append(&mut self.links.events, at, Event::Sip(message));
            }
            (None, _) => {}
        }
    }

    fn drain(&mut self, index: usize, now: Instant) {
        while let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) {
            let Some(output) = entry.live.as_mut().and_then(|live| live.call.poll_output()) else { return };
            match output {
                Output::Answer(answer) => {
                    self.unsent.push_back(ShardAnswer { key: entry.key, answer });
                }
                Output::Event(at, event) => {
                    if event == Event::Answered {
                        entry.answered_at = Some(now);
                    }
                    entry.append(&mut self.links.events, at, event);
                }
                Output::Ended(_, end) => self.close(index, end, now),
            }
        }
    }

    /// The call is over: its last words to the peer's RTP stack and to the log, then its ports and slot are free.
    fn close(&mut self, index: usize, end: End, now: Instant) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(live) = entry.live.take() else { return };
        let talk_ms = u64::try_from(end.talk.as_millis()).unwrap_or(u64::MAX);
        let ended = Ended { cause: end.cause, status: end.status, reason: end.reason, talk_ms };
        self.conclude(index, live, ended, now);
    }

    fn conclude(&mut self, index: usize, mut live: Box<Live>, ended: Ended, now: Instant) {
        let last_words = catch_unwind(AssertUnwindSafe(|| live.last_words(now)));
        if let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) {
            let at = entry.time(now);
            if let Ok(Some(leg)) = last_words {
                entry.append(&mut self.links.events, at, Event::Quality { leg, pacing: live.pacing() });
            }
            entry.append(&mut self.links.events, at, Event::Ended(ended));
        }
        self.release(index, live, now);
    }

    /// A call that never got its ports.
    fn end_unopened(&mut self, index: usize, cause: HangupCause, now: Instant) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        let refusal = Refusal::of(cause);
        let ended = Ended { cause, status: Some(refusal.status), reason: None, talk_ms: 0 };
        let at = entry.time(now);
        entry.append(&mut self.links.events, at, Event::Ended(ended));
        self.unsent.push_back(ShardAnswer { key: entry.key, answer: CallAnswer::End { cause, refusal } });
        self.closing.push_back((now + CLOSING_TIME, entry.key));
    }

    /// The call's code panicked. It is asked nothing more but for its last words, and may panic over these too.
    fn end_panicked(&mut self, index: usize, now: Instant) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(live) = entry.live.take() else { return };
        let cause = HangupCause::InternalError;
        let talk = entry.answered_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let status = if entry.answered_at.is_some() { 200 } else { 500 };
        let talk_ms = u64::try_from(talk.as_millis()).unwrap_or(u64::MAX);
        let ended = Ended { cause, status: Some(status), reason: None, talk_ms };
        let answer = CallAnswer::End { cause, refusal: Refusal::of(cause) };
        self.unsent.push_back(ShardAnswer { key: entry.key, answer });
        if let Some(entry) = self.calls.get(index).and_then(Option::as_ref) {
            self.report_panic(entry);
        }
        self.conclude(index, live, ended, now);
    }

    fn report_panic(&self, entry: &Entry) {
        tracing::error!(call_id = %entry.log.call(), "a fault in the call's code ended it; please report it");
        self.stats.panics.fetch_add(1, Ordering::Relaxed);
    }

    fn release(&mut self, index: usize, live: Box<Live>, now: Instant) {
        let Live { call, sockets, tap, slot, .. } = *live;
        self.wheel.remove(slot, index);
        if let Some(sockets) = sockets {
            self.ports.release(sockets);
        }
        if let Some(tap) = tap.0 {
            tap.finish();
        }
        // What a destination does when it is dropped is the call's code too.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(call)));
        self.stats.calls.fetch_sub(1, Ordering::Relaxed);
        if let Some(entry) = self.calls.get(index).and_then(Option::as_ref) {
            if dropped.is_err() {
                self.report_panic(entry);
            }
            self.closing.push_back((now + CLOSING_TIME, entry.key));
        }
    }

    fn forget(&mut self, key: CallKey) {
        let Some(&index) = self.by_key.get(&key) else { return };
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        entry.is_forgotten = true;
        if entry.live.is_none() && entry.recording.is_none() {
            self.remove(index);
        }
    }

    fn remove(&mut self, index: usize) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::take) else { return };
        self.by_key.remove(&entry.key);
        self.recordings.remove(&entry.log.call());
        self.free.push(index);
    }

    fn serve_recorder(&mut self) {
        while let Some(report) = self.links.recorder.poll_report() {
            let Some(&index) = self.recordings.get(&report.call) else { continue };
            let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { continue };
            let at = entry.time(self.clock.now());
            let event = match report.outcome {
                RecordingOutcome::Finished { file, duration_ms, missing_blocks } => {
                    Event::RecordingFinished { file, duration_ms, missing_blocks }
                }
                RecordingOutcome::Failed { file, error } => Event::RecordingFailed { file, error },
            };
            entry.append(&mut self.links.events, at, event);
            entry.recording = None;
            self.recordings.remove(&report.call);
            if entry.live.is_none() && entry.is_forgotten {
                self.remove(index);
            }
        }
    }

    fn forget_closed(&mut self, now: Instant) {
        while let Some(&(until, key)) = self.closing.front() {
            if now < until {
                return;
            }
            self.closing.pop_front();
            if let Some(&index) = self.by_key.get(&key) {
                self.remove(index);
            }
        }
    }

    fn send_answers(&mut self) {
        while let Some(answer) = self.unsent.pop_front() {
            if let Err(rtrb::PushError::Full(answer)) = self.links.outbox.push(answer) {
                self.unsent.push_front(answer);
                break;
            }
            self.has_answered = true;
        }
        if std::mem::take(&mut self.has_answered) && self.links.waker.wake().is_err() {
            tracing::error!("the signaling thread cannot be woken; it will look at its timers");
        }
    }

    fn stop(&mut self, now: Instant) {
        self.stopping = Some(now + RECORDER_PATIENCE);
        let live: Vec<CallKey> = self.by_key.keys().copied().collect();
        for key in live {
            self.input(key, now, CallInput::HangUp { cause: HangupCause::Shutdown });
        }
    }

    /// Stopped, and every recording has reported, or has had its time.
    fn is_done(&self, now: Instant) -> bool {
        self.stopping.is_some_and(|until| now >= until || self.recordings.is_empty())
    }
}

/// Largest datagram looked at; no RTP packet of a telephone codec comes near.
const DATAGRAM_BYTES: usize = 2048;
/// Flooded calls that are looked at more often than others; more floods than this fill the line anyway.
const MAX_FLOODED: usize = 32;
/// Followed by the shard's number.
const THREAD_NAME: &str = "caly-shard-";
/// Time for requests after a slot's calls: opening a call costs some 100 µs, and the next slot is 5 ms away.
const INBOX_TIME: Duration = Duration::from_millis(3);
/// How long an ended call's log stays open at most, if signaling never says that its dialog is over: a BYE that nobody
/// answers is repeated for 32 s (RFC 3261 timer F), a 2xx that nobody acknowledges before it as long.
const CLOSING_TIME: Duration = Duration::from_secs(70);
/// How long a stopping shard waits for the recorder.
const RECORDER_PATIENCE: Duration = Duration::from_secs(5);
/// 1 µs.
const TIMER_SLACK_NS: u64 = 1000;
