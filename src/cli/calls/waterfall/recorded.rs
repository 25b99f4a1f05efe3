//! What the caller waited, measured once more in the recording: nothing of it comes from the marks but where to look.

use std::path::Path;

use crate::call::dialogue::Dialogue;
use crate::call::hop::Mark;
use crate::call::log::{CallTime, Event};
use crate::call::waterfall::TurnPath;
use crate::voice::exchange::FRAME_SAMPLES;
use crate::voice::level;

/// A recording's two sides as levels of their blocks of 20 ms.
#[derive(Debug)]
pub(super) struct Recording {
    /// Where it begins.
    zero: CallTime,
    caller: Vec<f32>,
    agent: Vec<f32>,
}

/// Where the recording has the end of a caller's turn and the agent's first speech behind it: the blocks' beginnings, in milliseconds of
/// the recording. A packet arrives when what is in it has been said; so its block begins on arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) caller_until_ms: u64,
    pub(super) agent_from_ms: u64,
}

impl Recorded {
    pub(super) fn voice_to_voice_ms(self) -> u64 {
        self.agent_from_ms.saturating_sub(self.caller_until_ms)
    }
}

impl Recording {
    /// Reads the recording of a call with this log. `None` if it cannot be read or the log does not say where it begins.
    pub(super) fn open(path: &Path, events: &[(CallTime, Event)]) -> Option<Self> {
        let zero = begin(events)?;
        let mut reader = hound::WavReader::open(path).ok()?;
        let spec = reader.spec();
        if (spec.channels, spec.sample_rate, spec.bits_per_sample) != (2, 8_000, 16) {
            return None;
        }
        let (mut caller, mut agent) = (Vec::new(), Vec::new());
        let mut block = [[0; FRAME_SAMPLES]; 2];
        // A cut file ends where it ends.
        for (place, sample) in reader.samples::<i16>().map_while(Result::ok).enumerate() {
            block[place % 2][place / 2 % FRAME_SAMPLES] = sample;
            if place % (2 * FRAME_SAMPLES) == 2 * FRAME_SAMPLES - 1 {
                caller.push(level::dbfs(&block[0]));
                agent.push(level::dbfs(&block[1]));
            }
        }
        Some(Self { zero, caller, agent })
    }

    /// Looks for the end of the caller's speech around its mark, and for the beginning of the agent's behind the end of the turn.
    pub(super) fn turn(&self, turn: &TurnPath) -> Option<Recorded> {
        let (media_in, media_out) = (turn.at(Mark::MediaIn)?, turn.at(Mark::MediaOut)?);
        let (committed, _) = turn.committed.as_ref()?;
        let (said, over, heard) = (self.block(media_in), self.block(*committed), self.block(media_out));
        let behind = self.agent.get(over..(heard + SLACK_BLOCKS).min(self.agent.len()))?;
        let agent_from = over + behind.iter().position(|db| *db > AUDIBLE_DBFS)?;
        let from = said.saturating_sub(LOOK_BACK_BLOCKS);
        let around = self.caller.get(from..over.min(self.caller.len()))?;
        let loud = threshold(around)?;
        let caller_until = from + around.iter().rposition(|db| *db > loud)?;
        Some(Recorded { caller_until_ms: millis(caller_until), agent_from_ms: millis(agent_from) })
    }

    fn block(&self, at: CallTime) -> usize {
        usize::try_from(at.0.saturating_sub(self.zero.0) / BLOCK_US).unwrap_or(usize::MAX)
    }
}

/// Where a recording begins: with the agent, or, if the log does not name it, with the answer.
fn begin(events: &[(CallTime, Event)]) -> Option<CallTime> {
    let time_of =
        |wanted: fn(&Event) -> bool| events.iter().find(|(_, event)| wanted(event)).map(|(at, _)| *at);
    time_of(|event| matches!(event, Event::Dialogue(Dialogue::Agent { .. })))
        .or_else(|| time_of(|event| matches!(event, Event::Answered)))
}

/// What is speech in blocks of which some are: well above the quiet ones, and not far below the loud ones. `None` if none stands out.
fn threshold(levels: &[f32]) -> Option<f32> {
    let mut sorted = levels.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let at = |percent: usize| sorted.get(sorted.len() * percent / 100).copied();
    let (quiet, loud) = (at(10)?, at(95)?);
    (loud - quiet > LEAST_RANGE_DB).then(|| (quiet + ABOVE_QUIET_DB).max(loud - BELOW_LOUD_DB))
}

fn millis(blocks: usize) -> u64 {
    (blocks as u64).saturating_mul(BLOCK_US / 1_000)
}

const BLOCK_US: u64 = 20_000;
/// The recording's beginning is known to some ticks.
const SLACK_BLOCKS: usize = 25;
/// Three seconds before the end of the caller's speech have loud and soft moments of it.
const LOOK_BACK_BLOCKS: usize = 150;
/// What the caller hears of the agent.
const AUDIBLE_DBFS: f32 = -50.0;
const LEAST_RANGE_DB: f32 = 10.0;
const ABOVE_QUIET_DB: f32 = 6.0;
/// The soft end of a word.
const BELOW_LOUD_DB: f32 = 25.0;
