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
mod tests {
    use super::*;

    fn utterance(parts: &[(&str, usize)]) -> Utterance {
        let parts = parts.iter().map(|(text, samples)| match *text {
            "" => Part { text: String::new(), sound: Sound::Silence(*samples) },
            text => Part::clip(text, (1..=*samples as i16).collect::<Vec<_>>().into()),
        });
        Utterance { language: Language::Hi, yields_to: YieldsTo::ANYTHING, parts: parts.collect() }
    }

    fn drain(outbox: &mut Outbox) -> (Vec<i16>, Vec<&'static str>) {
        let (mut samples, mut kinds) = (Vec::new(), Vec::new());
        while let Some(command) = outbox.poll() {
            kinds.push(match command {
                MindCommand::Speak { samples: chunk, .. } => {
                    assert!(!chunk.is_empty() && chunk.len() <= CHUNK_SAMPLES);
                    samples.extend(chunk);
                    "speak"
                }
                MindCommand::Finish { .. } => "finish",
                MindCommand::Note(Dialogue::Said { .. }) => "said",
                MindCommand::Note(Dialogue::SaidOn { .. }) => "said on",
                other => panic!("{other:?}"),
            });
        }
        (samples, kinds)
    }

    #[test]
    fn nothing_is_sent_beyond_the_credit_and_nothing_is_lost() {
        let mut outbox = Outbox::default();
        outbox.say(utterance(&[("namaste", 1_000), ("", 500), ("ji", 300)])).unwrap();
        assert_eq!(drain(&mut outbox), (vec![], vec![]));
        let mut heard = Vec::new();
        for granted in (0..=1_800).step_by(90) {
            outbox.grant(granted);
            heard.extend(drain(&mut outbox).0);
            assert_eq!(heard.len() as u64, granted);
        }
        let expected: Vec<i16> = (1..=1_000).chain(std::iter::repeat_n(0, 500)).chain(1..=300).collect();
        assert_eq!(heard, expected);
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_utterance_is_announced_sent_and_finished() {
        let mut outbox = Outbox::default();
        outbox.grant(10_000);
        outbox.say(utterance(&[("a", 1_700)])).unwrap();
        outbox.say(utterance(&[])).unwrap();
        let (samples, kinds) = drain(&mut outbox);
        assert_eq!(kinds, ["said", "speak", "speak", "speak", "finish", "speak", "finish"]);
        assert_eq!(samples.len(), 1_700 + LEAST_SAMPLES);
    }

    #[test]
    fn what_is_heard_is_known_by_what_is_granted() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.playing(), None);
        let first = outbox.say(utterance(&[("one", 4_000)])).unwrap();
        let second = outbox.say(utterance(&[("two", 4_000)])).unwrap();
        let heard = |outbox: &Outbox| outbox.playing().map(|(id, heard)| (id, heard.as_millis()));
        // Voice begins with room for 400 ms, and makes more when half of it is heard.
        for (granted, id, heard_ms) in [
            (3_200, first, 200),
            (4_800, first, 400),
            (6_400, second, 100),
            (8_000, second, 300),
            (11_200, second, 500),
        ] {
            outbox.grant(granted);
            drain(&mut outbox);
            assert_eq!(heard(&outbox), Some((id, heard_ms)), "{granted}");
            assert_eq!(outbox.has_begun(second), granted > 4_000, "{granted}");
        }
    }

    #[test]
    fn a_flush_drops_what_waits_and_remembers_what_was_heard() {
        let mut outbox = Outbox::default();
        outbox.grant(800);
        let first = outbox.say(utterance(&[("aapka order", 800), ("ABC123", 800)])).unwrap();
        outbox.say(utterance(&[("later", 800)])).unwrap();
        drain(&mut outbox);
        outbox.flush();
        assert_eq!(drain(&mut outbox), (vec![], vec![]));
        assert_eq!(outbox.counters().flushed, 2);
        assert_eq!(outbox.heard(first, Duration::from_millis(100)).unwrap(), "aapka order");
        assert_eq!(outbox.heard(first, Duration::from_millis(101)).unwrap(), "aapka order ABC123");
        assert_eq!(outbox.heard(first, Duration::ZERO).unwrap(), "");
        let next = outbox.say(utterance(&[("new", 10)])).unwrap();
        assert!(next > first);
    }

    #[test]
    fn a_flush_keeps_what_is_to_be_heard_in_any_case() {
        let mut outbox = Outbox::default();
        outbox.grant(100);
        outbox.say(utterance(&[("one moment", 800)])).unwrap();
        let kept = outbox.say(utterance(&[("notice", 300)])).unwrap();
        drain(&mut outbox);
        outbox.flush_before(kept);
        outbox.grant(10_000);
        assert_eq!(drain(&mut outbox), ((1..=300).collect(), vec!["said", "speak", "finish"]));
        assert_eq!(outbox.counters().flushed, 1);
        outbox.flush_before(kept);
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_utterance_may_begin_before_it_is_complete() {
        let mut outbox = Outbox::default();
        outbox.grant(10_000);
        let open = outbox.open(Language::En, YieldsTo::ANYTHING).unwrap();
        outbox.say(utterance(&[("later", 100)])).unwrap();
        assert_eq!(drain(&mut outbox), (vec![], vec![]));
        let coded = |text: &str, bytes: &[u8]| Part {
            text: text.to_owned(),
            sound: Sound::Coded(Encoding::Mulaw, bytes.into()),
        };
        assert!(outbox.append(open, coded("one", &[0xff, 0x7f, 0x80])));
        assert_eq!(drain(&mut outbox), (vec![0, -1, 32_124], vec!["said", "speak"]));
        assert!(outbox.append(open, coded("", &[0xff])) && outbox.append(open, coded("two", &[0xff])));
        assert_eq!(drain(&mut outbox), (vec![0, 0], vec!["said on", "speak"]));
        outbox.close(open);
        assert!(!outbox.append(open, coded("too late", &[0xff])));
        assert_eq!(drain(&mut outbox).1, ["finish", "said", "speak", "finish"]);
        assert!(!outbox.append(open, coded("gone", &[0xff])) && !outbox.has(open));
    }

    #[test]
    fn what_is_shortened_dies_away_without_a_click() {
        let mut outbox = Outbox::default();
        let steady = |samples| Utterance {
            language: Language::Hi,
            yields_to: YieldsTo::ANYTHING,
            parts: vec![Part::clip("filler", vec![8_000; samples].into())],
        };
        outbox.grant(1_000);
        let [begun, unsaid] = [outbox.say(steady(4_000)).unwrap(), outbox.say(steady(4_000)).unwrap()];
        assert_eq!(drain(&mut outbox).0, [8_000; 1_000]);
        outbox.shorten(begun);
        outbox.shorten(unsaid);
        outbox.grant(1_030);
        let mut end = drain(&mut outbox).0;
        outbox.grant(9_000);
        end.extend(drain(&mut outbox).0);
        assert_eq!((end.len(), end.last()), (FADE_SAMPLES, Some(&0)));
        assert!(end.windows(2).all(|two| (0..=200).contains(&(two[0] - two[1]))), "{end:?}");
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_utterance_that_never_ends_is_cut() {
        let mut outbox = Outbox::default();
        let open = outbox.open(Language::En, YieldsTo::ANYTHING).unwrap();
        for _ in 0..70 {
            outbox.append(open, Part::silence(Duration::from_secs(1)));
        }
        assert_eq!(outbox.counters().cut_samples, 80_000);
        assert_eq!(outbox.waiting_samples(), 480_000);
    }

    #[test]
    fn utterances_are_bounded_in_length_and_number() {
        let mut outbox = Outbox::default();
        outbox.say(utterance(&[("", 61 * 8_000)])).unwrap();
        assert_eq!(outbox.counters().cut_samples, 8_000);
        for _ in 1..MAX_WAITING {
            outbox.say(utterance(&[("a", 10)])).unwrap();
        }
        assert_eq!(outbox.say(utterance(&[("a", 10)])), None);
        assert_eq!(outbox.counters().refused, 1);
        outbox.grant(u64::MAX);
        assert_eq!(drain(&mut outbox).0.len(), 60 * 8_000 + 10 * (MAX_WAITING - 1));
    }
}
