//! The synthesizers of one call: the best that is well speaks; when it fails, the next one says what was not said yet. What comes out is the
//! call's own G.711.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use caly_provider::audio::AudioFormat;
use caly_provider::link::{LinkEvent, LinkId, LinkOrder};
use caly_provider::policy::chain::{Chain, Tried};
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{Fault, RetryConfig};
use caly_provider::tts::{self, SpeechId, SpokenWord, Synthesizer, TtsEvent};

use crate::call::hop::{Hop, HopEvent};
use crate::mind::conversation::{Hops, RETURN_AFTER, Used, spoken_time};
use crate::mind::speech::Language;
use crate::sound::convert::{ConversionCounters, Converter};

/// Who speaks in a call.
#[derive(Debug)]
pub(super) struct Mouth {
    hops: Hops<dyn tts::Provider>,
    chain: Chain,
    tried: Tried,
    call: AudioFormat,
    speaker: Option<Speaker>,
    clients: u32,
    speeches: VecDeque<Speech>,
    next: u64,
    outputs: VecDeque<MouthOutput>,
    audio: ConversionCounters,
    used: Used,
    /// When a provider failed last in this call.
    failed_at: Option<Instant>,
}

#[derive(Debug)]
struct Speaker {
    number: usize,
    client: Box<dyn Synthesizer>,
    converter: Converter,
}

/// Something that is being said as a whole.
#[derive(Debug)]
struct Speech {
    id: SpeechId,
    language: Language,
    /// Its text so far.
    chunks: Vec<Chunk>,
    is_finished: bool,
    /// The client's name for it, which is another one after each failure.
    known_as: SpeechId,
    /// The first chunk that the present client was given.
    from: usize,
    /// Chunks of the present client whose sound is complete.
    ended: usize,
    /// Bytes of the call's G.711 so far.
    bytes: u64,
    /// Where the present client began.
    bytes_before: u64,
    /// The words that it has told of, counted from there.
    words: Vec<SpokenWord>,
}

#[derive(Debug)]
struct Chunk {
    text: String,
    /// Where its sound ends, if that is known.
    ends: Option<u64>,
}

/// What the mouth wants or tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MouthOutput {
    /// To be done with a link.
    Link(LinkOrder),
    /// Sound of a speech, in the call's codec, and who made it.
    Sound(SpeechId, usize, Vec<u8>),
    /// When words of it are heard, counted from its beginning.
    Words(SpeechId, Vec<SpokenWord>),
    /// The sound of one more of its chunks is complete.
    ChunkEnd(SpeechId),
    /// All its sound has come.
    Done(SpeechId),
    /// The rest of it will not be heard: nobody can say it.
    Failed(SpeechId),
    /// For the log.
    Note(HopEvent),
}

impl Mouth {
    pub(super) fn new(hops: Hops<dyn tts::Provider>) -> Self {
        Self {
            chain: hops.chain(),
            hops,
            tried: Tried::default(),
            call: AudioFormat::MULAW_8K,
            speaker: None,
            clients: 0,
            speeches: VecDeque::new(),
            next: 1,
            outputs: VecDeque::new(),
            audio: ConversionCounters::default(),
            used: Used::default(),
            failed_at: None,
        }
    }

    /// The call's codec is known, or is another one from now on. Connects ahead of the first word.
    pub(super) fn start(&mut self, now: Instant, call: AudioFormat, language: Language) {
        self.call = call;
        match &mut self.speaker {
            Some(speaker) => speaker.converter = Converter::new(speaker.client.format(), call),
            None => {
                self.engage(now, language);
                self.drain(now);
            }
        }
    }

    /// Begins a speech.
    pub(super) fn begin(&mut self, now: Instant, language: Language) -> SpeechId {
        let id = self.fresh();
        self.speeches.push_back(Speech {
            id,
            language,
            chunks: Vec::new(),
            is_finished: false,
            known_as: id,
            from: 0,
            ended: 0,
            bytes: 0,
            bytes_before: 0,
            words: Vec::new(),
        });
        if self.speaker.is_some() || self.engage(now, language) {
            if let Some(speaker) = &mut self.speaker {
                speaker.client.begin(now, id, language.tag());
            }
            self.drain(now);
        }
        id
    }

    /// The next chunk of a speech.
    pub(super) fn say(&mut self, now: Instant, id: SpeechId, text: &str) {
        let Some(speech) = self.speeches.iter_mut().find(|speech| speech.id == id) else { return };
        speech.chunks.push(Chunk { text: text.to_owned(), ends: None });
        let Some(speaker) = &mut self.speaker else { return self.give_up(id) };
        self.used.add(speaker.number, "characters", text.chars().count() as u64);
        speaker.client.say(now, speech.known_as, text);
        self.drain(now);
    }

