//! How a shard takes a call: its log begins, its ports are bound, its recording is asked for, and it is begun.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::entry::{Entry, Live, RecordingTap};
use super::pacing::PacingHistogram;
use super::phase::Phase;
use super::ports::PortError;
use super::shard::Shard;
use super::surroundings::{MediaIo, Surroundings};
use crate::call::cause::HangupCause;
use crate::call::destination::Begin;
use crate::call::exchange::{BoundMedia, Offer, OpenCall};
use crate::call::log::{CallId, CallLog, Event};
use crate::call::{Call, CallConfig};
use crate::recorder;
use crate::seed::Seeds;

/// A call that may begin, with what it was offered.
type Prepared<M> = (Box<Live<M>>, Offer);

impl<S: Surroundings> Shard<S> {
    pub(super) fn open(&mut self, open: OpenCall, now: Instant) {
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
            is_answer_told: false,
            recording: None,
            is_forgotten: false,
            is_waiting: false,
            closed_at: None,
        };
        let at = entry.time(open.at);
        entry.append(&mut self.links.events, at, Event::Opened(open.opened.clone()));
        self.by_key.insert(open.key, index);
        if open.answer_by.is_some_and(|answer_by| now >= answer_by) {
            self.calls[index] = Some(entry);
            return self.end_unopened(index, HangupCause::Overloaded, now);
        }
        let prepared = catch_unwind(AssertUnwindSafe(|| self.prepare(open, now, &mut entry)));
        let prepared = prepared.unwrap_or_else(|_| {
            self.report_panic(&entry);
            Err(HangupCause::InternalError)
        });
        self.calls[index] = Some(entry);
        self.note_held(index);
        match prepared {
            Ok((live, offer)) => self.begin(index, live, offer, now),
            Err(cause) => self.end_unopened(index, cause, now),
        }
    }

    fn prepare(
        &mut self,
        open: OpenCall,
        now: Instant,
        entry: &mut Entry<S::Sockets>,
    ) -> Result<Prepared<S::Sockets>, HangupCause> {
        let needs_media = open.offer == Offer::Ours || open.destination.begin() == Begin::Answer;
        let sockets = if needs_media { Some(self.bind(open.media.bind)?) } else { None };
        let bound = sockets
            .as_ref()
            .map(|sockets| BoundMedia { local: sockets.rtp_local(), advertised: open.media.advertised });
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

    fn bind(&mut self, address: IpAddr) -> Result<S::Sockets, HangupCause> {
        self.surroundings.bind(address).map_err(|error| {
            tracing::warn!(%error, "a call is refused");
            match error {
                PortError::Exhausted | PortError::Bind(_) => HangupCause::PortsExhausted,
            }
        })
    }

    fn start_recording(
        &mut self,
        call: CallId,
        now: Instant,
        entry: &mut Entry<S::Sockets>,
    ) -> Option<recorder::Tap> {
        let file = recorder::file_name(call);
        let at = entry.time(now);
        let tap = self.links.recorder.open(call, file.clone(), 8000);
        let event = match &tap {
            Some(_) => Event::RecordingStarted { file: file.clone() },
            None => {
                let error = "the recorder is overloaded".to_owned();
                Event::RecordingFailed { file: file.clone(), error, duration_ms: 0 }
            }
        };
        entry.append(&mut self.links.events, at, event);
        if tap.is_some() {
            entry.recording = Some(file);
        }
        tap
    }

    fn begin(&mut self, index: usize, live: Box<Live<S::Sockets>>, offer: Offer, now: Instant) {
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
}
