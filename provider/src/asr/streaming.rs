//! The client of every vendor that takes a stream of audio on a WebSocket. When the connection breaks, the audio whose words are not final
//! is kept and said again: a break costs time and no words.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{AsrEvent, Audio, Heard, Output, Recognizer, Told, Vendor, Wire, Words};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{LinkEvent, LinkId, Message};
use crate::policy::connection::{Connection, ConnectionEvent, LinkIds};
use crate::policy::{Fault, FaultKind, Patience, RetryConfig, earliest};

/// The client.
#[derive(Debug)]
pub struct Streaming {
    vendor: Arc<dyn Vendor>,
    format: AudioFormat,
    patience: Patience,
    wire: Box<dyn Wire>,
    connection: Connection,
    /// Audio whose words are not final, and what waits for the connection.
    kept: VecDeque<u8>,
    /// How many bytes were before the first one that is kept.
    kept_from: u64,
    /// How many bytes the connection had been sent, counted likewise.
    sent: u64,
    /// Where the connection's own clock began, counted likewise.
    origin: u64,
    /// When the vendor began to listen.
    listens_since: Option<Instant>,
    /// When more of what waits may be sent, if the vendor wants it no faster than it is spoken.
    paced_until: Option<Instant>,
    /// What is known is to be asked for once so much was sent, counted likewise.
    finalizes_at: Option<u64>,
    /// When audio came last, be it silence of our own.
    last_audio: Option<Instant>,
    /// The silence of our own: behind which byte of all that were sent, and how much. Words are told without it.
    silences: VecDeque<(u64, u64)>,
    /// Speech since there were words last.
    unanswered: Duration,
    /// How long it was since that nobody spoke.
    quiet: Duration,
    segment: u32,
    revision: u32,
    outputs: VecDeque<Output>,
    lost_bytes: u64,
}

impl Streaming {
    /// A client that has not begun.
    pub fn new(
        vendor: Arc<dyn Vendor>,
        format: AudioFormat,
        links: LinkIds,
        patience: Patience,
        retry: RetryConfig,
    ) -> Self {
        let connection = Connection::new(links, patience.connect, retry);
        Self {
            wire: vendor.wire(format),
            vendor,
            format,
            patience,
            connection,
            kept: VecDeque::new(),
            kept_from: 0,
            sent: 0,
            origin: 0,
            listens_since: None,
            paced_until: None,
            finalizes_at: None,
            last_audio: None,
            silences: VecDeque::new(),
            unanswered: Duration::ZERO,
            quiet: Duration::ZERO,
            segment: 0,
            revision: 0,
            outputs: VecDeque::new(),
            lost_bytes: 0,
        }
    }

    /// Audio that waited for a connection for so long that it was dropped, in bytes.
    pub fn lost_bytes(&self) -> u64 {
        self.lost_bytes
    }

