//! What the outbox hands out, and when.

use super::*;

fn utterance(parts: &[(&str, usize)]) -> Utterance {
    let parts = parts.iter().map(|(text, samples)| match *text {
        "" => Part { text: String::new(), sound: Sound::Silence(*samples) },
        text => Part::clip(text, (1..=*samples as i16).collect::<Vec<_>>().into()),
    });
    Utterance { language: Language::Hi, yields_to: YieldsTo::ANYTHING, parts: parts.collect() }
}

fn drain(outbox: &mut Outbox) -> (Vec<i16>, Vec<&'static str>) {
    let (mut samples, mut kinds) = (Vec::new(), Vec::new());
    while let Some(command) = outbox.poll() {
        kinds.push(match command {
            MindCommand::Speak { samples: chunk, .. } => {
                assert!(!chunk.is_empty() && chunk.len() <= CHUNK_SAMPLES);
                samples.extend(chunk);
                "speak"
            }
            MindCommand::Finish { .. } => "finish",
            MindCommand::Note(Dialogue::Said { .. }) => "said",
            MindCommand::Note(Dialogue::SaidOn { .. }) => "said on",
            other => panic!("{other:?}"),
        });
    }
    (samples, kinds)
}

#[test]
fn nothing_is_sent_beyond_the_credit_and_nothing_is_lost() {
    let mut outbox = Outbox::default();
    outbox.say(utterance(&[("namaste", 1_000), ("", 500), ("ji", 300)])).unwrap();
    assert_eq!(drain(&mut outbox), (vec![], vec![]));
    let mut heard = Vec::new();
    for granted in (0..=1_800).step_by(90) {
        outbox.grant(granted);
        heard.extend(drain(&mut outbox).0);
        assert_eq!(heard.len() as u64, granted);
    }
    let expected: Vec<i16> = (1..=1_000).chain(std::iter::repeat_n(0, 500)).chain(1..=300).collect();
    assert_eq!(heard, expected);
    assert!(outbox.is_empty());
}

#[test]
fn an_utterance_is_announced_sent_and_finished() {
    let mut outbox = Outbox::default();
    outbox.grant(10_000);
    outbox.say(utterance(&[("a", 1_700)])).unwrap();
    outbox.say(utterance(&[])).unwrap();
    let (samples, kinds) = drain(&mut outbox);
    assert_eq!(kinds, ["said", "speak", "speak", "speak", "finish", "speak", "finish"]);
    assert_eq!(samples.len(), 1_700 + LEAST_SAMPLES);
}

#[test]
fn what_is_heard_is_known_by_what_is_granted() {
    let mut outbox = Outbox::default();
    assert_eq!(outbox.playing(), None);
    let first = outbox.say(utterance(&[("one", 4_000)])).unwrap();
    let second = outbox.say(utterance(&[("two", 4_000)])).unwrap();
    let heard = |outbox: &Outbox| outbox.playing().map(|(id, heard)| (id, heard.as_millis()));
    // Voice begins with room for 400 ms, and makes more when half of it is heard.
    for (granted, id, heard_ms) in [
        (3_200, first, 200),
        (4_800, first, 400),
        (6_400, second, 100),
        (8_000, second, 300),
        (11_200, second, 500),
    ] {
        outbox.grant(granted);
        drain(&mut outbox);
        assert_eq!(heard(&outbox), Some((id, heard_ms)), "{granted}");
        assert_eq!(outbox.has_begun(second), granted > 4_000, "{granted}");
    }
}

#[test]
fn a_flush_drops_what_waits_and_remembers_what_was_heard() {
    let mut outbox = Outbox::default();
    outbox.grant(800);
    let first = outbox.say(utterance(&[("aapka order", 800), ("ABC123", 800)])).unwrap();
    outbox.say(utterance(&[("later", 800)])).unwrap();
    drain(&mut outbox);
    outbox.flush();
    assert_eq!(drain(&mut outbox), (vec![], vec![]));
    assert_eq!(outbox.counters().flushed, 2);
    assert_eq!(outbox.heard(first, Duration::from_millis(100)).unwrap(), "aapka order");
    assert_eq!(outbox.heard(first, Duration::from_millis(101)).unwrap(), "aapka order ABC123");
    assert_eq!(outbox.heard(first, Duration::ZERO).unwrap(), "");
    let next = outbox.say(utterance(&[("new", 10)])).unwrap();
    assert!(next > first);
}

