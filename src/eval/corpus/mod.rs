//! The labelled set: callers made of synthetic speech and of noise, the same for the same seed. What can be said is spoken once,
//! when the set is built; each trial is put together when it is asked for.

mod conditions;
mod mix;
mod noise;
mod phrases;
mod speech;

pub use conditions::{CONDITIONS, Condition};
pub use speech::{Synthesize, Talker};

use conditions::{Around, Line, Trials};
use mix::{add, add_endless, amplify, to_pcm};
use phrases::{
    BACKCHANNELS, CHATTER, DIGITS, DOUBLED, INTERRUPTIONS, LEAD_INS, PAUSED, Phrase, SENTENCES, Tongue,
};
use speech::{CROWD, Clip, SAMPLES_PER_MS, Spoke, talkers};

use super::labels::{AgentPart, Echo, Kind, Label, Network, Span};
use super::random::Random;
use super::runner::Trial;

/// How much of the set is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// All of it.
    Full,
    /// A few trials of each kind: enough to see that something broke, too few for figures.
    Small,
}

/// What all trials are put together from.
#[derive(Debug)]
pub struct Corpus {
    seed: u64,
    items: Vec<Item>,
    crowds: Vec<Vec<f32>>,
    noises: Noises,
}

/// Noises that go on, each half a minute long.
#[derive(Debug)]
struct Noises {
    white: Vec<f32>,
    car: Vec<f32>,
    babble: Vec<f32>,
    clicks: Vec<f32>,
    music: Vec<f32>,
    ringback: Vec<f32>,
    hum: Vec<f32>,
    dtmf: Vec<f32>,
    calling_fax: Vec<f32>,
    answering_fax: Vec<f32>,
    baby: Vec<f32>,
}

/// What one caller does, whatever the condition.
#[derive(Debug)]
struct Item {
    kind: Kind,
    agent: AgentPart,
    /// Among those of its kind, so that no name changes when there are more of another.
    number: usize,
    /// `None` if the caller says nothing.
    clip: Option<Clip>,
    /// Between which gains its own is drawn, in dB.
    gains_db: (f32, f32),
}

/// One trial of the set, not yet put together.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'a> {
    condition: &'static Condition,
    item: &'a Item,
}

impl Corpus {
    /// Has everything spoken.
    ///
    /// # Errors
    /// One line that says why something could not be spoken, and what to do about it.
    pub fn build(synthesizer: &dyn Synthesize, seed: u64, size: Size) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut spoke = Spoke::default();
        for wanted in WANTED {
            for number in 0..wanted.count(size) {
                let clip = spoke.clip(synthesizer, wanted, number)?;
                let gains_db = wanted.gains_db(number);
                items.push(Item {
                    kind: wanted.kind,
                    agent: wanted.agent,
                    number,
                    clip: Some(clip),
                    gains_db,
                });
            }
        }
        let mut random = Random::named(seed, "noises");
        for number in 0..if size == Size::Full { COUGHS } else { COUGHS / 4 } {
            items.push(Item::cough(number, &mut random));
        }
        let quiet = if size == Size::Full { &QUIET_CALLS[..] } else { &QUIET_CALLS[..2] };
        for (number, agent) in quiet.iter().enumerate() {
            let gains_db = (0.0, 0.0);
            items.push(Item { kind: Kind::Nothing, agent: *agent, number, clip: None, gains_db });
        }
        let crowds = spoke.crowd(synthesizer)?;
        let noises = Noises::make(&crowds, &mut random);
        Ok(Self { seed, items, crowds, noises })
    }

    /// All trials of a condition.
    pub fn trials(&self, condition: &'static Condition) -> Vec<Planned<'_>> {
        let is_wanted = |item: &&Item| match condition.trials {
            Trials::All => true,
            Trials::Nobody => item.kind == Kind::Nothing,
        };
        self.items.iter().filter(is_wanted).map(|item| Planned { condition, item }).collect()
    }

    /// Puts a trial together.
    pub fn trial(&self, planned: Planned<'_>) -> Trial {
        let Planned { condition, item } = planned;
        let name = planned.name();
        let mut random = Random::named(self.seed, &name);
        let mut label = item.label(condition, &mut random);
        let lead_ms = item.lead_ms(&mut random);
        let samples = item.samples(lead_ms);
        let mut caller = vec![0.0; samples];
        let gain_db = random.between(item.gains_db.0, item.gains_db.1) + condition.louder_db;
        if let Some(clip) = &item.clip {
            add(&mut caller, lead_ms as usize * SAMPLES_PER_MS, &clip.samples);
            amplify(&mut caller, gain_db);
            label = label.later_by(lead_ms);
        }
        self.surround(&mut caller, condition, gain_db, &mut random);
        for sample in &mut caller {
            *sample += LINE_NOISE * random.normal();
        }
        condition.line.bend(&mut caller);
        Trial { name, label, caller: to_pcm(&caller) }
    }

    fn surround(&self, caller: &mut [f32], condition: &Condition, gain_db: f32, random: &mut Random) {
        let noises = &self.noises;
        let few;
        let noise = match condition.around {
            Around::Quiet => return,
            Around::White => &noises.white,
            Around::Car => &noises.car,
            Around::Crowd(voices) if usize::from(voices) >= self.crowds.len() => &noises.babble,
            Around::Crowd(voices) => {
                let first = random.below(self.crowds.len());
                let chosen: Vec<Vec<f32>> = (0..usize::from(voices))
                    .map(|n| self.crowds[(first + n) % self.crowds.len()].clone())
                    .collect();
                few = noise::crowd(&chosen, random, caller.len() as f32 / 8000.0);
                &few
            }
            Around::Clicks => &noises.clicks,
            Around::Music => &noises.music,
            Around::Ringback => &noises.ringback,
            Around::Hum => &noises.hum,
            Around::Dtmf => &noises.dtmf,
            Around::CallingFax => &noises.calling_fax,
            Around::AnsweringFax => &noises.answering_fax,
            Around::Baby => &noises.baby,
        };
        add_endless(caller, noise, random.below(noise.len()), gain_db - condition.below_db);
    }
}

