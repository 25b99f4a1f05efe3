//! Deepgram's streaming recognizer: `wss://api.deepgram.com/v1/listen`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::framing::Framing;
use crate::hearing::{Burst, Ear, Heard, Manner, Script, Word};
use crate::seen::Seen;
use crate::strict::{self, Query};
use crate::vendor::{Action, Answer, Arrival, Frame, Outbox, Refusal, Session, Vendor};

/// The service.
#[derive(Clone, Debug)]
pub struct DeepgramListen {
    seen: Seen,
    script: Script,
    manner: Manner,
    sessions: u64,
}

impl DeepgramListen {
    /// A recognizer that hears this script. The silence that ends an utterance is the client's `endpointing`.
    pub fn new(script: &Script, manner: Manner, seen: &Seen) -> Self {
        Self { seen: seen.clone(), script: script.clone(), manner, sessions: 0 }
    }

    fn listen(&self, now: Duration, arrival: &Arrival) -> Result<Listening, String> {
        let query = Query::checked(
            arrival,
            PARAMETERS,
            &["keyterm", "keywords", "redact", "search", "replace", "tag"],
        )?;
        let model = query.required("model")?;
        if !MODELS.contains(&model) {
            return Err(format!("No such model: {model}"));
        }
        query.one_of("language", LANGUAGES)?;
        let format = query.raw_audio("encoding", "sample_rate", &[8_000, 16_000, 24_000, 44_100, 48_000])?;
        query.one_of("channels", &["1"])?;
        for flag in ["multichannel", "numerals", "profanity_filter", "diarize", "dictation", "no_delay"] {
            query.flag(flag)?;
        }
        let is_interim = query.flag("interim_results")?;
        let utterance_end = query.number("utterance_end_ms", 1_000.0, 5_000.0)?;
        if utterance_end.is_some() && !is_interim {
            return Err("utterance_end_ms needs interim_results=true".to_owned());
        }
        if query.optional("keyterm").is_some() && !model.starts_with("nova-3") {
            return Err(format!("keyterm is not supported by {model}"));
        }
        let silence = match query.optional("endpointing") {
            Some("false") => Duration::MAX,
            _ => milliseconds(query.number("endpointing", 10.0, 10_000.0)?.unwrap_or(10.0)),
        };
        let manner = Manner { silence, ..self.manner };
        Ok(Listening {
            request_id: format!("dg-{}", self.sessions),
            seen: self.seen.clone(),
            ear: Ear::new(self.script.clone(), manner, format.rate_hz),
            framing: Framing::new(format, Duration::from_secs(10)),
            outbox: Outbox::default(),
            latency: manner.latency,
            is_interim,
            tells_speech: query.flag("vad_events")?,
            is_punctuated: query.flag("punctuate")? || query.flag("smart_format")?,
            utterance_end: utterance_end.map(milliseconds),
            open_end: None,
            finalized_words: 0,
            segment_start: Duration::ZERO,
            heard_at: now,
            is_closing: false,
        })
    }
}

impl Vendor for DeepgramListen {
    fn open(&mut self, now: Duration, arrival: &Arrival) -> Answer {
        self.sessions += 1;
        let request_id = format!("dg-{}", self.sessions);
        let refuse = |status: u16, code: &str, message: &str| {
            let body = json!({"err_code": code, "err_msg": message, "request_id": request_id});
            let mut refusal = Refusal::json(status, &body);
            refusal.headers.push(("dg-request-id".to_owned(), request_id.clone()));
            Answer::Refuse(refusal)
        };
        if arrival.path != "/v1/listen" {
            return refuse(404, "Not Found", "Not found.");
        }
        if !strict::has_key(arrival, "Token") {
            return refuse(401, "INVALID_AUTH", "Invalid credentials.");
        }
        if !arrival.is_websocket {
            return refuse(400, "Bad Request", "this is the streaming endpoint: upgrade to a WebSocket");
        }
        match self.listen(now, arrival) {
            Ok(session) => {
                Answer::Upgrade(vec![("dg-request-id".to_owned(), request_id.clone())], Box::new(session))
            }
            Err(error) => refuse(400, "Bad Request", &error),
        }
    }
}

