//! All clips that an agent may need, in memory.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caly_rtp::codec::Codec;

use super::{Address, Espeak, EspeakError, Line, level, shipped};
use crate::mind::speech::{Clips, Language};

/// The clips of one agent; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Library(Arc<HashMap<Language, Texts>>);

/// The clips of one language by what they say.
type Texts = HashMap<String, Arc<[i16]>>;

impl Clips for Library {
    fn clip(&self, language: Language, text: &str) -> Option<Arc<[i16]>> {
        self.0.get(&language)?.get(text).cloned()
    }
}

/// Where the clips came from.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Shipped with the server.
    pub shipped: usize,
    /// Rendered before, and kept.
    pub cached: usize,
    /// Rendered now.
    pub rendered: usize,
    /// Not to be had: the lines, and why.
    pub missing: Option<Missing>,
    /// The cache cannot be written: what was rendered is rendered again at the next start.
    pub cache_fault: Option<(PathBuf, std::io::Error)>,
}

/// Lines that nobody can speak.
#[derive(Debug)]
pub struct Missing {
    /// Which.
    pub lines: Vec<Line>,
    /// Why the first of them could not be rendered.
    pub why: EspeakError,
}

impl LoadReport {
    /// What the operator should know, each on a line with what to do about it.
    pub fn warnings(&self) -> Vec<String> {
        let missing = self.missing.iter().map(|Missing { lines, why }| {
            let first = lines.first().map_or("", |line| line.text.as_str());
            let count = lines.len();
            format!(
                "{count} clips are missing and will not be heard, the first is {first:?}: {why}; {}",
                why.advice()
            )
        });
        let fault = self.cache_fault.iter().map(|(file, error)| {
            let file = file.display();
            format!("{file} cannot be written: {error}; rendered prompts are rendered again at every start until it can")
        });
        missing.chain(fault).collect()
    }
}

/// Loads the clips of all lines; what is neither shipped nor in `cache` is rendered and kept there.
pub async fn load(
    lines: impl IntoIterator<Item = Line>,
    cache: &Path,
    espeak: &Espeak,
) -> (Library, LoadReport) {
    let mut clips: HashMap<Language, Texts> = HashMap::new();
    let mut report = LoadReport::default();
    for line in lines {
        let known = clips.entry(line.language).or_default();
        if known.contains_key(&line.text) {
            continue;
        }
        if let Some(samples) = find(&line, cache, espeak, &mut report).await {
            known.insert(line.text, samples.into());
        }
    }
    (Library(Arc::new(clips)), report)
}

/// Of these lines those that [`load`] would have to render, each once.
pub fn unrendered(lines: impl IntoIterator<Item = Line>, cache: &Path) -> Vec<Line> {
    let mut names = HashSet::new();
    let mut has_to_be = |line: &Line| {
        let address = Address::of(&line.voice, &line.text);
        let is_there = || shipped::clip(address).is_some() || cache.join(address.file_name()).is_file();
        names.insert(address.file_name()) && !is_there()
    };
    lines.into_iter().filter(|line| has_to_be(line)).collect()
}

async fn find(line: &Line, cache: &Path, espeak: &Espeak, report: &mut LoadReport) -> Option<Vec<i16>> {
    let address = Address::of(&line.voice, &line.text);
    if let Some(clip) = shipped::clip(address) {
        report.shipped += 1;
        return Some(decode(clip));
    }
    let file = cache.join(address.file_name());
    if let Ok(clip) = tokio::fs::read(&file).await {
        report.cached += 1;
        return Some(decode(&clip));
    }
    // Without espeak-ng there is none for the other lines either.
    if let Some(Missing { lines, why: EspeakError::Missing(_) }) = &mut report.missing {
        lines.push(line.clone());
        return None;
    }
    match render(espeak, line).await {
        Ok(clip) => {
            report.rendered += 1;
            if let Err(error) = keep(&file, &clip).await {
                report.cache_fault.get_or_insert((file, error));
            }
            Some(decode(&clip))
        }
        Err(why) => {
            let missing = report.missing.get_or_insert(Missing { lines: Vec::new(), why });
            missing.lines.push(line.clone());
            None
        }
    }
}

/// Speaks a text as a clip: mu-law, at the level of all others.
pub(super) async fn render(espeak: &Espeak, line: &Line) -> Result<Vec<u8>, EspeakError> {
    let samples = level::prepare(&espeak.speak(&line.voice, &line.text).await?);
    let mut clip = vec![0; samples.len()];
    Codec::Pcmu.encode(&samples, &mut clip);
    Ok(clip)
}

fn decode(clip: &[u8]) -> Vec<i16> {
    let mut samples = vec![0; clip.len()];
    Codec::Pcmu.decode(clip, &mut samples);
    samples
}

/// Writes beside and renames, so that a clip is whole or not there.
pub(super) async fn keep(file: &Path, clip: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let part = file.with_extension("part");
    tokio::fs::write(&part, clip).await?;
    tokio::fs::rename(&part, file).await
}

#[cfg(test)]
mod tests;
