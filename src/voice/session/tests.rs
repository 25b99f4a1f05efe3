//! A caller, a mind and a clock around one voice, tick by tick.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f32::consts::TAU;

use super::super::vad::WebRtc;
use super::*;

/// Loud is speech: what a detector hears is its own test's business.
#[derive(Debug)]
struct Loud;

impl SpeechDetector for Loud {
    fn is_speech(&mut self, frame: &[i16; FRAME_SAMPLES]) -> bool {
        level::dbfs(frame) > -45.0
    }

    fn reset(&mut self) {}
}

struct Bench {
    voice: Voice,
    start: Instant,
    ticks: u32,
    /// What the mind still has to say, and up to where it may.
    unsaid: VecDeque<(UtteranceId, Vec<i16>)>,
    sent: u64,
    limit: u64,
    events: Vec<(u32, VoiceEvent)>,
    notes: Vec<Dialogue>,
    heard: Vec<i16>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Box::new(Loud))
    }

    fn with(detector: Box<dyn SpeechDetector>) -> Self {
        let start = Instant::now();
        let voice = Voice::new(VoiceConfig { detector, patience: Patience::default() }, start);
        Self {
            voice,
            start,
            ticks: 0,
            unsaid: VecDeque::new(),
            sent: 0,
            limit: 0,
            events: Vec::new(),
            notes: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn now(&self) -> Instant {
        self.start + FRAME * self.ticks
    }

    /// The mind wants this said; it is a ramp, so that every sample says where it is from.
    fn say(&mut self, utterance: u64, samples: usize) {
        self.say_this(utterance, (0..samples).map(|n| 2000 + (n % 8000) as i16).collect());
    }

    fn say_this(&mut self, utterance: u64, samples: Vec<i16>) {
        self.unsaid.push_back((UtteranceId(utterance), samples));
        self.mind();
    }

    /// As minds do: sends what the credit allows.
    fn mind(&mut self) {
        while let Some(event) = self.voice.poll_event() {
            match event {
                VoiceEvent::Credit { samples } => self.limit = samples,
                VoiceEvent::Interrupted { .. } => self.unsaid.clear(),
                _ => {}
            }
            self.events.push((self.ticks, event));
        }
        while let Some((utterance, samples)) = self.unsaid.front_mut() {
            let utterance = *utterance;
            let count = samples.len().min(usize::try_from(self.limit - self.sent).unwrap());
            if count > 0 {
                self.sent += count as u64;
                let samples = samples.drain(..count).collect();
                let now = self.start + FRAME * self.ticks;
                self.voice.handle_command(now, MindCommand::Speak { utterance, samples });
            }
            if !self.unsaid.front().unwrap().1.is_empty() {
                break;
            }
            self.unsaid.pop_front();
            self.voice.handle_command(self.now(), MindCommand::Finish { utterance });
        }
    }

    fn tick(&mut self, caller: &[i16]) -> [i16; FRAME_SAMPLES] {
        self.ticks += 1;
        let mut frame = Frame::default();
        frame.samples.extend(caller.iter().copied());
        let now = self.now();
        if !caller.is_empty() {
            self.voice.hear(now, &frame);
        }
        let mut samples = [0; FRAME_SAMPLES];
        self.voice.speak(now, &mut samples);
        self.heard.extend(samples);
        self.notes.extend(std::iter::from_fn(|| self.voice.poll_note()));
        self.mind();
        samples
    }

    fn run(&mut self, ticks: u32, caller: i16) {
        for _ in 0..ticks {
            self.tick(&[caller; FRAME_SAMPLES]);
        }
    }

    fn ticks_of(&self, wanted: impl Fn(&VoiceEvent) -> bool) -> Vec<u32> {
        self.events.iter().filter(|(_, event)| wanted(event)).map(|(tick, _)| *tick).collect()
    }
}

const QUIET: i16 = 0;
const SPEECH: i16 = 8000;

#[test]
fn an_utterance_of_a_minute_delivered_at_once_is_heard_whole_and_never_overruns() {
    let mut bench = Bench::new();
    bench.say(1, 60 * 8000);
    let mut most = 0;
    for _ in 0..60 * 50 + 5 {
        bench.tick(&[QUIET; FRAME_SAMPLES]);
        most = most.max(bench.voice.mixer.queued());
        assert!(bench.sent <= bench.limit);
    }
    assert!(most <= 3200, "{most}");
    assert_eq!(bench.heard.iter().filter(|&&sample| sample != 0).count(), 60 * 8000);
    assert!(
        bench
            .heard
            .windows(2)
            .all(|pair| pair[0] == 0 || pair[1] == 0 || pair[1] - pair[0] == 1 || pair[1] == 2000)
    );
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. })).len(), 1);
    let credits = bench.ticks_of(|event| matches!(event, VoiceEvent::Credit { .. })).len();
    assert!((500..=605).contains(&credits), "{credits} messages in a minute");
    assert!(!bench.notes.iter().any(|note| matches!(note, Dialogue::DrySlots { .. })), "{:?}", bench.notes);
}

