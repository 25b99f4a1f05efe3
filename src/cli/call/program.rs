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
    keys: VecDeque<Key>,
    next_key: u32,
    tick: u32,
    hang_up_at: Option<u32>,
}

/// A step on the keypad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Press this one.
    Press(Digit),
    /// Wait for a second.
    Wait,
}

impl Key {
    /// A digit, or a comma for a second of waiting.
    pub(super) fn from_char(character: char) -> Option<Self> {
        if character == ',' { Some(Self::Wait) } else { Digit::from_char(character).map(Self::Press) }
    }

    fn ticks(self) -> usize {
        match self {
            Self::Press(_) => PRESS_TICKS,
            Self::Wait => WAIT_TICKS,
        }
    }
}

impl Program {
    /// Sound and keys start together. Without a duration the call ends a moment after both, or, if there is neither,
    /// when the other side hangs up.
    pub(super) fn new(sound: Option<Vec<i16>>, keys: Vec<Key>, duration: Option<Duration>) -> Self {
        let sound_ticks = sound.as_ref().map_or(0, |sound| sound.len().div_ceil(FRAME_SAMPLES));
        let pressing: usize = keys.iter().map(|key| key.ticks()).sum();
        let key_ticks = if keys.is_empty() { 0 } else { FIRST_KEY + pressing };
        let is_silent = sound.is_none() && keys.is_empty();
        let natural = (!is_silent).then(|| sound_ticks.max(key_ticks) + TAIL_TICKS);
        let wanted = duration.map(|duration| duration.as_millis().div_ceil(FRAME.as_millis()) as usize);
        let hang_up_at = wanted.or(natural).map(|ticks| u32::try_from(ticks).unwrap_or(u32::MAX));
        Self {
            sound: sound.unwrap_or_default(),
            position: 0,
            keys: keys.into(),
            next_key: FIRST_KEY as u32,
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
        while self.tick >= self.next_key
            && let Some(key) = self.keys.pop_front()
        {
            self.next_key = self.tick + key.ticks() as u32;
            if let Key::Press(digit) = key {
                return Some(Wish::SendDigits(vec![digit]));
            }
        }
        self.hang_up_at.take_if(|at| self.tick >= *at).map(|_| Wish::HangUp)
    }
}

/// The far end's jitter buffer and prompt get half a second.
const FIRST_KEY: usize = 25;
/// 100 ms of tone, 100 ms of pause: one at a time, so that the log tells when each was pressed.
const PRESS_TICKS: usize = 10;
/// A second.
const WAIT_TICKS: usize = 50;
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
        let wishes = run(&mut Program::new(None, keys("1#"), None), 200);
        assert_eq!(wishes, [(25, pressed('1')), (35, pressed('#')), (70, Wish::HangUp)]);
    }

    #[test]
    fn a_comma_waits_for_a_second() {
        let wishes = run(&mut Program::new(None, keys(",1,,2"), None), 400);
        assert_eq!(wishes, [(75, pressed('1')), (185, pressed('2')), (220, Wish::HangUp)]);
    }

    fn keys(text: &str) -> Vec<Key> {
        text.chars().filter_map(Key::from_char).collect()
    }

    fn pressed(key: char) -> Wish {
        Wish::SendDigits(Digit::from_char(key).into_iter().collect())
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
