//! What the agents of trials say: clips that come with the server, one after the other, without a moment of silence in them.

use std::sync::Arc;

use super::mind::Lines;
use super::random::Random;
use crate::prompt;

/// The lines of all agents.
pub fn shipped_lines() -> Lines {
    let mut random = Random::new(0);
    let clips: Vec<Vec<i16>> = prompt::shipped_clips().filter(|clip| clip.len() > LONG_SAMPLES).collect();
    let mut talk = Vec::with_capacity(TALK_SAMPLES);
    for clip in clips.iter().cycle().take(MAX_CLIPS) {
        talk.extend(clip);
        talk.resize(talk.len() + GAP_SAMPLES, 0);
        if talk.len() >= TALK_SAMPLES {
            break;
        }
    }
    let first = clips.first().map_or(&[][..], Vec::as_slice);
    let beginning = |samples: usize| first[..first.len().min(samples)].to_vec();
    let mut audible = |samples: Vec<i16>| -> Arc<[i16]> {
        // A breath of noise, so that every frame on the wire can be told from every other and from silence.
        let breath = |sample: i16| sample.saturating_add((BREATH * random.normal()) as i16);
        samples.into_iter().map(breath).collect::<Vec<i16>>().into()
    };
    Lines {
        talk: audible(talk),
        question: audible(beginning(QUESTION_SAMPLES)),
        answer: audible(beginning(ANSWER_SAMPLES)),
    }
}

/// 2 s: whole sentences.
const LONG_SAMPLES: usize = 16_000;
/// Longer than any trial in which the agent talks.
const TALK_SAMPLES: usize = 130 * 8000;
const MAX_CLIPS: usize = 200;
/// 250 ms between two sentences.
const GAP_SAMPLES: usize = 2000;
const QUESTION_SAMPLES: usize = 9600;
const ANSWER_SAMPLES: usize = 4800;
/// -46 dBFS: heard 12 dB down as well.
const BREATH: f32 = 160.0;
