//! What was said and done in a call, as text: what a new session is told when the old one is gone.

use std::collections::VecDeque;
use std::time::Duration;

use super::ItemId;
use crate::llm::{ToolRequest, ToolResult, Turn};

/// The conversation so far.
#[derive(Debug, Default)]
pub(super) struct History {
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
enum Entry {
    /// Said by one of the two.
    Said {
        item: Option<ItemId>,
        is_user: bool,
        text: String,
    },
    Used {
        request: ToolRequest,
        result: Option<ToolResult>,
    },
}

impl History {
    /// One that begins with what was said and done before.
    pub(super) fn of(turns: &[Turn]) -> Self {
        let mut history = Self::default();
        for turn in turns {
            match turn {
                Turn::User(text) => history.note(true, text),
                Turn::Assistant { text, calls } => {
                    if !text.is_empty() {
                        history.note(false, text);
                    }
                    calls.iter().for_each(|call| history.used(call.clone()));
                }
                Turn::Results(results) => results.iter().for_each(|result| history.answered(result)),
            }
        }
        history
    }

    /// An item has its place, whenever its words come.
    pub(super) fn place(&mut self, item: ItemId, is_user: bool) {
        if self.find(item).is_none() {
            self.push(Entry::Said { item: Some(item), is_user, text: String::new() });
        }
    }

    /// All that the caller has said in a turn.
    pub(super) fn set(&mut self, item: ItemId, words: &str) {
        self.place(item, true);
        if let Some(text) = self.find(item) {
            words.clone_into(text);
        }
    }

    /// The next words of the agent.
    pub(super) fn append(&mut self, item: ItemId, words: &str) {
        self.place(item, false);
        if let Some(text) = self.find(item) {
            text.push_str(words);
            text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        }
    }

    /// Something that was written.
    pub(super) fn note(&mut self, is_user: bool, text: &str) {
        self.push(Entry::Said { item: None, is_user, text: text.to_owned() });
    }

    /// A tool is used.
    pub(super) fn used(&mut self, request: ToolRequest) {
        self.push(Entry::Used { request, result: None });
    }

    /// A tool has answered.
    pub(super) fn answered(&mut self, answer: &ToolResult) {
        let open = self.entries.iter_mut().rev().find_map(|entry| match entry {
            Entry::Used { request, result } if request.id == answer.id => Some(result),
            Entry::Used { .. } | Entry::Said { .. } => None,
        });
        if let Some(result) = open {
            *result = Some(answer.clone());
        }
    }

    /// Of what the agent said in an item only a part was heard: that part of its words stays, and nothing of what it said after it.
    pub(super) fn heard(&mut self, item: Option<ItemId>, heard: Duration, all: Duration) {
        if let Some(text) = item.and_then(|item| self.find(item)) {
            let part = heard.as_secs_f64() / all.as_secs_f64().max(f64::EPSILON);
            cut(text, part);
        }
        let later = |entry: &Entry| match entry {
            Entry::Said { item: Some(said), is_user: false, .. } => item.is_none_or(|item| *said > item),
            Entry::Said { .. } | Entry::Used { .. } => false,
        };
        if item.is_some() {
            self.entries.retain(|entry| !later(entry));
        }
    }