impl Noises {
    fn make(crowds: &[Vec<f32>], random: &mut Random) -> Self {
        Self {
            white: noise::white(random, LOOP_S),
            car: noise::car(random, LOOP_S),
            babble: noise::crowd(crowds, random, LOOP_S),
            clicks: noise::clicks(random, LOOP_S),
            music: noise::music(random, LOOP_S),
            ringback: noise::ringback(LOOP_S),
            hum: noise::hum(LOOP_S),
            dtmf: noise::dtmf(random, LOOP_S),
            calling_fax: noise::calling_fax(LOOP_S),
            answering_fax: noise::answering_fax(LOOP_S),
            baby: noise::baby(random, LOOP_S),
        }
    }
}

impl Planned<'_> {
    /// The condition's name, what the caller does, and a number.
    pub fn name(&self) -> String {
        format!("{}/{}-{:03}", self.condition.name, self.item.kind.name(), self.item.number)
    }
}

impl Item {
    fn cough(number: usize, random: &mut Random) -> Self {
        // From what is hardly noticed to what is nearly a word.
        let length_ms = 120 + 20 * (number as u32 % 10);
        let samples = noise::cough(random, length_ms as f32 / 1000.0);
        let speech = vec![Span { begin_ms: 0, end_ms: length_ms }];
        let clip = Clip { samples, speech, words: Vec::new(), language: "en" };
        Self {
            kind: Kind::Noise,
            agent: AgentPart::Talks,
            number,
            clip: Some(clip),
            gains_db: (-GAIN_DB, GAIN_DB),
        }
    }

    fn label(&self, condition: &Condition, random: &mut Random) -> Label {
        let clip = self.clip.as_ref();
        let echo_delay_ms = random.between(60.0, 300.0) as u32;
        let (mut network, mut echo) = (None, None);
        match condition.line {
            Line::Lossy => network = Some(Network { loss: 0.03, jitter_ms: 30 }),
            Line::Echo(below_db) => echo = Some(Echo { below_db, delay_ms: echo_delay_ms }),
            Line::Plain | Line::Clipped | Line::Shifted => {}
        }
        Label {
            condition: condition.name.to_owned(),
            kind: self.kind,
            agent: self.agent,
            language: clip.map_or("en", |clip| clip.language).to_owned(),
            speech: clip.map_or(Vec::new(), |clip| clip.speech.clone()),
            word: clip.map_or(Vec::new(), |clip| clip.words.clone()),
            network,
            echo,
        }
    }

