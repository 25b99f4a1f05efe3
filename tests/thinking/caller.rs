//! The caller: speaks when it is his turn, and hears when the agent falls silent.

use std::collections::VecDeque;
use std::time::Duration;

use caly_rtp::frame::FRAME_SAMPLES;
use caly_vendors::voice::Voice;

/// Something that the caller says.
#[derive(Clone, Copy)]
pub(crate) struct Saying {
    /// When: so long after the agent fell silent, or after it began to speak.
    pub(crate) when: When,
    /// The words.
    pub(crate) text: &'static str,
}

/// When the caller speaks.
#[derive(Clone, Copy)]
pub(crate) enum When {
    /// So long after the agent has said something and fallen silent.
    AfterAgent(Duration),
    /// So long into the agent's next utterance.
    OverAgent(Duration),
    /// At this time of the call, whoever speaks.
    At(Duration),
}

/// Speaks when it is his turn.
pub(crate) struct Caller {
    waiting: VecDeque<Saying>,
    audio: VecDeque<i16>,
    speaks_at: Option<Duration>,
    agent_since: Option<Duration>,
    agent_until: Option<Duration>,
    /// When each of his sayings began and ended.
    pub(crate) said: Vec<(Duration, Duration)>,
}

impl Caller {
    pub(crate) fn new(says: &[Saying]) -> Self {
        Self {
            waiting: says.iter().copied().collect(),
            audio: VecDeque::new(),
            speaks_at: None,
            agent_since: None,
            agent_until: None,
            said: Vec::new(),
        }
    }

    /// Hears 20 ms of the agent.
    pub(crate) fn hears(&mut self, now: Duration, samples: &[i16; FRAME_SAMPLES]) {
        if is_loud(samples) {
            let is_new = self.agent_until.is_none_or(|until| until + PAUSE < now);
            if is_new {
                self.agent_since = Some(now);
            }
            self.agent_until = Some(now);
        }
        if !self.audio.is_empty() || self.speaks_at.is_some() {
            return;
        }
        if let Some(Saying { when: When::At(at), .. }) = self.waiting.front() {
            self.speaks_at = Some(*at);
            return;
        }
        let (Some(next), Some(since), Some(until)) =
            (self.waiting.front(), self.agent_since, self.agent_until)
        else {
            return;
        };
        let last = self.said.last().map_or(Duration::ZERO, |(_, end)| *end);
        if since < last {
            return;
        }
        let at = match next.when {
            When::AfterAgent(pause) => (now >= until + PAUSE).then_some(until + pause),
            When::OverAgent(into) => Some(since + into),
            When::At(at) => Some(at),
        };
        self.speaks_at = at.map(|at| at.max(now));
    }

    /// Says the next 20 ms.
    pub(crate) fn next(&mut self, now: Duration) -> [i16; FRAME_SAMPLES] {
        if self.speaks_at.is_some_and(|at| at <= now)
            && let Some(saying) = self.waiting.pop_front()
        {
            self.speaks_at = None;
            let spoken = Voice { seed: 6, character_ms: 65 }.speak(saying.text, 8_000).samples;
            let lasts = Duration::from_micros(spoken.len() as u64 * 125);
            self.said.push((now, now + lasts));
            self.audio.extend(spoken);
        }
        let mut samples = [0; FRAME_SAMPLES];
        samples.iter_mut().for_each(|sample| *sample = self.audio.pop_front().unwrap_or(0));
        samples
    }
}

/// Whether a frame is more than the noise of a line.
pub(crate) fn is_loud(samples: &[i16; FRAME_SAMPLES]) -> bool {
    samples.iter().any(|sample| sample.unsigned_abs() > 500)
}

/// The agent has said all when it is silent for so long.
const PAUSE: Duration = Duration::from_millis(600);