#[test]
fn speech_turns_the_agent_down_and_then_stops_it_within_the_tick() {
    let mut bench = Bench::new();
    bench.say_this(7, vec![4000; 80_000]);
    bench.run(50, QUIET);
    let before = bench.heard.len();
    let level = |frame: &[i16]| frame.iter().map(|&sample| f32::from(sample).abs()).sum::<f32>();
    let expected = level(&bench.heard[before - 160..]);
    let frames: Vec<f32> = (0..14).map(|_| level(&bench.tick(&[SPEECH; FRAME_SAMPLES]))).collect();
    assert!(frames[0] > expected * 0.99, "one frame is a click");
    assert!(frames[1] < expected * 0.8, "the second one turns it down in the same tick");
    assert!((frames[3] / expected - 0.25).abs() < 0.03, "{frames:?}");
    assert!(frames[8] > 0.0 && frames[10] == 0.0, "stopped at the tenth: {frames:?}");
    let (tick, heard) = bench
        .events
        .iter()
        .find_map(|(tick, event)| match event {
            VoiceEvent::Interrupted { utterance: UtteranceId(7), heard, by: Interruption::Speech } => {
                Some((*tick, *heard))
            }
            _ => None,
        })
        .unwrap();
    assert_eq!(tick, 60);
    // 59 whole frames and the 5 ms in which the 60th faded out.
    assert_eq!(heard, FRAME * 59 + Duration::from_millis(5));
    // The caller goes on; the turn ends 700 ms after the last word was found to be over.
    bench.run(11, SPEECH);
    bench.run(60, QUIET);
    let ended = bench.ticks_of(|event| matches!(event, VoiceEvent::SpeechEnded { .. }));
    let committed = bench.ticks_of(|event| matches!(event, VoiceEvent::TurnCommitted { .. }));
    assert_eq!((ended.len(), committed.len()), (1, 1), "{:?}", bench.events);
    assert_eq!(committed[0] - ended[0], 35);
}

#[test]
fn a_key_stops_the_agent_at_once_and_is_told_after_that() {
    let mut bench = Bench::new();
    bench.say(1, 80_000);
    bench.run(10, QUIET);
    let now = bench.now();
    bench.voice.handle_digit(now, Digit::from_char('5').unwrap());
    let last = bench.tick(&[QUIET; FRAME_SAMPLES]);
    assert!(last[0] != 0 && last[40..].iter().all(|&sample| sample == 0));
    let told: Vec<&VoiceEvent> = bench.events.iter().map(|(_, event)| event).collect();
    let interrupted = told.iter().position(|event| matches!(event, VoiceEvent::Interrupted { .. })).unwrap();
    let digit = told.iter().position(|event| matches!(event, VoiceEvent::Digit(_))).unwrap();
    assert!(interrupted < digit);
    // The mind may speak again at once.
    bench.say(2, 1600);
    bench.run(12, QUIET);
    assert!(
        bench.ticks_of(|event| matches!(event, VoiceEvent::Played { utterance: UtteranceId(2) })).len() == 1
    );
}

