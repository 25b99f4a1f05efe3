//! How loud a frame is, and whether it stands out from what was heard before. In babble (a street, an office) a detector hears
//! speech all the time: only what is louder than the room is the caller.

use caly_rtp::frame::FRAME_SAMPLES;

/// The level of a frame in dB below full scale (a square wave of full scale has 0); -96 for digital silence.
pub fn dbfs(frame: &[i16; FRAME_SAMPLES]) -> f32 {
    let squares: i64 = frame.iter().map(|&sample| i64::from(sample) * i64::from(sample)).sum();
    if squares == 0 {
        return LOWEST;
    }
    let mean = squares as f32 / FRAME_SAMPLES as f32;
    (10.0 * (mean / FULL_SCALE_POWER).log10()).max(LOWEST)
}

/// The level that the room keeps below for 95 % of the time, over the last three seconds.
#[derive(Debug)]
pub struct RoomLevel {
    /// Levels as steps, the last of which are not counted yet.
    recent: [u8; WINDOW + LAG],
    /// Frames heard; where the next one goes.
    heard: usize,
    /// How many of the counted frames have which step.
    counts: [u8; STEPS],
}

impl RoomLevel {
    /// A room of which nothing was heard.
    pub fn new() -> Self {
        Self { recent: [0; WINDOW + LAG], heard: 0, counts: [0; STEPS] }
    }

    /// One more frame of the room. While the caller speaks, frames are not the room's: leave them out.
    pub fn push(&mut self, level: f32) {
        let place = self.heard % self.recent.len();
        if self.heard >= self.recent.len() {
            self.counts[usize::from(self.recent[place])] -= 1;
        }
        self.recent[place] = step_of(level);
        if self.heard >= LAG {
            let counted = (self.heard - LAG) % self.recent.len();
            self.counts[usize::from(self.recent[counted])] += 1;
        }
        self.heard += 1;
    }

    /// The level in dBFS; never below the floor under which nobody is understood.
    pub fn percentile_95(&self) -> f32 {
        let counted: usize = self.counts.iter().map(|&count| usize::from(count)).sum();
        let above = counted / 20;
        let mut seen = 0;
        for step in (0..STEPS).rev() {
            seen += usize::from(self.counts[step]);
            if seen > above {
                return level_of(step).max(FLOOR);
            }
        }
        FLOOR
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
const LOWEST: f32 = -96.0;
const FLOOR: f32 = -55.0;
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
        assert!((room.percentile_95() - FLOOR).abs() < f32::EPSILON);
        for n in 0..200 {
            room.push(if n % 30 == 0 { -10.0 } else { -40.0 });
        }
        assert!((room.percentile_95() + 40.0).abs() < 0.6, "{}", room.percentile_95());
        for _ in 0..WINDOW + LAG {
            room.push(-30.0);
        }
        assert!((room.percentile_95() + 30.0).abs() < 0.6, "{}", room.percentile_95());
        for _ in 0..WINDOW + LAG {
            room.push(-90.0);
        }
        assert!((room.percentile_95() - FLOOR).abs() < f32::EPSILON);
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
        assert!((room.percentile_95() + 50.0).abs() < 0.6);
    }
}
