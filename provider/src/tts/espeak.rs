//! espeak-ng as a program of this machine: a voice that needs no key and no network, for when all others fail, or for tests.

use std::collections::BTreeMap;

use super::wav::Plain;
use super::{AudioDecoder, RequestVendor};
use crate::audio::{AudioFormat, Encoding};
use crate::link::{ProgramRequest, Request};

/// How it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EspeakConfig {
    /// The program's path, or the name by which it is found.
    pub program: String,
    /// The voice for each language (`hi`, `en`), as `espeak-ng --voices` names it.
    pub voices: BTreeMap<String, String>,
    /// Words in a minute, 80-450.
    pub words_per_minute: u16,
}

/// The vendor.
#[derive(Debug)]
pub struct Espeak(pub EspeakConfig);

impl Default for EspeakConfig {
    fn default() -> Self {
        let voice = |language: &str, voice: &str| (language.to_owned(), voice.to_owned());
        Self {
            program: "espeak-ng".to_owned(),
            voices: BTreeMap::from([voice("hi", "hi"), voice("en", "en-gb")]),
            words_per_minute: 150,
        }
    }
}

impl RequestVendor for Espeak {
    fn formats(&self) -> &[AudioFormat] {
        const { &[AudioFormat { encoding: Encoding::Linear16, rate_hz: 22_050 }] }
    }

    fn request(&self, _format: AudioFormat, language: &str, text: &str) -> Request {
        let config = &self.0;
        let short = language.split('-').next().unwrap_or(language);
        let voice = config.voices.get(language).or_else(|| config.voices.get(short));
        let rate = config.words_per_minute.to_string();
        let arguments =
            ["-v", voice.map_or(short, String::as_str), "-s", &rate, "-b", "1", "--stdin", "--stdout"];
        Request::Program(ProgramRequest {
            program: config.program.clone(),
            arguments: arguments.map(str::to_owned).to_vec(),
            stdin: text.as_bytes().to_vec(),
        })
    }

    fn decoder(&self, format: AudioFormat) -> Box<dyn AudioDecoder> {
        Box::new(Plain::wav_alone(format))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_stands_in_no_process_list() {
        let espeak = Espeak(EspeakConfig::default());
        let Request::Program(program) = espeak.request(espeak.formats()[0], "hi-IN", "नमस्ते")
        else {
            panic!()
        };
        assert_eq!(program.arguments, ["-v", "hi", "-s", "150", "-b", "1", "--stdin", "--stdout"]);
        assert_eq!(program.stdin, "नमस्ते".as_bytes());
    }
}
