//! One recording's file. While it is written its name ends in `.wav.part`; a file that ends in `.wav` is complete.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Component, Path, PathBuf};

use super::wav::{self, BLOCK_BYTES, HEADER_BYTES};
use super::window::WriteBlocks;

/// A WAV file that is being written.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    path: PathBuf,
    sample_rate: u32,
    blocks: u32,
}

impl OpenFile {
    /// Makes `name` (as [`file_name`](super::file_name) gives it) below `dir`, with a header for no samples.
    pub(super) fn create(dir: &Path, name: &str, sample_rate: u32) -> io::Result<Self> {
        let path = checked(dir, name)?;
        if let Some(day) = path.parent() {
            fs::create_dir_all(day)?;
        }
        let file = File::options().write(true).create_new(true).open(part(&path))?;
        let open = Self { file, path, sample_rate, blocks: 0 };
        open.write_header()?;
        Ok(open)
    }

    /// Brings the sizes in the header up to what is written.
    pub(super) fn write_header(&self) -> io::Result<()> {
        let data_bytes = u64::from(self.blocks) * BLOCK_BYTES;
        let data_bytes = u32::try_from(data_bytes).unwrap_or(u32::MAX);
        self.file.write_all_at(&wav::header(self.sample_rate, data_bytes), 0)
    }

    /// Ends the file after `blocks` blocks and gives it its name.
    pub(super) fn finish(mut self, blocks: u32) -> io::Result<()> {
        self.blocks = blocks;
        self.file.set_len(offset_of(blocks))?;
        self.write_header()?;
        fs::rename(part(&self.path), &self.path)
    }

    /// Blocks that are safely in the file.
    pub(super) fn blocks(&self) -> u32 {
        self.blocks
    }
}

impl WriteBlocks for OpenFile {
    fn write_blocks(&mut self, first: u32, blocks: &[u8]) -> io::Result<()> {
        self.file.write_all_at(blocks, offset_of(first))?;
        let end = u64::from(first) + blocks.len() as u64 / BLOCK_BYTES;
        self.blocks = self.blocks.max(u32::try_from(end).unwrap_or(u32::MAX));
        Ok(())
    }
}

/// The name of a file while it is written.
pub(super) fn part(path: &Path) -> PathBuf {
    path.with_added_extension(PART)
}

/// What is added to the name of a file that is being written.
pub(super) const PART: &str = "part";

fn offset_of(block: u32) -> u64 {
    HEADER_BYTES as u64 + u64::from(block) * BLOCK_BYTES
}

/// Names come from us; this makes sure that a mistake cannot leave the folder.
fn checked(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let is_plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !is_plain {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a recording's name must stay in its folder",
        ));
    }
    Ok(dir.join(name))
}
