//! The caller's turns as voice counts them, and which of them the model has heard, and answers.

use std::collections::{BTreeMap, VecDeque};

use caly_provider::realtime::ItemId;

/// What is known of the caller's turns.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The one that is open, spoken in or not.
    open: u32,
    /// Voice has heard speech in it.
    is_heard: bool,
    /// How the one before it ended.
    last: Option<Ended>,
    /// The one in which the model heard the caller last, if voice has heard him too.
    model: Option<u32>,
    /// The model hears him at this moment.
    model_hears: bool,
    /// Turns whose words are to come, in the order in which the model heard them.
    spoken: VecDeque<u32>,
    /// Which turn an item of the model's is, and what was said in it.
    items: VecDeque<(ItemId, u32)>,
    /// Words of turns that are not over.
    early: BTreeMap<u32, String>,
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    turn: u32,
    is_committed: bool,
}

/// What becomes of an answer that nobody has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It answers what voice calls a turn.
    Now,
    /// Voice does not know yet whether that is one.
    Later,
    /// That is none.
    Never,
    /// Voice has heard nothing of what it answers.
    Unknown,
}

/// Words of a turn that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) turn: u32,
    pub(super) text: String,
    pub(super) is_committed: bool,
}

impl Turns {
    /// The open turn's number.
    pub(super) fn open(&self) -> u32 {
        self.open
    }

    /// The turn that ended last, or the first.
    pub(super) fn last(&self) -> u32 {
        self.last.map_or(0, |last| last.turn)
    }

    /// Voice hears the caller.
    pub(super) fn heard(&mut self) {
        self.is_heard = true;
    }

    /// Whether voice has heard him in the open turn.
    pub(super) fn is_heard(&self) -> bool {
        self.is_heard
    }

    /// The model hears the caller.
    pub(super) fn model_hears(&mut self) {
        self.model_hears = true;
    }

    /// The model does not hear him any more, and takes that for the end of a turn.
    pub(super) fn model_heard(&mut self) {
        self.model_hears = false;
        self.model = self.is_heard.then_some(self.open);
        self.speak(self.spoken_now());
    }

    /// The model answers. Whether it has not said before that it takes the open turn for over.
    pub(super) fn answer(&mut self) -> bool {
        self.model_hears = false;
        let is_news = self.is_heard && self.model != Some(self.open);
        if is_news {
            self.model = Some(self.open);
        }
        is_news
    }

    /// The answer that the model has begun is none to the whole turn.
    pub(super) fn model_goes_on(&mut self) {
        self.model = self.model.filter(|turn| *turn != self.open);
    }

    /// The model was told that this turn is over.
    pub(super) fn told_model(&mut self, turn: u32) {
        self.model_hears = false;
        self.model = Some(turn);
        self.speak(turn);
    }

    /// Whether the model knows of this turn's end.
    pub(super) fn does_model_know(&self, turn: u32) -> bool {
        self.model == Some(turn) && !self.model_hears
    }

    /// A turn is over. The words of it that are known.
    pub(super) fn ended(&mut self, turn: u32, is_committed: bool) -> Option<Words> {
        self.open = turn.wrapping_add(1);
        self.is_heard = false;
        self.last = Some(Ended { turn, is_committed });
        let text = self.early.remove(&turn);
        self.early.clear();
        text.map(|text| Words { turn, text, is_committed })
    }

    /// What becomes of an answer to what the model heard last.
    pub(super) fn due(&self) -> Due {
        match (self.model, self.last) {
            (None, _) => Due::Unknown,
            (Some(turn), _) if turn == self.open => Due::Later,
            (Some(turn), Some(last)) if turn == last.turn && !last.is_committed => Due::Never,
            (Some(_), _) => Due::Now,
        }
    }

    /// All that was said in an item. `None` as long as the turn is not over, which tells them then.
    pub(super) fn words(&mut self, item: ItemId, text: String) -> Option<Words> {
        let turn = match self.items.iter().find(|(known, _)| *known == item) {
            Some((_, turn)) => *turn,
            None => {
                let turn = self.spoken.pop_front().unwrap_or_else(|| self.spoken_now());
                self.items.push_back((item, turn));
                if self.items.len() > MAX_ITEMS {
                    self.items.pop_front();
                }
                turn
            }
        };
        if turn == self.open {
            let early = self.early.entry(turn).or_default();
            if !early.is_empty() {
                early.push(' ');
            }
            early.push_str(&text);
            return None;
        }
        let is_committed = self.last.is_none_or(|last| last.turn != turn || last.is_committed);
        Some(Words { turn, text, is_committed })
    }

    /// The turn of what was said last.
    fn spoken_now(&self) -> u32 {
        if self.is_heard { self.open } else { self.last() }
    }

    fn speak(&mut self, turn: u32) {
        self.spoken.push_back(turn);
        if self.spoken.len() > MAX_ITEMS {
            self.spoken.pop_front();
        }
    }
}

/// Words come within a second or two.
const MAX_ITEMS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(turn: u32, text: &str, is_committed: bool) -> Option<Words> {
        Some(Words { turn, text: text.to_owned(), is_committed })
    }

    #[test]
    fn an_answer_waits_for_the_turn_that_it_answers() {
        let mut turns = Turns::default();
        assert_eq!(turns.due(), Due::Unknown);
        turns.heard();
        turns.model_hears();
        assert!(!turns.does_model_know(0));
        turns.model_heard();
        assert!(turns.does_model_know(0));
        assert_eq!(turns.due(), Due::Later);
        turns.ended(0, true);
        assert_eq!(turns.due(), Due::Now);
        turns.heard();
        turns.model_heard();
        turns.ended(1, false);
        assert_eq!(turns.due(), Due::Never);
        turns.model_heard();
        assert_eq!(turns.due(), Due::Unknown, "voice has heard nothing");
        turns.told_model(2);
        turns.ended(2, true);
        assert_eq!(turns.due(), Due::Now);
    }

    #[test]
    fn words_stand_with_the_turn_in_which_they_were_said() {
        let mut turns = Turns::default();
        turns.heard();
        turns.model_heard();
        assert_eq!(turns.words(ItemId(3), "mera order".to_owned()), None);
        assert_eq!(turns.ended(0, true), words(0, "mera order", true));
        turns.heard();
        turns.model_heard();
        assert_eq!(turns.ended(1, false), None);
        assert_eq!(turns.words(ItemId(5), "haan".to_owned()), words(1, "haan", false));
        assert_eq!(turns.words(ItemId(5), "haan ji".to_owned()), words(1, "haan ji", false));
    }
}
