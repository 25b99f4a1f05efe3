//! Utterances on their way to voice. Their samples are shared clips, or G.711 that was made for them, and wait here; voice is sent as much as it
//! has granted, in short chunks. An utterance may begin before it is complete.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use caly_provider::audio::Encoding;

use super::{Language, SAMPLE_RATE_HZ};
use crate::call::dialogue::Dialogue;
use crate::sound::convert::decode_g711;
use crate::voice::exchange::{MindCommand, UtteranceId, YieldsTo};

/// A piece of an utterance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the log shows of it; empty for silence, and for the words of a value behind its first.
    pub text: String,
    /// What is heard.
    pub sound: Sound,
}

/// What is heard of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sound {
    /// A clip.
    Clip(Arc<[i16]>),
    /// A synthesizer's G.711, a byte for each sample: half the memory of samples, and the bytes that leave are those that came.
    Coded(Encoding, Arc<[u8]>),
    /// Nothing, for so many samples.
    Silence(usize),
}

/// Something to say as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utterance {
    /// In which language.
    pub language: Language,
    /// What may stop it.
    pub yields_to: YieldsTo,
    /// In order.
    pub parts: Vec<Part>,
}

/// What did not go out as it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounters {
    /// Utterances that were refused because too many waited.
    pub refused: u64,
    /// Samples that were cut off the ends of utterances that were too long.
    pub cut_samples: u64,
    /// Utterances that were dropped by a flush before they were sent whole.
    pub flushed: u64,
}

/// The utterances of a call that are not yet sent whole. After every change, drain [`Outbox::poll`].
#[derive(Clone, Debug)]
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    /// Sent, and perhaps not yet heard; its text tells what was.
    last_sent: Option<(UtteranceId, Utterance)>,
    next: u64,
    granted_samples: u64,
    sent_samples: u64,
    /// Which utterances were sent last, and from which sample on.
    begun: VecDeque<(UtteranceId, u64)>,
    notes: VecDeque<Dialogue>,
    counters: OutboxCounters,
}

/// Whether all of an utterance is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completeness {
    Whole,
    Open,
}

#[derive(Clone, Debug)]
struct Waiting {
    id: UtteranceId,
    utterance: Utterance,
    part: usize,
    /// Samples of that part that are sent.
    offset: usize,
    left: usize,
    is_announced: bool,
    /// More parts may come.
    is_open: bool,
    /// Samples that it has had so far, sent or not.
    taken: usize,
    /// What is left dies away: over so many samples.
    fades_over: usize,
}

impl Part {
    /// A clip.
    pub fn clip(text: impl Into<String>, samples: Arc<[i16]>) -> Self {
        Self { text: text.into(), sound: Sound::Clip(samples) }
    }

    /// A pause.
    pub fn silence(duration: Duration) -> Self {
        Self { text: String::new(), sound: Sound::Silence(samples_in(duration)) }
    }

    fn samples(&self) -> usize {
        match &self.sound {
            Sound::Clip(clip) => clip.len(),
            Sound::Coded(_, bytes) => bytes.len(),
            Sound::Silence(samples) => *samples,
        }
    }

    fn copy(&self, from: usize, samples: usize, to: &mut Vec<i16>) {
        match &self.sound {
            Sound::Clip(clip) => to.extend(clip.iter().skip(from).take(samples)),
            Sound::Coded(encoding, bytes) => {
                let end = (from + samples).min(bytes.len());
                decode_g711(*encoding, bytes.get(from..end).unwrap_or_default(), to);
            }
            Sound::Silence(_) => to.resize(to.len() + samples, 0),
        }
    }
}

impl Utterance {
    /// The words, as the log shows them.
    pub fn text(&self) -> String {
        join(self.parts.iter())
    }

    /// The words of which something was heard.
    pub fn heard(&self, heard: Duration) -> String {
        let heard = samples_in(heard);
        let mut begins = 0;
        let has_begun = |part: &&Part| {
            let is_heard = begins < heard;
            begins += part.samples();
            is_heard
        };
        join(self.parts.iter().take_while(has_begun))
    }

    fn samples(&self) -> usize {
        self.parts.iter().map(Part::samples).sum()
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            last_sent: None,
            next: 1,
            granted_samples: 0,
            sent_samples: 0,
            begun: VecDeque::new(),
            notes: VecDeque::new(),
            counters: OutboxCounters::default(),
        }
    }
}

impl Outbox {
    /// Queues an utterance behind those that wait; `None` if too many do. What is longer than [`MAX_UTTERANCE`] loses its end;
    /// an utterance of nothing becomes a moment of silence, so that voice says when it was its turn.
    pub fn say(&mut self, mut utterance: Utterance) -> Option<UtteranceId> {
        if self.waiting.len() >= MAX_WAITING {
            self.counters.refused += 1;
            return None;
        }
        if utterance.samples() == 0 {
            utterance.parts.push(Part { text: String::new(), sound: Sound::Silence(LEAST_SAMPLES) });
        }
        self.queue(utterance, Completeness::Whole)
    }

