//! What is done to audio between the line and those who judge it: the agent's echo is taken out of what the caller says, what is no voice because it is
//! too low, steady noise if that is wished, and who listens gets the caller at one level. The recording and what is passed on as it came see nothing of it.

use std::fmt;

use caly_rtp::echo::{EchoCanceller, EchoPath};
use caly_rtp::frame::{FRAME_SAMPLES, MediaTime};
use caly_rtp::level::{CallerGain, Loudness, LowCut};
use caly_rtp::noise::NoiseSuppressor;
use caly_rtp::playout::UtteranceId;

use super::settings::{AudioSettings, EchoCancellation};

/// Takes the caller's audio as a recognizer wants it. Called on the call's shard: it must not wait, and not allocate for each frame.
pub trait CallerListener: Send + fmt::Debug {
    /// Whether it takes the samples. Who takes what was received is handed samples that no gain was applied to.
    fn hears_samples(&self) -> bool {
        true
    }

    /// The next 20 ms of the caller, in the order of their media time. What was lost, and silence that nobody sent, is silence.
    fn listen(&mut self, heard: &Conditioned);
}

/// 20 ms of the caller at 8 kHz: without the agent's echo, and at about -26 dBov while he speaks.
#[derive(Clone, Copy, Debug)]
pub struct Conditioned {
    /// When the first sample was taken, on the caller's clock.
    pub media_time: MediaTime,
    /// The samples.
    pub samples: [i16; FRAME_SAMPLES],
    /// The same 20 ms as they were received, in the call's codec; what was lost is its silence.
    pub payload: [u8; FRAME_SAMPLES],
    /// Whether they were taken for the caller's speech.
    pub is_speech: bool,
}

/// The stages of one call; those that are switched off are not there.
#[derive(Debug)]
pub(super) struct Conditioning {
    echo: Option<Box<EchoCanceller>>,
    is_path_told: bool,
    low_cut: LowCut,
    noise: Option<Box<NoiseSuppressor>>,
    gain: Option<CallerGain>,
    listener: Option<Box<dyn CallerListener>>,
    loudness: Option<Loudness>,
    /// What is being said.
    utterance: Option<UtteranceId>,
}

impl Conditioning {
    pub(super) fn new(settings: AudioSettings, listener: Option<Box<dyn CallerListener>>) -> Self {
        let echo = match settings.echo_cancellation {
            EchoCancellation::Auto => Some(Box::new(EchoCanceller::new())),
            EchoCancellation::Off => None,
        };
        // What is passed on as it came needs none.
        let is_heard = listener.as_ref().is_some_and(|listener| listener.hears_samples());
        Self {
            echo,
            is_path_told: false,
            low_cut: LowCut::default(),
            noise: settings.noise_suppression.then(Box::default),
            gain: (settings.caller_gain && is_heard).then(CallerGain::new),
            listener,
            loudness: settings.loudness.then(Loudness::new),
            utterance: None,
        }
    }

    /// Makes a part of an utterance as loud as the others.
    pub(super) fn level(&mut self, utterance: UtteranceId, samples: &mut [i16]) {
        let Some(loudness) = &mut self.loudness else { return };
        if self.utterance.replace(utterance) != Some(utterance) {
            loudness.begin();
        }
        loudness.apply(samples);
    }

    /// 20 ms went out.
    pub(super) fn send(&mut self, samples: &[i16; FRAME_SAMPLES]) {
        if let Some(echo) = &mut self.echo {
            echo.send(samples);
        }
    }

    /// Nothing went out for so many ticks.
    pub(super) fn skip(&mut self, ticks: u32) {
        let Some(echo) = &mut self.echo else { return };
        for _ in 0..ticks.min(MOST_SKIPPED) {
            echo.send(&[0; FRAME_SAMPLES]);
        }
    }

    /// Cleans 20 ms of the caller. The level in dBFS up to which what is left may be the agent's echo.
    pub(super) fn clean(&mut self, media_time: MediaTime, samples: &mut [i16; FRAME_SAMPLES]) -> f32 {
        let echo = self.echo.as_mut().map_or(NO_ECHO, |echo| echo.hear(media_time, samples));
        self.low_cut.apply(samples);
        if let Some(noise) = &mut self.noise {
            noise.apply(samples);
        }
        echo
    }

    /// Hands what was cleaned and judged to who listens.
    pub(super) fn deliver(&mut self, mut heard: Conditioned) {
        let Some(listener) = &mut self.listener else { return };
        if let Some(gain) = &mut self.gain {
            gain.apply(&mut heard.samples, heard.is_speech);
        }
        listener.listen(&heard);
    }

    /// The call's echo, once it is known.
    pub(super) fn poll_echo(&mut self) -> Option<EchoPath> {
        if self.is_path_told {
            return None;
        }
        let path = self.echo.as_ref()?.path()?;
        self.is_path_told = true;
        Some(path)
    }
}

/// After a second of silence no echo of before is left.
const MOST_SKIPPED: u32 = 50;
/// Below everything.
const NO_ECHO: f32 = -96.0;
