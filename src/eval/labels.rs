//! What is known of a trial: when the caller speaks, which words, what the agent does meanwhile, and what the network does. This is
//! also the format of the label file that stands beside each sound of a set.

use serde::{Deserialize, Serialize};

/// The label of one trial. Times are milliseconds from the beginning of the sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Among which trials it is counted: `clean`, `babble-10`, or whatever its author likes.
    #[serde(default = "own")]
    pub condition: String,
    /// What the caller does.
    pub kind: Kind,
    /// What the agent does meanwhile.
    pub agent: AgentPart,
    /// BCP 47 tag of the caller's language.
    #[serde(default = "english")]
    pub language: String,
    /// Where the caller speaks, in order. What lies between two spans is a pause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub speech: Vec<Span>,
    /// The words, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub word: Vec<Word>,
    /// What the network does to the caller's packets; nothing if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// How the agent's voice comes back; not at all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<Echo>,
}

/// What the caller does in a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Says a whole sentence without a pause.
    Sentence,
    /// Says a sentence and stops to think in the middle.
    Pause,
    /// Announces a number, stops, and says it.
    LeadIn,
    /// Says digits in groups.
    Digits,
    /// Interrupts the agent.
    Interruption,
    /// Does so in the first moments of the call.
    EarlyInterruption,
    /// Says that it is listening; the agent is to go on.
    Backchannel,
    /// Says so twice, or in several words: as long as a short interruption.
    DoubledBackchannel,
    /// Coughs, or drops something.
    Noise,
    /// Says nothing: only what surrounds the caller is heard.
    Nothing,
}

impl Kind {
    /// The name in label files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sentence => "sentence",
            Self::Pause => "pause",
            Self::LeadIn => "lead_in",
            Self::Digits => "digits",
            Self::Interruption => "interruption",
            Self::EarlyInterruption => "early_interruption",
            Self::Backchannel => "backchannel",
            Self::DoubledBackchannel => "doubled_backchannel",
            Self::Noise => "noise",
            Self::Nothing => "nothing",
        }
    }

    /// Whether it is an answer to the agent, whose end the agent has to find.
    pub fn is_answer(self) -> bool {
        match self {
            Self::Sentence | Self::Pause | Self::LeadIn | Self::Digits => true,
            Self::Interruption
            | Self::EarlyInterruption
            | Self::Backchannel
            | Self::DoubledBackchannel
            | Self::Noise
            | Self::Nothing => false,
        }
    }

    /// Whether words are said.
    pub fn is_speech(self) -> bool {
        self != Self::Noise && self != Self::Nothing
    }

    /// Whether it is spoken over the agent.
    pub fn is_over_agent(self) -> bool {
        !self.is_answer() && self != Self::Nothing
    }
}

/// What the agent does in a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentPart {
    /// Talks from the beginning to the end, unless it is stopped.
    Talks,
    /// Asks something of about a second, and answers when the caller's turn is over.
    Asks,
    /// Says nothing before the caller has had a turn, and answers it.
    Listens,
}

/// A stretch of speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Where it begins.
    pub begin_ms: u32,
    /// Where it ends.
    pub end_ms: u32,
}

/// One word as a recognizer would write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Where it begins.
    pub begin_ms: u32,
    /// Where it ends.
    pub end_ms: u32,
}

/// What a network does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The share that is lost, 0-0.5.
    pub loss: f32,
    /// Each packet is delayed by anything from 0 to twice this, each by its own; at most 200.
    pub jitter_ms: u32,
}

/// How the agent's voice comes back to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    /// So many dB softer, 0-60.
    pub below_db: f32,
    /// So late, 40-500 ms.
    pub delay_ms: u32,
}

impl Label {
    /// When the caller's first speech begins.
    pub fn begin_ms(&self) -> Option<u32> {
        self.speech.first().map(|span| span.begin_ms)
    }

    /// When its last speech ends.
    pub fn end_ms(&self) -> Option<u32> {
        self.speech.last().map(|span| span.end_ms)
    }

    /// Everything later by so many milliseconds.
    #[must_use]
    pub fn later_by(mut self, ms: u32) -> Self {
        for span in &mut self.speech {
            (span.begin_ms, span.end_ms) = (span.begin_ms + ms, span.end_ms + ms);
        }
        for word in &mut self.word {
            (word.begin_ms, word.end_ms) = (word.begin_ms + ms, word.end_ms + ms);
        }
        self
    }

