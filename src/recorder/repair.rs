//! What a killed server leaves: files whose headers tell less than they hold. Their length tells the truth.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::file::PART;
use super::wav::{self, FRAME_BYTES, HEADER_BYTES};

/// A recording that was left open and can be played now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// File name inside the recordings folder.
    pub file: String,
    /// Its length in milliseconds.
    pub duration_ms: u64,
}

/// Closes the recordings in `dir` that a killed server left open: sizes from the file's length, half a sample at the end
/// cut off. A file that cannot be repaired is left as it is, with a line in the log. Nothing else may be writing there.
///
/// # Errors
/// When the folder cannot be listed.
pub fn repair(dir: &Path) -> io::Result<Vec<Repaired>> {
    let mut repaired = Vec::new();
    for day in entries(dir)? {
        if !day.is_dir() {
            continue;
        }
        for path in entries(&day)? {
            if path.extension().is_none_or(|extension| extension != PART) {
                continue;
            }
            let complete = path.with_extension("");
            match repair_file(&path).and_then(|length| fs::rename(&path, &complete).map(|()| length)) {
                Ok(duration_ms) => {
                    let file = complete.strip_prefix(dir).unwrap_or(&complete).display().to_string();
                    tracing::info!(%file, duration_ms, "repaired a recording");
                    repaired.push(Repaired { file, duration_ms });
                }
                Err(error) => {
                    tracing::error!(file = %path.display(), %error, "a recording cannot be repaired")
                }
            }
        }
    }
    Ok(repaired)
}

/// The length in milliseconds of a recording that is complete; `None` if there is no such file.
pub fn duration_ms(dir: &Path, file: &str) -> Option<u64> {
    let file = File::open(dir.join(file)).ok()?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0).ok()?;
    let rate = wav::sample_rate(&header)?;
    let data = file.metadata().ok()?.len().saturating_sub(HEADER_BYTES as u64);
    Some(wav::duration_ms(data / u64::from(FRAME_BYTES), rate))
}

/// Makes the header tell what the file holds. Returns its length in milliseconds.
fn repair_file(path: &Path) -> io::Result<u64> {
    let file = File::options().read(true).write(true).open(path)?;
    let mut header = [0; HEADER_BYTES];
    let length = file.metadata()?.len();
    let rate = match file.read_exact_at(&mut header, 0) {
        Ok(()) => wav::sample_rate(&header).unwrap_or(USUAL_RATE),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => USUAL_RATE,
        Err(error) => return Err(error),
    };
    let frames = length.saturating_sub(HEADER_BYTES as u64) / u64::from(FRAME_BYTES);
    let data_bytes = u32::try_from(frames * u64::from(FRAME_BYTES)).unwrap_or(u32::MAX);
    file.write_all_at(&wav::header(rate, data_bytes), 0)?;
    file.set_len(HEADER_BYTES as u64 + u64::from(data_bytes))?;
    Ok(wav::duration_ms(frames, rate))
}

fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What a file is taken for whose header was never written.
const USUAL_RATE: u32 = 8_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::scratch::Folder;

    fn recording(frames: u16) -> Vec<u8> {
        let mut bytes = wav::header(8_000, 0).to_vec();
        for frame in 0..frames {
            bytes.extend_from_slice(&frame.to_le_bytes());
            bytes.extend_from_slice(&(!frame).to_le_bytes());
        }
        bytes
    }

    fn repaired(bytes: &[u8]) -> (u64, Vec<u8>) {
        let dir = Folder::new("repair");
        let day = dir.path().join("2023-11-14");
        fs::create_dir_all(&day).unwrap();
        fs::write(day.join("call.wav.part"), bytes).unwrap();
        let list = repair(dir.path()).unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].file, "2023-11-14/call.wav");
        assert_eq!(duration_ms(dir.path(), &list[0].file), Some(list[0].duration_ms));
        assert!(repair(dir.path()).unwrap().is_empty(), "a second time there is nothing to do");
        (list[0].duration_ms, fs::read(day.join("call.wav")).unwrap())
    }

    #[test]
    fn a_file_cut_at_any_byte_can_be_played() {
        let whole = recording(80);
        for cut in 0..=whole.len() {
            let (duration_ms, bytes) = repaired(&whole[..cut]);
            let mut reader = hound::WavReader::new(bytes.as_slice()).unwrap();
            let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
            let frames = cut.saturating_sub(HEADER_BYTES) / 4;
            assert_eq!(samples.len(), frames * 2, "cut at {cut}");
            assert_eq!(duration_ms, u64::try_from(frames / 8).unwrap());
            assert_eq!(&bytes[HEADER_BYTES..], &whole[HEADER_BYTES..][..frames * 4]);
        }
    }

    #[test]
    fn a_damaged_header_byte_is_mended() {
        let whole = recording(80);
        for at in 0..HEADER_BYTES {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            let (duration_ms, bytes) = repaired(&damaged);
            assert_eq!(duration_ms, 10, "damaged at {at}");
            assert!(hound::WavReader::new(bytes.as_slice()).is_ok(), "damaged at {at}");
        }
    }

    #[test]
    fn complete_recordings_are_left_alone() {
        let dir = Folder::new("repair-complete");
        fs::create_dir_all(dir.path().join("day")).unwrap();
        fs::write(dir.path().join("day/call.wav"), b"anything").unwrap();
        assert!(repair(dir.path()).unwrap().is_empty());
        assert_eq!(fs::read(dir.path().join("day/call.wav")).unwrap(), b"anything");
        assert!(repair(&dir.path().join("absent")).unwrap().is_empty());
    }
}
