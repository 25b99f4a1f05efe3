//! What is pushed is pulled once; who is flushed stays silent; the cursor knows the sample.

use super::*;

const FIRST: UtteranceId = UtteranceId(1);
const SECOND: UtteranceId = UtteranceId(2);

fn pull(ring: &mut PlayoutRing) -> ([i16; FRAME_SAMPLES], Pulled) {
    let mut frame = [i16::MAX; FRAME_SAMPLES];
    let pulled = ring.pull(&mut frame);
    assert!(frame[pulled.samples_filled..].iter().all(|sample| *sample == 0), "what is missing is silence");
    (frame, pulled)
}

fn counting(from: i16, count: i16) -> Vec<i16> {
    (from..from + count).collect()
}

#[test]
fn samples_come_out_once_and_in_order_however_they_are_pushed() {
    let mut ring = PlayoutRing::new(8_000);
    let (mut pushed, mut heard) = (0, Vec::<i16>::new());
    for step in 0..200 {
        let samples = counting(pushed, 1 + (step * 37) % 230);
        pushed += ring.push(FIRST, &samples) as i16;
        let (frame, pulled) = pull(&mut ring);
        heard.extend(&frame[..pulled.samples_filled]);
    }
    assert_eq!(heard[..], counting(0, heard.len() as i16)[..]);
    assert_eq!(heard.len() + ring.queued(), pushed as usize);
}

#[test]
fn credit_bounds_what_is_accepted() {
    let mut ring = PlayoutRing::new(8_000);
    assert_eq!(ring.credit(), 3_200);
    assert_eq!(ring.push(FIRST, &[1; 3_000]), 3_000);
    assert_eq!(ring.push(FIRST, &[2; 3_000]), 200);
    assert_eq!((ring.credit(), ring.counters().refused_samples), (0, 2_800));
    pull(&mut ring);
    assert_eq!(ring.credit(), FRAME_SAMPLES);
}

#[test]
fn the_cursor_follows_the_utterance_to_the_sample() {
    let mut ring = PlayoutRing::new(8_000);
    assert_eq!(ring.cursor(), None);
    ring.push(FIRST, &[1; 200]);
    ring.finish(FIRST);
    ring.push(SECOND, &[2; 300]);
    pull(&mut ring);
    assert_eq!(ring.cursor(), Some(Cursor { utterance: FIRST, samples_heard: 160 }));
    let (frame, pulled) = pull(&mut ring);
    assert_eq!((frame[39], frame[40]), (1, 2));
    assert_eq!((pulled.samples_filled, pulled.finished, pulled.is_dry), (160, Some(FIRST), false));
    assert_eq!(ring.cursor(), Some(Cursor { utterance: SECOND, samples_heard: 120 }));
}

#[test]
fn an_end_that_is_told_late_is_reported_at_the_next_pull() {
    let mut ring = PlayoutRing::new(8_000);
    ring.push(FIRST, &[1; 160]);
    assert_eq!(pull(&mut ring).1.finished, None);
    ring.finish(FIRST);
    let (_, pulled) = pull(&mut ring);
    assert_eq!((pulled.finished, pulled.is_dry), (Some(FIRST), false));
    assert_eq!(ring.cursor(), Some(Cursor { utterance: FIRST, samples_heard: 160 }));
    assert_eq!(pull(&mut ring).1, Pulled::default());
}

#[test]
fn each_of_several_short_utterances_is_reported() {
    let mut ring = PlayoutRing::new(8_000);
    for number in 1..=3 {
        ring.push(UtteranceId(number), &[1; 10]);
        ring.finish(UtteranceId(number));
    }
    let finished: Vec<u64> = (0..4).filter_map(|_| pull(&mut ring).1.finished).map(|id| id.0).collect();
    assert_eq!(finished, [1, 2, 3]);
}

#[test]
fn a_dry_slot_counts_only_while_an_utterance_is_open() {
    let mut ring = PlayoutRing::new(8_000);
    assert!(!pull(&mut ring).1.is_dry);
    ring.push(FIRST, &[1; 100]);
    let (_, pulled) = pull(&mut ring);
    assert_eq!((pulled.samples_filled, pulled.is_dry), (100, true));
    assert!(pull(&mut ring).1.is_dry);
    ring.finish(FIRST);
    assert!(!pull(&mut ring).1.is_dry);
    assert_eq!(ring.counters().dry_slots, 2);
}

