//! The agent of a trial: it talks, asks or listens, answers when the caller's turn is over, and hands on the words that its
//! recognizer tells it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rtrb::Producer;

use super::labels::AgentPart;
use super::recognizer::Recognizer;
use crate::agent::{MindGone, MindLine, NotSent};
use crate::voice::exchange::{MindCommand, UtteranceId, VoiceEvent, YieldsTo};

/// What the agents of all trials say.
#[derive(Clone, Debug)]
pub struct Lines {
    /// For who talks without end.
    pub talk: Arc<[i16]>,
    /// A short question.
    pub question: Arc<[i16]>,
    /// A short answer.
    pub answer: Arc<[i16]>,
}

/// What an agent was told, and when.
pub(super) type Told = (Instant, VoiceEvent);

/// One trial's agent.
#[derive(Debug)]
pub(super) struct TrialMind {
    part: AgentPart,
    lines: Lines,
    recognizer: Option<Recognizer>,
    answered: Option<Instant>,
    saying: Option<Saying>,
    /// Who talks: from which sample of its talk it goes on when it was stopped and has the floor again.
    stopped_at: Option<usize>,
    utterances: u64,
    sent: u64,
    limit: u64,
    /// Wishes besides speech, the next one last.
    commands: Vec<MindCommand>,
    told: Producer<Told>,
}

/// What is being said, and how far it is sent.
#[derive(Debug)]
struct Saying {
    utterance: UtteranceId,
    samples: Arc<[i16]>,
    /// Where it began.
    from: usize,
    /// Up to where it is sent.
    sent: usize,
}

impl TrialMind {
    /// An agent; without a recognizer it knows no words.
    pub(super) fn new(
        part: AgentPart,
        lines: Lines,
        recognizer: Option<Recognizer>,
        told: Producer<Told>,
    ) -> Self {
        let commands = recognizer.iter().map(|_| MindCommand::ExpectWords(true)).collect();
        Self {
            part,
            lines,
            recognizer,
            answered: None,
            saying: None,
            stopped_at: None,
            utterances: 0,
            sent: 0,
            limit: 0,
            commands,
            told,
        }
    }

    fn hear_of(&mut self, now: Instant, event: &VoiceEvent) {
        if let Some(recognizer) = &mut self.recognizer {
            recognizer.handle(event);
        }
        match event {
            VoiceEvent::Answered => {
                self.answered = Some(now);
                match self.part {
                    AgentPart::Talks => self.say(self.lines.talk.clone(), 0),
                    AgentPart::Asks => self.say(self.lines.question.clone(), 0),
                    AgentPart::Listens => self.commands.push(MindCommand::Listen),
                }
            }
            VoiceEvent::Credit { samples } => self.limit = *samples,
            VoiceEvent::Interrupted { heard, .. } => {
                let saying = self.saying.take();
                self.stopped_at = saying.map(|saying| saying.from + samples_in(*heard));
            }
            VoiceEvent::TurnCommitted { .. } => self.answer(),
            VoiceEvent::SpeechDismissed { .. } if self.stopped_at.is_some() => self.answer(),
            VoiceEvent::Played { .. } => self.commands.push(MindCommand::Listen),
            VoiceEvent::SpeechStarted
            | VoiceEvent::SpeechEnded { .. }
            | VoiceEvent::TurnLikely { .. }
            | VoiceEvent::TurnResumed { .. }
            | VoiceEvent::SpeechDismissed { .. }
            | VoiceEvent::Digit(_)
            | VoiceEvent::Idle { .. }
            | VoiceEvent::Media { .. }
            | VoiceEvent::IdleTooLong => {}
        }
    }

    /// Who was talking goes on; the others answer.
    fn answer(&mut self) {
        match (self.part, self.stopped_at.take()) {
            (AgentPart::Talks, Some(from)) => self.say(self.lines.talk.clone(), from),
            (AgentPart::Talks, None) | (AgentPart::Asks | AgentPart::Listens, _) => {
                self.say(self.lines.answer.clone(), 0);
            }
        }
    }

    fn say(&mut self, samples: Arc<[i16]>, from: usize) {
        self.utterances += 1;
        let from = from.min(samples.len());
        self.saying = Some(Saying { utterance: UtteranceId(self.utterances), samples, from, sent: from });
    }

    /// As much as the credit allows, 100 ms at a time.
    fn speak(&mut self) -> Option<MindCommand> {
        let saying = self.saying.as_mut()?;
        let utterance = saying.utterance;
        let unsaid = &saying.samples[saying.sent..];
        if unsaid.is_empty() {
            self.saying = None;
            return Some(MindCommand::Finish { utterance });
        }
        let allowed = usize::try_from(self.limit.saturating_sub(self.sent)).unwrap_or(usize::MAX);
        let count = unsaid.len().min(allowed).min(PIECE_SAMPLES);
        if count == 0 {
            return None;
        }
        let samples = unsaid[..count].to_vec();
        saying.sent += count;
        self.sent += count as u64;
        Some(MindCommand::Speak { utterance, samples, yields_to: YieldsTo::ANYTHING })
    }
}

impl MindLine for TrialMind {
    fn send(&mut self, now: Instant, event: VoiceEvent) -> Result<(), NotSent> {
        self.hear_of(now, &event);
        // The trial reads it in every tick; what finds no room is missed there and shows in its figures.
        let _ = self.told.push((now, event));
        Ok(())
    }

    fn receive(&mut self, now: Instant) -> Result<Option<MindCommand>, MindGone> {
        let words = self
            .recognizer
            .as_mut()
            .zip(self.answered)
            .and_then(|(recognizer, answered)| recognizer.poll(now, answered));
        Ok(self.commands.pop().or(words).or_else(|| self.speak()))
    }
}

/// At 8 kHz.
pub(super) fn samples_in(time: Duration) -> usize {
    usize::try_from(time.as_micros() / 125).unwrap_or(usize::MAX)
}

/// 100 ms, as minds send it.
const PIECE_SAMPLES: usize = 800;