#[test]
fn a_flush_keeps_what_is_to_be_heard_in_any_case() {
    let mut outbox = Outbox::default();
    outbox.grant(100);
    outbox.say(utterance(&[("one moment", 800)])).unwrap();
    let kept = outbox.say(utterance(&[("notice", 300)])).unwrap();
    drain(&mut outbox);
    outbox.flush_before(kept);
    outbox.grant(10_000);
    assert_eq!(drain(&mut outbox), ((1..=300).collect(), vec!["said", "speak", "finish"]));
    assert_eq!(outbox.counters().flushed, 1);
    outbox.flush_before(kept);
    assert!(outbox.is_empty());
}

#[test]
fn an_utterance_may_begin_before_it_is_complete() {
    let mut outbox = Outbox::default();
    outbox.grant(10_000);
    let open = outbox.open(Language::En, YieldsTo::ANYTHING).unwrap();
    outbox.say(utterance(&[("later", 100)])).unwrap();
    assert_eq!(drain(&mut outbox), (vec![], vec![]));
    let coded = |text: &str, bytes: &[u8]| Part {
        text: text.to_owned(),
        sound: Sound::Coded(Encoding::Mulaw, bytes.into()),
    };
    assert!(outbox.append(open, coded("one", &[0xff, 0x7f, 0x80])));
    assert_eq!(drain(&mut outbox), (vec![0, -1, 32_124], vec!["said", "speak"]));
    assert!(outbox.append(open, coded("", &[0xff])) && outbox.append(open, coded("two", &[0xff])));
    assert_eq!(drain(&mut outbox), (vec![0, 0], vec!["said on", "speak"]));
    outbox.close(open);
    assert!(!outbox.append(open, coded("too late", &[0xff])));
    assert_eq!(drain(&mut outbox).1, ["finish", "said", "speak", "finish"]);
    assert!(!outbox.append(open, coded("gone", &[0xff])) && !outbox.has(open));
}

#[test]
fn what_is_shortened_dies_away_without_a_click() {
    let mut outbox = Outbox::default();
    let steady = |samples| Utterance {
        language: Language::Hi,
        yields_to: YieldsTo::ANYTHING,
        parts: vec![Part::clip("filler", vec![8_000; samples].into())],
    };
    outbox.grant(1_000);
    let [begun, unsaid] = [outbox.say(steady(4_000)).unwrap(), outbox.say(steady(4_000)).unwrap()];
    assert_eq!(drain(&mut outbox).0, [8_000; 1_000]);
    outbox.shorten(begun);
    outbox.shorten(unsaid);
    outbox.grant(1_030);
    let mut end = drain(&mut outbox).0;
    outbox.grant(9_000);
    end.extend(drain(&mut outbox).0);
    assert_eq!((end.len(), end.last()), (FADE_SAMPLES, Some(&0)));
    assert!(end.windows(2).all(|two| (0..=200).contains(&(two[0] - two[1]))), "{end:?}");
    assert!(outbox.is_empty());
}

#[test]
fn an_utterance_that_never_ends_is_cut() {
    let mut outbox = Outbox::default();
    let open = outbox.open(Language::En, YieldsTo::ANYTHING).unwrap();
    for _ in 0..70 {
        outbox.append(open, Part::silence(Duration::from_secs(1)));
    }
    assert_eq!(outbox.counters().cut_samples, 80_000);
    assert_eq!(outbox.waiting_samples(), 480_000);
}

#[test]
fn utterances_are_bounded_in_length_and_number() {
    let mut outbox = Outbox::default();
    outbox.say(utterance(&[("", 61 * 8_000)])).unwrap();
    assert_eq!(outbox.counters().cut_samples, 8_000);
    for _ in 1..MAX_WAITING {
        outbox.say(utterance(&[("a", 10)])).unwrap();
    }
    assert_eq!(outbox.say(utterance(&[("a", 10)])), None);
    assert_eq!(outbox.counters().refused, 1);
    outbox.grant(u64::MAX);
    assert_eq!(drain(&mut outbox).0.len(), 60 * 8_000 + 10 * (MAX_WAITING - 1));
}
