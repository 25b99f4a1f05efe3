//! How loud a frame is, and whether it stands out from what was heard before. In babble (a street, an office) a detector hears
//! speech all the time: only what is louder than the room is the caller.

use arrayvec::ArrayVec;
use caly_rtp::frame::FRAME_SAMPLES;
use caly_rtp::level::squares;

/// The level of a frame in dB below full scale (a square wave of full scale has 0); -96 for digital silence.
pub fn dbfs(frame: &[i16; FRAME_SAMPLES]) -> f32 {
    let squares = squares(frame);
    if squares == 0 {
        return LOWEST;
    }
    let mean = squares as f32 / FRAME_SAMPLES as f32;
    (10.0 * (mean / FULL_SCALE_POWER).log10()).max(LOWEST)
}

/// How loud the frames of the last three seconds were.
#[derive(Clone, Debug)]
pub struct Levels {
    /// As steps of half a dB.
    steps: [u8; WINDOW],
    /// Frames heard; where the next one goes.
    heard: usize,
    /// How many of them have which step.
    counts: [u8; STEPS],
}

impl Levels {
    /// Nothing was heard.
    pub fn new() -> Self {
        Self { steps: [0; WINDOW], heard: 0, counts: [0; STEPS] }
    }

    /// One more frame, in dBFS.
    pub fn push(&mut self, level: f32) {
        let place = self.heard % WINDOW;
        if self.heard >= WINDOW {
            self.counts[usize::from(self.steps[place])] -= 1;
        }
        self.steps[place] = step_of(level);
        // At most WINDOW frames are counted, which fits.
        self.counts[usize::from(self.steps[place])] += 1;
        self.heard += 1;
    }

    /// Whether three seconds were heard.
    pub fn is_full(&self) -> bool {
        self.heard >= WINDOW
    }

    /// The level in dBFS that so many percent of the frames do not exceed; `None` if nothing was heard.
    pub fn percentile(&self, percent: usize) -> Option<f32> {
        let above = self.heard.min(WINDOW) * (100 - percent.min(100)) / 100;
        let mut seen = 0;
        for step in (0..STEPS).rev() {
            seen += usize::from(self.counts[step]);
            if seen > above {
                return Some(level_of(step));
            }
        }
        None
    }

    /// Whether this is how one person talks, and not a room: syllables are far louder than the gaps between them. Of three
    /// seconds of synthetic speech without a pause, in English and Hindi, quiet and loud, with or without automatic gain, in noise
    /// 10 dB below it, the 95th percentile was always 14 dB or more above the 10th. Of six or more voices at once, noise, and
    /// tones, it never was more than 11.5.
    pub fn is_talk(&self) -> bool {
        let spread = self.percentile(95).zip(self.percentile(10)).map(|(loud, soft)| loud - soft);
        spread.is_some_and(|spread| spread >= TALK_SPREAD_DB)
    }
}

impl Default for Levels {
    fn default() -> Self {
        Self::new()
    }
}

/// How loud the room is: the level that it keeps below for 95 % of the time, over the last three seconds.
#[derive(Debug)]
pub struct RoomLevel {
    levels: Levels,
    /// Those that are not counted yet.
    recent: ArrayVec<f32, LAG>,
}

impl RoomLevel {
    /// A room of which nothing was heard.
    pub fn new() -> Self {
        Self { levels: Levels::new(), recent: ArrayVec::new() }
    }

    /// One more frame of the room. While the caller speaks, frames are not the room's: leave them out.
    pub fn push(&mut self, level: f32) {
        if self.recent.is_full() {
            self.levels.push(self.recent.remove(0));
        }
        self.recent.push(level);
    }

    /// One more frame of which nobody knows yet whose it is.
    pub fn learn(&mut self, level: f32) {
        self.levels.push(level);
    }

    /// What was heard is the room, and not what it was taken for before.
    pub fn become_like(&mut self, heard: &Levels) {
        self.levels.clone_from(heard);
        self.recent.clear();
    }

