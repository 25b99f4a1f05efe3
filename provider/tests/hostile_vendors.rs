//! Whatever a vendor says, no recognizer panics: any bytes, any JSON, and what vendors do say, cut and changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::asr::{
    AssemblyAi, AssemblyAiConfig, Audio, Deepgram, DeepgramConfig, ElevenLabs, ElevenLabsCommit,
    ElevenLabsConfig, Flux, FluxConfig, OpenAi, OpenAiConfig, OpenAiDialect, OpenAiTurns, Output, Recognizer,
    Sarvam, SarvamConfig, Streaming, Vendor, Whisper, WhisperConfig, Windows, WindowsConfig,
};
use caly_provider::link::{LinkDeed, LinkEnd, LinkEvent, LinkId, Message, ResponseHead};
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{FaultKind, Patience, RetryConfig};
use caly_provider::secret::Secret;
use proptest::prelude::*;

fn vendors() -> Vec<Arc<dyn Vendor>> {
    let key = || Secret::new("key");
    let openai = |dialect, turns| OpenAi(OpenAiConfig { dialect, turns, ..OpenAiConfig::new(key()) });
    let vad = || OpenAiTurns::SemanticVad { eagerness: "auto".to_owned() };
    let manual = ElevenLabsCommit::Manual;
    vec![
        Arc::new(Deepgram(DeepgramConfig::new(key()))),
        Arc::new(Flux(FluxConfig::new(key()))),
        Arc::new(openai(OpenAiDialect::OpenAi, OpenAiTurns::Manual)),
        Arc::new(openai(OpenAiDialect::Speaches, vad())),
        Arc::new(openai(OpenAiDialect::Vllm, OpenAiTurns::Manual)),
        Arc::new(ElevenLabs(ElevenLabsConfig::new(key()))),
        Arc::new(ElevenLabs(ElevenLabsConfig { commit: manual, ..ElevenLabsConfig::new(key()) })),
        Arc::new(Sarvam(SarvamConfig::new(key()))),
        Arc::new(Sarvam(SarvamConfig::legacy(key()))),
        Arc::new(AssemblyAi(AssemblyAiConfig::new(key()))),
    ]
}

/// One of each kind that any of them says.
const SAID: &[&str] = &[
    r#"{"type":"Results","start":1.2,"duration":1.0,"is_final":true,"speech_final":true,"channel":{"alternatives":[{"transcript":"mera","words":[{"word":"mera","start":1.2,"end":1.4}]}]}}"#,
    r#"{"type":"UtteranceEnd","channel":[0,1],"last_word_end":2.2}"#,
    r#"{"type":"Metadata","request_id":"r","duration":9.5}"#,
    r#"{"type":"Error","variant":"v","description":"d","code":"c","error_code":3005,"error":"e"}"#,
    r#"{"type":"Connected","request_id":"r1","sequence_id":0}"#,
    r#"{"type":"TurnInfo","event":"EndOfTurn","audio_window_end":2.4,"transcript":"mera","words":[{"word":"mera","start":0.5,"end":0.9}]}"#,
    r#"{"type":"Warning","code":"SLOW","description":"late"}"#,
    r#"{"type":"session.created","session":{"id":"s"}}"#,
    r#"{"type":"session.updated","session":{"id":"s"}}"#,
    r#"{"type":"input_audio_buffer.speech_started","audio_start_ms":100,"item_id":"a"}"#,
    r#"{"type":"input_audio_buffer.speech_stopped","audio_end_ms":900,"item_id":"a"}"#,
    r#"{"type":"input_audio_buffer.committed","item_id":"a"}"#,
    r#"{"type":"conversation.item.input_audio_transcription.delta","item_id":"a","delta":"mera"}"#,
    r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"a","transcript":"mera","usage":{"type":"duration","seconds":1.5}}"#,
    r#"{"type":"conversation.item.input_audio_transcription.failed","item_id":"a","error":{"code":"c"}}"#,
    r#"{"type":"transcription.delta","delta":"mera"}"#,
    r#"{"type":"transcription.done","text":"mera","usage":{}}"#,
    r#"{"type":"error","error":{"type":"t","code":"c","message":"m"}}"#,
    r#"{"message_type":"session_started","session_id":"s"}"#,
    r#"{"message_type":"partial_transcript","text":"mera"}"#,
    r#"{"message_type":"committed_transcript_with_timestamps","text":"mera","words":[{"text":"mera","start":0.1,"end":0.4,"type":"word","logprob":-1e30}]}"#,
    r#"{"message_type":"quota_exceeded","error":"e"}"#,
    r#"{"event":"session.begin","request_id":"r"}"#,
    r#"{"event":"vad.speech_start","utterance_idx":0}"#,
    r#"{"event":"vad.speech_end","utterance_idx":0}"#,
    r#"{"event":"transcript.partial","utterance_idx":0,"text":"mera"}"#,
    r#"{"event":"transcript.final","utterance_idx":0,"text":"mera","end_s":1.4}"#,
    r#"{"event":"error","code":429,"is_fatal":false,"message":"m"}"#,
    r#"{"type":"data","data":{"request_id":"r","transcript":"mera","metrics":{"audio_duration":1.5}}}"#,
    r#"{"type":"events","data":{"signal_type":"END_SPEECH"}}"#,
    r#"{"type":"Begin","id":"b"}"#,
    r#"{"type":"Turn","turn_order":3,"end_of_turn":true,"turn_is_formatted":true,"transcript":"mera","words":[{"text":"mera","start":120,"end":480}]}"#,
    r#"{"type":"Termination","session_duration_seconds":9.5}"#,
];

