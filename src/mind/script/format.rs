//! A dialogue as it is run: every name in it is resolved, so that nothing can be missing during a call.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check;
use crate::config::Faults;
use crate::mind::speech::{Form, Language};
use crate::voice::exchange::YieldsTo;

/// A dialogue that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub(super) name: String,
    pub(super) language: Language,
    pub(super) voices: BTreeMap<Language, String>,
    pub(super) prompts: Vec<BTreeMap<Language, Vec<Piece>>>,
    pub(super) lexicons: BTreeMap<String, BTreeMap<String, BTreeMap<Language, String>>>,
    pub(super) states: Vec<State>,
    pub(super) start: usize,
    pub(super) no_speech: usize,
    pub(super) goodbye: usize,
    pub(super) keys: Vec<(char, GlobalKey)>,
    pub(super) idle: Duration,
    pub(super) give_up_after: Duration,
}

/// A piece of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Said as it stands.
    Fixed { language: Language, text: String },
    /// A value, found by its path.
    Value { path: String, form: Form },
    /// A value that is a word of a lexicon.
    Word { path: String, lexicon: String },
}

/// What a key does in every state that does not use it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GlobalKey {
    Repeat,
    GoTo(usize),
}

/// One state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) say: Vec<usize>,
    pub(super) kind: Kind,
    pub(super) language: Option<Language>,
    pub(super) outcome: Option<String>,
    pub(super) no_input: usize,
    pub(super) no_match: usize,
    pub(super) tries: u8,
    pub(super) give_up: usize,
    /// Whoever comes more often gives up.
    pub(super) max_visits: Option<u8>,
    pub(super) yields_to: YieldsTo,
}

/// What a state does; targets are indices of states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Say { next: usize },
    Menu { keys: Vec<(char, usize)> },
    Collect { into: String, min: usize, max: usize, timeout: Duration, next: usize },
    Tool(ToolUse),
    Choose { from: String, into: String, each: usize, next: usize },
    Record { longest: Duration, silence: Duration, next: usize },
    HangUp,
}

/// How a state uses a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToolUse {
    pub(super) name: String,
    /// Argument and the path of its value.
    pub(super) arguments: Vec<(String, String)>,
    pub(super) into: String,
    pub(super) filler: Option<usize>,
    pub(super) results: Vec<(String, usize)>,
    pub(super) error: usize,
}

impl Script {
    /// Reads a dialogue; `file` is how faults name it, `tools` are those that it may use.
    ///
    /// # Errors
    /// Everything that is wrong with it, each on one line. What breaks the syntax or is no known key hides the rest.
    pub fn parse(file: &str, text: &str, tools: &[&str]) -> Result<Self, Faults> {
        check::read(file, text, tools)
    }

    /// The agent's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many states it has.
    pub fn state_count(&self) -> usize {
        self.states.len()
    }

    /// The languages that it speaks, each with the voice's name.
    pub fn voices(&self) -> impl Iterator<Item = (Language, &str)> {
        self.voices.iter().map(|(language, voice)| (*language, voice.as_str()))
    }

    /// Everything that is said as it stands; the inventory of each language comes on top.
    pub fn lines(&self) -> impl Iterator<Item = (Language, &str)> {
        let fixed = self.prompts.iter().flatten().flat_map(|(_, pieces)| {
            pieces.iter().filter_map(|piece| match piece {
                Piece::Fixed { language, text } => Some((*language, text.as_str())),
                Piece::Value { .. } | Piece::Word { .. } => None,
            })
        });
        let words = self.lexicons.values().flat_map(BTreeMap::values).flatten();
        fixed.chain(words.map(|(language, text)| (*language, text.as_str())))
    }

    /// The tools that it uses; a name may come more than once.
    pub fn tools(&self) -> impl Iterator<Item = &str> {
        self.states.iter().filter_map(|state| match &state.kind {
            Kind::Tool(tool) => Some(tool.name.as_str()),
            Kind::Say { .. }
            | Kind::Menu { .. }
            | Kind::Collect { .. }
            | Kind::Choose { .. }
            | Kind::Record { .. }
            | Kind::HangUp => None,
        })
    }

    /// Whether callers leave messages, for which the call must be recorded.
    pub fn records(&self) -> bool {
        self.states.iter().any(|state| matches!(state.kind, Kind::Record { .. }))
    }

    /// Silence of the caller after which it asks again.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// Silence of the caller after which it ends the call.
    pub fn give_up_after(&self) -> Duration {
        self.give_up_after
    }
}

impl Kind {
    /// Where it leads without any key of the caller.
    pub(super) fn automatic(&self) -> Vec<usize> {
        match self {
            Self::Say { next } | Self::Choose { next, .. } => vec![*next],
            Self::Tool(tool) => tool.results.iter().map(|(_, to)| *to).chain([tool.error]).collect(),
            Self::Menu { .. } | Self::Collect { .. } | Self::Record { .. } | Self::HangUp => Vec::new(),
        }
    }

    /// Whether the caller has something to do in it, and may fail to.
    pub(super) fn is_tried(&self) -> bool {
        match self {
            Self::Menu { .. } | Self::Collect { .. } | Self::Choose { .. } | Self::Record { .. } => true,
            Self::Say { .. } | Self::Tool(_) | Self::HangUp => false,
        }
    }

    /// Where the caller can lead it.
    pub(super) fn by_caller(&self) -> Vec<usize> {
        match self {
            Self::Menu { keys } => keys.iter().map(|(_, to)| *to).collect(),
            Self::Collect { next, .. } | Self::Record { next, .. } => vec![*next],
            Self::Say { .. } | Self::Choose { .. } | Self::Tool(_) | Self::HangUp => Vec::new(),
        }
    }
}
