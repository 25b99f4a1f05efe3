//! `[turn_taking]` in an agent's file: how it listens and when it speaks. Every kind of agent may have it; without it, or without
//! one of its keys, the defaults hold.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::fault::Faults;
use super::table::{Document, Table, boolean, decimal, integer, text, word};
use crate::mind::end_of_turn::{Backchannels, Model};
use crate::mind::understanding::UnderstandingConfig;
use crate::voice::detection::{Detection, Sensitivity};
use crate::voice::exchange::Digit;
use crate::voice::{EchoCancellation, TurnTaking};

/// What an agent's file says of turn-taking.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnTakingConfig {
    /// How its voice shares the line with the caller.
    pub voice: TurnTaking,
    /// How its mind takes the caller's words, where a recognizer is at work.
    pub understanding: UnderstandingConfig,
}

/// Reads the table out of an agent's file; `usual` is what holds without it. Whatever else the file holds is read elsewhere, and so are faults of
/// its syntax.
///
/// # Errors
/// Every fault of the table at once.
pub fn read(file: &str, text: &str, usual: &TurnTaking) -> Result<TurnTakingConfig, Faults> {
    let document = Document::new(file, text);
    let (keys, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Ok(TurnTakingConfig { voice: *usual, ..TurnTakingConfig::default() });
    }
    let mut table = Table::root(&document, &keys).section("turn_taking");
    let turn_taking = read_table(&mut table, usual);
    let understanding = read_understanding(&mut table);
    let are_keys_sound = document.is_sound();
    if are_keys_sound {
        RULES.iter().for_each(|rule| rule.check(&turn_taking, &table));
        let Detection { above_room_db: first, still_above_room_db: then, .. } = turn_taking.detection;
        if then > first {
            let key = if table.has("still_above_room_db") { "still_above_room_db" } else { "above_room_db" };
            table.fault_at(
                key,
                format!(
                    "still_above_room_db ({then} dB) is more than above_room_db ({first} dB): what turns the agent down would be no \
                     speech any more; lower still_above_room_db or raise above_room_db"
                ),
            );
        }
    }
    table.finish();
    match Faults::of(document.into_faults()) {
        None => Ok(TurnTakingConfig { voice: turn_taking, understanding }),
        Some(faults) => Err(faults),
    }
}

fn read_table(table: &mut Table<'_>, usual: &TurnTaking) -> TurnTaking {
    let sensitivity = table.get("sensitivity", word(SENSITIVITIES)).unwrap_or(Sensitivity::Normal);
    let mut read = TurnTaking { detection: Detection::with_sensitivity(sensitivity), ..*usual };
    for time in TIMES {
        if let Some(ms) = table.get(time.key, integer(time.bounds.clone(), "ms")) {
            *(time.place)(&mut read) = Duration::from_millis(ms);
        }
    }
    for number in NUMBERS {
        if let Some(value) = table.get(number.key, decimal(number.bounds.clone(), number.unit)) {
            *(number.place)(&mut read) = value;
        }
    }
    if let Some(words) = table.get("min_words", integer(1..=MAX_MIN_WORDS, "words")) {
        read.detection.min_words = u16::try_from(words).unwrap_or(u16::MAX);
    }
    if let Some(key) = table.get("ends_turn_on", ending_key) {
        read.patience.ends_turn_on = key;
    }
    if let Some(echo) = table.get("echo_cancellation", word(ECHO_CANCELLATIONS)) {
        read.audio.echo_cancellation = echo;
    }
    let audio = &mut read.audio;
    for (key, place) in [
        ("caller_gain", &mut audio.caller_gain),
        ("loudness", &mut audio.loudness),
        ("noise_suppression", &mut audio.noise_suppression),
    ] {
        *place = table.get(key, boolean).unwrap_or(*place);
    }
    read
}