/// Numbers that a vendor should never say.
const NUMBERS: &[&str] =
    &["-1", "0", "1e308", "-1e308", "18446744073709551615", "1.8e19", "null", "\"x\"", "[]"];

fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,8}".prop_map(Into::into),
    ];
    let names = prop_oneof![
        Just("type".to_owned()),
        Just("event".to_owned()),
        Just("message_type".to_owned()),
        Just("data".to_owned()),
        Just("words".to_owned()),
        "[a-z_]{1,8}".prop_map(String::from),
    ];
    let json = leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::hash_map(names.clone(), inner, 0..5)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    });
    json.prop_map(|json| json.to_string())
}

/// What a vendor says, with a piece cut out, another put in, or a number made absurd.
fn mutated() -> impl Strategy<Value = String> {
    (0..SAID.len(), any::<prop::sample::Index>(), 0..12_usize, "\\PC{0,3}", 0..NUMBERS.len(), 0..4_u8)
        .prop_map(|(said, at, cut, put, number, way)| {
            let said = SAID[said];
            match way {
                0 => said.to_owned(),
                1 => said[..at.index(said.len() + 1)].to_owned(),
                2 => {
                    let begin = at.index(said.len());
                    let end = (begin + cut).min(said.len());
                    format!("{}{put}{}", &said[..begin], &said[end..])
                }
                _ => absurd(said, at, NUMBERS[number]),
            }
        })
}

/// With one of its numbers replaced.
fn absurd(said: &str, at: prop::sample::Index, number: &str) -> String {
    let begins: Vec<usize> =
        said.match_indices(':').map(|(colon, _)| colon + 1).filter(|&n| is_number(said, n)).collect();
    if begins.is_empty() {
        return said.to_owned();
    }
    let begin = begins[at.index(begins.len())];
    let rest = &said[begin..];
    let end = rest.find([',', '}', ']']).unwrap_or(rest.len());
    format!("{}{number}{}", &said[..begin], &rest[end..])
}

fn is_number(said: &str, at: usize) -> bool {
    said[at..].starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        4 => mutated().prop_map(Message::Text),
        2 => any_json().prop_map(Message::Text),
        1 => "\\PC{0,40}".prop_map(Message::Text),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Message::Binary),
    ]
}

/// What a server makes of a recording, with words at any time, or anything else.
fn any_answer() -> impl Strategy<Value = String> {
    let word =
        ("[a-c]{0,2}", prop_oneof![0.0..5.0_f64, any::<f64>()], prop_oneof![0.0..5.0_f64, any::<f64>()])
            .prop_map(|(word, start, end)| serde_json::json!({"word": word, "start": start, "end": end}));
    let answer = ("[a-c ]{0,12}", prop::collection::vec(word, 0..6))
        .prop_map(|(text, words)| serde_json::json!({"text": text, "words": words}).to_string());
    prop_oneof![8 => answer, 1 => any_json(), 1 => mutated()]
}