#[test]
fn a_cough_is_forgiven_and_nothing_is_skipped_or_said_twice() {
    let mut bench = Bench::new();
    bench.say(1, 16_000);
    bench.run(20, QUIET);
    bench.run(3, SPEECH);
    bench.run(100, QUIET);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })), [] as [u32; 0]);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Played { .. })).len(), 1);
    // 2 s are heard in 2 s; after the alarm the ramp goes on where it would have been.
    let place = 160 * 50;
    assert_eq!(bench.heard[place], 2000 + (place % 8000) as i16);
}

#[test]
fn what_may_not_be_interrupted_is_not() {
    let mut bench = Bench::new();
    let now = bench.now();
    bench.voice.handle_command(now, MindCommand::AllowInterruption { speech: false, digits: false });
    bench.say(1, 16_000);
    bench.run(10, QUIET);
    bench.run(50, SPEECH);
    let now = bench.now();
    bench.voice.handle_digit(now, Digit::from_char('1').unwrap());
    bench.run(60, QUIET);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })), [] as [u32; 0]);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Digit(_))).len(), 1);
}

#[test]
fn a_room_full_of_voices_does_not_interrupt() {
    let mut bench = Bench::new();
    // Babble that the detector takes for speech: after a moment it is the room.
    bench.run(200, 900);
    bench.say(1, 80_000);
    bench.run(200, 900);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })), [] as [u32; 0]);
    bench.run(20, SPEECH);
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::Interrupted { .. })).len(), 1);
}

#[test]
fn dry_slots_are_counted_by_who_was_late() {
    let mut bench = Bench::new();
    let now = bench.now();
    bench
        .voice
        .handle_command(now, MindCommand::Speak { utterance: UtteranceId(1), samples: vec![5000; 320] });
    bench.run(7, QUIET);
    let now = bench.now();
    bench
        .voice
        .handle_command(now, MindCommand::Speak { utterance: UtteranceId(1), samples: vec![5000; 160] });
    bench.voice.handle_command(now, MindCommand::Finish { utterance: UtteranceId(1) });
    bench.run(3, QUIET);
    let dry: Vec<&Dialogue> =
        bench.notes.iter().filter(|note| matches!(note, Dialogue::DrySlots { .. })).collect();
    assert_eq!(dry, [&Dialogue::DrySlots { cause: "mind".to_owned(), count: 5 }]);
}

#[test]
fn it_hangs_up_when_the_last_word_is_heard_or_after_a_minute() {
    let mut bench = Bench::new();
    bench.say(1, 8000);
    let now = bench.now();
    bench.voice.handle_command(now, MindCommand::HangUp);
    for _ in 0..49 {
        bench.tick(&[QUIET; FRAME_SAMPLES]);
        assert_eq!(bench.voice.poll_wish(bench.now()), None);
    }
    bench.run(1, QUIET);
    assert_eq!(bench.voice.poll_wish(bench.now()), Some(VoiceWish::HangUp));
    // A mind that never finishes what it began does not keep the call.
    let mut bench = Bench::new();
    let now = bench.now();
    bench.voice.handle_command(now, MindCommand::Speak { utterance: UtteranceId(1), samples: vec![1; 160] });
    bench.voice.handle_command(now, MindCommand::HangUp);
    bench.run(2999, QUIET);
    assert_eq!(bench.voice.poll_wish(bench.now()), None);
    bench.run(1, QUIET);
    assert_eq!(bench.voice.poll_wish(bench.now()), Some(VoiceWish::HangUp));
}

#[test]
fn a_peer_that_sends_nothing_is_silent() {
    let mut bench = Bench::new();
    bench.run(30, SPEECH);
    for _ in 0..80 {
        bench.tick(&[]);
    }
    assert_eq!(bench.ticks_of(|event| matches!(event, VoiceEvent::TurnCommitted { .. })).len(), 1);
}