    /// Queues an utterance that has no sound yet; `None` if too many wait. Say what it is to sound like with [`Outbox::append`].
    pub fn open(&mut self, language: Language, yields_to: YieldsTo) -> Option<UtteranceId> {
        if self.waiting.len() >= MAX_WAITING {
            self.counters.refused += 1;
            return None;
        }
        self.queue(Utterance { language, yields_to, parts: Vec::new() }, Completeness::Open)
    }

    /// One more part of an utterance that is open. False if it is not, or was flushed.
    pub fn append(&mut self, id: UtteranceId, part: Part) -> bool {
        let Some(open) = self.waiting.iter_mut().find(|waiting| waiting.id == id && waiting.is_open) else {
            return false;
        };
        let kept = part.samples().min(samples_in(MAX_UTTERANCE).saturating_sub(open.taken));
        self.counters.cut_samples += (part.samples() - kept) as u64;
        if open.is_announced && !part.text.is_empty() {
            let (utterance, text) = (id.0, part.text.clone());
            self.notes.push_back(Dialogue::SaidOn { utterance, text });
        }
        open.left += kept;
        open.taken += kept;
        open.utterance.parts.push(part);
        true
    }

    /// No more parts come.
    pub fn close(&mut self, id: UtteranceId) {
        if let Some(open) = self.waiting.iter_mut().find(|waiting| waiting.id == id) {
            open.is_open = false;
        }
    }

    /// What of this utterance is not sent is not said, but for 10 ms in which it dies away without a click; what voice has of it is said.
    pub fn shorten(&mut self, id: UtteranceId) {
        let Some(shortened) = self.waiting.iter_mut().find(|waiting| waiting.id == id) else { return };
        let has_begun = shortened.is_announced;
        shortened.is_open = false;
        shortened.left = if has_begun { shortened.left.min(FADE_SAMPLES) } else { 0 };
        shortened.fades_over = shortened.left;
    }

    /// Whether sound of this utterance is still to be sent, or may come.
    pub fn has(&self, id: UtteranceId) -> bool {
        self.waiting.iter().any(|waiting| waiting.id == id)
    }

    /// The utterance that is being said, if all of it that has come is sent and more may come.
    pub fn stalled(&self) -> Option<UtteranceId> {
        let first = self.waiting.front()?;
        (first.is_open && first.is_announced && first.left == 0).then_some(first.id)
    }

