//! What the caller's keys do: choices, entries, keys typed ahead, and those that work everywhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::format::{GlobalKey, Kind, State};
use super::{Awaited, MAX_STEPS, Phase, ScriptMind};

impl ScriptMind {
    pub(super) fn key(&mut self, now: Instant, key: char) {
        match self.phase {
            Phase::Opening | Phase::Over => self.ignored_keys += 1,
            Phase::Recording { .. } if key == '#' => self.end_recording(now),
            Phase::Recording { .. } => self.ignored_keys += 1,
            Phase::Saying if matches!(self.kind(), Some(Kind::Record { .. })) => self.invited_key(now, key),
            Phase::Saying | Phase::Calling { .. } if self.typed.len() < MAX_TYPED => self.typed.push(key),
            Phase::Saying | Phase::Calling { .. } => self.ignored_keys += 1,
            Phase::HearingOut => {
                // Whoever presses a key does not want to be heard out.
                self.typed.push(key);
                self.said(now);
            }
            // It is used when what nothing may stop is heard.
            Phase::Waiting { .. } if self.must_be_heard() && self.typed.len() < MAX_TYPED => {
                self.typed.push(key)
            }
            Phase::Waiting { .. } if self.must_be_heard() => self.ignored_keys += 1,
            Phase::Waiting { .. } => self.waited_key(now, key),
        }
    }

    /// While the caller is asked for a message: `#` begins it, as it ends it.
    fn invited_key(&mut self, now: Instant, key: char) {
        if key == '#' {
            self.hush();
            self.said(now);
        } else {
            self.ignored_keys += 1;
        }
    }

    /// Words are over: uses the keys that were kept because they did not stop these.
    pub(super) fn use_kept(&mut self, now: Instant, over: Awaited) {
        if !over.yields_to.digits {
            self.use_typed(now);
        }
    }

    /// What is being said is not cut by keys.
    fn must_be_heard(&self) -> bool {
        self.awaited.is_some_and(|awaited| !awaited.yields_to.digits)
    }

    /// Uses keys that were typed ahead, as long as there are any and the state takes them.
    pub(super) fn use_typed(&mut self, now: Instant) {
        if self.must_be_heard() {
            return;
        }
        let typed = std::mem::take(&mut self.typed);
        let here = self.at;
        for key in typed.chars() {
            match self.phase {
                Phase::Waiting { .. } if self.at == here || self.collects() => self.waited_key(now, key),
                Phase::Waiting { .. }
                | Phase::Opening
                | Phase::Saying
                | Phase::HearingOut
                | Phase::Calling { .. }
                | Phase::Recording { .. }
                | Phase::Over => self.ignored_keys += 1,
            }
        }
    }

    fn collects(&self) -> bool {
        matches!(self.kind(), Some(Kind::Collect { .. }))
    }

    fn waited_key(&mut self, now: Instant, key: char) {
        let script = Arc::clone(&self.script);
        let Some(state) = script.states.get(self.at) else { return };
        match &state.kind {
            Kind::Menu { keys } => {
                if let Some((_, to)) = keys.iter().find(|(known, _)| *known == key) {
                    return self.move_on(now, *to);
                }
            }
            Kind::Collect { max, timeout, .. } => {
                if key.is_ascii_digit() {
                    self.typed.push(key);
                    self.phase = Phase::Waiting { until: Some(now + *timeout) };
                    if self.typed.len() >= *max {
                        self.collected(now);
                    }
                    return;
                }
                if key == '#' {
                    return self.collected(now);
                }
                // Only an entry that has begun can be cleared; before, the key is what it is everywhere.
                if key == '*' && !self.typed.is_empty() {
                    self.typed.clear();
                    self.phase = Phase::Waiting { until: None };
                    return;
                }
            }
            Kind::Choose { from, into, next, .. } => {
                let index = key.to_digit(10).and_then(|digit| usize::try_from(digit).ok()?.checked_sub(1));
                let matches = self.value(from).and_then(Value::as_array);
                if let Some(one) = matches.zip(index).and_then(|(all, index)| all.get(index)).cloned() {
                    self.values.insert(into.clone(), one);
                    return self.move_on(now, *next);
                }
            }
            Kind::Say { .. } | Kind::Tool(_) | Kind::Record { .. } | Kind::HangUp => {}
        }
        match script.keys.iter().find(|(known, _)| *known == key).map(|(_, what)| *what) {
            Some(GlobalKey::GoTo(to)) => self.move_on(now, to),
            Some(GlobalKey::Repeat) => {
                self.steps += 1;
                if self.steps > MAX_STEPS {
                    return self.part(now);
                }
                self.hush();
                self.typed.clear();
                self.begin(now, state);
            }
            None => self.wrong_key(now, state),
        }
    }

    /// Who hits several keys at once has made one mistake.
    fn wrong_key(&mut self, now: Instant, state: &State) {
        let before = self.wrong_key_at.replace(now);
        if before.is_none_or(|at| now.saturating_duration_since(at) >= BURST) {
            return self.failed(now, state.no_match);
        }
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return self.part(now);
        }
        self.ask_again(now, state.no_match);
    }

    pub(super) fn collected(&mut self, now: Instant) {
        let script = Arc::clone(&self.script);
        let Some(state) = script.states.get(self.at) else { return };
        let Kind::Collect { into, min, next, .. } = &state.kind else { return };
        let typed = std::mem::take(&mut self.typed);
        if typed.len() < *min {
            return self.failed(now, state.no_match);
        }
        self.values.insert(into.clone(), Value::from(typed));
        self.move_on(now, *next);
    }
}

/// Keys that follow each other within this time are hit and not chosen.
const BURST: Duration = Duration::from_secs(1);
/// Keys typed during a prompt; longer than any number that is asked for.
const MAX_TYPED: usize = 32;
