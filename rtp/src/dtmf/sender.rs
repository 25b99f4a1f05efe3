//! The sender of telephone events (RFC 4733 section 2.5.1): keys wait in a queue and come out as one event packet per
//! 20 ms tick.

use std::collections::VecDeque;
use std::time::Duration;

use thiserror::Error;

use super::Digit;
use super::event::EventPayload;
use crate::packet::RtpTime;

/// How long keys are held and kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfTiming {
    /// How long a key is down; rounded up to a whole tick, at least one.
    pub tone: Duration,
    /// Silence between two keys; rounded up to a whole tick, at least the two ticks that the repeated end packets take.
    pub gap: Duration,
    /// Tone level in dBm0 with the sign dropped, 0-63.
    pub volume: u8,
}

impl Default for DtmfTiming {
    /// 100 ms at -10 dBm0, 80 ms apart: above every detector's minimum (ITU-T Q.24: 40 ms each).
    fn default() -> Self {
        Self { tone: Duration::from_millis(100), gap: Duration::from_millis(80), volume: 10 }
    }
}

/// What is to be sent in a tick in place of audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// The RTP marker, set on the first packet of an event only.
    pub is_first: bool,
    /// The RTP timestamp: the begin of the event (of its segment), the same in all its packets.
    pub timestamp: RtpTime,
    /// The payload.
    pub payload: [u8; EventPayload::LEN],
}

/// The queue holds [`QUEUE_LIMIT`] keys and these would not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{offered} digits offered, room for {room}")]
pub struct QueueFull {
    /// Keys that were to be added; none was.
    pub offered: usize,
    /// Keys that would have fitted.
    pub room: usize,
}

/// Turns queued keys into event packets, one a tick.
#[derive(Clone, Debug)]
pub struct DtmfSender {
    queue: VecDeque<Digit>,
    timing: DtmfTiming,
    clock_rate: u32,
    frame: u32,
    state: State,
}

impl DtmfSender {
    /// A sender whose ticks are `frame` timestamp units of a clock of `clock_rate` Hz.
    pub fn new(clock_rate: u32, frame: u32, timing: DtmfTiming) -> Self {
        Self { queue: VecDeque::new(), timing, clock_rate, frame: frame.max(1), state: State::Idle }
    }

    /// Adds keys to the queue: all of them or, when they do not fit, none.
    pub fn queue(&mut self, digits: &[Digit]) -> Result<(), QueueFull> {
        let room = QUEUE_LIMIT.saturating_sub(self.queue.len());
        if digits.len() > room {
            let offered = digits.len();
            return Err(QueueFull { offered, room });
        }
        self.queue.extend(digits);
        Ok(())
    }

    /// The packet of the tick at `timestamp`, the stream's running RTP time; `None` when the tick belongs to audio.
    ///
    /// Lengths are taken from the timestamps, so ticks that were missed are part of the event.
    pub fn tick(&mut self, timestamp: RtpTime) -> Option<EventPacket> {
        match self.state {
            State::Idle => self.start_next(timestamp),
            State::Tone(tone) => Some(self.continue_tone(tone, timestamp)),
            State::RepeatingEnd { end, left } => {
                self.state = match left {
                    0 | 1 => self.gap_after(end.over_at),
                    _ => State::RepeatingEnd { end, left: left - 1 },
                };
                Some(end.packet)
            }
            State::Gap { until } => {
                if is_before(timestamp, until) {
                    return None;
                }
                self.state = State::Idle;
                self.start_next(timestamp)
            }
        }
    }

    /// Gives up the key that is going out, for the stream is being suspended; the peer infers its end. Queued keys stay.
    pub fn suspend(&mut self) {
        self.state = State::Idle;
    }

    /// Forgets all keys: the peer takes no events any more.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.state = State::Idle;
    }

    /// True while keys wait or one is going out.
    pub fn is_sending(&self) -> bool {
        !self.queue.is_empty() || matches!(self.state, State::Tone(_) | State::RepeatingEnd { .. })
    }

    fn start_next(&mut self, timestamp: RtpTime) -> Option<EventPacket> {
        let digit = self.queue.pop_front()?;
        let tone = Tone {
            digit,
            segment_start: timestamp,
            over_at: RtpTime(timestamp.0.wrapping_add(self.whole_ticks(self.timing.tone, 1))),
        };
        let mut packet = self.continue_tone(tone, timestamp);
        packet.is_first = true;
        Some(packet)
    }

    fn continue_tone(&mut self, mut tone: Tone, timestamp: RtpTime) -> EventPacket {
        let tick_end = RtpTime(timestamp.0.wrapping_add(self.frame));
        let length = tick_end.0.wrapping_sub(tone.segment_start.0);
        let is_over = !is_before(tick_end, tone.over_at);
        let is_full = length >= u32::from(u16::MAX);
        let is_end = is_over && !is_full;
        let packet = EventPacket {
            is_first: false,
            timestamp: tone.segment_start,
            payload: EventPayload {
                digit: tone.digit,
                is_end,
                volume: self.timing.volume,
                duration: u16::try_from(length).unwrap_or(u16::MAX),
            }
            .to_bytes(),
        };
        if is_full {
            let full = u32::from(u16::MAX);
            tone.segment_start = RtpTime(tone.segment_start.0.wrapping_add(full));
        }
        self.state = if is_end {
            let over_at = tick_end;
            State::RepeatingEnd { end: End { packet, over_at }, left: END_REPEATS }
        } else {
            State::Tone(tone)
        };
        packet
    }

    fn gap_after(&self, over_at: RtpTime) -> State {
        let gap = self.whole_ticks(self.timing.gap, u32::from(END_REPEATS));
        State::Gap { until: RtpTime(over_at.0.wrapping_add(gap)) }
    }

    fn whole_ticks(&self, length: Duration, at_least: u32) -> u32 {
        let units = length.min(LONGEST).as_micros() * u128::from(self.clock_rate) / 1_000_000;
        let ticks = units.div_ceil(u128::from(self.frame));
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).max(at_least);
        ticks.saturating_mul(self.frame)
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Tone(Tone),
    RepeatingEnd { end: End, left: u8 },
    Gap { until: RtpTime },
}

#[derive(Clone, Copy, Debug)]
struct Tone {
    digit: Digit,
    segment_start: RtpTime,
    over_at: RtpTime,
}

#[derive(Clone, Copy, Debug)]
struct End {
    packet: EventPacket,
    over_at: RtpTime,
}

fn is_before(a: RtpTime, b: RtpTime) -> bool {
    b.0.wrapping_sub(a.0).wrapping_sub(1) < u32::MAX / 2
}

/// Keys that may wait: a card number, a PIN and some to spare. The queue takes no memory until a key is queued.
pub const QUEUE_LIMIT: usize = 64;

/// The final packet is sent three times (RFC 4733 section 2.5.1.4).
const END_REPEATS: u8 = 2;

/// No key is held for more than a minute; keeps the arithmetic far from the timestamp's wrap.
const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
