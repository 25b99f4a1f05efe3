//! No dead air: when the caller waits for an answer of which nothing is heard, something is said.

use std::time::{Duration, Instant};

use super::lines::Line;
use crate::mind::speech::{Language, Part, SAMPLE_RATE_HZ, Utterance, WaitingSound};
use crate::voice::exchange::{UtteranceId, YieldsTo};

/// How long the caller has been waiting.
#[derive(Debug, Default)]
pub(in crate::mind) struct Quiet {
    /// When something is said.
    at: Option<Instant>,
    /// The filler that is being said.
    filler: Option<UtteranceId>,
    /// Fillers so far, in the whole call: no two answers begin with the same one.
    said: usize,
    /// Fillers for this answer.
    in_a_row: usize,
    /// How much of the sound of waiting was played, in the whole call: it goes on where it was.
    waited_samples: usize,
    /// Until when the sound that has come of the answer is heard, at least.
    heard_until: Option<Instant>,
    /// When it is to be seen whether more has come behind it.
    stalls_at: Option<Instant>,
}

impl Quiet {
    /// The caller waits from now on.
    pub(in crate::mind) fn begin(&mut self, now: Instant, patience: Duration) {
        if self.filler.is_none() {
            let at = now + patience;
            self.at = Some(self.at.map_or(at, |before| before.min(at)));
        }
    }

    /// He has been waiting for so long already: something is said that much sooner, but not before `earliest`.
    pub(in crate::mind) fn hasten(&mut self, by: Duration, earliest: Instant) {
        self.at = self.at.map(|at| at.min(earliest.max(at.checked_sub(by).unwrap_or(earliest))));
    }

    /// He hears something, or nothing is owed to him.
    pub(in crate::mind) fn end(&mut self) {
        self.at = None;
        self.in_a_row = 0;
        (self.heard_until, self.stalls_at) = (None, None);
    }

    /// More sound of an answer has come that is not whole; so much waits to be heard with it.
    pub(in crate::mind) fn hears(&mut self, now: Instant, sound: Duration, waiting: Duration) {
        let until = self.heard_until.map_or(now, |until| until.max(now)) + sound;
        let until = until.max(now + waiting);
        self.heard_until = Some(until);
        self.stalls_at = Some(until + LONGEST_BREATH);
    }

    /// Whether nothing more of it has come for so long that it is to be seen why: told once.
    pub(in crate::mind) fn may_have_stalled(&mut self, now: Instant) -> bool {
        self.stalls_at.take_if(|at| *at <= now).is_some()
    }

    /// It cannot be told yet.
    pub(in crate::mind) fn look_again(&mut self, now: Instant) {
        self.stalls_at = Some(now + LONGEST_BREATH);
    }

    /// He speaks himself.
    pub(in crate::mind) fn caller_speaks(&mut self) {
        self.at = None;
    }

    /// When something is to be said.
    pub(in crate::mind) fn due(&self) -> Option<Instant> {
        self.at.into_iter().chain(self.stalls_at).min()
    }

    /// Whether it is time to say something: told once.
    pub(in crate::mind) fn is_over(&mut self, now: Instant) -> bool {
        self.at.take_if(|at| *at <= now).is_some()
    }

    /// The next thing to say, and how many were said for this answer with it.
    pub(in crate::mind) fn next_filler(&mut self, fillers: &[Line]) -> (Option<Line>, usize) {
        self.in_a_row += 1;
        let line = fillers.get(self.said % fillers.len().max(1)).cloned();
        self.said += usize::from(line.is_some());
        (line, self.in_a_row)
    }

    /// It is being said.
    pub(in crate::mind) fn says(&mut self, filler: Option<UtteranceId>) {
        self.filler = filler;
    }

    /// The filler that is being said.
    pub(in crate::mind) fn filler(&self) -> Option<UtteranceId> {
        self.filler
    }

    /// What is to be heard of the sound of waiting from now on until the next filler; none if that comes at once, or while one is said.
    pub(in crate::mind) fn sound(&mut self, now: Instant, sound: &WaitingSound) -> Option<Utterance> {
        if self.filler.is_some() {
            return None;
        }
        let time = self.at?.saturating_duration_since(now).saturating_sub(BEFORE_FILLER);
        if time < LEAST_SOUND {
            return None;
        }
        let samples = usize::try_from(time.as_millis()).unwrap_or(0) * SAMPLE_RATE_HZ as usize / 1_000;
        let piece = sound.piece(self.waited_samples, samples);
        self.waited_samples = self.waited_samples.wrapping_add(samples);
        // In no language: there is nothing that the log could show.
        let parts = vec![Part::clip("", piece.into())];
        Some(Utterance { language: Language::Hi, yields_to: YieldsTo::ANYTHING, parts })
    }

    /// That one is over.
    pub(in crate::mind) fn filler_is_over(&mut self) {
        self.filler = None;
    }
}

/// After a filler the next one follows later: two seconds of silence are not to pass unexplained.
pub(in crate::mind) const BETWEEN_FILLERS: Duration = Duration::from_millis(1_700);
/// In the midst of what somebody says so much silence is no breath: two seconds of it are not to pass unexplained.
const LONGEST_BREATH: Duration = Duration::from_millis(1_200);
/// Between the sound of waiting and a filler.
const BEFORE_FILLER: Duration = Duration::from_millis(100);
/// Less is a noise, not a sound.
const LEAST_SOUND: Duration = Duration::from_millis(300);