    /// Whether there is an utterance of which more may come.
    pub fn has_open(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.is_open)
    }

    /// How long the sound takes that waits here.
    pub fn waiting_time(&self) -> Duration {
        let samples = u64::try_from(self.waiting_samples()).unwrap_or(u64::MAX);
        Duration::from_micros(samples.saturating_mul(125))
    }

    /// Sound that waits here, in samples.
    pub fn waiting_samples(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.left).sum()
    }

    fn queue(&mut self, utterance: Utterance, completeness: Completeness) -> Option<UtteranceId> {
        let samples = utterance.samples();
        let left = samples.min(samples_in(MAX_UTTERANCE));
        self.counters.cut_samples += (samples - left) as u64;
        let id = UtteranceId(self.next);
        self.next += 1;
        let is_open = completeness == Completeness::Open;
        let (part, offset, is_announced, taken, fades_over) = (0, 0, false, left, 0);
        let waiting = Waiting { id, utterance, part, offset, left, is_announced, is_open, taken, fades_over };
        self.waiting.push_back(waiting);
        Some(id)
    }

    /// Voice takes so many samples, counted from the call's first.
    pub fn grant(&mut self, samples: u64) {
        self.granted_samples = self.granted_samples.max(samples);
    }

    /// What waits is not said any more, but for this one and those behind it.
    pub fn flush_before(&mut self, kept: UtteranceId) {
        let behind = self.waiting.iter().position(|waiting| waiting.id >= kept);
        let behind = self.waiting.split_off(behind.unwrap_or(self.waiting.len()));
        self.flush();
        self.waiting = behind;
    }

    /// What waits is not said any more.
    pub fn flush(&mut self) {
        self.counters.flushed += self.waiting.len() as u64;
        if let Some(begun) = self.waiting.drain(..).next().filter(|waiting| waiting.is_announced) {
            self.last_sent = Some((begun.id, begun.utterance));
        }
    }

    /// The next thing to tell voice; `None` until more is granted or said.
    pub fn poll(&mut self) -> Option<MindCommand> {
        if let Some(note) = self.notes.pop_front() {
            return Some(MindCommand::Note(note));
        }
        let credit =
            usize::try_from(self.granted_samples.saturating_sub(self.sent_samples)).unwrap_or(usize::MAX);
        let first = self.waiting.front_mut()?;
        if first.left == 0 && first.is_open {
            return None;
        }
        if first.left == 0 {
            let sent = self.waiting.pop_front()?;
            self.last_sent = Some((sent.id, sent.utterance));
            return Some(MindCommand::Finish { utterance: sent.id });
        }
        if credit == 0 {
            return None;
        }
        if !first.is_announced {
            first.is_announced = true;
            self.begun.push_back((first.id, self.sent_samples));
            if self.begun.len() > MAX_BEGUN {
                self.begun.pop_front();
            }
            let text = first.utterance.text();
            // A moment of silence is nothing that anybody said.
            if !text.is_empty() {
                let language = first.utterance.language.tag().to_owned();
                return Some(MindCommand::Note(Dialogue::Said { utterance: first.id.0, text, language }));
            }
        }
        let samples = first.take(credit.min(CHUNK_SAMPLES));
        self.sent_samples += samples.len() as u64;
        Some(MindCommand::Speak { utterance: first.id, yields_to: first.utterance.yields_to, samples })
    }

    /// The words of an utterance that were heard; `None` if it is not known any more.
    pub fn heard(&self, utterance: UtteranceId, heard: Duration) -> Option<String> {
        let waiting = self.waiting.iter().map(|waiting| (waiting.id, &waiting.utterance));
        let sent = self.last_sent.iter().map(|(id, utterance)| (*id, utterance));
        let (_, found) = waiting.chain(sent).find(|(id, _)| *id == utterance)?;
        Some(found.heard(heard))
    }

    /// Which utterance is heard, as far as voice has told by what it grants, and how much of it was heard at most: up to 200 ms less may have been.
    pub fn playing(&self) -> Option<(UtteranceId, Duration)> {
        let heard = self.granted_samples.saturating_sub(GRANTED_UNHEARD_SAMPLES).min(self.sent_samples);
        let (id, from) = self.begun.iter().rfind(|(_, from)| *from <= heard).or(self.begun.front())?;
        let millis = heard.saturating_sub(*from) * 1_000 / u64::from(SAMPLE_RATE_HZ);
        Some((*id, Duration::from_millis(millis)))
    }

    /// Whether voice has got sound of this utterance, not long ago.
    pub fn has_begun(&self, id: UtteranceId) -> bool {
        self.begun.iter().any(|(begun, _)| *begun == id)
    }

    /// Whether everything is sent.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What did not go out.
    pub fn counters(&self) -> OutboxCounters {
        self.counters
    }
}

impl Waiting {
    fn take(&mut self, most: usize) -> Vec<i16> {
        let wanted = most.min(self.left);
        let mut samples = Vec::with_capacity(wanted);
        while samples.len() < wanted {
            let Some(part) = self.utterance.parts.get(self.part) else { break };
            let available = part.samples() - self.offset;
            let now = available.min(wanted - samples.len());
            part.copy(self.offset, now, &mut samples);
            self.offset += now;
            if now == available {
                self.part += 1;
                self.offset = 0;
            }
        }
        if self.fades_over > 0 {
            let lefts = (0..self.left).rev();
            for (sample, left) in samples.iter_mut().zip(lefts) {
                *sample = (i32::from(*sample) * left as i32 / self.fades_over as i32) as i16;
            }
        }
        self.left -= samples.len();
        samples
    }
}

fn join<'a>(parts: impl Iterator<Item = &'a Part>) -> String {
    let texts: Vec<_> = parts.map(|part| part.text.trim()).filter(|text| !text.is_empty()).collect();
    texts.join(" ")
}

fn samples_in(duration: Duration) -> usize {
    let samples = duration.as_millis().saturating_mul(u128::from(SAMPLE_RATE_HZ)) / 1_000;
    usize::try_from(samples).unwrap_or(usize::MAX)
}

/// 100 ms: a chunk is quickly copied, and a second of speech is ten messages.
const CHUNK_SAMPLES: usize = 800;
/// What is said in one piece; a caller has hung up long before.
pub const MAX_UTTERANCE: Duration = Duration::from_secs(60);
/// A filler, its answer, and a few more.
pub const MAX_WAITING: usize = 4;
/// Voice holds 400 ms, and grants more when 200 of them are heard: of what it has granted last so much is not, at least.
const GRANTED_UNHEARD_SAMPLES: u64 = 1_600;
/// More utterances than voice can hold: none is shorter than a frame.
const MAX_BEGUN: usize = 32;
/// 10 ms: short beside a word, long beside a click.
const FADE_SAMPLES: usize = 80;
/// One frame.
const LEAST_SAMPLES: usize = 160;

#[cfg(test)]
mod tests;