/// A recognizer with its link, open from the beginning and opened again whenever it wants to.
struct Stage {
    asr: Streaming,
    link: LinkId,
    now: Instant,
}

impl Stage {
    fn new(vendor: Arc<dyn Vendor>) -> Self {
        let format = vendor.formats()[0];
        let (links, retry) = (LinkIds::of_client(0), RetryConfig::CONNECTION);
        let asr = Streaming::new(vendor, format, links, Patience::ASR, retry);
        let mut stage = Self { asr, link: LinkId(0), now: Instant::now() };
        stage.asr.start(stage.now);
        stage.drain();
        stage
    }

    fn drain(&mut self) {
        while let Some(output) = self.asr.poll() {
            if let Output::Link(order) = output
                && let LinkDeed::Open(_) = order.deed
            {
                self.link = order.link;
                self.asr.handle_link(self.now, self.link, LinkEvent::Opened(ResponseHead::default()));
            }
        }
    }

    fn hear(&mut self, message: Message) {
        let bytes = vec![0; self.asr.format().bytes(Duration::from_millis(100))];
        let speech = Duration::from_millis(40);
        self.asr.hear(self.now, Audio { bytes: &bytes, speech });
        self.asr.finalize(self.now);
        self.asr.handle_link(self.now, self.link, LinkEvent::Received(message));
        self.drain();
        self.now += Duration::from_secs(1);
        self.asr.handle_timeout(self.now);
        self.drain();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn whatever_vendors_say_no_recognizer_panics(
        messages in prop::collection::vec(any_message(), 1..12)
    ) {
        for vendor in vendors() {
            let mut stage = Stage::new(vendor);
            messages.iter().for_each(|message| stage.hear(message.clone()));
            stage.asr.close(stage.now);
            stage.drain();
        }
    }

    #[test]
    fn whatever_servers_answer_to_a_recording_nothing_panics(answers in prop::collection::vec(any_answer(), 1..20)) {
        for config in [WindowsConfig::ROLLING, WindowsConfig::CHUNKED] {
            let (server, retry) = (Whisper(WhisperConfig::new("http://host")), RetryConfig::REQUEST);
            let mut asr = Windows::new(server, config, LinkIds::of_client(0), Patience::ASR, retry);
            let (mut now, mut link) = (Instant::now(), LinkId(0));
            asr.start(now);
            for answer in &answers {
                let bytes = vec![0; asr.format().bytes(Duration::from_millis(700))];
                asr.hear(now, Audio { bytes: &bytes, speech: Duration::from_millis(500) });
                while let Some(output) = asr.poll() {
                    if let Output::Link(order) = output {
                        link = order.link;
                    }
                }
                asr.handle_link(now, link, LinkEvent::Received(Message::Text(answer.clone())));
                asr.handle_link(now, link, LinkEvent::Ended(LinkEnd::Complete));
                now += Duration::from_millis(700);
                asr.handle_timeout(now);
                asr.finalize(now);
            }
        }
    }

    #[test]
    fn whatever_vendors_say_no_codec_panics(messages in prop::collection::vec(any_message(), 1..12)) {
        for vendor in vendors() {
            let mut wire = vendor.wire(vendor.formats()[0]);
            let mut told = Vec::new();
            for message in &messages {
                let _ = wire.receive(message, &mut told);
                prop_assert!(told.len() <= 64, "one message says no more than a few things");
                told.clear();
            }
        }
    }
}

#[test]
fn every_kind_that_is_said_here_is_understood_by_somebody() {
    for said in SAID {
        let understood = vendors().into_iter().any(|vendor| {
            let mut wire = vendor.wire(vendor.formats()[0]);
            let mut told = Vec::new();
            let outcome = wire.receive(&Message::Text((*said).to_owned()), &mut told);
            match outcome {
                Ok(()) => !told.is_empty(),
                Err(fault) => fault.kind != FaultKind::Malformed,
            }
        });
        // They say nothing by themselves, or only once others have come before them.
        let is_silent = ["UtteranceEnd", "speech_stopped", "committed\"", "speech_end", "END_SPEECH"];
        assert!(understood || is_silent.iter().any(|silent| said.contains(silent)), "{said}");
    }
}
