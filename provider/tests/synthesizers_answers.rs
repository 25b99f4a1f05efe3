//! Synthesizers may answer anything: what reads their messages says what is wrong, tells only of speeches that are open, and never panics.

use caly_provider::audio::AudioFormat;
use caly_provider::link::Message;
use caly_provider::secret::Secret;
use caly_provider::tts::{
    Aura, AuraConfig, Cartesia, CartesiaConfig, ElevenLabs, ElevenLabsConfig, FluxSpeech, FluxSpeechConfig,
    SarvamSpeech, SarvamSpeechConfig, SpeechId, Told, Vendor, Wire,
};
use proptest::prelude::*;

fn wires() -> Vec<Box<dyn Wire>> {
    let key = || Secret::new("k");
    let vendors: [Box<dyn Vendor>; 5] = [
        Box::new(Aura(AuraConfig::new(key(), "m"))),
        Box::new(FluxSpeech(FluxSpeechConfig::new(key(), "m"))),
        Box::new(ElevenLabs(ElevenLabsConfig::new(key(), "v"))),
        Box::new(Cartesia(CartesiaConfig::new(key(), "v"))),
        Box::new(SarvamSpeech(SarvamSpeechConfig::new(key(), "v"))),
    ];
    let begun = |vendor: Box<dyn Vendor>| {
        let mut wire = vendor.wire(AudioFormat::PCM_8K, "hi");
        wire.greeting();
        wire.speaks("hi");
        wire.begin(SPEECH);
        wire.text(SPEECH, "namaste");
        wire.finish(SPEECH);
        wire
    };
    vendors.into_iter().map(begun).collect()
}

fn hear(message: &Message) {
    for mut wire in wires() {
        // Twice: what is over must not be told again.
        let mut told = Vec::new();
        let _ = wire.receive(message, &mut told);
        let _ = wire.receive(message, &mut told);
        let ends = told.iter().filter(|told| matches!(told, Told::Done { .. } | Told::Broken { .. })).count();
        assert!(ends <= 1, "{told:?}");
        for told in &told {
            match told {
                Told::Audio { speech, .. }
                | Told::Words { speech, .. }
                | Told::ChunkEnd { speech }
                | Told::Done { speech }
                | Told::Broken { speech, .. } => assert_eq!(*speech, SPEECH),
                Told::Ready { .. } | Told::Say(_) | Told::Warning(_) => {}
            }
        }
    }
}

const SPEECH: SpeechId = SpeechId(1);

const GOLDENS: &[&str] = &[
    r#"{"type":"Flushed","sequence_id":0}"#,
    r#"{"type":"Error","code":"X","description":"Y"}"#,
    r#"{"contextId":"s1","audio":"AAEC","alignment":{"chars":["न","o"," "],"charStartTimesMs":[0,10,20],"charDurationsMs":[10,10,10]},"isFinal":true}"#,
    r#"{"message":"no","error":"invalid_api_key","code":1008}"#,
    r#"{"type":"chunk","context_id":"s1-0","data":"AAEC","done":false,"status_code":206}"#,
    r#"{"type":"timestamps","context_id":"s1-0","word_timestamps":{"words":["a"],"start":[0.5],"end":[1e99]}}"#,
    r#"{"type":"error","context_id":"s1-0","status_code":400,"title":"T","message":"m","error_code":"e"}"#,
    r#"{"type":"audio","data":{"content_type":"audio/x-mulaw","audio":"AAEC"}}"#,
    r#"{"type":"event","data":{"event_type":"final"}}"#,
    r#"{"type":"error","data":{"message":"m","code":403}}"#,
];

fn json() -> impl Strategy<Value = serde_json::Value> {
    let words = prop::sample::select(vec![
        "type",
        "contextId",
        "context_id",
        "audio",
        "alignment",
        "chars",
        "charStartTimesMs",
        "charDurationsMs",
        "isFinal",
        "error",
        "code",
        "message",
        "s1",
        "s1-0",
        "chunk",
        "data",
        "timestamps",
        "word_timestamps",
        "words",
        "start",
        "end",
        "done",
        "flush_done",
        "event",
        "event_type",
        "final",
        "Flushed",
        "Error",
        "Cleared",
        "Warning",
        "SpeechStarted",
        "AAEC",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        words.clone().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        let fields = prop::collection::vec((words.clone(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Into::into),
            fields.prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        hear(&Message::Text(String::from_utf8_lossy(&bytes).into_owned()));
        hear(&Message::Binary(bytes));
    }

    #[test]
    fn any_json_is_read(value in json()) {
        hear(&Message::Text(value.to_string()));
    }

    #[test]
    fn messages_are_read_cut_off_and_with_wrong_letters(which in 0..GOLDENS.len(), at: usize, byte: u8, end: usize) {
        let mut bytes = GOLDENS[which].as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        hear(&Message::Text(String::from_utf8_lossy(&bytes).into_owned()));
        bytes.truncate(end % bytes.len());
        hear(&Message::Text(String::from_utf8_lossy(&bytes).into_owned()));
    }
}

#[test]
fn every_message_is_understood_by_somebody() {
    for golden in GOLDENS {
        let message = Message::Text((*golden).to_owned());
        let understood = wires().into_iter().any(|mut wire| {
            let mut told = Vec::new();
            let outcome = wire.receive(&message, &mut told);
            outcome.is_err() || !told.is_empty()
        });
        assert!(understood, "{golden}");
    }
}
