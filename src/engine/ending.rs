//! How a call leaves its shard: its end in the log, its last words, its ports and slot - and later, when its dialog is over
//! and its recording has reported, its log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::entry::{Entry, Live};
use super::shard::Shard;
use super::surroundings::Surroundings;
use crate::call::End;
use crate::call::cause::HangupCause;
use crate::call::exchange::{CallAnswer, CallKey, Refusal, ShardAnswer};
use crate::call::log::{Ended, Event};
use crate::recorder::RecordingOutcome;

impl<S: Surroundings> Shard<S> {
    /// The call is over: its last words to the peer's RTP stack and to the log, then its ports and slot are free.
    pub(super) fn close(&mut self, index: usize, end: End, now: Instant) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(live) = entry.live.take() else { return };
        let talk_ms = u64::try_from(end.talk.as_millis()).unwrap_or(u64::MAX);
        let ended = Ended { cause: end.cause, status: end.status, reason: end.reason, talk_ms };
        self.conclude(index, *live, ended, now);
    }

    fn conclude(&mut self, index: usize, mut live: Live<S::Sockets>, ended: Ended, now: Instant) {
        let last_words = catch_unwind(AssertUnwindSafe(|| live.last_words(now)));
        if let Some(at) = self.time(index, now) {
            if let Ok(Some(leg)) = last_words {
                self.append(index, at, Event::Quality { leg, pacing: live.pacing() });
            }
            self.append(index, at, Event::Ended(ended));
        }
        self.release(index, live, now);
    }

    /// A call that never got its ports.
    pub(super) fn end_unopened(&mut self, index: usize, cause: HangupCause, now: Instant) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        let refusal = Refusal::of(cause);
        let ended = Ended { cause, status: Some(refusal.status), reason: None, talk_ms: 0 };
        let at = entry.time(now);
        self.unsent.push_back(ShardAnswer { key: entry.key, answer: CallAnswer::End { cause, refusal } });
        self.append(index, at, Event::Ended(ended));
        self.begin_closing(index, now);
    }

    /// The call's code panicked. It is asked nothing more but for its last words, and may panic over these too.
    pub(super) fn end_panicked(&mut self, index: usize, now: Instant) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(live) = entry.live.take() else { return };
        // Its 200 is on its way to signaling, before the order to hang up.
        if entry.answered_at.is_some() && !entry.is_answer_told {
            let at = entry.time(now);
            entry.append(&mut self.links.events, at, Event::Answered);
            entry.is_answer_told = true;
        }
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
        self.conclude(index, *live, ended, now);
    }

    pub(super) fn report_panic(&self, entry: &Entry<S::Sockets>) {
        tracing::error!(call_id = %entry.log.call(), "a fault in the call's code ended it; please report it");
        self.stats.panics.fetch_add(1, Ordering::Relaxed);
    }

    fn release(&mut self, index: usize, live: Live<S::Sockets>, now: Instant) {
        let Live { call, sockets, tap, slot, .. } = live;
        self.wheel.remove(slot, index);
        if let Some(sockets) = sockets {
            self.surroundings.release(sockets);
        }
        if let Some(tap) = tap.0 {
            tap.finish();
        }
        // What a destination does when it is dropped is the call's code too.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(call)));
        self.stats.calls.fetch_sub(1, Ordering::Relaxed);
        if dropped.is_err()
            && let Some(entry) = self.calls.get(index).and_then(Option::as_ref)
        {
            self.report_panic(entry);
        }
        self.begin_closing(index, now);
    }

    fn begin_closing(&mut self, index: usize, now: Instant) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        entry.closed_at = Some(now);
        self.closing.push_back((now + CLOSING_TIME, entry.key));
    }

    pub(super) fn forget(&mut self, key: CallKey) {
        let Some(&index) = self.by_key.get(&key) else { return };
        let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { return };
        entry.is_forgotten = true;
        self.remove_if_done(index);
    }

    /// Nothing more can come for a call that has ended, whose dialog is over, whose recording has reported and whose
    /// events are all on their way.
    fn remove_if_done(&mut self, index: usize) {
        let Some(entry) = self.calls.get(index).and_then(Option::as_ref) else { return };
        if entry.live.is_none() && entry.is_forgotten && entry.is_told() {
            self.remove(index);
        }
    }

    fn remove(&mut self, index: usize) {
        let Some(entry) = self.calls.get_mut(index).and_then(Option::take) else { return };
        self.by_key.remove(&entry.key);
        self.recordings.remove(&entry.log.call());
        self.free.push(index);
    }

    pub(super) fn serve_recorder(&mut self) {
        while let Some(report) = self.links.recorder.poll_report() {
            let Some(&index) = self.recordings.get(&report.call) else { continue };
            let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { continue };
            let at = entry.time(self.surroundings.now());
            let event = match report.outcome {
                RecordingOutcome::Finished { file, duration_ms, missing_blocks } => {
                    Event::RecordingFinished { file, duration_ms, missing_blocks }
                }
                RecordingOutcome::Failed { file, error, duration_ms } => {
                    Event::RecordingFailed { file, error, duration_ms }
                }
            };
            entry.recording = None;
            self.append(index, at, event);
            self.recordings.remove(&report.call);
            self.remove_if_done(index);
        }
    }

    /// Ends the log of calls whose dialog signaling never called over. A recording that has not reported (a disk that
    /// stands still) and events that found no room keep it open for longer.
    pub(super) fn forget_closed(&mut self, now: Instant) {
        while let Some(&(until, key)) = self.closing.front() {
            if now < until {
                return;
            }
            self.closing.pop_front();
            let Some(&index) = self.by_key.get(&key) else { continue };
            let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { continue };
            entry.is_forgotten = true;
            let closed_at = entry.closed_at.unwrap_or(now);
            if entry.is_told() {
                self.remove(index);
            } else if now.saturating_duration_since(closed_at) < REPORT_TIME {
                self.closing.push_back((now + CLOSING_TIME, key));
            } else {
                tracing::error!(call_id = %entry.log.call(), "the end of a call's log is lost; see whether the disk works");
                self.stats.logs_cut.fetch_add(1, Ordering::Relaxed);
                self.remove(index);
            }
        }
    }

    /// Events that found no room on the way to the store are tried again.
    pub(super) fn write_held(&mut self) {
        for _ in 0..self.holding.len() {
            let Some(key) = self.holding.pop_front() else { return };
            let Some(&index) = self.by_key.get(&key) else { continue };
            let Some(entry) = self.calls.get_mut(index).and_then(Option::as_mut) else { continue };
            if entry.write_held(&mut self.links.events) {
                entry.is_waiting = false;
                self.remove_if_done(index);
            } else {
                self.holding.push_front(key);
                return;
            }
        }
    }
}

/// How long an ended call's log stays open at most, if signaling never says that its dialog is over: a BYE that nobody
/// answers is repeated for 32 s (RFC 3261 timer F), a 2xx that nobody acknowledges before it as long.
const CLOSING_TIME: Duration = Duration::from_secs(70);
/// How long the recorder may take over its report: a network disk that stands still for longer does not come back.
const REPORT_TIME: Duration = Duration::from_secs(3600);
