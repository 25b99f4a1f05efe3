//! What it costs to judge whether a turn is over, and whether it is a backchannel: asked once for each change of the words.

#![allow(missing_docs)]

use std::hint::black_box;

use caly::mind::end_of_turn::{Backchannels, EndOfTurn, Heard, TextEndOfTurn};
use criterion::{Criterion, criterion_group, criterion_main};

const TEXTS: [(&str, &str); 4] = [
    ("a word", "haan"),
    ("a sentence", "mujhe apna order cancel karna hai"),
    ("a sentence in Devanagari", "मैंने दो दिन पहले ऑर्डर किया था लेकिन अभी तक नहीं आया"),
    (
        "32 words",
        "so I ordered a red shirt from your website about two weeks ago and it said that it would arrive within five days but \
         nothing has come so far and I would like to",
    ),
];

fn end_of_turn(criterion: &mut Criterion) {
    let backchannels = Backchannels::default();
    for (name, text) in TEXTS {
        let heard = Heard { text, ..Heard::default() };
        criterion.bench_function(&format!("end of turn, {name}"), |bencher| {
            bencher.iter(|| TextEndOfTurn.score(black_box(&heard)));
        });
        criterion.bench_function(&format!("backchannel, {name}"), |bencher| {
            bencher.iter(|| backchannels.covers(black_box(text)));
        });
    }
}

criterion_group!(benches, end_of_turn);
criterion_main!(benches);