    /// When the caller begins: over the agent after the room was heard for a while or almost at once, in answer to a question soon
    /// after it.
    fn lead_ms(&self, random: &mut Random) -> u32 {
        if self.kind == Kind::EarlyInterruption {
            return AGENT_BEGINS_MS + random.between(300.0, 1500.0) as u32;
        }
        match self.agent {
            AgentPart::Talks => random.between(5500.0, 7500.0) as u32,
            AgentPart::Asks | AgentPart::Listens => random.between(1800.0, 3000.0) as u32,
        }
    }

    fn samples(&self, lead_ms: u32) -> usize {
        let Some(clip) = &self.clip else {
            return NOBODY_S * 8000;
        };
        let tail_s = if self.kind.is_answer() { ANSWER_TAIL_S } else { TALK_TAIL_S };
        let samples = lead_ms as usize * SAMPLES_PER_MS + clip.samples.len() + tail_s * 8000;
        samples - samples % 160
    }
}

impl Line {
    fn bend(self, caller: &mut [f32]) {
        match self {
            Self::Plain | Self::Lossy | Self::Echo(_) => {}
            Self::Clipped => {
                amplify(caller, CLIP_DB);
                caller.iter_mut().for_each(|sample| *sample = sample.clamp(-32_768.0, 32_767.0));
            }
            Self::Shifted => caller.iter_mut().for_each(|sample| *sample += DC_SHIFT),
        }
    }
}

/// So many clips of a kind.
#[derive(Debug)]
struct Wanted {
    kind: Kind,
    agent: AgentPart,
    phrases: &'static [Phrase],
    /// How often each phrase is said: by another talker each time, until all have said it.
    times: usize,
    /// Lengths of the pauses within, one after the other.
    pauses_ms: &'static [u32],
}

impl Wanted {
    fn count(&self, size: Size) -> usize {
        let full = self.phrases.len() * self.times * self.pauses_ms.len();
        match size {
            Size::Full => full,
            Size::Small => full.div_ceil(8).max(self.pauses_ms.len()),
        }
    }

    /// Between which gains a clip's is drawn: each time that a phrase is said has its own part of what there is, so that what comes
    /// out does not depend on how many soft callers a seed happens to have.
    fn gains_db(&self, number: usize) -> (f32, f32) {
        let nth = number / self.pauses_ms.len();
        let (place, round) = (nth % self.phrases.len(), nth / self.phrases.len());
        // Another one for each phrase, so that the first round is not the soft one, nor one talker softer than another.
        let part = (round + 3 * place) % self.times;
        let part_db = 2.0 * GAIN_DB / self.times as f32;
        let low_db = -GAIN_DB + part_db * part as f32;
        (low_db, low_db + part_db)
    }

    /// What is said in a clip, by whom, with pauses of how many milliseconds.
    fn choose(&self, number: usize) -> (&'static Phrase, &'static Talker, u32) {
        let pause_ms = self.pauses_ms[number % self.pauses_ms.len()];
        let nth = number / self.pauses_ms.len();
        let (place, round) = (nth % self.phrases.len(), nth / self.phrases.len());
        let phrase = &self.phrases[place];
        let talkers = talkers(phrase.tongue);
        // Each round has the next talker, whatever the number of phrases.
        (phrase, &talkers[(place + round) % talkers.len()], pause_ms)
    }
}

impl Spoke {
    fn clip(&mut self, synthesizer: &dyn Synthesize, wanted: &Wanted, number: usize) -> Result<Clip, String> {
        let (phrase, talker, pause_ms) = wanted.choose(number);
        Ok(self.phrase(synthesizer, talker, phrase)?.with_pauses(pause_ms))
    }

    /// What each of those says who are only heard in the background.
    fn crowd(&mut self, synthesizer: &dyn Synthesize) -> Result<Vec<Vec<f32>>, String> {
        let mut voices = Vec::new();
        for (n, talker) in CROWD.iter().enumerate() {
            let is_hindi = talker.voice.starts_with("hi");
            let fits = |phrase: &&Phrase| (phrase.tongue == Tongue::Hindi) == is_hindi;
            let fitting: Vec<&Phrase> = CHATTER.iter().filter(fits).collect();
            let phrase = fitting[n / 2 % fitting.len()];
            voices.push(self.phrase(synthesizer, talker, phrase)?.with_pauses(0).samples);
        }
        Ok(voices)
    }
}

