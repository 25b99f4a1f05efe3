//! Brings what an agent says to one loudness, whoever synthesized it. What is right to within a few dB is left exactly as it is;
//! corrections are made where an utterance begins, and within one only slowly.

use super::limiter::Limiter;
use super::{dbfs, power};

/// The loudness of one agent.
#[derive(Clone, Debug)]
pub struct Loudness {
    gain_db: f32,
    /// Mean square of blocks with a voice in them, and how many there were.
    voice: f32,
    blocks: f32,
    is_begin: bool,
    limiter: Limiter,
}

impl Loudness {
    /// An agent that has said nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { gain_db: 0.0, voice: 0.0, blocks: 0.0, is_begin: true, limiter: Limiter::new() }
    }

    /// A new utterance begins with the next samples.
    pub fn begin(&mut self) {
        self.is_begin = true;
    }

    /// Corrects the next samples of an utterance. The more of them come at once, the better its beginning is judged.
    pub fn apply(&mut self, samples: &mut [i16]) {
        for block in samples.chunks_exact(BLOCK) {
            let power = power(block);
            if power > VOICED {
                self.blocks = (self.blocks + 1.0).min(MEMORY_BLOCKS);
                self.voice += (power - self.voice) / self.blocks;
            }
        }
        let wanted = self.wanted();
        let from_db = if std::mem::take(&mut self.is_begin) { wanted } else { self.gain_db };
        let most = STEP_DB * samples.len() as f32;
        let to_db = from_db + (wanted - from_db).clamp(-most, most);
        self.gain_db = to_db;
        if from_db == 0.0 && to_db == 0.0 {
            return;
        }
        let (mut gain, to) = (10.0_f32.powf(from_db / 20.0), 10.0_f32.powf(to_db / 20.0));
        let step = (to - gain) / samples.len().max(1) as f32;
        for piece in samples.chunks_mut(PIECE) {
            let mut louder = [0.0; PIECE];
            for (louder, sample) in louder.iter_mut().zip(piece.iter()) {
                gain += step;
                *louder = f32::from(*sample) * gain;
            }
            self.limiter.limit(&louder[..piece.len()], piece);
        }
    }

    fn wanted(&self) -> f32 {
        if self.blocks < FEWEST_BLOCKS {
            return self.gain_db;
        }
        let off = TARGET_DB - dbfs(self.voice);
        // A second of speech says little of a voice yet, unless it says a lot.
        let bearable = if self.blocks < SURE_BLOCKS { BEARABLE_AT_FIRST_DB } else { BEARABLE_DB };
        // Once it is corrected, it is corrected well.
        if off.abs() < bearable && self.gain_db == 0.0 { 0.0 } else { off.clamp(-MOST_DB, MOST_DB) }
    }
}

impl Default for Loudness {
    fn default() -> Self {
        Self::new()
    }
}

/// What the prompts shipped with the server have.
const TARGET_DB: f32 = -20.0;
const BEARABLE_DB: f32 = 3.0;
const BEARABLE_AT_FIRST_DB: f32 = 5.0;
const MOST_DB: f32 = 20.0;
/// 10 ms.
const BLOCK: usize = 80;
const PIECE: usize = 160;
/// -45 dBFS.
const VOICED: f32 = 184.0 * 184.0;
/// 80 ms, 1.5 s and 4 s of voice.
const FEWEST_BLOCKS: f32 = 8.0;
const SURE_BLOCKS: f32 = 150.0;
const MEMORY_BLOCKS: f32 = 400.0;
/// 4 dB in a second.
const STEP_DB: f32 = 4.0 / 8_000.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;

    /// Clips that come with the server.
    fn clips() -> Vec<Vec<i16>> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/prompts");
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|kind| kind == "ulaw"));
        paths.sort();
        let clip = |path| {
            let mulaw = std::fs::read(path).unwrap();
            let mut samples = vec![0; mulaw.len()];
            Codec::Pcmu.decode(&mulaw, &mut samples);
            samples
        };
        paths.into_iter().map(clip).collect()
    }

    fn level(samples: &[i16]) -> f32 {
        let voiced: Vec<f32> =
            samples.chunks_exact(BLOCK).map(power).filter(|&power| power > VOICED).collect();
        dbfs(voiced.iter().sum::<f32>() / voiced.len() as f32)
    }

    /// As a mind sends it: 400 ms, then 100 ms at a time.
    fn say(loudness: &mut Loudness, said: &[i16]) -> Vec<i16> {
        let mut said = said.to_vec();
        loudness.begin();
        let first = said.len().min(3_200);
        let (first, rest) = said.split_at_mut(first);
        loudness.apply(first);
        rest.chunks_mut(800).for_each(|chunk| loudness.apply(chunk));
        said
    }

    #[test]
    fn what_is_shipped_is_left_as_it_is() {
        let mut loudness = Loudness::new();
        for (n, clip) in clips().into_iter().enumerate() {
            assert!(say(&mut loudness, &clip) == clip, "clip {n} at {:.1} dB", level(&clip));
        }
    }

    #[test]
    fn a_voice_of_any_level_comes_to_the_target_from_its_first_utterance() {
        let clips: Vec<Vec<i16>> = clips().into_iter().filter(|clip| clip.len() > 16_000).take(6).collect();
        for gain_db in [-18.0, -12.0, -7.0, 6.0] {
            let mut loudness = Loudness::new();
            for (n, clip) in clips.iter().enumerate() {
                let factor = 10.0_f32.powf(gain_db / 20.0);
                let given: Vec<i16> =
                    clip.iter().map(|&sample| (f32::from(sample) * factor) as i16).collect();
                let said = say(&mut loudness, &given);
                let after = level(&said);
                let bound = if n == 0 { 3.5 } else { 2.5 };
                assert!((after + 20.0).abs() < bound, "{gain_db} dB, clip {n}: {after}");
                assert!(said.iter().all(|sample| sample.unsigned_abs() <= 32_700));
            }
        }
    }

    #[test]
    fn silence_and_hum_are_not_made_louder() {
        let mut loudness = Loudness::new();
        let mut soft: Vec<i16> = (0..16_000).map(|n| (100.0 * (n as f32 * 0.04).sin()) as i16).collect();
        let before = soft.clone();
        loudness.apply(&mut soft);
        assert_eq!(soft, before);
        loudness.apply(&mut []);
    }
}