    /// The level in dBFS; never below the floor under which nobody is understood. Where the loud frames are further above the soft
    /// ones than any room's, they are the caller's, whom the detector has missed so far: the room is what lies between his words.
    /// So nobody raises the level above himself by being missed.
    pub fn dbfs(&self) -> f32 {
        let (loud, soft) = (self.levels.percentile(95), self.levels.percentile(10));
        loud.zip(soft).map_or(FLOOR, |(loud, soft)| loud.min(soft + TALK_SPREAD_DB).max(FLOOR))
    }
}

impl Default for RoomLevel {
    fn default() -> Self {
        Self::new()
    }
}

fn step_of(level: f32) -> u8 {
    // Within 0..STEPS by the clamp.
    ((level.clamp(LOWEST, 0.0) - LOWEST) * STEPS_PER_DB) as u8
}

fn level_of(step: usize) -> f32 {
    LOWEST + step as f32 / STEPS_PER_DB
}

/// 3 s.
const WINDOW: usize = 150;
/// 100 ms: the beginning of the caller's own words is not the room.
const LAG: usize = 5;
const STEPS_PER_DB: f32 = 2.0;
const STEPS: usize = 193;
/// The level of digital silence.
pub(super) const LOWEST: f32 = -96.0;
const FLOOR: f32 = -55.0;
/// Between the talkers and the rooms that were measured, nearer to the rooms: whoever is taken for one is not heard.
const TALK_SPREAD_DB: f32 = 12.0;
const FULL_SCALE_POWER: f32 = 32_768.0 * 32_768.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_in_db_below_full_scale() {
        let of = |amplitude: i16| dbfs(&[amplitude; FRAME_SAMPLES]);
        assert!((of(i16::MIN) - 0.0).abs() < 0.01);
        assert!((of(3277) + 20.0).abs() < 0.01);
        assert!((of(0) + 96.0).abs() < f32::EPSILON);
    }

    #[test]
    fn the_room_is_its_loudest_but_for_one_in_twenty_and_follows_within_three_seconds() {
        let mut room = RoomLevel::new();
        assert!((room.dbfs() - FLOOR).abs() < f32::EPSILON);
        for n in 0..200 {
            room.push(if n % 30 == 0 { -10.0 } else { -40.0 });
        }
        assert!((room.dbfs() + 40.0).abs() < 0.6, "{}", room.dbfs());
        for _ in 0..WINDOW + LAG {
            room.push(-30.0);
        }
        assert!((room.dbfs() + 30.0).abs() < 0.6, "{}", room.dbfs());
        for _ in 0..WINDOW + LAG {
            room.push(-90.0);
        }
        assert!((room.dbfs() - FLOOR).abs() < f32::EPSILON);
    }

    #[test]
    fn the_last_tenth_of_a_second_does_not_count() {
        let mut room = RoomLevel::new();
        for _ in 0..WINDOW {
            room.push(-50.0);
        }
        for _ in 0..LAG {
            room.push(-20.0);
        }
        assert!((room.dbfs() + 50.0).abs() < 0.6);
    }

    #[test]
    fn syllables_are_talk_and_what_is_steady_is_not() {
        let levels = |of: fn(usize) -> f32| {
            let mut levels = Levels::new();
            (0..WINDOW).for_each(|n| levels.push(of(n)));
            levels
        };
        assert!(levels(|n| if n % 10 < 7 { -20.0 } else { -45.0 }).is_talk());
        assert!(!levels(|n| if n % 10 < 7 { -20.0 } else { -30.0 }).is_talk());
        assert!(!levels(|_| -20.0).is_talk());
        assert!(!Levels::new().is_talk());
    }

    #[test]
    fn a_caller_who_was_missed_does_not_raise_the_level_above_himself() {
        let mut room = RoomLevel::new();
        for n in 0..400 {
            room.push(if n % 10 < 7 { -30.0 } else { -60.0 });
        }
        assert!((room.dbfs() + 48.0).abs() < 0.6, "{}", room.dbfs());
        let mut babble = Levels::new();
        (0..WINDOW).for_each(|_| babble.push(-25.0));
        room.become_like(&babble);
        assert!((room.dbfs() + 25.0).abs() < 0.6, "{}", room.dbfs());
    }
}
