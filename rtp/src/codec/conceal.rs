//! Loss concealment after the idea of ITU-T G.711 Appendix I: go on with the last pitch period, hold it for 10 ms, fade by
//! 20 % each 10 ms, be silent after 60 ms, and cross-fade into what is received next.
//!
//! The standard delays all audio by 3.75 ms to prepare the join at the start of a loss. Here there is no delay: the
//! continuation begins one pitch period back, shifted to meet the last sample, and the shift fades away.

/// Makes up for missing samples of one stream.
#[derive(Clone, Debug)]
pub struct Concealer {
    rate: Rate,
    /// The last samples that went out, concealed ones included, in a ring: every frame is written here, and only the first
    /// of a loss reads.
    history: Box<[i16]>,
    /// Place of the oldest sample in the history.
    oldest: usize,
    /// The history, oldest first, as it was when the present loss began.
    source: Box<[i16]>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The last samples were received.
    Hearing,
    /// The last samples were made up.
    Concealing(Continuation),
}

impl Concealer {
    /// A concealer that has heard nothing: it conceals with silence until it has.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        let rate = Rate::new(clock_rate);
        let history = vec![0; rate.history()].into_boxed_slice();
        Self { rate, source: history.clone(), history, oldest: 0, state: State::Hearing }
    }

    /// Takes samples that were received. The first after a loss are cross-faded with what was made up.
    pub fn hear(&mut self, samples: &mut [i16]) {
        if let State::Concealing(mut continuation) = self.state {
            let overlap = continuation.overlap(&self.rate).min(samples.len());
            for (index, sample) in samples.iter_mut().take(overlap).enumerate() {
                let made_up = i32::from(continuation.next(&self.source, &self.rate));
                let weight = ((index + 1) * UNITY as usize / (overlap + 1)) as i32;
                *sample = mix(made_up, i32::from(*sample), weight);
            }
            self.state = State::Hearing;
        }
        self.remember(samples);
    }

    /// Takes samples that do not follow on the last ones, because some were left out between them, and joins them.
    pub fn hear_after_cut(&mut self, samples: &mut [i16]) {
        if matches!(self.state, State::Hearing) {
            self.begin();
        }
        self.hear(samples);
    }

    /// Fills `samples` with a continuation of what was heard.
    pub fn conceal(&mut self, samples: &mut [i16]) {
        if matches!(self.state, State::Hearing) {
            self.begin();
        }
        if let State::Concealing(continuation) = &mut self.state {
            for sample in samples.iter_mut() {
                *sample = continuation.next(&self.source, &self.rate);
            }
        }
        self.remember(samples);
    }

    /// True while going on concealing would still give sound: after received samples, and for 60 ms of a loss.
    #[must_use]
    pub fn is_audible(&self) -> bool {
        match self.state {
            State::Hearing => true,
            State::Concealing(continuation) => continuation.made < self.rate.samples(MUTED_AFTER_MS),
        }
    }

    fn begin(&mut self) {
        let (newer, older) = self.history.split_at(self.oldest);
        self.source[..older.len()].copy_from_slice(older);
        self.source[older.len()..].copy_from_slice(newer);
        let pitch = find_pitch(&self.source, &self.rate);
        self.state = State::Concealing(Continuation::new(&self.source, pitch));
    }

    fn remember(&mut self, samples: &[i16]) {
        let newest = &samples[samples.len().saturating_sub(self.history.len())..];
        let until_wrap = newest.len().min(self.history.len() - self.oldest);
        let (head, tail) = newest.split_at(until_wrap);
        self.history[self.oldest..][..head.len()].copy_from_slice(head);
        self.history[..tail.len()].copy_from_slice(tail);
        self.oldest = (self.oldest + newest.len()) % self.history.len();
    }
}

/// How the sound goes on while nothing is received: one, then two, then three pitch periods, over and over.
#[derive(Clone, Copy, Debug)]
struct Continuation {
    pitch: usize,
    /// Pitch periods in the present cycle.
    periods: usize,
    /// Place in the cycle.
    phase: usize,
    /// Samples made so far.
    made: usize,
    /// What the last sample heard was above the one a pitch period before it.
    step: i32,
}

impl Continuation {
    fn new(source: &[i16], pitch: usize) -> Self {
        let last = source.len() - 1;
        let step = i32::from(source[last]) - i32::from(source[last - pitch]);
        Self { pitch, periods: 1, phase: 0, made: 0, step }
    }

    fn next(&mut self, source: &[i16], rate: &Rate) -> i16 {
        let gain = rate.gain(self.made);
        if gain == 0 {
            return 0;
        }
        let shift = self.step * rate.join_weight(self.made) / UNITY;
        let sample = (self.cycle_sample(source, rate) + shift) * gain / UNITY;
        self.made += 1;
        self.phase += 1;
        if self.phase == self.cycle() {
            self.wrap(rate);
        }
        saturate(sample)
    }

    /// Begins the cycle again. Each 10 ms one more period joins it, so that the repetition does not buzz; the newest period is
    /// then played first, because it is the one that goes on smoothly.
    fn wrap(&mut self, rate: &Rate) {
        let due = 1 + self.made / rate.samples(WIDEN_EACH_MS);
        if self.periods < due.min(MAX_PERIODS) {
            self.phase = self.periods * self.pitch;
            self.periods += 1;
        } else {
            self.phase = 0;
        }
    }

