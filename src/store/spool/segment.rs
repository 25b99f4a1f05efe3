//! Segment files: numbered upwards, appended to by the spool thread, read and deleted by the database writer.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A segment file in the spool folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its number; higher ones were begun later.
    pub(crate) number: u64,
    /// Its size when it was listed.
    pub(crate) bytes: u64,
}

/// The segments of a spool folder, oldest first. A folder that does not exist has none.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(number) = entry.file_name().to_str().and_then(number_of) else { continue };
        match entry.metadata() {
            Ok(metadata) => segments.push(Segment { number, bytes: metadata.len() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    segments.sort_by_key(|segment| segment.number);
    Ok(segments)
}

/// Where segment `number` lies.
pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.{EXTENSION}"))
}

/// The segment that is being written.
#[derive(Debug)]
pub(super) struct OpenSegment {
    file: File,
    bytes: u64,
    begun: Instant,
}

impl OpenSegment {
    /// Begins segment `number`.
    pub(super) fn create(dir: &Path, number: u64, now: Instant) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let file = OpenOptions::new().append(true).create_new(true).open(path(dir, number))?;
        Ok(Self { file, bytes: 0, begun: now })
    }

    /// Appends whole frames. After an error the file is as long as before, or the segment is to be abandoned.
    pub(super) fn append(&mut self, frames: &[u8]) -> Result<(), AppendError> {
        let length = u64::try_from(frames.len()).unwrap_or(u64::MAX);
        match self.file.write_all(frames) {
            Ok(()) => {
                self.bytes += length;
                Ok(())
            }
            Err(error) => {
                let is_usable =
                    error.kind() == io::ErrorKind::StorageFull && self.file.set_len(self.bytes).is_ok();
                Err(AppendError { error, is_usable })
            }
        }
    }

    /// True if the next frames belong into a new segment.
    pub(super) fn is_due_for_rotation(&self, now: Instant) -> bool {
        self.bytes >= SEGMENT_BYTES || now.duration_since(self.begun).as_secs() >= SEGMENT_SECONDS
    }
}

/// Why frames could not be appended.
#[derive(Debug)]
pub(super) struct AppendError {
    /// What the file system said.
    pub(super) error: io::Error,
    /// True if the segment can be appended to later.
    pub(super) is_usable: bool,
}

fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    ((12..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

const EXTENSION: &str = "spool";

/// A segment is closed at this size: small enough to be read in one piece, and what a restart replays needlessly.
const SEGMENT_BYTES: u64 = 1024 * 1024;

/// A segment is closed at this age, so that its file goes away soon after the database has it.
const SEGMENT_SECONDS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_names_are_segments() {
        assert_eq!(number_of("000000000042.spool"), Some(42));
        assert_eq!(number_of("1000000000042.spool"), Some(1_000_000_000_042));
        for foreign in [
            "42.spool",
            "000000000042.spool.bak",
            "00000000004x.spool",
            ".spool",
            "99999999999999999999.spool",
        ] {
            assert_eq!(number_of(foreign), None, "{foreign}");
        }
    }
}
