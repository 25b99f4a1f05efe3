//! Runs a capture again: signaling's decisions, the shard's calls and their log as they run in the server, in virtual time
//! and with nothing around them. Only what arrived at the server is fed; the tags that it gave then are given again, so that
//! the captured ACK and BYE belong to the dialogs of now.

mod bare_rtp;
mod hold_back;
mod outcome;
mod plan;
mod player;
mod stage;
mod timing;
mod wire;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use crate::call::CallPolicy;
use crate::capture::read::{ReadCounters, Reading};
use crate::signaling::Destinations;

pub use bare_rtp::{BareRtp, ChosenStream};
pub use outcome::{Outcome, ReplayedCall};
pub use timing::{BargeIn, Timing, Turn, TurnBy};

/// How to run a capture.
#[derive(Debug)]
pub struct ReplayConfig<'a> {
    /// The server's SIP address in the capture; `None` takes the one that the first INVITE went to.
    pub local: Option<SocketAddr>,
    /// The capture is taken for RTP alone, whatever SIP is in it.
    pub bare_rtp: Option<BareRtp>,
    /// Name of the destination that every call meets.
    pub agent: String,
    /// The destinations by name.
    pub destinations: Destinations,
    /// What the calls have in common.
    pub policy: CallPolicy,
    /// Where recordings are written.
    pub recordings: &'a Path,
    /// Any instant: virtual time begins there.
    pub start: Instant,
}

/// Why a capture cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// There is no call in it.
    #[error("no INVITE in the capture")]
    NoInvite,
    /// The calls in it went elsewhere.
    #[error("no INVITE to {0} in the capture")]
    NoInviteTo(SocketAddr),
    /// Nor is there RTP in it.
    #[error("no RTP with PCMU or PCMA (payload type 0 or 8) in the capture")]
    NoRtp,
    /// The RTP in it went elsewhere.
    #[error("no RTP with PCMU or PCMA (payload type 0 or 8) to {0} in the capture")]
    NoRtpTo(SocketAddr),
}

/// Runs a capture from its first packet until its last call is over.
///
/// # Errors
/// When there is no call in it.
pub fn run(reading: Reading, config: ReplayConfig<'_>) -> Result<Outcome, ReplayError> {
    let (counters, broken_after) = (reading.counters, reading.broken_after.clone());
    let plan = match config.bare_rtp {
        Some(wanted) => bare_rtp::plan(reading, wanted)?,
        None => plan::Plan::of(reading, config.local, config.start)?,
    };
    let stream = plan.stream.clone();
    let mut outcome = player::Player::new(&plan, config).run(plan);
    outcome.note_capture(counters, broken_after);
    outcome.stream = stream;
    Ok(outcome)
}

/// Frames of the file that are no part of the outcome's packets.
fn unusable(counters: &ReadCounters) -> u64 {
    counters.foreign + counters.cut + counters.fragments_lost + counters.broken_streams
}