    fn handle_connection(&mut self, now: Instant, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Opened(head) => self.opened(now, head.request_id),
            ConnectionEvent::Received(message) => self.received(now, &message),
            ConnectionEvent::Lost(fault) => {
                self.wire = self.vendor.wire(self.format);
                self.unanswered = Duration::ZERO;
                (self.paced_until, self.finalizes_at) = (None, None);
                self.tell(AsrEvent::Lost(fault));
            }
            ConnectionEvent::Failed(fault) => self.tell(AsrEvent::Failed(fault)),
        }
    }

    fn opened(&mut self, now: Instant, request_id: Option<String>) {
        for message in self.wire.greeting() {
            self.connection.send(now, message);
        }
        if !self.wire.confirms() {
            self.ready(now, request_id);
        }
    }

    /// What was kept is said first.
    fn ready(&mut self, now: Instant, request_id: Option<String>) {
        self.connection.ready(now);
        if let Some((every, message)) = self.wire.keep_alive() {
            self.connection.keep_alive(every, message);
        }
        self.origin = self.kept_from;
        self.sent = self.kept_from;
        self.last_audio = Some(now);
        self.listens_since = Some(now);
        self.tell(AsrEvent::Ready { request_id });
        self.send_kept(now);
    }

    fn send_kept(&mut self, now: Instant) {
        let least = self.format.bytes(self.wire.least_piece()).max(1);
        let most = self.format.bytes(MOST_AT_ONCE);
        self.paced_until = None;
        loop {
            let waiting = self.waiting();
            if waiting < least {
                break;
            }
            // What is left over is not to be less than a piece.
            let piece = if waiting < most + least { waiting.min(most.max(least)) } else { most };
            self.paced_until = self.allowed_from(piece).filter(|from| *from > now);
            if self.paced_until.is_some() {
                break;
            }
            let skip = usize::try_from(self.sent - self.kept_from).unwrap_or(usize::MAX);
            let bytes: Vec<u8> = self.kept.iter().skip(skip).take(piece).copied().collect();
            self.sent += bytes.len() as u64;
            let message = self.wire.audio(&bytes);
            self.connection.send(now, message);
        }
        // What is less than a piece waits for more.
        if self.finalizes_at.take_if(|at| *at < self.sent + least as u64).is_some() {
            self.send_finalize(now);
        }
    }

    fn send_finalize(&mut self, now: Instant) {
        if let Some(message) = self.wire.finalize() {
            self.connection.send(now, message);
        }
    }

    /// Bytes that were not sent.
    fn waiting(&self) -> usize {
        let skip = usize::try_from(self.sent - self.kept_from).unwrap_or(usize::MAX);
        self.kept.len().saturating_sub(skip)
    }

    /// When so many bytes more may be sent; `None` if the vendor takes them at any time.
    fn allowed_from(&self, bytes: usize) -> Option<Instant> {
        let given = self.format.duration(self.sent - self.origin + bytes as u64);
        Some(self.listens_since? + given.checked_sub(self.wire.most_ahead())?)
    }

    fn received(&mut self, now: Instant, message: &Message) {
        let mut told = Vec::new();
        let outcome = self.wire.receive(message, &mut told);
        for told in told {
            self.told(now, told);
        }
        if let Err(fault) = outcome {
            let event = self.connection.fail(now, fault);
            self.handle_connection(now, event);
        }
    }

    fn told(&mut self, now: Instant, told: Told) {
        match told {
            Told::Ready { request_id } if !self.connection.is_ready() => self.ready(now, request_id),
            Told::Ready { .. } => {}
            Told::Words(words) => self.words(words),
            Told::SpeechStarted => self.tell(AsrEvent::SpeechStarted),
            Told::Turn(opinion) => self.tell(AsrEvent::Turn(opinion)),
            Told::Metered(audio) => self.tell(AsrEvent::Metered(audio)),
            Told::Warning(text) => self.tell(AsrEvent::Warning(text)),
            Told::Answer(message) => self.connection.send(now, message),
        }
    }

    fn words(&mut self, words: Words) {
        if !words.text.is_empty() {
            self.unanswered = Duration::ZERO;
        }
        // That there were no words in what sounded like some is not believed: somebody else may find them.
        if words.is_final && (!words.text.is_empty() || self.unanswered < DOUBTFUL) {
            let last = words.words.last().map(|word| word.ends);
            // A final result without words says that there were none.
            let until = words.until.or(last).map(|until| self.position(until));
            self.forget_until(until.unwrap_or(self.sent));
        }
        // The rest of an empty segment is no news to anybody.
        if words.text.is_empty() && self.revision == 0 {
            return;
        }
        let mut timed = words.words;
        for word in &mut timed {
            word.begins = self.heard_at(word.begins);
            word.ends = self.heard_at(word.ends);
        }
        let (segment, revision) = (self.segment, self.revision);
        self.revision += 1;
        if words.is_final {
            self.segment += 1;
            self.revision = 0;
        }
        let (text, is_final, language) = (words.text, words.is_final, words.language);
        self.tell(AsrEvent::Heard(Heard { segment, revision, text, words: timed, is_final, language }));
    }

    /// Which byte of all that were sent this is on the connection's own clock.
    fn position(&self, time: Duration) -> u64 {
        self.origin.saturating_add(self.format.bytes(time) as u64)
    }

    /// When that was on the clock of who gave us the audio.
    fn heard_at(&self, time: Duration) -> Duration {
        let position = self.position(time);
        let ours = |&(behind, bytes): &(u64, u64)| bytes.min(position.saturating_sub(behind));
        self.format.duration(position - self.silences.iter().map(ours).sum::<u64>())
    }

    /// The caller is on hold, or sends nothing, and the vendor wants audio.
    fn say_silence(&mut self, now: Instant) {
        let piece = self.format.bytes(SILENCE_AT_ONCE.max(self.wire.least_piece()));
        let end = self.kept_from + self.kept.len() as u64;
        match self.silences.back_mut() {
            Some((behind, bytes)) if *behind + *bytes == end => *bytes += piece as u64,
            Some(_) | None => {
                // What was so long ago is not told of any more; its bytes count on for those who are.
                if self.silences.len() == MOST_SILENCES
                    && let Some((_, bytes)) = self.silences.pop_front()
                    && let Some(next) = self.silences.front_mut()
                {
                    *next = (next.0.saturating_sub(bytes), next.1 + bytes);
                }
                self.silences.push_back((end, piece as u64));
            }
        }
        self.kept.extend(std::iter::repeat_n(silent_byte(self.format.encoding), piece));
        self.last_audio = Some(now);
        self.send_kept(now);
        self.keep_bounded();
    }

    fn silence_due(&self) -> Option<Instant> {
        let after = self.wire.silence_after().filter(|_| self.connection.is_ready())?;
        Some(self.last_audio? + after)
    }

    fn forget_until(&mut self, position: u64) {
        let spent = position.min(self.sent).saturating_sub(self.kept_from);
        let spent = usize::try_from(spent).unwrap_or(usize::MAX).min(self.kept.len());
        // Samples stay whole.
        let spent = spent - spent % self.format.bytes_per_sample() as usize;
        self.kept.drain(..spent);
        self.kept_from += spent as u64;
    }

    fn note_quiet(&mut self, audio: &Audio<'_>) {
        if audio.speech.is_zero() {
            self.quiet = self.quiet.saturating_add(self.format.duration(audio.bytes.len() as u64));
        } else {
            self.quiet = Duration::ZERO;
        }
    }

    /// Only what is newer than the longest break that callers bear is worth being said again, and of a caller who has been silent for as long,
    /// with nothing of his left that no words came of, only what may be a beginning that was not taken for speech.
    fn keep_bounded(&mut self) {
        let is_silence =
            self.quiet >= LONGEST_KEPT && self.unanswered.is_zero() && self.connection.is_ready();
        let most = self.format.bytes(if is_silence { SILENCE_KEPT } else { LONGEST_KEPT });
        if is_silence && self.kept.capacity() > 4 * most {
            let over = self.kept.len().saturating_sub(most);
            self.forget_until(self.kept_from + over as u64);
            self.kept.shrink_to(most + most / 2);
        }
        let Some(over) = self.kept.len().checked_sub(most) else { return };
        self.kept.drain(..over);
        self.kept_from += over as u64;
        if self.sent < self.kept_from {
            self.lost_bytes += self.kept_from - self.sent;
            self.sent = self.kept_from;
        }
    }

    fn tell(&mut self, event: AsrEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

impl Recognizer for Streaming {
    fn format(&self) -> AudioFormat {
        self.format
    }

    fn start(&mut self, now: Instant) {
        self.connection.open(now, self.wire.request());
    }

    fn hear(&mut self, now: Instant, audio: Audio<'_>) {
        self.note_quiet(&audio);
        self.kept.extend(audio.bytes);
        self.last_audio = Some(now);
        if !self.connection.is_ready() {
            self.keep_bounded();
            return;
        }
        self.send_kept(now);
        self.keep_bounded();
        self.unanswered += audio.speech;
        let most = self.patience.first + self.wire.holds_back();
        if self.unanswered >= most {
            self.unanswered = Duration::ZERO;
            let fault =
                Fault::new(FaultKind::Silent, format!("{} ms of speech and no words", most.as_millis()));
            let event = self.connection.fail(now, fault);
            self.handle_connection(now, event);
        }
    }

    fn finalize(&mut self, now: Instant) {
        if self.paced_until.is_some() {
            // Not before it has heard what waits.
            self.finalizes_at = Some(self.sent + self.waiting() as u64);
        } else if self.connection.is_ready() {
            self.send_finalize(now);
        }
    }

    fn close(&mut self, now: Instant) {
        if self.connection.is_ready()
            && let Some(message) = self.wire.goodbye()
        {
            self.connection.send(now, message);
        }
        self.connection.close();
    }

    fn unsettled(&self) -> Vec<u8> {
        self.kept.iter().copied().collect()
    }

    fn handle_link(&mut self, now: Instant, link: LinkId, event: LinkEvent) {
        let why = |code, reason: &str| self.wire.closed(code, reason);
        if let Some(event) = self.connection.handle_link(now, link, event, why) {
            self.handle_connection(now, event);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(event) = self.connection.handle_timeout(now) {
            self.handle_connection(now, event);
        }
        if self.connection.is_ready() && self.paced_until.is_some_and(|due| due <= now) {
            self.send_kept(now);
        }
        if self.silence_due().is_some_and(|due| due <= now) {
            self.say_silence(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let paced = self.paced_until.filter(|_| self.connection.is_ready());
        earliest([self.connection.poll_timeout(), self.silence_due(), paced])
    }

    fn poll(&mut self) -> Option<Output> {
        self.connection.poll_order().map(Output::Link).or_else(|| self.outputs.pop_front())
    }
}

/// A word takes as long.
const DOUBTFUL: Duration = Duration::from_millis(300);
/// What was not understood for longer than this is not worth being said again: 40 kB of G.711.
const LONGEST_KEPT: Duration = Duration::from_secs(5);
/// Before the caller is taken to speak he may have spoken: 4 kB of G.711.
const SILENCE_KEPT: Duration = Duration::from_millis(500);
/// After a break much has to be said at once; vendors take pieces of up to a quarter of a second and more.
const MOST_AT_ONCE: Duration = Duration::from_millis(200);
/// Silence of our own: a piece that every vendor takes.
const SILENCE_AT_ONCE: Duration = Duration::from_millis(100);
/// A caller is rarely on hold more than a few times; with more the oldest ones count as one.
const MOST_SILENCES: usize = 16;

fn silent_byte(encoding: Encoding) -> u8 {
    match encoding {
        Encoding::Mulaw => 0xFF,
        Encoding::Alaw => 0xD5,
        Encoding::Linear16 => 0,
    }
}

#[cfg(test)]
mod tests;