fn read_understanding(table: &mut Table<'_>) -> UnderstandingConfig {
    let own = table.list("backchannels", MAX_BACKCHANNELS, backchannel).unwrap_or_default();
    let has_usual = table.get("usual_backchannels", boolean).unwrap_or(true);
    let usual = if has_usual { Backchannels::usual() } else { &[] };
    table.get("end_of_turn_model", |_| -> Result<(), String> {
        Err("no model can be loaded from a file yet, the words alone judge; remove the key".to_owned())
    });
    let backchannels = Backchannels::new(usual.iter().copied().chain(own.iter().map(String::as_str)));
    UnderstandingConfig { model: Model::Text, backchannels }
}

fn backchannel(value: &DeValue<'_>) -> Result<String, String> {
    let phrase = text(value)?;
    if phrase.len() > MAX_BACKCHANNEL_BYTES || Backchannels::words_of(&phrase).is_none() {
        return Err(format!(
            "must be what a listener says, 1 to 8 words and at most {MAX_BACKCHANNEL_BYTES} bytes, as \"haan ji\""
        ));
    }
    Ok(phrase)
}

fn ending_key(value: &DeValue<'_>) -> Result<Option<Digit>, String> {
    let advice = || "must be one key, as \"#\" or \"*\", or \"none\"".to_owned();
    let written = text(value).map_err(|_| advice())?;
    if written == "none" {
        return Ok(None);
    }
    let mut chars = written.chars();
    let key = chars.next().filter(|c| "0123456789*#".contains(*c) && chars.next().is_none());
    key.and_then(Digit::from_char).map(Some).ok_or_else(advice)
}

/// A time that may be set, in milliseconds.
struct TimeKey {
    key: &'static str,
    bounds: RangeInclusive<u64>,
    place: fn(&mut TurnTaking) -> &mut Duration,
    /// What it is, for the documentation.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the test that keeps the documentation true"))]
    about: &'static str,
}

/// A number that may be set.
struct NumberKey {
    key: &'static str,
    bounds: RangeInclusive<f32>,
    unit: &'static str,
    place: fn(&mut TurnTaking) -> &mut f32,
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the test that keeps the documentation true"))]
    about: &'static str,
}

/// Two times of which one must not exceed the other.
struct Rule {
    /// This, and what is added to the other one.
    less: &'static str,
    more: &'static [&'static str],
    /// What would happen otherwise.
    why: &'static str,
}

impl Rule {
    fn check(&self, turn_taking: &TurnTaking, table: &Table<'_>) {
        let less = time_of(turn_taking, self.less);
        let more = self.more.iter().map(|key| time_of(turn_taking, key)).sum();
        if less <= more {
            return;
        }
        // The key that somebody wrote is the one to mend.
        let keys = [&[self.less], self.more].concat();
        let written = keys.iter().find(|key| table.has(key)).unwrap_or(&self.less);
        let (less_key, more_keys, why) = (self.less, self.more.join(" + "), self.why);
        table.fault_at(
            written,
            format!(
                "{less_key} ({less} ms) is more than {more_keys} ({more} ms): {why}; lower {less_key} or raise {}",
                self.more.join(" or ")
            ),
        );
    }
}

fn time_of(turn_taking: &TurnTaking, key: &str) -> u128 {
    let mut copy = *turn_taking;
    let time = TIMES.iter().find(|time| time.key == key);
    time.map_or(0, |time| (time.place)(&mut copy).as_millis())
}

const SENSITIVITIES: &[(&str, Sensitivity)] =
    &[("low", Sensitivity::Low), ("normal", Sensitivity::Normal), ("high", Sensitivity::High)];

const ECHO_CANCELLATIONS: &[(&str, EchoCancellation)] =
    &[("auto", EchoCancellation::Auto), ("off", EchoCancellation::Off)];

/// The usual list has 62.
const MAX_BACKCHANNELS: usize = 200;
/// Eight long words in a script of three bytes a letter.
const MAX_BACKCHANNEL_BYTES: usize = 200;
/// Nobody says more before it is plain that he means it.
const MAX_MIN_WORDS: u64 = 10;

macro_rules! time {
    ($key:literal, $bounds:expr, $($place:ident).+, $about:literal) => {
        TimeKey { key: $key, bounds: $bounds, place: |of| &mut of.$($place).+, about: $about }
    };
}