    /// The sample at the present phase. The cycle's last quarter period fades over to what came before its start, so that
    /// its end meets its beginning.
    fn cycle_sample(&self, source: &[i16], rate: &Rate) -> i32 {
        let cycle = self.cycle();
        let sample = i32::from(source[source.len() + self.phase - cycle]);
        let quarter = (self.pitch / 4).min(rate.max_quarter());
        let into_tail = (self.phase + quarter + 1).saturating_sub(cycle);
        if into_tail == 0 {
            return sample;
        }
        let before = i32::from(source[source.len() + self.phase - 2 * cycle]);
        let weight = (into_tail * UNITY as usize / (quarter + 1)) as i32;
        (sample * (UNITY - weight) + before * weight) / UNITY
    }

    fn cycle(&self) -> usize {
        self.periods * self.pitch
    }

    /// Samples over which it gives way to received ones: a quarter period, longer after a longer loss, 10 ms at most.
    fn overlap(&self, rate: &Rate) -> usize {
        let longer = self.made / rate.samples(WIDEN_EACH_MS) * rate.samples(LONGER_OVERLAP_MS);
        (self.pitch / 4 + longer).clamp(rate.samples(MIN_OVERLAP_MS), rate.samples(MAX_OVERLAP_MS))
    }
}

/// The lag, in the range of voices, at which the last 20 ms resemble what was before them most.
fn find_pitch(history: &[i16], rate: &Rate) -> usize {
    let (shortest, longest) = (rate.samples(SHORTEST_PITCH_MS), rate.samples(LONGEST_PITCH_MS));
    let recent = &history[history.len() - rate.samples(MATCHED_MS) - longest..];
    // Scaled to 11 bits, 20 ms at 16 kHz cannot overflow a sum of products in 32 bits.
    let peak = recent.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
    let shift = (u16::BITS - peak.leading_zeros()).saturating_sub(11);
    let mut scaled = [0_i16; MAX_MATCHED + MAX_PITCH];
    for (scaled, sample) in scaled.iter_mut().zip(recent) {
        *scaled = sample >> shift;
    }
    let scaled = &scaled[..recent.len()];
    // Every second lag, then the neighbours of the best: voices have no peak that is narrower.
    let every_second = best_lag(scaled, longest, (shortest..=longest).step_by(2));
    let neighbours = every_second.saturating_sub(1).max(shortest)..=(every_second + 1).min(longest);
    best_lag(scaled, longest, neighbours)
}

/// The lag at which what comes after the first `longest` samples is most like what was before it, by normalised
/// cross-correlation.
fn best_lag(samples: &[i16], longest: usize, lags: impl Iterator<Item = usize>) -> usize {
    let template = &samples[longest..];
    let mut best = (longest, f64::MIN);
    for lag in lags {
        let lagged = &samples[longest - lag..samples.len() - lag];
        let energy = product_sum(lagged, lagged).max(1);
        let likeness = f64::from(product_sum(template, lagged)) / f64::from(energy).sqrt();
        if likeness > best.1 {
            best = (lag, likeness);
        }
    }
    best.0
}

fn product_sum(left: &[i16], right: &[i16]) -> i32 {
    left.iter().zip(right).map(|(left, right)| i32::from(*left) * i32::from(*right)).sum()
}

fn mix(old: i32, new: i32, weight: i32) -> i16 {
    saturate((old * (UNITY - weight) + new * weight) / UNITY)
}

fn saturate(sample: i32) -> i16 {
    sample.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// Durations in samples of one clock rate.
#[derive(Clone, Copy, Debug)]
struct Rate {
    per_ms: usize,
}

impl Rate {
    fn new(clock_rate: u32) -> Self {
        Self { per_ms: (clock_rate.clamp(MIN_CLOCK_RATE, MAX_CLOCK_RATE) / 1_000) as usize }
    }

    fn samples(&self, ms: usize) -> usize {
        ms * self.per_ms
    }

    fn max_quarter(&self) -> usize {
        self.samples(LONGEST_PITCH_MS) / 4
    }

    /// Three of the longest periods, and a quarter of one before them for the cross-fade.
    fn history(&self) -> usize {
        self.samples(LONGEST_PITCH_MS) * MAX_PERIODS + self.max_quarter()
    }

    /// Full for 10 ms, then falling in a line to nothing at 60 ms.
    fn gain(&self, made: usize) -> i32 {
        let (hold, muted) = (self.samples(HOLD_MS), self.samples(MUTED_AFTER_MS));
        if made < hold {
            return UNITY;
        }
        (muted.saturating_sub(made) * UNITY as usize / (muted - hold)) as i32
    }

    /// How much of the shift at the start of a loss is left.
    fn join_weight(&self, made: usize) -> i32 {
        let length = self.samples(JOIN_MS);
        (length.saturating_sub(made) * UNITY as usize / length) as i32
    }
}

/// One, in the fixed-point numbers used here: a product with a sample and its shift stays within 32 bits.
const UNITY: i32 = 1 << 14;

const HOLD_MS: usize = 10;
const MUTED_AFTER_MS: usize = 60;
const WIDEN_EACH_MS: usize = 10;

/// 66 to 200 Hz, as in the standard; a higher voice shows at a multiple of its period.
const SHORTEST_PITCH_MS: usize = 5;
const LONGEST_PITCH_MS: usize = 15;
const MATCHED_MS: usize = 20;
const MAX_PERIODS: usize = 3;

const MIN_OVERLAP_MS: usize = 4;
const MAX_OVERLAP_MS: usize = 10;

/// By so much the overlap grows with each 10 ms of loss, as in the standard.
const LONGER_OVERLAP_MS: usize = 4;

/// The shift at the start of a loss fades over half of the shortest pitch period.
const JOIN_MS: usize = 3;

/// Decoded rates of telephony codecs.
const MIN_CLOCK_RATE: u32 = 8_000;
const MAX_CLOCK_RATE: u32 = 16_000;
const MAX_MATCHED: usize = 320;
const MAX_PITCH: usize = 240;

#[cfg(test)]
mod tests;