struct Listening {
    request_id: String,
    seen: Seen,
    ear: Ear,
    framing: Framing,
    outbox: Outbox,
    latency: Duration,
    is_interim: bool,
    tells_speech: bool,
    is_punctuated: bool,
    utterance_end: Option<Duration>,
    /// The last word of an utterance that `UtteranceEnd` is due for.
    open_end: Option<Duration>,
    /// Of the present burst: how many words are in finals already, and where the present segment begins.
    finalized_words: usize,
    segment_start: Duration,
    /// When audio or a KeepAlive last came.
    heard_at: Duration,
    is_closing: bool,
}

/// What a result is.
#[derive(Clone, Copy, PartialEq)]
enum Finality {
    Interim,
    Segment,
    Speech,
    Finalized,
}

impl Session for Listening {
    fn receive(&mut self, now: Duration, frame: Frame) {
        if self.is_closing {
            self.seen.complain("deepgram listen: a message after CloseStream");
            return;
        }
        let done = match frame {
            Frame::Binary(bytes) => self.hear(now, &bytes),
            Frame::Text(text) => self.control(now, &text),
        };
        if let Err(error) = done {
            self.seen.complain(format_args!("deepgram listen: {error}"));
            self.is_closing = true;
            self.outbox.clear();
            self.outbox.at(now, Action::Close { code: 1008, reason: "DATA-0000".to_owned() });
        }
    }

    fn next(&self) -> Option<Duration> {
        let deadline = (!self.is_closing).then(|| self.heard_at + LIVENESS);
        self.outbox.next().into_iter().chain(deadline).min()
    }

    fn poll(&mut self, now: Duration) -> Option<Action> {
        if !self.is_closing && now >= self.heard_at + LIVENESS {
            self.seen.complain("deepgram listen: neither audio nor KeepAlive for 10 s");
            self.is_closing = true;
            self.outbox.clear();
            return Some(Action::Close { code: 1011, reason: "NET-0001".to_owned() });
        }
        self.outbox.poll(now)
    }
}