const TIMES: &[TimeKey] = &[
    time!(
        "learn_room_ms",
        0..=2000,
        detection.learn_room,
        "so much of a call's beginning may be the room, whatever is heard"
    ),
    time!("begin_after_ms", 20..=200, detection.begin_after, "speech in a row that counts as speech"),
    time!("end_after_ms", 60..=600, detection.end_after, "silence that ends it; less is a gap between words"),
    time!(
        "duck_after_ms",
        20..=400,
        detection.duck_after,
        "speech in a row that turns the agent down by 12 dB"
    ),
    time!("pause_after_ms", 40..=1000, detection.pause_after, "speech that makes the agent pause"),
    time!(
        "forgive_after_ms",
        100..=1000,
        detection.forgive_after,
        "so long after it was turned down it is as loud as before, if it has not paused"
    ),
    time!(
        "longest_pause_ms",
        200..=600,
        detection.longest_pause,
        "after such a pause it goes on, if it was not stopped and the caller is silent; nothing is skipped"
    ),
    time!(
        "stop_after_ms",
        60..=1500,
        detection.stop_after,
        "speech that stops the agent, where no recognizer is at work; a \"hmm\" is shorter"
    ),
    time!(
        "stop_unheard_after_ms",
        60..=1500,
        detection.stop_unheard_after,
        "the same where one is at work and has brought no words yet, or none behind a backchannel"
    ),
    time!(
        "silence_ms",
        300..=3000,
        patience.without_words,
        "silence that ends the caller's turn, where no recognizer is at work"
    ),
    time!(
        "complete_silence_ms",
        200..=3000,
        patience.complete.silence,
        "silence that ends it after a whole sentence"
    ),
    time!("complete_stall_ms", 0..=2000, patience.complete.stall, "and time without new words"),
    time!(
        "neutral_silence_ms",
        200..=5000,
        patience.neutral.silence,
        "silence that ends it when it may be over or not"
    ),
    time!("neutral_stall_ms", 0..=2000, patience.neutral.stall, "and time without new words"),
    time!(
        "unfinished_silence_ms",
        200..=10000,
        patience.unfinished.silence,
        "silence that ends it when something is missing (\"my order number is\")"
    ),
    time!("unfinished_stall_ms", 0..=2000, patience.unfinished.stall, "and time without new words"),
    time!(
        "unheard_silence_ms",
        200..=5000,
        patience.unheard,
        "silence that ends it when speech brought no words"
    ),
    time!(
        "provider_silence_ms",
        0..=2000,
        patience.provider,
        "silence that ends it when the speech provider says that it is over"
    ),
    time!(
        "loud_complete_stall_ms",
        500..=10000,
        patience.loud_complete,
        "where speech is heard without end, as in a loud room: time without new words that ends it after a whole sentence"
    ),
    time!(
        "loud_neutral_stall_ms",
        500..=10000,
        patience.loud_neutral,
        "the same when it may be over or not; when something is missing, `max_utterance_ms` ends it"
    ),
    time!(
        "loud_provider_ms",
        100..=5000,
        patience.loud_provider,
        "the same when the speech provider says that it is over"
    ),
    time!(
        "likely_after_ms",
        60..=2000,
        patience.likely_after,
        "silence after a whole sentence from which on an answer is prepared"
    ),
    time!(
        "min_utterance_ms",
        20..=2000,
        patience.shortest_turn,
        "less speech than this is no turn, unless there are words in it"
    ),
    time!(
        "max_utterance_ms",
        1000..=60000,
        patience.longest_turn_with_words,
        "a turn that does not end is ended after this, where a recognizer is at work"
    ),
    time!(
        "max_utterance_without_words_ms",
        1000..=60000,
        patience.longest_turn,
        "the same where none is at work"
    ),
];