const WANTED: &[Wanted] = &[
    wanted(Kind::Sentence, AgentPart::Asks, SENTENCES, 2, &[0]),
    wanted(Kind::Pause, AgentPart::Asks, PAUSED, 1, &[200, 300, 500, 700, 1000]),
    wanted(Kind::LeadIn, AgentPart::Asks, LEAD_INS, 1, &[500, 700, 1000, 1300]),
    wanted(Kind::Digits, AgentPart::Asks, DIGITS, 1, &[300, 500, 700]),
    wanted(Kind::Interruption, AgentPart::Talks, INTERRUPTIONS, 8, &[0]),
    wanted(Kind::Backchannel, AgentPart::Talks, BACKCHANNELS, 6, &[0]),
    // One backchannel in five. How many real listeners say twice is not known; more of them here is a worse figure there.
    wanted(Kind::DoubledBackchannel, AgentPart::Talks, DOUBLED, 2, &[0]),
    wanted(Kind::EarlyInterruption, AgentPart::Talks, INTERRUPTIONS, 4, &[0]),
];

const fn wanted(
    kind: Kind,
    agent: AgentPart,
    phrases: &'static [Phrase],
    times: usize,
    pauses_ms: &'static [u32],
) -> Wanted {
    Wanted { kind, agent, phrases, times, pauses_ms }
}

/// Coughs and bumps over the agent.
const COUGHS: usize = 40;
/// Calls in which nobody says anything.
const QUIET_CALLS: [AgentPart; 8] = [
    AgentPart::Talks,
    AgentPart::Asks,
    AgentPart::Talks,
    AgentPart::Asks,
    AgentPart::Talks,
    AgentPart::Asks,
    AgentPart::Talks,
    AgentPart::Asks,
];
/// From a caller's first sample to the first sound of an agent who talks.
pub(super) const AGENT_BEGINS_MS: u32 = 40;
/// Four minutes of each: a rate of less is not worth a figure.
const NOBODY_S: usize = 60;
/// Longer than any agent waits for the end of a turn.
const ANSWER_TAIL_S: usize = 10;
const TALK_TAIL_S: usize = 3;
const LOOP_S: f32 = 30.0;
/// Callers are so much louder or softer than the usual.
const GAIN_DB: f32 = 4.0;
/// -70 dBFS.
const LINE_NOISE: f32 = 10.0;
const CLIP_DB: f32 = 24.0;
/// A sixteenth of full scale.
const DC_SHIFT: f32 = 2048.0;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn who_talks_over_the_agent_says_each_phrase_in_all_voices_and_what_is_said_twice_in_two() {
        for wanted in WANTED.iter().filter(|wanted| wanted.agent == AgentPart::Talks) {
            let voices = if wanted.kind == Kind::DoubledBackchannel { 2 } else { 4 };
            let said: BTreeSet<_> = (0..wanted.count(Size::Full))
                .map(|number| wanted.choose(number))
                .map(|(phrase, talker, _)| (phrase.spoken, phrase.written, talker))
                .collect();
            assert_eq!(said.len(), voices * wanted.phrases.len(), "{:?}", wanted.kind);
        }
    }

    #[test]
    fn each_phrase_is_said_at_all_levels() {
        let wanted = WANTED.iter().find(|wanted| wanted.kind == Kind::Interruption).unwrap();
        let parts = |numbers: &mut dyn Iterator<Item = usize>| -> Vec<f32> {
            let mut lows: Vec<f32> = numbers.map(|number| wanted.gains_db(number).0).collect();
            lows.sort_by(f32::total_cmp);
            lows.dedup();
            lows
        };
        let all: Vec<f32> = (0..8u8).map(|part| -GAIN_DB + f32::from(part)).collect();
        let count = wanted.phrases.len();
        assert_eq!(parts(&mut (0..8).map(|round| 7 + round * count)), all, "one phrase");
        assert_eq!(parts(&mut (0..count)), all, "the first round");
        let whole = WANTED.iter().find(|wanted| wanted.times == 1).unwrap();
        assert_eq!(whole.gains_db(0), (-GAIN_DB, GAIN_DB));
    }
}
