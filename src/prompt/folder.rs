//! Folders of clips as they are shipped: a file for each clip, and an index for people.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::library::{keep, render};
use super::{Address, Espeak, EspeakError, Line};

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Clips in the folder.
    pub clips: usize,
    /// Those of them that were rendered now.
    pub rendered: usize,
    /// Clips that no line needs any more and that were removed.
    pub removed: usize,
    /// Bytes of all clips.
    pub bytes: u64,
}

/// Why a folder is not whole.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A line cannot be rendered.
    #[error("{text:?} cannot be rendered: {why}")]
    Line {
        /// Its words.
        text: String,
        /// Why not.
        why: EspeakError,
    },
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
}

impl FolderError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Line { why, .. } => why.advice(),
            Self::File { .. } => "name a folder that you may write to",
        }
    }
}

/// Renders the lines into a folder, with `index.tsv`: address, language, voice and text of each. What is there already is kept
/// as it is; clips that none of the lines needs are removed.
///
/// # Errors
/// At the first line that cannot be rendered or kept.
pub async fn write(
    lines: impl IntoIterator<Item = Line>,
    folder: &Path,
    espeak: &Espeak,
) -> Result<Written, FolderError> {
    let lines: BTreeMap<Address, Line> =
        lines.into_iter().map(|line| (Address::of(&line.voice, &line.text), line)).collect();
    let mut written = Written::default();
    for (address, line) in &lines {
        let path = folder.join(address.file_name());
        if let Ok(metadata) = tokio::fs::metadata(&path).await {
            written.bytes += metadata.len();
        } else {
            let rendered = render(espeak, line).await;
            let clip = rendered.map_err(|why| FolderError::Line { text: line.text.clone(), why })?;
            keep(&path, &clip).await.map_err(|error| FolderError::File { path, error })?;
            written.rendered += 1;
            written.bytes += clip.len() as u64;
        }
        written.clips += 1;
    }
    written.removed = remove_others(folder, &lines).await?;
    let path = folder.join(INDEX);
    keep(&path, index(&lines).as_bytes()).await.map_err(|error| FolderError::File { path, error })?;
    Ok(written)
}

/// In the order of languages and texts, so that a change shows as what it is.
fn index(lines: &BTreeMap<Address, Line>) -> String {
    let mut rows: Vec<_> = lines
        .iter()
        .map(|(address, line)| (line.language.code(), &line.voice.name, &line.text, address))
        .collect();
    rows.sort_unstable();
    let rows = rows
        .iter()
        .map(|(language, voice, text, address)| format!("{address}\t{language}\t{voice}\t{text}\n"));
    std::iter::once(HEADER.to_owned()).chain(rows).collect()
}

async fn remove_others(folder: &Path, lines: &BTreeMap<Address, Line>) -> Result<usize, FolderError> {
    let fault = |error| FolderError::File { path: folder.to_owned(), error };
    let needed: Vec<String> = lines.keys().map(|address| address.file_name()).collect();
    let mut removed = 0;
    let mut files = tokio::fs::read_dir(folder).await.map_err(fault)?;
    while let Some(file) = files.next_entry().await.map_err(fault)? {
        let name = file.file_name().to_string_lossy().into_owned();
        // Whatever is not named like a clip is not ours.
        if Address::is_file_name(&name) && !needed.contains(&name) {
            tokio::fs::remove_file(file.path()).await.map_err(fault)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// What people read; the server does not.
const INDEX: &str = "index.tsv";
const HEADER: &str = "address\tlanguage\tvoice\ttext\n";
