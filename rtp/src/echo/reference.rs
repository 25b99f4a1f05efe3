//! What was sent, for as long as its echo may take to come back, and where on that time line the caller's frames belong.

use crate::frame::{FRAME_SAMPLES, MediaTime};

/// The last 960 ms that were sent. Places count samples since the first. Silence takes no memory: an agent listens for most of a call.
#[derive(Debug)]
pub(super) struct Reference {
    /// `None` while all of it is silence.
    samples: Option<Box<[i16; RING]>>,
    /// Where the next sample goes.
    end: u64,
    /// Frames since the last one that was not silence.
    silent_frames: usize,
}

impl Reference {
    pub(super) fn new() -> Self {
        Self { samples: None, end: 0, silent_frames: 0 }
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn push(&mut self, frame: &[i16; FRAME_SAMPLES]) {
        let at = (self.end % RING as u64) as usize;
        self.end += FRAME_SAMPLES as u64;
        let is_silent = frame.iter().all(|&sample| sample == 0);
        self.silent_frames = if is_silent { self.silent_frames.saturating_add(1) } else { 0 };
        if self.silent_frames >= RING / FRAME_SAMPLES {
            self.samples = None;
        } else if self.samples.is_some() || !is_silent {
            let samples = self.samples.get_or_insert_with(|| Box::new([0; RING]));
            samples[at..at + FRAME_SAMPLES].copy_from_slice(frame);
        }
    }

    /// The samples that end before `end`; what is not known, or not any more, is silence.
    pub(super) fn before(&self, end: u64, out: &mut [f32]) {
        let Some(samples) = &self.samples else {
            out.fill(0.0);
            return;
        };
        let oldest = self.end.saturating_sub(RING as u64);
        let from = end.checked_sub(out.len() as u64);
        let Some(from) = from.filter(|&from| from >= oldest && end <= self.end) else {
            let start = i128::from(end) - out.len() as i128;
            for (n, out) in out.iter_mut().enumerate() {
                let known = u64::try_from(start + n as i128).ok();
                let known = known.filter(|place| (oldest..self.end).contains(place));
                *out = known.map_or(0.0, |place| f32::from(samples[(place % RING as u64) as usize]));
            }
            return;
        };
        let at = (from % RING as u64) as usize;
        let first = (RING - at).min(out.len());
        let (head, tail) = out.split_at_mut(first);
        for (out, &sample) in head.iter_mut().zip(&samples[at..]) {
            *out = f32::from(sample);
        }
        for (out, &sample) in tail.iter_mut().zip(samples.iter()) {
            *out = f32::from(sample);
        }
    }
}

/// Puts the caller's frames on the time line of what was sent, by their own media time: what the network does to the way here
/// moves nothing then, only what the echo's way really took does.
#[derive(Debug, Default)]
pub(super) struct Alignment {
    last: Option<Last>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    media_time: MediaTime,
    place: u64,
}

impl Alignment {
    /// Where the first sample of a frame of the caller lies, when so many samples have been sent; and whether that continues what
    /// came before.
    pub(super) fn place(&mut self, media_time: MediaTime, sent: u64) -> (u64, bool) {
        let near = sent.saturating_sub(FURTHEST)..=sent + FURTHEST;
        let continued = self.last.and_then(|last| {
            let step = media_time.0.wrapping_sub(last.media_time.0);
            // However long a silence was that nobody sent. A source that does not count its samples sends them one after the other.
            let steps = [Some(step).filter(|&step| step > 0), Some(FRAME_SAMPLES as u64)];
            let mut places = steps.into_iter().flatten().filter_map(|step| last.place.checked_add(step));
            places.find(|place| near.contains(place))
        });
        let place = continued.unwrap_or(sent);
        self.last = Some(Last { media_time, place });
        (place, continued.is_some())
    }
}

/// A whole number of frames.
const RING: usize = 48 * FRAME_SAMPLES;
/// 200 ms: the network's jitter is less; who is further off counts in another way than before.
const FURTHEST: u64 = 1_600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_found_again_and_what_is_unknown_is_silence() {
        let mut reference = Reference::new();
        for n in 0..60_i16 {
            reference.push(&[n + 1; FRAME_SAMPLES]);
        }
        let mut out = [0.0; 320];
        reference.before(9_600, &mut out);
        assert!(out[..160].iter().all(|&x| x == 59.0) && out[160..].iter().all(|&x| x == 60.0));
        reference.before(9_680, &mut out);
        assert!(out[80..240].iter().all(|&x| x == 60.0) && out[240..].iter().all(|&x| x == 0.0));
        reference.before(RING as u64, &mut out);
        assert!(out.iter().all(|&x| x == 47.0 || x == 48.0), "around the end of the ring");
        reference.before(9_600 - RING as u64 + 160, &mut out);
        assert!(out[..160].iter().all(|&x| x == 0.0) && out[160..].iter().all(|&x| x == 13.0));
        reference.before(10, &mut out);
        assert!(out.iter().all(|&x| x == 0.0));
    }

    #[test]
    fn silence_takes_no_memory_and_is_silence_when_somebody_asks() {
        let mut reference = Reference::new();
        let mut out = [1.0; 320];
        let silence = [0; FRAME_SAMPLES];
        (0..60).for_each(|_| reference.push(&silence));
        assert!(reference.samples.is_none());
        reference.before(9_600, &mut out);
        assert!(out.iter().all(|&x| x == 0.0));
        reference.push(&[7; FRAME_SAMPLES]);
        (0..47).for_each(|_| reference.push(&silence));
        reference.before(9_760, &mut out);
        assert!(out[..160].iter().all(|&x| x == 0.0) && out[160..].iter().all(|&x| x == 7.0));
        reference.push(&silence);
        assert!(reference.samples.is_none(), "960 ms are over");
        reference.before(9_760, &mut out);
        assert!(out.iter().all(|&x| x == 0.0));
    }

    #[test]
    fn frames_lie_where_their_media_time_says_however_they_arrive() {
        let mut alignment = Alignment::default();
        assert_eq!(alignment.place(MediaTime(500), 1_600), (1_600, false));
        assert_eq!(alignment.place(MediaTime(660), 2_240), (1_760, true), "late");
        assert_eq!(alignment.place(MediaTime(980), 2_240), (2_080, true), "one was lost");
        assert_eq!(alignment.place(MediaTime(980), 2_240), (2_240, true), "without media time");
        assert_eq!(alignment.place(MediaTime(9_000_000), 2_400), (2_400, true), "a jump is no time");
        assert_eq!(alignment.place(MediaTime(9_040_000), 42_300), (42_400, true), "a silence of 5 s");
        assert_eq!(alignment.place(MediaTime(9_000_160), 90_000), (90_000, false), "nobody is so late");
    }
}
