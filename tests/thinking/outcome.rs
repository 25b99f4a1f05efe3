//! What became of a call, and what can be read off it.

use std::time::Duration;

use caly::call::dialogue::Dialogue;
use caly::call::hop::{HopEvent, Mark};
use caly::call::log::{CallTime, Event, LegQuality};
use caly_vendors::seen::Seen;

use super::TICK;
use super::caller::is_loud;
use super::line::Sent;

/// What became of it. All times are those since the answer.
pub(crate) struct Outcome {
    /// What was logged.
    pub(crate) events: Vec<(CallTime, Event)>,
    /// Of that, what was said and done.
    pub(crate) log: Vec<(Duration, Dialogue)>,
    /// What the vendors saw: recognizers, models, synthesizers.
    pub(crate) seen: [Seen; 3],
    /// What left, packet by packet.
    pub(crate) sent: Vec<Sent>,
    /// What the caller said, in the call's codec.
    pub(crate) caller: Vec<u8>,
    /// When the agent ended the call.
    pub(crate) ended: Option<Duration>,
    /// When the caller pressed his key.
    pub(crate) pressed: Option<Duration>,
    /// When each of the caller's sayings began and ended.
    pub(crate) said: Vec<(Duration, Duration)>,
    /// Links that were open when it was over.
    pub(crate) open_links: usize,
    /// Figures of its media.
    pub(crate) quality: LegQuality,
}

impl Outcome {
    pub(super) fn of(seen: [Seen; 3]) -> Self {
        Self {
            events: Vec::new(),
            log: Vec::new(),
            seen,
            sent: Vec::new(),
            caller: Vec::new(),
            ended: None,
            pressed: None,
            said: Vec::new(),
            open_links: 0,
            quality: LegQuality::default(),
        }
    }

    /// Since when the agent goes on by its script.
    pub(crate) fn script_since(&self) -> Option<Duration> {
        let state = self.log.iter().find(|(_, what)| matches!(what, Dialogue::State { .. }));
        state.map(|(at, _)| *at)
    }

    /// Everything that the vendors had to complain of.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.seen.iter().flat_map(Seen::complaints).collect()
    }

    /// What the agent said, in the log's words.
    pub(crate) fn said_by_agent(&self) -> Vec<String> {
        let said = self.log.iter().filter_map(|(_, dialogue)| match dialogue {
            Dialogue::Said { text, .. } | Dialogue::SaidOn { text, .. } => Some(text.clone()),
            _ => None,
        });
        said.collect()
    }

    /// Events of hops.
    pub(crate) fn hops(&self) -> impl Iterator<Item = (Duration, &HopEvent)> {
        self.log.iter().filter_map(|(at, dialogue)| match dialogue {
            Dialogue::Hop(event) => Some((*at, event)),
            _ => None,
        })
    }

    /// When a turn came to a point.
    pub(crate) fn mark(&self, turn: u32, wanted: Mark) -> Option<Duration> {
        self.hops().find_map(|(at, event)| match event {
            HopEvent::Mark { turn: of, mark, .. } if *of == turn && *mark == wanted => Some(at),
            _ => None,
        })
    }

    /// How long the caller heard nothing behind what he said.
    pub(crate) fn waited(&self, saying: usize) -> Duration {
        let (_, end) = self.said[saying];
        let silent = self.sent.iter().filter(|sent| sent.at >= end);
        TICK * u32::try_from(silent.take_while(|sent| !is_loud(&sent.samples)).count()).unwrap()
    }

    /// The longest silence of both between the end of that saying and when he says this.
    pub(crate) fn longest_silence_until(&self, saying: usize, text: &str) -> Option<Duration> {
        let (_, end) = self.said[saying];
        let (until, _) = self.log.iter().find(
            |(at, what)| matches!(what, Dialogue::Said { text: said, .. } if *at > end && said.contains(text)),
        )?;
        Some(self.longest_silence(end, *until))
    }

    /// The longest silence of both between the end of that saying and the agent's last sound before it says one of these, or goes on by its script.
    pub(crate) fn longest_silence_before(&self, saying: usize, lines: &[&str]) -> Duration {
        let (_, end) = self.said[saying];
        let is_one =
            |what: &Dialogue| matches!(what, Dialogue::Said { text, .. } if lines.contains(&text.as_str()));
        let said = self.log.iter().find(|(at, what)| *at > end && is_one(what)).map(|(at, _)| *at);
        let until = said.into_iter().chain(self.script_since()).min().unwrap_or(Duration::MAX);
        let mut last =
            self.sent.iter().filter(|sent| sent.at < until && is_loud(&sent.samples)).map(|sent| sent.at);
        self.longest_silence(end, last.next_back().unwrap_or(end))
    }

    /// The longest silence of both between two times.
    pub(crate) fn longest_silence(&self, from: Duration, until: Duration) -> Duration {
        let (mut longest, mut run) = (0, 0);
        for sent in self.sent.iter().filter(|sent| (from..=until).contains(&sent.at)) {
            let is_said = self.said.iter().any(|(from, to)| (*from..*to).contains(&sent.at));
            run = if is_said || is_loud(&sent.samples) { 0 } else { run + 1 };
            longest = longest.max(run);
        }
        TICK * longest
    }

    /// The whole log, for a failing test.
    pub(crate) fn shown(&self) -> String {
        let line =
            |(at, dialogue): &(Duration, Dialogue)| format!("{:>6} ms  {dialogue:?}\n", at.as_millis());
        self.log.iter().map(line).collect()
    }
}