impl Listening {
    fn hear(&mut self, now: Duration, bytes: &[u8]) -> Result<(), String> {
        let samples = self.framing.decoded(bytes)?;
        self.heard_at = now;
        for heard in self.ear.hear(&samples) {
            match heard {
                Heard::Started { at } => self.begin(now, at),
                Heard::Partial(burst) => self.partial(now, &burst),
                Heard::Ended(burst) => self.end(now, &burst, Finality::Speech),
            }
        }
        let (Some(last), Some(wait)) = (self.open_end, self.utterance_end) else { return Ok(()) };
        if !self.ear.is_speech() && self.ear.position() >= last + wait {
            self.open_end = None;
            let end = json!({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": seconds(last)});
            self.outbox.json_at(now + self.latency, &end);
        }
        Ok(())
    }

    fn begin(&mut self, now: Duration, at: Duration) {
        self.segment_start = at;
        self.finalized_words = 0;
        if self.tells_speech {
            let started = json!({"type": "SpeechStarted", "channel": [0, 1], "timestamp": seconds(at)});
            self.outbox.json_at(now + self.latency, &started);
        }
    }

    fn partial(&mut self, now: Duration, burst: &Burst) {
        let words = burst.words.get(self.finalized_words..).unwrap_or_default().to_vec();
        if burst.end.saturating_sub(self.segment_start) > LONGEST_SEGMENT {
            self.result(now, &words, burst.end, Finality::Segment);
            self.finalized_words = burst.words.len();
            self.segment_start = burst.end;
        } else if self.is_interim && !words.is_empty() {
            self.result(now, &words, burst.end, Finality::Interim);
        }
    }

    fn end(&mut self, now: Duration, burst: &Burst, finality: Finality) {
        let words = burst.words.get(self.finalized_words..).unwrap_or_default().to_vec();
        self.result(now, &words, self.ear.position(), finality);
        self.open_end = burst.words.last().map(|word| word.end);
        self.finalized_words = 0;
        self.segment_start = self.ear.position();
    }

    fn result(&mut self, now: Duration, words: &[Word], until: Duration, finality: Finality) {
        let spelt = |word: &Word| {
            let bare = word.text.trim_matches(|c: char| c.is_ascii_punctuation() || c == '।').to_lowercase();
            let mut spelt = json!({
                "word": bare, "start": seconds(word.start), "end": seconds(word.end), "confidence": 0.98,
            });
            if self.is_punctuated {
                spelt["punctuated_word"] = Value::from(word.text.as_str());
            }
            spelt
        };
        let transcript: Vec<_> = words.iter().map(|word| word.text.as_str()).collect();
        let result = json!({
            "type": "Results", "channel_index": [0, 1],
            "start": seconds(self.segment_start), "duration": seconds(until.saturating_sub(self.segment_start)),
            "is_final": finality != Finality::Interim, "speech_final": finality == Finality::Speech,
            "from_finalize": finality == Finality::Finalized,
            "channel": {"alternatives": [{
                "transcript": transcript.join(" "), "confidence": if words.is_empty() { 0.0 } else { 0.97 },
                "words": words.iter().map(spelt).collect::<Vec<_>>(),
            }]},
            "metadata": {
                "request_id": self.request_id, "model_uuid": "simulated",
                "model_info": {"name": "simulated", "version": "1", "arch": "simulated"},
            },
        });
        self.outbox.json_at(now + self.latency, &result);
    }

    fn control(&mut self, now: Duration, text: &str) -> Result<(), String> {
        let message = strict::json(text)?;
        match strict::text(&message, "type")? {
            "KeepAlive" => {
                strict::only(&message, &["type"])?;
                self.heard_at = now;
            }
            "Finalize" => {
                strict::only(&message, &["type"])?;
                self.finalize(now);
            }
            "CloseStream" => {
                strict::only(&message, &["type"])?;
                self.finalize(now);
                let last = self.outbox.last().map_or(now, |last| last.max(now));
                let metadata = json!({
                    "type": "Metadata", "request_id": self.request_id, "created": "2026-11-21T00:00:00Z",
                    "duration": seconds(self.ear.position()), "channels": 1,
                });
                self.outbox.json_at(last, &metadata);
                self.outbox.at(last, Action::Close { code: 1000, reason: String::new() });
                self.is_closing = true;
            }
            "Configure" => {
                strict::only(&message, &["type", "keyterms"])?;
                let is_list =
                    message["keyterms"].as_array().is_some_and(|terms| terms.iter().all(Value::is_string));
                let answer = if is_list { "ConfigureSuccess" } else { "ConfigureFailure" };
                self.outbox.json_at(now, &json!({"type": answer}));
            }
            other => return Err(format!("unknown message type `{other}`")),
        }
        Ok(())
    }

    fn finalize(&mut self, now: Duration) {
        match self.ear.flush() {
            Some(burst) => self.end(now, &burst, Finality::Finalized),
            None => self.result(now, &[], self.ear.position(), Finality::Finalized),
        }
    }
}

fn milliseconds(number: f64) -> Duration {
    Duration::from_secs_f64(number / 1_000.0)
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000.0).round() / 1_000.0
}

/// After this long without audio and KeepAlive the connection is closed.
const LIVENESS: Duration = Duration::from_secs(10);

/// Long speech comes in several finals, and only the last says that it is over.
const LONGEST_SEGMENT: Duration = Duration::from_secs(4);

const MODELS: &[&str] =
    &["nova-3", "nova-3-general", "nova-3-medical", "nova-2", "nova-2-general", "nova-2-phonecall", "base"];

const LANGUAGES: &[&str] = &[
    "en", "en-US", "en-IN", "en-GB", "en-AU", "hi", "ta", "te", "mr", "bn", "gu", "kn", "pa", "ml", "ur",
    "es", "fr", "de", "multi",
];

const PARAMETERS: &[&str] = &[
    "model",
    "language",
    "encoding",
    "sample_rate",
    "channels",
    "multichannel",
    "interim_results",
    "endpointing",
    "utterance_end_ms",
    "vad_events",
    "smart_format",
    "punctuate",
    "numerals",
    "profanity_filter",
    "diarize",
    "diarize_model",
    "dictation",
    "no_delay",
    "version",
    "callback",
    "mip_opt_out",
];
