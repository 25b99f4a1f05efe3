//! Utterances on their way: which of them were begun and are not heard to their end, and in how many slots they had nothing to
//! send, and why.

use std::collections::VecDeque;

use caly_rtp::playout::UtteranceId;

use super::exchange::YieldsTo;
use super::outbox::Outbox;
use crate::call::dialogue::Dialogue;

/// Utterances that are not over, oldest first.
#[derive(Debug, Default)]
pub(super) struct Utterances {
    open: VecDeque<Open>,
    /// What is said in those that nobody has heard of yet.
    announced: VecDeque<(UtteranceId, Dialogue)>,
    /// Dry slots in a row.
    dry_slots: u32,
    /// As many dry slots from now on are the scheduler's.
    excused_slots: u32,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    utterance: UtteranceId,
    yields_to: YieldsTo,
    has_begun: bool,
    dry_slots: u64,
    /// Of these, the scheduler's.
    late_slots: u64,
}

impl Utterances {
    /// Nothing is being said, and nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The one that is playing or will be next.
    pub(super) fn first(&self) -> Option<UtteranceId> {
        self.open.front().map(|open| open.utterance)
    }

    /// The one that is next, if nothing of it is heard yet.
    pub(super) fn unbegun(&self) -> Option<UtteranceId> {
        self.open.front().filter(|open| !open.has_begun).map(|open| open.utterance)
    }

    /// Whether one more may come, or this is one of those that are here.
    pub(super) fn takes(&self, utterance: UtteranceId) -> bool {
        self.open.len() < MAX_OPEN || self.is_open(utterance)
    }

    /// What stops them: whatever stops each of them, as they are flushed together.
    pub(super) fn yields_to(&self) -> YieldsTo {
        self.open.iter().fold(YieldsTo::ANYTHING, |all, open| all.and(open.yields_to))
    }

    /// Samples of it came.
    pub(super) fn open(&mut self, utterance: UtteranceId, yields_to: YieldsTo) {
        if !self.is_open(utterance) && self.open.len() < MAX_OPEN {
            let open = Open { utterance, yields_to, has_begun: false, dry_slots: 0, late_slots: 0 };
            self.open.push_back(open);
        }
    }

    /// What will be said in it: entered in the log when it is, or when it is over without having begun.
    pub(super) fn announce(&mut self, utterance: UtteranceId, note: Dialogue, outbox: &mut Outbox) {
        if self.announced.len() >= MAX_OPEN
            && let Some((_, earliest)) = self.announced.pop_front()
        {
            outbox.note(earliest);
        }
        self.announced.push_back((utterance, note));
    }

    /// Whether nobody has heard of it yet.
    pub(super) fn is_announced(&self, utterance: UtteranceId) -> bool {
        self.announced.iter().any(|(announced, _)| *announced == utterance)
    }

    /// Its samples are heard; true for the first of them.
    pub(super) fn begin(&mut self, outbox: &mut Outbox) -> bool {
        let Some(open) = self.open.front_mut() else { return false };
        let utterance = open.utterance;
        let is_first = !std::mem::replace(&mut open.has_begun, true);
        if is_first {
            self.tell(utterance, outbox);
        }
        is_first
    }

    /// Enters what was announced up to this one.
    pub(super) fn tell(&mut self, utterance: UtteranceId, outbox: &mut Outbox) {
        while let Some((_, note)) = self.announced.pop_front_if(|(announced, _)| *announced <= utterance) {
            outbox.note(note);
        }
    }

    /// The machine stood still for so many ticks. Nothing was taken from what waits meanwhile: if a dry slot follows at once, the
    /// mind may have stood still for as long, and if none does, nobody heard of it. Who was late before is late after it.
    pub(super) fn excuse(&mut self, ticks: u32) {
        if self.dry_slots == 0 {
            self.excused_slots = ticks;
        }
    }

    /// One more slot. The utterance of which nothing more will come, if that is to be feared by now.
    pub(super) fn count_slot(&mut self, is_dry: bool) -> Option<UtteranceId> {
        let Some(open) = self.open.front_mut().filter(|open| is_dry && open.has_begun) else {
            self.dry_slots = 0;
            self.excused_slots = 0;
            return None;
        };
        open.dry_slots += 1;
        self.dry_slots += 1;
        if self.excused_slots > 0 {
            self.excused_slots -= 1;
            open.late_slots += 1;
        }
        (self.dry_slots == LONGEST_WAIT_SLOTS).then_some(open.utterance)
    }

    /// This one is over, and so are those before it.
    pub(super) fn end(&mut self, utterance: UtteranceId, outbox: &mut Outbox) {
        self.tell(utterance, outbox);
        while let Some(open) = self.open.pop_front_if(|open| open.utterance <= utterance) {
            open.note_dry_slots(outbox);
        }
        self.dry_slots = 0;
        self.excused_slots = 0;
    }

    /// All of them are over.
    pub(super) fn end_all(&mut self, outbox: &mut Outbox) {
        self.end(UtteranceId(u64::MAX), outbox);
    }

    fn is_open(&self, utterance: UtteranceId) -> bool {
        self.open.iter().any(|open| open.utterance == utterance)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    #[cfg(test)]
    pub(super) fn is_begun(&self) -> bool {
        self.open.front().is_some_and(|open| open.has_begun)
    }
}

impl Open {
    fn note_dry_slots(&self, outbox: &mut Outbox) {
        for (cause, count) in [("scheduler", self.late_slots), ("mind", self.dry_slots - self.late_slots)] {
            if count > 0 {
                outbox.note(Dialogue::DrySlots { cause: cause.to_owned(), count });
            }
        }
    }
}

/// As many as the ring holds, and one that a pause keeps.
pub(super) const MAX_OPEN: usize = 17;
/// 5 s without a sample: the rest of the utterance is not late but lost, and the agent must not hold the floor with it.
const LONGEST_WAIT_SLOTS: u32 = 250;
