//! Where a clip comes from: shipped, kept from before, or rendered; and that what is shipped is what the demo needs.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::mind::script::Script;
use crate::prompt::{Voice, lines_of};

/// A folder of one test's own; it is gone afterwards.
struct Cache(PathBuf);

impl Cache {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("caly-prompt-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        let _ = std::fs::remove_file(&self.0);
    }
}

fn demo_lines() -> Vec<Line> {
    let text = include_str!("../../../config/agents/demo.toml");
    lines_of(&Script::parse("demo.toml", text, crate::tools::BUILT_IN).unwrap())
}

fn line(voice: &str, text: &str) -> Line {
    Line { language: Language::Hi, voice: Voice::named(voice), text: text.to_owned() }
}

fn no_espeak() -> Espeak {
    Espeak::at("/nonexistent/espeak-ng")
}

#[tokio::test]
async fn the_demo_speaks_every_sentence_without_espeak() {
    let cache = Cache::new("shipped");
    let lines = demo_lines();
    let (library, report) = load(lines.clone(), &cache.0, &no_espeak()).await;
    assert_eq!((report.cached, report.rendered, report.warnings()), (0, 0, vec![]));
    for line in &lines {
        let clip = library.clip(line.language, &line.text).unwrap();
        assert!(clip.len() >= 800, "{}: {} samples", line.text, clip.len());
    }
    assert!(!cache.0.exists());
}

#[test]
fn what_is_shipped_is_what_the_demo_needs_and_the_index_tells_of_all() {
    let lines = demo_lines();
    let needed: BTreeSet<String> =
        lines.iter().map(|line| Address::of(&line.voice, &line.text).file_name()).collect();
    let shipped: BTreeSet<String> =
        shipped::file_names().filter(|name| *name != "index.tsv").map(str::to_owned).collect();
    assert_eq!(needed, shipped, "run: caly prompts --out config/prompts");
    let indexed: BTreeSet<String> = include_str!("../../../config/prompts/index.tsv")
        .lines()
        .skip(1)
        .map(|row| {
            let fields: Vec<_> = row.split('\t').collect();
            let address = Address::of(&Voice::named(fields[2]), fields[3]);
            assert_eq!(address.to_string(), fields[0], "{row}");
            address.file_name()
        })
        .collect();
    assert_eq!(indexed, shipped);
}

#[test]
fn shipped_clips_are_neither_clipped_nor_faint() {
    for name in shipped::file_names().filter(|name| *name != "index.tsv") {
        let bytes = std::fs::read(format!("{}/config/prompts/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let samples = decode(&bytes);
        let squares: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        let rms = (squares / samples.len() as f64).sqrt();
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((800.0..=6000.0).contains(&rms) && peak < 25_000, "{name}: rms {rms:.0}, peak {peak}");
    }
}

#[tokio::test]
async fn a_kept_clip_wins_over_rendering_and_a_shipped_one_over_both() {
    let cache = Cache::new("order");
    std::fs::create_dir_all(&cache.0).unwrap();
    let (kept, shipped) = (line("hi", "not shipped"), line("hi", "एक"));
    for line in [&kept, &shipped] {
        let file = cache.0.join(Address::of(&line.voice, &line.text).file_name());
        std::fs::write(file, [0xff; 7]).unwrap();
    }
    let (library, report) = load([kept, shipped], &cache.0, &no_espeak()).await;
    assert_eq!((report.shipped, report.cached, report.rendered), (1, 1, 0));
    assert_eq!(library.clip(Language::Hi, "not shipped").unwrap().len(), 7);
    assert!(library.clip(Language::Hi, "एक").unwrap().len() > 800);
}

#[tokio::test]
async fn without_espeak_each_line_that_is_missing_is_told_once() {
    let cache = Cache::new("missing");
    let lines = [line("hi", "first"), line("hi", "second"), line("hi", "first")];
    let (library, report) = load(lines[..2].to_vec(), &cache.0, &no_espeak()).await;
    assert!(library.clip(Language::Hi, "first").is_none());
    let warnings = report.warnings();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].starts_with("2 clips are missing and will not be heard, the first is \"first\": "),
        "{warnings:?}"
    );
    assert!(warnings[0].ends_with("; install it: apt-get install espeak-ng"), "{warnings:?}");
}

fn fake_espeak() -> Espeak {
    Espeak::at(concat!(env!("CARGO_MANIFEST_DIR"), "/src/prompt/library/fake-espeak"))
}

#[tokio::test]
async fn what_is_rendered_once_is_kept() {
    let cache = Cache::new("rendered");
    let espeak = fake_espeak();
    let (library, report) = load([line("hi", "new")], &cache.0, &espeak).await;
    assert_eq!((report.rendered, report.warnings()), (1, vec![]));
    let rendered = library.clip(Language::Hi, "new").unwrap();
    assert!((7_900..=8_100).contains(&rendered.len()), "{}", rendered.len());
    let (library, report) = load([line("hi", "new")], &cache.0, &no_espeak()).await;
    assert_eq!((report.cached, report.rendered), (1, 0));
    assert_eq!(library.clip(Language::Hi, "new").unwrap(), rendered);
}

#[tokio::test]
async fn a_voice_that_does_not_exist_is_said_and_never_replaced_by_another() {
    let cache = Cache::new("voice");
    let espeak = fake_espeak();
    let (library, report) = load([line("none", "a"), line("hi", "b")], &cache.0, &espeak).await;
    assert_eq!(report.rendered, 1);
    assert!(library.clip(Language::Hi, "a").is_none());
    let warnings = report.warnings();
    assert!(warnings[0].contains("Error: no such voice; try it by hand: espeak-ng hello"), "{warnings:?}");
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_told_and_the_clip_is_heard() {
    let cache = Cache::new("blocked");
    let espeak = fake_espeak();
    std::fs::write(&cache.0, "a file").unwrap();
    let blocked = cache.0.join("folder");
    let (library, report) = load([line("hi", "new")], &blocked, &espeak).await;
    assert!(library.clip(Language::Hi, "new").is_some());
    assert!(report.warnings()[0].contains("cannot be written"), "{:?}", report.warnings());
}