    /// No more text comes.
    pub(super) fn finish(&mut self, now: Instant, id: SpeechId) {
        let Some(speech) = self.speeches.iter_mut().find(|speech| speech.id == id) else { return };
        if std::mem::replace(&mut speech.is_finished, true) {
            return;
        }
        if let Some(speaker) = &mut self.speaker {
            speaker.client.finish(now, speech.known_as);
        }
        self.drain(now);
    }

    /// Nobody wants to hear it any more.
    pub(super) fn cancel(&mut self, now: Instant, id: SpeechId) {
        let Some(at) = self.speeches.iter().position(|speech| speech.id == id) else { return };
        if let Some(speech) = self.speeches.remove(at)
            && let Some(speaker) = &mut self.speaker
        {
            speaker.client.cancel(now, speech.known_as);
        }
        self.drain(now);
    }

    pub(super) fn close(&mut self, now: Instant) {
        if let Some(mut speaker) = self.speaker.take() {
            speaker.client.close(now);
            while let Some(output) = speaker.client.poll() {
                if let tts::Output::Link(order) = output {
                    self.outputs.push_back(MouthOutput::Link(order));
                }
            }
        }
    }

    /// Enters in the log what was done and used since it was told last.
    pub(super) fn tell_used(&mut self) {
        let ConversionCounters { untouched, recoded, resampled } = std::mem::take(&mut self.audio);
        if untouched + recoded + resampled > 0 {
            self.note(HopEvent::Audio { hop: Hop::Tts, untouched, recoded, resampled });
        }
        for event in self.used.take(Hop::Tts, |number| self.hops.name(number).to_owned()) {
            self.note(event);
        }
    }

