//! Lets a synthesizer say something outside of a call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caly_provider::audio::{AudioFormat, Encoding};
use caly_provider::policy::connection::LinkIds;
use caly_provider::policy::{Fault, FaultKind, RetryConfig};
use caly_provider::tts::{Output, Provider, SpeechId, Synthesizer, TtsEvent};

use super::{Answered, ONCE, Woken, woken};
use crate::mind::speech::Language;
use crate::mind::speech::speakable::speakable;
use crate::pump::{Links, Pump};
use crate::sound::convert::Converter;

/// What a synthesizer said.
#[derive(Debug)]
pub(in crate::app) struct Said {
    /// All of its sound.
    pub(in crate::app) bytes: Vec<u8>,
    /// What that is.
    pub(in crate::app) format: AudioFormat,
    /// From asking until the first of it; until its end if there was none.
    pub(super) first: Duration,
    pub(super) request_id: Option<String>,
}

/// Lets it say a sentence as in a call with PCMU, and listens whether that is speech.
pub(super) async fn speak(
    provider: &Arc<dyn Provider>,
    language: Language,
    pump: &Pump,
) -> Result<Answered, Fault> {
    let text = match language {
        Language::Hi => "Namaste, yeh ek test hai.",
        Language::En => "Hello, this is a test.",
    };
    let Said { bytes, format, first, request_id } = say(provider, language, text, (pump, ONCE)).await?;
    check(&bytes, format).map_err(|fault| fault.with_request_id(request_id.as_deref()))?;
    let lasts = format.duration(bytes.len() as u64).as_millis();
    let audio = Some(format!("{lasts} ms of {format}"));
    Ok(Answered { what: "first sound", after: first, audio, request_id })
}

/// Says one line over links of this pump; a connection that breaks is mended as `retry` says. Who calls it decides for how long it may take.
pub(in crate::app) async fn say(
    provider: &Arc<dyn Provider>,
    language: Language,
    text: &str,
    (pump, retry): (&Pump, RetryConfig),
) -> Result<Said, Fault> {
    let mut client = provider.client(AudioFormat::MULAW_8K, LinkIds::of_client(0), retry);
    let mut links = Links::new(pump.clone());
    let (begun, speech, format) = (Instant::now(), SpeechId(0), client.format());
    client.start(begun, language.tag());
    client.begin(begun, speech, language.tag());
    client.say(begun, speech, &speakable(language, text));
    client.finish(begun, speech);
    let (mut bytes, mut first, mut name) = (Vec::new(), None, None);
    loop {
        while let Some(output) = client.poll() {
            match output {
                Output::Link(order) => links.order(order),
                Output::Event(TtsEvent::Ready { request_id }) => name = name.or(request_id),
                Output::Event(TtsEvent::Audio { bytes: more, .. }) => {
                    first.get_or_insert_with(|| begun.elapsed());
                    bytes.extend(more);
                    if bytes.len() > format.bytes(LONGEST) {
                        let detail = format!("more than {} s of sound for one line", LONGEST.as_secs());
                        return Err(Fault::new(FaultKind::TooLong, detail));
                    }
                }
                Output::Event(TtsEvent::Done { .. }) => {
                    close(client, links).await;
                    let first = first.unwrap_or_else(|| begun.elapsed());
                    return Ok(Said { bytes, format, first, request_id: name });
                }
                Output::Event(TtsEvent::Broken { fault, .. } | TtsEvent::Failed(fault)) => {
                    return Err(fault.with_request_id(name.as_deref()));
                }
                Output::Event(
                    TtsEvent::Words { .. }
                    | TtsEvent::ChunkEnd { .. }
                    | TtsEvent::Warning(_)
                    | TtsEvent::Lost(_),
                ) => {}
            }
        }
        match woken(&mut links, client.poll_timeout()).await {
            Woken::Link(link, event) => client.handle_link(Instant::now(), link, event),
            Woken::Due => client.handle_timeout(Instant::now()),
        }
    }
}

async fn close(mut client: Box<dyn Synthesizer>, mut links: Links) {
    client.close(Instant::now());
    while let Some(output) = client.poll() {
        if let Output::Link(order) = output {
            links.order(order);
        }
    }
    links.finish().await;
}

