//! What a shard keeps of one call: the call with its sockets while it lives, and its log until the last word is said.

use std::time::Instant;

use caly_rtp::frame::FRAME_SAMPLES;

use super::pacing::PacingHistogram;
use super::phase::Phase;
use super::surroundings::MediaIo;
use super::wheel::Slot;
use crate::call::exchange::CallKey;
use crate::call::log::{CallLog, CallTime, Event, LegQuality, Pacing, Room};
use crate::call::{Call, MediaTap};
use crate::recorder::{Channel, Tap};
use crate::store::EventSender;

/// One call of a shard.
#[derive(Debug)]
pub(super) struct Entry<M> {
    pub(super) key: CallKey,
    pub(super) log: CallLog,
    /// The call's time zero.
    pub(super) started: Instant,
    /// `None` once the call has ended and only its dialog or its recording is still being closed. Boxed, so that the
    /// table of calls stays small and moves little when it grows.
    pub(super) live: Option<Box<Live<M>>>,
    /// When it answered; kept here so that it survives a panic of the call.
    pub(super) answered_at: Option<Instant>,
    /// The log says that it was answered.
    pub(super) is_answer_told: bool,
    /// The recording whose report is still to come.
    pub(super) recording: Option<String>,
    /// The dialog is over on the wire.
    pub(super) is_forgotten: bool,
    /// It is in the shard's list of those that wait for room on the way to the store.
    pub(super) is_waiting: bool,
    /// When the call ended.
    pub(super) closed_at: Option<Instant>,
}

/// A call that has not ended, with everything of the shell that belongs to it.
#[derive(Debug)]
pub(super) struct Live<M> {
    pub(super) call: Call,
    pub(super) sockets: Option<M>,
    pub(super) tap: RecordingTap,
    pub(super) slot: Slot,
    /// The tick it was served last.
    pub(super) last_due: Option<Instant>,
    /// It moved to another slot: turns before this are not its own.
    pub(super) not_before: Option<Instant>,
    /// When its sockets were last found empty.
    pub(super) drained_at: Instant,
    /// Strangers send so much that its socket has to be emptied more often than once a tick.
    pub(super) is_flooded: bool,
    /// When its RTCP socket was last found empty.
    pub(super) rtcp_drained_at: Instant,
    /// Turns of its slot in which it was served.
    pub(super) turns: u64,
    /// Packets sent on its clock.
    pub(super) ticks: u64,
    pub(super) missed: u64,
    pub(super) phase: Phase,
    pub(super) pacing: PacingHistogram,
}

impl<M> Entry<M> {
    /// Appends an event to the call's log; what finds no room on the way to the store is held or counted.
    pub(super) fn append(&mut self, events: &mut EventSender, at: CallTime, event: Event) {
        self.write_held(events);
        let room = events.room();
        self.log.push(at, event, room, |record| events.append(record));
    }

    /// Hands over events that are held, as far as there is room. True if none is left.
    pub(super) fn write_held(&mut self, events: &mut EventSender) -> bool {
        while self.log.is_holding() && events.room() != Room::None {
            let room = events.room();
            self.log.retry(room, |record| events.append(record));
        }
        !self.log.is_holding()
    }

    /// Whether the log has everything that an ended call still brings forth.
    pub(super) fn is_told(&self) -> bool {
        self.recording.is_none() && !self.log.is_holding()
    }

    /// The call's time of an instant.
    pub(super) fn time(&self, now: Instant) -> CallTime {
        now.saturating_duration_since(self.started).into()
    }
}

impl<M: MediaIo> Live<M> {
    /// Says goodbye to the peer's RTP stack, hands the rest of the audio to the recording and tells the leg's figures.
    pub(super) fn last_words(&mut self, now: Instant) -> Option<LegQuality> {
        if let (Some(goodbye), Some(sockets)) = (self.call.goodbye(now), &self.sockets) {
            // RTCP BYE is a courtesy; the SIP BYE ends the call.
            let _ = sockets.send_rtcp(goodbye.datagram, goodbye.destination);
        }
        self.call.finish_recording(&mut self.tap);
        self.call.quality()
    }

    /// Figures of the ticks so far.
    pub(super) fn pacing(&self) -> Pacing {
        Pacing {
            ticks: self.ticks,
            missed: self.missed,
            error_p50_us: self.pacing.percentile_us(50.0),
            error_p99_us: self.pacing.percentile_us(99.0),
        }
    }
}

/// The recorder's tap as a call sees it.
#[derive(Debug)]
pub(super) struct RecordingTap(pub(super) Option<Tap>);

impl MediaTap for RecordingTap {
    fn caller(&mut self, block: u32, samples: &[i16; FRAME_SAMPLES]) {
        if let Some(tap) = &mut self.0 {
            tap.push(Channel::Caller, block, samples);
        }
    }

    fn agent(&mut self, block: u32, samples: &[i16; FRAME_SAMPLES]) {
        if let Some(tap) = &mut self.0 {
            tap.push(Channel::Agent, block, samples);
        }
    }
}
