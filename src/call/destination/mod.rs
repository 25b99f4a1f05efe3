//! Whom a caller meets. A destination hears the caller's frames and speaks one frame per tick; it knows nothing of SIP
//! or of sockets. Those that operators use to test a trunk are here.

mod echo;
mod ring;
mod tone;

use std::fmt;
use std::time::Instant;

use caly_rtp::codec::Codec;
use caly_rtp::dtmf::Digit;
use caly_rtp::frame::{FRAME_SAMPLES, Frame};
use caly_rtp::jitter::Release;

use super::cause::HangupCause;
use super::dialogue::Noted;
use super::log::CallId;

pub use echo::Echo;
pub use ring::{Busy, Ring};
pub use tone::Tone;

/// The far end of a call inside the server. One call owns it; it is driven on the call's shard, once per 20 ms, and
/// must return at once. `now` never runs backwards.
pub trait Destination: Send + fmt::Debug {
    /// What to do with the INVITE.
    fn begin(&self) -> Begin;

    /// How the caller's audio is wanted: as it arrives (somebody analyses it) or paced (somebody hears it).
    fn release(&self) -> Release {
        Release::InOrder
    }

    /// Offer and answer agreed on this codec, at the start or anew.
    fn handle_media(&mut self, _codec: Codec) {}

    /// One frame of the caller's audio.
    fn hear(&mut self, _now: Instant, _frame: &Frame) {}

    /// The next 20 ms to send. `samples` holds silence.
    fn speak(&mut self, now: Instant, samples: &mut [i16; FRAME_SAMPLES]);

    /// The caller pressed a key.
    fn handle_digit(&mut self, _now: Instant, _digit: Digit) {}

    /// The machine stood still for so many ticks: live audio is trimmed, spoken audio goes on where it was.
    fn handle_missed(&mut self, _now: Instant, _ticks: u32) {}

    /// Something it wants done besides speaking; asked once per tick until `None`.
    fn poll_wish(&mut self, _now: Instant) -> Option<Wish> {
        None
    }

    /// The call is over; what it enters in the log is asked for once more after this.
    fn finish(&mut self, _now: Instant) {}

    /// What it enters in the call's log; asked until `None` in each tick and once more when the call ends. Whoever lets
    /// events wait bounds them.
    fn poll_event(&mut self) -> Option<Noted> {
        None
    }
}

/// What a destination is told of its call when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallInfo {
    /// The call's name.
    pub call: CallId,
    /// The caller's From URI.
    pub from: String,
    /// The number or user that was called.
    pub number: String,
}

/// How a destination meets an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// 200 at once.
    Answer,
    /// 180, and 480 after the time that the limits set.
    Ring,
    /// Refuse.
    Refuse(HangupCause),
}

/// What a destination asks of its call.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Send these keys (RFC 4733).
    SendDigits(Vec<Digit>),
    /// End the call.
    HangUp,
    /// Whoever thinks for it broke off: the call ends as an internal error.
    Fail,
}

/// The destinations that answer without any configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestDestination {
    /// The caller hears itself, through decoder, jitter buffer, playout and encoder.
    Echo,
    /// 1004 Hz at 0 dBm0, the digital milliwatt.
    Tone,
    /// The tone, and a recording is kept.
    Record,
    /// Rings and never answers.
    Ring,
    /// Always busy.
    Busy,
}

impl TestDestination {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Echo, Self::Tone, Self::Record, Self::Ring, Self::Busy];

    /// The name in routes and in the user part of a URI.
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Tone => "tone",
            Self::Record => "record",
            Self::Ring => "ring",
            Self::Busy => "busy",
        }
    }

    /// The destination of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|destination| destination.name() == name)
    }

    /// Makes one for a new call.
    pub fn build(self) -> Box<dyn Destination> {
        match self {
            Self::Echo => Box::new(Echo::new()),
            Self::Tone | Self::Record => Box::new(Tone::new()),
            Self::Ring => Box::new(Ring),
            Self::Busy => Box::new(Busy),
        }
    }

    /// Whether its calls are recorded whatever the route says.
    pub fn is_recorded(self) -> bool {
        match self {
            Self::Record => true,
            Self::Echo | Self::Tone | Self::Ring | Self::Busy => false,
        }
    }
}