    /// What is wrong with it, for a sound of that many milliseconds, and what would be right.
    ///
    /// # Errors
    /// One line for the first fault.
    pub fn check(&self, sound_ms: u32) -> Result<(), String> {
        let spans = self.speech.iter().map(|span| ("speech", span.begin_ms, span.end_ms));
        let words = self.word.iter().map(|word| ("word", word.begin_ms, word.end_ms));
        for (what, begin_ms, end_ms) in spans.chain(words) {
            if begin_ms >= end_ms || end_ms > sound_ms {
                return Err(format!(
                    "{what} from {begin_ms} to {end_ms} ms: write begin_ms below end_ms, both within the sound's {sound_ms} ms"
                ));
            }
        }
        if !self.speech.is_sorted_by(|a, b| a.end_ms <= b.begin_ms) {
            return Err(
                "speech overlaps: write the spans in their order, none before the end of the last".to_owned()
            );
        }
        if !self.word.is_sorted_by(|a, b| a.end_ms <= b.end_ms) {
            return Err("words are not in their order: sort them by end_ms".to_owned());
        }
        self.check_kind()?;
        self.check_line()
    }

    fn check_kind(&self) -> Result<(), String> {
        let needs_speech = match self.kind {
            Kind::Sentence
            | Kind::Interruption
            | Kind::EarlyInterruption
            | Kind::Backchannel
            | Kind::DoubledBackchannel
            | Kind::Noise => 1,
            Kind::Pause | Kind::LeadIn | Kind::Digits => 2,
            Kind::Nothing => 0,
        };
        if self.speech.len() < needs_speech {
            return Err(format!("kind {:?} needs {needs_speech} or more spans of speech", self.kind.name()));
        }
        if self.kind == Kind::Nothing && !self.speech.is_empty() {
            return Err("kind \"nothing\" has no speech: leave the spans out".to_owned());
        }
        if self.kind.is_over_agent() && self.agent != AgentPart::Talks {
            return Err(format!(
                "kind {:?} is spoken over the agent: write agent = \"talks\"",
                self.kind.name()
            ));
        }
        if self.kind.is_answer() && self.agent == AgentPart::Talks {
            return Err(format!(
                "kind {:?} is an answer: write agent = \"asks\" or \"listens\"",
                self.kind.name()
            ));
        }
        Ok(())
    }

    fn check_line(&self) -> Result<(), String> {
        if let Some(Network { loss, jitter_ms }) = self.network
            && !((0.0..=MAX_LOSS).contains(&loss) && jitter_ms <= MAX_JITTER_MS)
        {
            return Err(format!(
                "network: write a loss of 0 to {MAX_LOSS} and a jitter_ms of 0 to {MAX_JITTER_MS}"
            ));
        }
        if let Some(Echo { below_db, delay_ms }) = self.echo
            && !((0.0..=60.0).contains(&below_db) && (MIN_ECHO_MS..=MAX_ECHO_MS).contains(&delay_ms))
        {
            return Err(format!(
                "echo: write a below_db of 0 to 60 and a delay_ms of {MIN_ECHO_MS} to {MAX_ECHO_MS}"
            ));
        }
        Ok(())
    }
}

fn own() -> String {
    "own".to_owned()
}

fn english() -> String {
    "en".to_owned()
}

const MAX_LOSS: f32 = 0.5;
const MAX_JITTER_MS: u32 = 200;
/// What comes back has left at least two frames before.
const MIN_ECHO_MS: u32 = 40;
const MAX_ECHO_MS: u32 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        kind = "lead_in"
        agent = "asks"
        language = "hi-Latn"
        speech = [{ begin_ms = 1000, end_ms = 2000 }, { begin_ms = 2700, end_ms = 3500 }]
        word = [{ text = "mera", begin_ms = 1000, end_ms = 1300 }]
        network = { loss = 0.03, jitter_ms = 30 }
        echo = { below_db = 30.0, delay_ms = 120 }
    "#;

    #[test]
    fn a_label_file_is_read_and_written_as_it_is() {
        let label: Label = toml::from_str(WHOLE).unwrap();
        assert_eq!((label.begin_ms(), label.end_ms(), label.check(3500)), (Some(1000), Some(3500), Ok(())));
        assert_eq!(label.condition, "own");
        let written = toml::to_string(&label).unwrap();
        assert_eq!(toml::from_str::<Label>(&written).unwrap(), label);
    }

    #[test]
    fn nonsense_in_a_label_is_refused_with_what_would_be_right() {
        let changed = |from: &str, to: &str| {
            toml::from_str::<Label>(&WHOLE.replace(from, to)).unwrap().check(3500).unwrap_err()
        };
        for (from, to, told) in [
            ("end_ms = 3500", "end_ms = 3501", "within the sound's 3500 ms"),
            ("end_ms = 2000", "end_ms = 900", "begin_ms below end_ms"),
            ("begin_ms = 2700", "begin_ms = 1900", "speech overlaps"),
            ("lead_in", "interruption", "write agent = \"talks\""),
            ("asks", "talks", "write agent = \"asks\""),
            ("lead_in", "nothing", "leave the spans out"),
            ("0.03", "nan", "a loss of 0 to 0.5"),
            ("delay_ms = 120", "delay_ms = 20", "delay_ms of 40 to 500"),
        ] {
            let error = changed(from, to);
            assert!(error.contains(told), "{from} -> {to}: {error}");
        }
        assert!(toml::from_str::<Label>(&WHOLE.replace("asks", "sings")).is_err());
    }
}