const NUMBERS: &[NumberKey] = &[
    NumberKey {
        key: "above_room_db",
        bounds: 0.0..=20.0,
        unit: "dB",
        place: |of| &mut of.detection.above_room_db,
        about: "how much louder than the room a caller has to be",
    },
    NumberKey {
        key: "still_above_room_db",
        bounds: 0.0..=20.0,
        unit: "dB",
        place: |of| &mut of.detection.still_above_room_db,
        about: "the same once the agent is turned down; no more than that",
    },
    NumberKey {
        key: "complete_from",
        bounds: 0.5..=1.0,
        unit: "",
        place: |of| &mut of.patience.complete_from,
        about: "completeness of the words from which on they are a whole sentence",
    },
    NumberKey {
        key: "unfinished_to",
        bounds: 0.0..=0.49,
        unit: "",
        place: |of| &mut of.patience.unfinished_to,
        about: "completeness up to which something is missing",
    },
];

const RULES: &[Rule] = &[
    Rule {
        less: "duck_after_ms",
        more: &["pause_after_ms"],
        why: "the agent would pause before it is turned down",
    },
    Rule {
        less: "begin_after_ms",
        more: &["pause_after_ms"],
        why: "the agent would pause before speech has begun",
    },
    Rule { less: "pause_after_ms", more: &["stop_after_ms"], why: "the agent would stop without a pause" },
    Rule {
        less: "pause_after_ms",
        more: &["stop_unheard_after_ms"],
        why: "the agent would stop without a pause",
    },
    Rule {
        less: "pause_after_ms",
        more: &["duck_after_ms", "forgive_after_ms"],
        why: "speech would be forgiven before the agent has paused",
    },
    Rule {
        less: "provider_silence_ms",
        more: &["complete_silence_ms"],
        why: "what the provider says would never end a turn sooner",
    },
    Rule { less: "end_after_ms", more: &["silence_ms"], why: "a turn would be over before its speech is" },
    Rule {
        less: "end_after_ms",
        more: &["complete_silence_ms"],
        why: "a turn would be over before its speech is",
    },
    Rule {
        less: "end_after_ms",
        more: &["unheard_silence_ms"],
        why: "a turn would be over before its speech is",
    },
    Rule {
        less: "end_after_ms",
        more: &["likely_after_ms"],
        why: "a turn would be likely to be over before its speech is",
    },
    Rule {
        less: "silence_ms",
        more: &["max_utterance_without_words_ms"],
        why: "every turn would be cut before it is over",
    },
    Rule {
        less: "unfinished_silence_ms",
        more: &["max_utterance_ms"],
        why: "unfinished sentences would be cut before they are over",
    },
    Rule {
        less: "complete_stall_ms",
        more: &["neutral_stall_ms"],
        why: "whole sentences would wait longest for words",
    },
    Rule {
        less: "neutral_stall_ms",
        more: &["unfinished_stall_ms"],
        why: "unfinished sentences would wait least for words",
    },
    Rule {
        less: "complete_silence_ms",
        more: &["neutral_silence_ms"],
        why: "whole sentences would wait longest",
    },
    Rule {
        less: "neutral_silence_ms",
        more: &["unfinished_silence_ms"],
        why: "unfinished sentences would be cut off first",
    },
    Rule {
        less: "likely_after_ms",
        more: &["complete_silence_ms"],
        why: "a turn would be over before it is likely to be",
    },
    Rule {
        less: "complete_stall_ms",
        more: &["loud_complete_stall_ms"],
        why: "callers would be cut off while they speak sooner than in silence",
    },
    Rule {
        less: "neutral_stall_ms",
        more: &["loud_neutral_stall_ms"],
        why: "callers would be cut off while they speak sooner than in silence",
    },
    Rule {
        less: "loud_complete_stall_ms",
        more: &["loud_neutral_stall_ms"],
        why: "whole sentences would wait longest for words",
    },
    Rule { less: "min_utterance_ms", more: &["max_utterance_ms"], why: "no turn would be long enough" },
    Rule {
        less: "min_utterance_ms",
        more: &["max_utterance_without_words_ms"],
        why: "no turn would be long enough",
    },
];

#[cfg(test)]
mod tests;
