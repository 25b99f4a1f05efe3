//! What a model is told of the conversation: what the caller said, what the agent did, and of the agent's words those that were heard.

use caly_provider::llm::{ToolRequest, ToolResult, Turn};

/// The conversation so far.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: Vec<Entry>,
    dropped: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    turn: Turn,
    /// Names the agent's words, so that they can be cut when they were not heard.
    said: Option<SaidId>,
}

/// Names something that the agent said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaidId(pub u64);

impl History {
    /// The caller said this; what he says twice in a row is one turn.
    pub fn user(&mut self, text: &str) {
        if let Some(Entry { turn: Turn::User(before), .. }) = self.entries.last_mut() {
            before.push(' ');
            before.push_str(text);
            return;
        }
        self.push(Turn::User(text.to_owned()), None);
    }

    /// The agent says this. It stands as heard until somebody says otherwise.
    pub fn said(&mut self, id: SaidId, text: &str) {
        self.push(Turn::Assistant { text: text.to_owned(), calls: Vec::new() }, Some(id));
    }

    /// The agent said this and used tools, which have answered.
    pub fn used_tools(&mut self, id: SaidId, text: &str, calls: Vec<ToolRequest>, results: Vec<ToolResult>) {
        self.push(Turn::Assistant { text: text.to_owned(), calls }, Some(id));
        self.push(Turn::Results(results), None);
    }

    /// Of something that it said only this was heard.
    pub fn cut(&mut self, id: SaidId, heard: &str) {
        let Some(at) = self.entries.iter().rposition(|entry| entry.said == Some(id)) else { return };
        let Turn::Assistant { text, calls } = &mut self.entries[at].turn else { return };
        if !heard.is_empty() {
            *text = format!("{heard}{CUT}");
        } else if calls.is_empty() {
            self.entries.remove(at);
        } else {
            // What was done is done.
            text.clear();
        }
    }

    /// Whether the caller was the last to speak, or a tool: what it has answered was not told to him.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.entries.last(), Some(Entry { turn: Turn::User(_) | Turn::Results(_), .. }))
    }

    /// As a model reads it: no two turns of one side in a row.
    pub fn turns(&self) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            match (turns.last_mut(), &entry.turn) {
                (Some(Turn::User(before)), Turn::User(text)) => {
                    before.push(' ');
                    before.push_str(text);
                }
                (Some(Turn::Assistant { text: before, calls }), Turn::Assistant { text, calls: more })
                    if calls.is_empty() =>
                {
                    if !before.is_empty() && !text.is_empty() {
                        before.push(' ');
                    }
                    before.push_str(text);
                    calls.extend(more.iter().cloned());
                }
                (_, turn) => turns.push(turn.clone()),
            }
        }
        turns
    }

    /// Turns that were too old.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn push(&mut self, turn: Turn, said: Option<SaidId>) {
        self.entries.push(Entry { turn, said });
        if self.entries.len() <= MAX_TURNS {
            return;
        }
        // From a caller's turn on: no tool's answer without its question.
        let keep = self.entries.len() - MAX_TURNS / 2;
        let from = (keep..self.entries.len()).find(|at| matches!(self.entries[*at].turn, Turn::User(_)));
        let is_result = |at: &usize| matches!(self.entries[*at].turn, Turn::Results(_));
        let from = from.unwrap_or_else(|| keep + usize::from(is_result(&keep)));
        self.entries.drain(..from);
        self.dropped += from as u64;
    }
}

/// Tells the model that the caller did not let it finish.
const CUT: &str = " —";
/// Half an hour of talk; half of it is kept when it is full, so that a vendor's cache of the prompt is not spoiled at every turn.
const MAX_TURNS: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> Turn {
        Turn::User(text.to_owned())
    }

    fn agent(text: &str) -> Turn {
        Turn::Assistant { text: text.to_owned(), calls: Vec::new() }
    }

    #[test]
    fn of_what_was_said_the_model_is_told_what_was_heard() {
        let mut history = History::default();
        history.said(SaidId(1), "Namaste!");
        history.user("mera order");
        history.said(SaidId(2), "Aapka order kal aayega. Aur kuch?");
        history.cut(SaidId(2), "Aapka order");
        history.user("nahi");
        history.said(SaidId(3), "never heard");
        history.cut(SaidId(3), "");
        assert_eq!(
            history.turns(),
            [agent("Namaste!"), user("mera order"), agent("Aapka order —"), user("nahi")]
        );
    }

    #[test]
    fn neighbours_become_one_turn() {
        let mut history = History::default();
        history.user("ek");
        history.user("do");
        history.said(SaidId(1), "three");
        history.said(SaidId(2), "four");
        assert_eq!(history.turns(), [user("ek do"), agent("three four")]);
    }

    #[test]
    fn a_long_talk_loses_its_beginning_and_begins_with_the_caller() {
        let mut history = History::default();
        for n in 0..200 {
            history.user(&format!("u{n}"));
            let call = ToolRequest { id: n.to_string(), name: "t".to_owned(), arguments: "{}".to_owned() };
            let result = ToolResult { id: n.to_string(), content: "1".to_owned(), is_error: false };
            history.used_tools(SaidId(2 * n), "", vec![call], vec![result]);
            history.said(SaidId(2 * n + 1), "a");
        }
        let turns = history.turns();
        assert!(turns.len() <= MAX_TURNS && history.dropped() > 600);
        assert!(matches!(turns.first(), Some(Turn::User(_))));
        assert_eq!(turns.last(), Some(&agent("a")));
    }
}