#[test]
fn the_real_detector_hears_a_voice_and_no_noise() {
    let mut bench = Bench::with(Box::new(WebRtc::new()));
    bench.run(50, QUIET);
    let mut phase = 0_usize;
    for _ in 0..60 {
        let frame: Vec<i16> = (0..FRAME_SAMPLES)
            .map(|_| {
                phase += 1;
                voiced(phase)
            })
            .collect();
        bench.tick(&frame);
    }
    bench.run(80, QUIET);
    let count =
        |bench: &Bench| bench.ticks_of(|event| matches!(event, VoiceEvent::TurnCommitted { .. })).len();
    assert_eq!(count(&bench), 1, "{:?}", bench.events);
    let mut seeds = crate::seed::Seeds::new([3, 4]);
    let mut bench = Bench::with(Box::new(WebRtc::new()));
    for _ in 0..300 {
        let noise: Vec<i16> = (0..FRAME_SAMPLES).map(|_| (seeds.next_u64() % 400) as i16 - 200).collect();
        bench.tick(&noise);
    }
    assert_eq!(count(&bench), 0);
}

/// A vowel: a voice of 140 Hz through three formants, as loud as a telephone voice, with syllables of 250 ms.
fn voiced(n: usize) -> i16 {
    let time = n as f32 / 8000.0;
    let syllable = 0.6 + 0.4 * (TAU * 4.0 * time).sin();
    let sum: f32 = (1..25)
        .map(|harmonic| {
            let hz = 140.0 * harmonic as f32;
            let formant = |centre: f32, width: f32| 1.0 / (1.0 + ((hz - centre) / width).powi(2));
            let weight = formant(700.0, 120.0) + 0.6 * formant(1200.0, 150.0) + 0.3 * formant(2500.0, 200.0);
            weight * (TAU * hz * time).sin()
        })
        .sum();
    (sum * 4000.0 * syllable).clamp(-30_000.0, 30_000.0) as i16
}

#[test]
fn no_order_of_events_breaks_it() {
    let mut seeds = crate::seed::Seeds::new([5, 6]);
    let mut bench = Bench::new();
    let mut utterance = 1;
    let mut heard = (0, 0);
    for _ in 0..100_000 {
        let now = bench.now();
        match seeds.next_u64() % 24 {
            0 => {
                utterance += 1;
                bench.say(utterance, usize::try_from(seeds.next_u64() % 20_000).unwrap());
            }
            1 => bench.voice.handle_digit(now, Digit::from_char('1').unwrap()),
            2 => bench.voice.handle_command(now, MindCommand::Stop),
            3 => bench.voice.handle_command(now, MindCommand::Think),
            4 => bench.voice.handle_command(now, MindCommand::Listen),
            5 => {
                let may = seeds.next_u64().is_multiple_of(2);
                bench.voice.handle_command(now, MindCommand::AllowInterruption { speech: may, digits: !may });
            }
            6 => bench.voice.handle_missed(3),
            7 => bench.run(u32::try_from(seeds.next_u64() % 30).unwrap(), SPEECH),
            8 => {
                let stale = UtteranceId(utterance.saturating_sub(3));
                bench
                    .voice
                    .handle_command(now, MindCommand::Speak { utterance: stale, samples: vec![1; 100] });
                bench.sent += 100;
                bench.limit = bench.limit.max(bench.sent);
            }
            _ => {
                bench.tick(&[QUIET; FRAME_SAMPLES]);
            }
        }
        if let Some(cursor) = bench.voice.mixer.cursor() {
            let now = (cursor.utterance.0, cursor.samples_heard);
            assert!(now >= heard, "{now:?} after {heard:?}");
            heard = now;
        }
        assert!(bench.voice.open.len() <= MAX_OPEN && bench.voice.mixer.queued() <= 3200);
        bench.heard.clear();
        bench.events.clear();
        bench.notes.clear();
    }
    assert_eq!(bench.voice.outbox.dropped(), 0, "a mind that listens loses nothing");
}