#[test]
fn a_flush_says_what_was_heard_and_refuses_what_comes_late() {
    let mut ring = PlayoutRing::new(8_000);
    ring.push(FIRST, &[1; 400]);
    ring.push(SECOND, &[2; 400]);
    pull(&mut ring);
    assert_eq!(ring.flush(), Some(Cursor { utterance: FIRST, samples_heard: 160 }));
    assert_eq!((ring.queued(), pull(&mut ring).1), (0, Pulled::default()));
    assert_eq!((ring.push(FIRST, &[1; 50]), ring.push(SECOND, &[2; 50])), (0, 0));
    assert_eq!(ring.counters().stale_samples, 100);
    assert_eq!(ring.push(UtteranceId(3), &[3; 50]), 50);
    assert_eq!(ring.flush(), Some(Cursor { utterance: UtteranceId(3), samples_heard: 0 }));
    assert_eq!(ring.flush(), None);
}

#[test]
fn a_flush_between_utterances_interrupts_none() {
    let mut ring = PlayoutRing::new(8_000);
    assert_eq!(ring.flush(), None);
    ring.push(FIRST, &[1; 100]);
    ring.finish(FIRST);
    pull(&mut ring);
    assert_eq!(ring.flush(), None);
}

#[test]
fn an_utterance_that_is_over_takes_no_more() {
    let mut ring = PlayoutRing::new(8_000);
    ring.push(FIRST, &[1; 10]);
    ring.finish(FIRST);
    assert_eq!(ring.push(FIRST, &[1; 10]), 0);
    ring.push(SECOND, &[2; 10]);
    ring.push(UtteranceId(3), &[3; 10]);
    assert_eq!(ring.push(SECOND, &[2; 10]), 0, "a newer one has followed");
    ring.finish(SECOND);
    assert_eq!(ring.counters().stale_samples, 20);
}

#[test]
fn too_many_waiting_utterances_are_refused() {
    let mut ring = PlayoutRing::new(8_000);
    let accepted = (1..=20).filter(|number| ring.push(UtteranceId(*number), &[1; 1]) == 1).count();
    assert_eq!((accepted, ring.counters().refused_samples), (MAX_SEGMENTS, 4));
}

#[test]
fn live_audio_keeps_the_newest_200_ms() {
    let mut ring = PlayoutRing::live(8_000);
    for index in 0..20 {
        ring.push_live(&[index; FRAME_SAMPLES]);
    }
    assert_eq!((ring.queued(), ring.counters().live_dropped_samples), (1_600, 1_600));
    let (frame, pulled) = pull(&mut ring);
    assert_eq!((frame[100], pulled.is_dry, ring.cursor()), (10, false, None));
    while pull(&mut ring).1.samples_filled > 0 {}
    assert_eq!(ring.counters().dry_slots, 0);
}

#[test]
fn a_drop_of_live_audio_is_cross_faded() {
    let mut ring = PlayoutRing::live(8_000);
    let ramp = |index: i16| counting(index * 160, 160);
    for index in 0..14 {
        ring.push_live(&ramp(index));
        if index == 0 {
            pull(&mut ring);
        }
    }
    let (frame, _) = pull(&mut ring);
    assert!((160..200).contains(&frame[0]), "begins near the end of what was heard: {}", frame[0]);
    assert!(frame.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 40), "{frame:?}");
}

#[test]
fn live_audio_never_displaces_speech() {
    let mut ring = PlayoutRing::new(8_000);
    ring.push(FIRST, &[1; 1_590]);
    ring.push_live(&[2; 160]);
    assert_eq!((ring.queued(), ring.counters().live_dropped_samples), (1_600, 150));
    ring.push_live(&[3; 5_000]);
    assert_eq!(ring.queued(), 1_600);
    let (frame, _) = pull(&mut ring);
    assert_eq!(frame, [1; FRAME_SAMPLES]);
}

#[test]
fn a_ring_takes_memory_while_something_waits_and_never_more() {
    let mut ring = PlayoutRing::new(8_000);
    assert!(ring.samples.is_empty());
    for number in 0..1_000 {
        ring.push(UtteranceId(number), &[1; 300]);
        let before = (ring.samples.as_ptr(), ring.samples.len(), ring.segments.capacity());
        assert_eq!(before.1, 3_200);
        assert_eq!(pull(&mut ring).0, [1; FRAME_SAMPLES]);
        assert_eq!((ring.samples.as_ptr(), ring.samples.len(), ring.segments.capacity()), before);
        if number % 10 == 0 {
            ring.flush();
            assert!(ring.samples.is_empty(), "flushed");
        }
    }
    ring.finish(UtteranceId(999));
    while pull(&mut ring).1.samples_filled > 0 {}
    assert!(ring.samples.is_empty(), "heard to its end");
    assert_eq!((ring.credit(), ring.queued()), (3_200, 0));
}