    pub(super) fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent) {
        if let Some(speaker) = &mut self.speaker {
            speaker.client.handle_link(now, link, event);
        }
        self.drain(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(speaker) = &mut self.speaker
            && speaker.client.poll_timeout().is_some_and(|due| due <= now)
        {
            speaker.client.handle_timeout(now);
            self.drain(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.speaker.as_ref()?.client.poll_timeout()
    }

    pub(super) fn poll(&mut self) -> Option<MouthOutput> {
        self.outputs.pop_front()
    }

    /// A quiet moment: back to a better provider, if one is well again.
    pub(super) fn improve(&mut self, now: Instant, language: Language) {
        let Some(speaker) = &mut self.speaker else { return };
        let is_early = self.failed_at.is_none_or(|failed| now < failed + RETURN_AFTER);
        if is_early || !self.speeches.is_empty() {
            return;
        }
        if let Some(better) = self.chain.better_than(now, speaker.number) {
            speaker.client.close(now);
            self.drain(now);
            self.tried = Tried::default();
            self.failed_at = None;
            self.engage_with(now, better, language);
            self.drain(now);
        }
    }

    fn fresh(&mut self) -> SpeechId {
        let id = SpeechId(self.next);
        self.next += 1;
        id
    }

    /// The next provider; false if there is none.
    fn engage(&mut self, now: Instant, language: Language) -> bool {
        let Some(number) = self.chain.pick(now, &self.tried) else {
            // Whoever has failed may be asked again for the next speech.
            self.tried = Tried::default();
            return false;
        };
        self.engage_with(now, number, language)
    }

    fn engage_with(&mut self, now: Instant, number: usize, language: Language) -> bool {
        let Some(provider) = self.hops.provider(number) else { return false };
        self.tried.mark(number);
        let links = LinkIds::of_client(TTS_CLIENTS + self.clients);
        self.clients += 1;
        let mut client = provider.client(self.call, links, RetryConfig::CONNECTION);
        client.start(now, language.tag());
        let converter = Converter::new(client.format(), self.call);
        self.speaker = Some(Speaker { number, client, converter });
        true
    }

    fn drain(&mut self, now: Instant) {
        while let Some(speaker) = &mut self.speaker {
            let number = speaker.number;
            match speaker.client.poll() {
                None => return,
                Some(tts::Output::Link(order)) => self.outputs.push_back(MouthOutput::Link(order)),
                Some(tts::Output::Event(event)) => self.event(now, number, event),
            }
        }
    }

    fn event(&mut self, now: Instant, number: usize, event: TtsEvent) {
        match event {
            TtsEvent::Ready { request_id } => {
                let provider = self.hops.name(number).to_owned();
                self.note(HopEvent::Uses { hop: Hop::Tts, provider, request_id });
            }
            TtsEvent::Audio { speech, bytes } => self.sound(number, speech, &bytes),
            TtsEvent::Words { speech, words } => self.words(speech, words),
            TtsEvent::ChunkEnd { speech } => {
                if let Some(speech) = self.known(speech)
                    && let Some(chunk) = speech.chunks.get_mut(speech.from + speech.ended)
                {
                    chunk.ends = Some(speech.bytes);
                    speech.ended += 1;
                    let id = speech.id;
                    self.outputs.push_back(MouthOutput::ChunkEnd(id));
                }
            }
            TtsEvent::Done { speech } => self.done(speech),
            TtsEvent::Broken { speech, fault } => self.broken(now, number, speech, &fault),
            TtsEvent::Warning(detail) => self.fault(number, "warning", detail, None),
            TtsEvent::Lost(fault) => self.fault_of(number, &fault),
            TtsEvent::Failed(fault) => {
                self.chain.failed(now, number, &fault);
                self.fault_of(number, &fault);
                self.failed_at = Some(now);
                self.speaker = None;
                if self.speeches.is_empty() {
                    // Nothing was to be said: whoever has failed may be asked for the next speech.
                    self.tried = Tried::default();
                }
            }
        }
    }

    fn sound(&mut self, number: usize, known_as: SpeechId, bytes: &[u8]) {
        let Some(speaker) = &mut self.speaker else { return };
        let sound = speaker.converter.convert(bytes);
        self.audio += speaker.converter.take_counters();
        self.chain.succeeded(number);
        let Some(speech) = self.known(known_as) else { return };
        speech.bytes += sound.len() as u64;
        let id = speech.id;
        if !sound.is_empty() {
            self.outputs.push_back(MouthOutput::Sound(id, number, sound));
        }
    }

    fn words(&mut self, known_as: SpeechId, words: Vec<SpokenWord>) {
        let Some(speech) = self.known(known_as) else { return };
        let before = duration(speech.bytes_before);
        speech.words.extend_from_slice(&words);
        let id = speech.id;
        let later =
            |word: SpokenWord| SpokenWord { begins: word.begins + before, ends: word.ends + before, ..word };
        self.outputs.push_back(MouthOutput::Words(id, words.into_iter().map(later).collect()));
    }

    fn done(&mut self, known_as: SpeechId) {
        let Some(at) = self.speeches.iter().position(|speech| speech.known_as == known_as) else { return };
        let rest = self.speaker.as_mut().map(|speaker| speaker.converter.finish()).unwrap_or_default();
        let number = self.speaker.as_ref().map_or(0, |speaker| speaker.number);
        let Some(mut speech) = self.speeches.remove(at) else { return };
        if !rest.is_empty() {
            speech.bytes += rest.len() as u64;
            self.outputs.push_back(MouthOutput::Sound(speech.id, number, rest));
        }
        self.tried = Tried::default();
        self.outputs.push_back(MouthOutput::Done(speech.id));
    }

    /// The next provider says the rest, from the word in which it broke.
    fn broken(&mut self, now: Instant, number: usize, known_as: SpeechId, fault: &Fault) {
        self.chain.failed(now, number, fault);
        self.fault_of(number, fault);
        self.failed_at = Some(now);
        let Some(broken) = self.known(known_as) else { return };
        let language = broken.language;
        let is_same = self.speaker.as_ref().is_some_and(|speaker| speaker.number == number);
        if is_same && let Some(mut failed) = self.speaker.take() {
            failed.client.close(now);
            while let Some(output) = failed.client.poll() {
                match output {
                    tts::Output::Link(order) => self.outputs.push_back(MouthOutput::Link(order)),
                    tts::Output::Event(_) => {}
                }
            }
        }
        if self.speaker.is_none() && !self.engage(now, language) {
            let all: Vec<SpeechId> = self.speeches.iter().map(|speech| speech.id).collect();
            return all.into_iter().for_each(|id| self.give_up(id));
        }
        // The client that failed had them all.
        for at in 0..self.speeches.len() {
            self.resume(now, at);
        }
        self.drain(now);
    }

    fn resume(&mut self, now: Instant, at: usize) {
        let fresh = self.fresh();
        let (Some(speaker), Some(speech)) = (&mut self.speaker, self.speeches.get_mut(at)) else { return };
        for _ in 0..speech.resume(fresh) {
            self.outputs.push_back(MouthOutput::ChunkEnd(speech.id));
        }
        speaker.client.begin(now, fresh, speech.language.tag());
        for chunk in &speech.chunks[speech.from..] {
            self.used.add(speaker.number, "characters", chunk.text.chars().count() as u64);
            speaker.client.say(now, fresh, &chunk.text);
        }
        if speech.is_finished {
            speaker.client.finish(now, fresh);
        }
    }

    fn give_up(&mut self, id: SpeechId) {
        self.speeches.retain(|speech| speech.id != id);
        self.outputs.push_back(MouthOutput::Failed(id));
    }

    fn known(&mut self, known_as: SpeechId) -> Option<&mut Speech> {
        self.speeches.iter_mut().find(|speech| speech.known_as == known_as)
    }

    fn fault_of(&mut self, number: usize, fault: &Fault) {
        self.fault(number, fault.kind.word(), fault.detail.clone(), fault.request_id.clone());
    }

    fn fault(&mut self, number: usize, kind: &str, detail: String, request_id: Option<String>) {
        let (provider, kind) = (self.hops.name(number).to_owned(), kind.to_owned());
        self.note(HopEvent::Fault { hop: Hop::Tts, provider, kind, detail, request_id });
    }

    fn note(&mut self, event: HopEvent) {
        self.outputs.push_back(MouthOutput::Note(event));
    }
}

impl Speech {
    /// From now on another client says it, from the first word whose sound has not come. How many chunks end by that.
    fn resume(&mut self, known_as: SpeechId) -> usize {
        let first = self.from + self.ended;
        let begun = self.chunks[..first].last().and_then(|chunk| chunk.ends).unwrap_or(self.bytes_before);
        let mut heard = duration(self.bytes.saturating_sub(begun.max(self.bytes_before)));
        let mut words = self.words_behind(first);
        self.from = first;
        while let Some(chunk) = self.chunks.get_mut(self.from) {
            if !words.map_or(heard >= LEAST_HEARD, |words| words > 0) {
                break;
            }
            let rest = match words {
                Some(words) => behind_words(&chunk.text, words),
                None => behind_time(&chunk.text, heard),
            };
            if rest.contains(char::is_alphanumeric) {
                chunk.text = rest.to_owned();
                break;
            }
            words = words.map(|words| words.saturating_sub(chunk.text.split_whitespace().count()));
            heard = heard.saturating_sub(spoken_time(&chunk.text).div_f64(SURE));
            chunk.ends = Some(self.bytes);
            self.from += 1;
        }
        (self.known_as, self.ended, self.bytes_before) = (known_as, 0, self.bytes);
        self.words.clear();
        self.from - first
    }

    /// How many words from this chunk on were said, if the client tells of words and they are those of the text.
    fn words_behind(&self, chunk: usize) -> Option<usize> {
        let sound = duration(self.bytes - self.bytes_before);
        if sound.is_zero() {
            // Words that were told of with silence were not said.
            return None;
        }
        let said: Vec<&SpokenWord> = self.words.iter().take_while(|word| word.ends <= sound).collect();
        let text = |chunks: &[Chunk]| -> Vec<String> {
            chunks.iter().flat_map(|chunk| chunk.text.split_whitespace()).map(letters).collect()
        };
        let all = text(&self.chunks[self.from..]);
        let is_text = said.iter().zip(&all).all(|(word, wanted)| letters(&word.text) == *wanted);
        let before = text(&self.chunks[self.from..chunk]).len();
        if self.words.is_empty() || !is_text { None } else { said.len().checked_sub(before) }
    }
}

/// A word as it is known again, whatever stands around it.
fn letters(word: &str) -> String {
    word.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What comes behind so many words of a text.
fn behind_words(text: &str, words: usize) -> &str {
    let mut rest = text.trim_start();
    for _ in 0..words {
        rest = rest.find(char::is_whitespace).map_or("", |at| rest[at..].trim_start());
    }
    rest
}

/// What of a text comes behind so much of its sound, if nobody tells how fast it is said: rather a word twice than one too few.
fn behind_time(text: &str, heard: Duration) -> &str {
    let share = heard.as_secs_f64() / spoken_time(text).as_secs_f64().max(f64::MIN_POSITIVE);
    let reached = (text.chars().count() as f64 * share * SURE) as usize;
    let Some((at, _)) = text.char_indices().nth(reached) else { return "" };
    let word = text[..at].rfind(char::is_whitespace).map_or(0, |space| space + 1);
    text[word..].trim_start()
}

/// G.711 has 8 bytes a millisecond.
fn duration(bytes: u64) -> Duration {
    Duration::from_micros(bytes * 125)
}

/// Of less sound hardly a word is heard: it is said again.
const LEAST_HEARD: Duration = Duration::from_millis(300);
/// Voices are up to so much slower than they are taken for.
const SURE: f64 = 0.8;
/// Clients of synthesizers are numbered from here on.
const TTS_CLIENTS: u32 = 0x2000_0000;
