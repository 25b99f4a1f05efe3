//! Our side of the call: plays the sound, presses the keys, hangs up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use caly_rtp::dtmf::Digit;
use caly_rtp::frame::{FRAME, FRAME_SAMPLES};

use crate::call::destination::{Begin, Destination, Wish};

/// What a placed call does once it is answered.
#[derive(Debug)]
pub(super) struct Program {
    sound: Vec<i16>,
    position: usize,
    digits: VecDeque<Digit>,
    next_digit: u32,
    tick: u32,
    hang_up_at: Option<u32>,
}

impl Program {
    /// Sound and digits start together. Without a duration the call ends a moment after both, or, if there is neither,
    /// when the other side hangs up.
    pub(super) fn new(sound: Option<Vec<i16>>, digits: Vec<Digit>, duration: Option<Duration>) -> Self {
        let sound_ticks = sound.as_ref().map_or(0, |sound| sound.len().div_ceil(FRAME_SAMPLES));
        let digit_ticks = if digits.is_empty() { 0 } else { FIRST_DIGIT + digits.len() * DIGIT_TICKS };
        let is_silent = sound.is_none() && digits.is_empty();
        let natural = (!is_silent).then(|| sound_ticks.max(digit_ticks) + TAIL_TICKS);
        let wanted = duration.map(|duration| duration.as_millis().div_ceil(FRAME.as_millis()) as usize);
        let hang_up_at = wanted.or(natural).map(|ticks| u32::try_from(ticks).unwrap_or(u32::MAX));
        Self {
            sound: sound.unwrap_or_default(),
            position: 0,
            digits: digits.into(),
            next_digit: FIRST_DIGIT as u32,
            tick: 0,
            hang_up_at,
        }
    }
}

impl Destination for Program {
    fn begin(&self) -> Begin {
        Begin::Answer
    }

    fn speak(&mut self, _now: Instant, samples: &mut [i16; FRAME_SAMPLES]) {
        let rest = &self.sound[self.position..];
        let taken = rest.len().min(FRAME_SAMPLES);
        samples[..taken].copy_from_slice(&rest[..taken]);
        self.position += taken;
        self.tick += 1;
    }

    fn poll_wish(&mut self, _now: Instant) -> Option<Wish> {
        if self.tick >= self.next_digit
            && let Some(digit) = self.digits.pop_front()
        {
            self.next_digit = self.tick + DIGIT_TICKS as u32;
            return Some(Wish::SendDigits(vec![digit]));
        }
        self.hang_up_at.take_if(|at| self.tick >= *at).map(|_| Wish::HangUp)
    }
}

/// The far end's jitter buffer and prompt get half a second.
const FIRST_DIGIT: usize = 25;
/// 100 ms of tone, 100 ms of pause: one at a time, so that the log tells when each was pressed.
const DIGIT_TICKS: usize = 10;
/// What comes back after the last word: an echo through two jitter buffers.
const TAIL_TICKS: usize = 25;

#[cfg(test)]
mod tests {
    use super::*;

    fn run(program: &mut Program, ticks: u32) -> Vec<(u32, Wish)> {
        let (mut wishes, now) = (Vec::new(), Instant::now());
        for tick in 0..ticks {
            while let Some(wish) = program.poll_wish(now) {
                wishes.push((tick, wish));
            }
            program.speak(now, &mut [0; FRAME_SAMPLES]);
        }
        wishes
    }

    #[test]
    fn keys_are_pressed_one_after_the_other_and_then_it_hangs_up() {
        let digits: Vec<Digit> = "1#".chars().filter_map(Digit::from_char).collect();
        let wishes = run(&mut Program::new(None, digits.clone(), None), 200);
        let pressed = |n: usize| Wish::SendDigits(vec![digits[n]]);
        assert_eq!(wishes, [(25, pressed(0)), (35, pressed(1)), (70, Wish::HangUp)]);
    }

    #[test]
    fn a_duration_wins_over_the_sound_and_silence_waits_for_the_other_side() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(
            run(&mut Program::new(Some(vec![0; 80_000]), Vec::new(), second), 100),
            [(50, Wish::HangUp)]
        );
        assert_eq!(run(&mut Program::new(None, Vec::new(), None), 10_000), []);
        assert_eq!(run(&mut Program::new(Some(vec![1; 161]), Vec::new(), None), 100), [(27, Wish::HangUp)]);
    }
}