/// Whether this can be a sentence in that format. Most of what is read in a wrong one lasts too long or not long enough, or is noise: in it a sample
/// says nothing about the next one, or it is louder than any voice. PCM of another rate may pass.
pub(super) fn check(bytes: &[u8], format: AudioFormat) -> Result<(), Fault> {
    let lasts = format.duration(bytes.len() as u64);
    if bytes.is_empty() {
        return Err(Fault::new(FaultKind::Silent, "no sound came"));
    }
    if !(SHORTEST_SENTENCE..=LONGEST_SENTENCE).contains(&lasts) {
        let ms = lasts.as_millis();
        let detail = format!("read as {format}, a sentence of five words lasts {ms} ms");
        return Err(Fault::new(FaultKind::WrongAudio, detail));
    }
    let pcm = AudioFormat { encoding: Encoding::Linear16, rate_hz: format.rate_hz };
    let samples = Converter::new(format, pcm).convert(bytes);
    let samples: Vec<f64> =
        samples.chunks_exact(2).map(|two| f64::from(i16::from_le_bytes([two[0], two[1]]))).collect();
    let power: f64 = samples.iter().map(|sample| sample * sample).sum();
    if power < QUIETEST * QUIETEST * samples.len() as f64 {
        return Err(Fault::new(FaultKind::Silent, format!("{} ms of silence came", lasts.as_millis())));
    }
    let likeness: f64 = samples.windows(2).map(|two| two[0] * two[1]).sum();
    if likeness < LEAST_LIKENESS * power || power > LOUDEST * LOUDEST * samples.len() as f64 {
        return Err(Fault::new(FaultKind::WrongAudio, format!("read as {format}, it is noise")));
    }
    Ok(())
}

/// For one line; the longest is a few seconds of speech.
const LONGEST: Duration = Duration::from_secs(60);

/// The quickest voices say five words in a second.
const SHORTEST_SENTENCE: Duration = Duration::from_millis(400);

/// The slowest that can be asked for take four seconds; silence may follow.
const LONGEST_SENTENCE: Duration = Duration::from_secs(8);

/// The mean of the samples' squares, as one sample: -60 dB, which nobody understands on a telephone.
const QUIETEST: f64 = 0.001 * 32_768.0;

/// How alike two neighbouring samples are: voices have more than 0.6 at 8 kHz and near 1 at higher rates, noise has none.
const LEAST_LIKENESS: f64 = 0.2;

/// The mean of the samples' squares, as one sample: -8 dB below the loudest; voices stay below -12.
const LOUDEST: f64 = 0.4 * 32_768.0;

#[cfg(test)]
mod tests {
    use caly_vendors::voice::Voice;

    use super::*;
    use crate::sound::convert::encode;

    const PCM_8K: AudioFormat = AudioFormat::PCM_8K;
    const MULAW_8K: AudioFormat = AudioFormat::MULAW_8K;

    fn judged(bytes: &[u8], format: AudioFormat) -> Option<FaultKind> {
        check(bytes, format).err().map(|fault| fault.kind)
    }

    #[test]
    fn speech_is_speech_only_in_its_own_format() {
        let spoken = |hz| Voice::default().speak("Hello, this is a test.", hz).samples;
        let pcm = encode(Encoding::Linear16, &spoken(8_000));
        let mulaw = encode(Encoding::Mulaw, &spoken(8_000));
        let wide = encode(Encoding::Linear16, &spoken(24_000));
        assert_eq!((judged(&pcm, PCM_8K), judged(&mulaw, MULAW_8K)), (None, None));
        assert_eq!(judged(&wide, AudioFormat::PCM_24K), None);
        let wrong = Some(FaultKind::WrongAudio);
        assert_eq!((judged(&pcm, MULAW_8K), judged(&mulaw, PCM_8K)), (wrong, wrong));
        assert_eq!(judged(&mulaw[..800], MULAW_8K), wrong, "a tenth of a second");
        assert_eq!(judged(&[], MULAW_8K), Some(FaultKind::Silent));
        assert_eq!(judged(&[0xff; 8_000], MULAW_8K), Some(FaultKind::Silent), "a second of silence");
        assert_eq!(judged(&[0; 48_000], AudioFormat::PCM_24K), Some(FaultKind::Silent));
    }
}