    /// What a new session is told. Tools that have not answered are not part of it.
    pub(super) fn turns(&self) -> Vec<Turn> {
        let turn = |entry: &Entry| match entry {
            Entry::Said { text, .. } if text.trim().is_empty() => Vec::new(),
            Entry::Said { is_user: true, text, .. } => vec![Turn::User(text.clone())],
            Entry::Said { is_user: false, text, .. } => {
                vec![Turn::Assistant { text: text.clone(), calls: Vec::new() }]
            }
            Entry::Used { request, result } => result.as_ref().map_or_else(Vec::new, |result| {
                let calls = vec![request.clone()];
                vec![Turn::Assistant { text: String::new(), calls }, Turn::Results(vec![result.clone()])]
            }),
        };
        self.entries.iter().flat_map(turn).collect()
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() >= MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    fn find(&mut self, item: ItemId) -> Option<&mut String> {
        self.entries.iter_mut().rev().find_map(|entry| match entry {
            Entry::Said { item: Some(said), text, .. } if *said == item => Some(text),
            Entry::Said { .. } | Entry::Used { .. } => None,
        })
    }
}

/// Keeps a part of a text, up to the end of a word.
fn cut(text: &mut String, part: f64) {
    if part >= 1.0 {
        return;
    }
    // Rounded down: a word too few does less harm than one that nobody heard.
    let kept = text.floor_char_boundary((text.len() as f64 * part.max(0.0)) as usize);
    let end = text[..kept].rfind(char::is_whitespace).unwrap_or(0);
    let end = if text[kept..].starts_with(char::is_whitespace) { kept } else { end };
    text.truncate(end);
}

/// An hour of talk has a few hundred turns; the oldest are forgotten.
const MAX_ENTRIES: usize = 400;
/// Of one item: nobody listens longer.
const MAX_TEXT_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(history: &History) -> Vec<String> {
        let text = |turn| match turn {
            Turn::User(text) => format!("u:{text}"),
            Turn::Assistant { text, calls } => format!("a:{text}{}", calls.len()),
            Turn::Results(results) => format!("r:{}", results[0].content),
        };
        history.turns().into_iter().map(text).collect()
    }

    #[test]
    fn words_stand_where_they_were_said_whenever_they_come() {
        let mut history = History::default();
        history.place(ItemId(1), true);
        history.append(ItemId(2), "Ek ");
        history.set(ItemId(1), "mera order?");
        history.append(ItemId(2), "minute.");
        history.place(ItemId(3), true);
        assert_eq!(texts(&history), ["u:mera order?", "a:Ek minute.0"]);
    }

    #[test]
    fn what_was_not_heard_is_not_known() {
        let second = Duration::from_secs(1);
        let mut history = History::default();
        history.append(ItemId(1), "one two three four");
        history.append(ItemId(2), "never heard");
        history.heard(Some(ItemId(1)), second, second * 2);
        assert_eq!(texts(&history), ["a:one two0"]);
        history.heard(Some(ItemId(1)), second, second);
        assert_eq!(texts(&history), ["a:one two0"]);
        history.heard(Some(ItemId(1)), Duration::ZERO, Duration::ZERO);
        assert!(texts(&history).is_empty());
        for part in 0..20 {
            let mut text = "नमस्ते जी".to_owned();
            cut(&mut text, f64::from(part) / 10.0);
            assert!(["", "नमस्ते", "नमस्ते जी"].contains(&text.trim_end()), "{text}");
        }
    }

    #[test]
    fn another_client_knows_what_was_said_and_done() {
        let mut history = History::default();
        history.note(false, "Namaste!");
        history.set(ItemId(1), "mera order?");
        history.used(ToolRequest {
            id: "a".to_owned(),
            name: "track".to_owned(),
            arguments: "{}".to_owned(),
        });
        history.answered(&ToolResult { id: "a".to_owned(), content: "1".to_owned(), is_error: false });
        history.append(ItemId(2), "Kal aayega.");
        let turns = history.turns();
        assert_eq!(turns.len(), 5);
        assert_eq!(History::of(&turns).turns(), turns);
    }

    #[test]
    fn tools_are_told_with_their_answers_and_the_oldest_turns_are_forgotten() {
        let mut history = History::default();
        let request = |id: &str| ToolRequest {
            id: id.to_owned(),
            name: "track".to_owned(),
            arguments: "{}".to_owned(),
        };
        history.used(request("a"));
        history.used(request("b"));
        history.answered(&ToolResult { id: "b".to_owned(), content: "2".to_owned(), is_error: false });
        assert_eq!(texts(&history), ["a:1", "r:2"]);
        for turn in 0..=MAX_ENTRIES {
            history.note(true, &turn.to_string());
        }
        assert_eq!(history.turns().len(), MAX_ENTRIES);
        assert_eq!(texts(&history)[0], "u:1");
    }
}
