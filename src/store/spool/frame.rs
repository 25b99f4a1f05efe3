//! How records stand in a spool segment: one frame each, little endian length, CRC-32 and the record as JSON.
//!
//! The checksum covers the length too, so that a stretch of zeros or half a frame is never taken for a record.

use crate::call::log::Record;

/// Appends `record` as one frame.
///
/// # Errors
/// When the record is larger than a frame may be, or cannot be written as JSON; `out` is then unchanged.
pub(crate) fn encode(record: &Record, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    if let Err(error) = serde_json::to_writer(&mut *out, record) {
        out.truncate(start);
        return Err(FrameError::Json(error));
    }
    let body = out.len() - start - PREFIX;
    let Some(length) = u32::try_from(body).ok().filter(|&length| length <= MAX_BODY) else {
        out.truncate(start);
        return Err(FrameError::TooLong { bytes: body });
    };
    let sum = checksum(length, &out[start + PREFIX..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + PREFIX].copy_from_slice(&sum.to_le_bytes());
    Ok(())
}

/// Why a record cannot become a frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The record has no JSON form.
    #[error("the record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The record is larger than a frame may be.
    #[error("the record has {bytes} bytes, more than the {MAX_BODY} that a frame may have")]
    TooLong {
        /// Its size.
        bytes: usize,
    },
}

/// What stands at the beginning of some bytes of a segment.
#[derive(Debug, PartialEq)]
pub(crate) enum Scan {
    /// A whole record in `bytes` bytes.
    Record {
        /// The record; boxed because the other variants are small.
        record: Box<Record>,
        /// Size of its frame.
        bytes: usize,
    },
    /// An intact frame whose JSON is no record of this version.
    Unreadable {
        /// Size of the frame.
        bytes: usize,
    },
    /// `bytes` damaged bytes; after them comes an intact frame.
    Damaged {
        /// How many bytes to step over.
        bytes: usize,
    },
    /// No intact frame from here to the end: nothing, or a frame that is not (or never was) completely written.
    Torn,
}

/// Looks at the first frame of `input`.
pub(crate) fn scan(input: &[u8]) -> Scan {
    if let Some(body) = body_at(input) {
        let bytes = PREFIX + body.len();
        return match serde_json::from_slice(body) {
            Ok(record) => Scan::Record { record: Box::new(record), bytes },
            Err(_) => Scan::Unreadable { bytes },
        };
    }
    let next = (1..input.len().saturating_sub(PREFIX)).find(|&at| body_at(&input[at..]).is_some());
    next.map_or(Scan::Torn, |bytes| Scan::Damaged { bytes })
}

fn body_at(input: &[u8]) -> Option<&[u8]> {
    let (length, rest) = input.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    let length = u32::from_le_bytes(*length);
    if length == 0 || length > MAX_BODY {
        return None;
    }
    let body = rest.get(..usize::try_from(length).ok()?)?;
    (checksum(length, body) == u32::from_le_bytes(*sum)).then_some(body)
}

fn checksum(length: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// Length and checksum before each record.
const PREFIX: usize = 8;

/// Largest record. A SIP message is at most 64 KiB, and a record holds a few of its lines at most.
pub(crate) const MAX_BODY: u32 = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::log::{CallId, CallTime, Event, UnixMicros};

    fn record(seq: u64) -> Record {
        let call = CallId::new(UnixMicros(1_700_000_000_000_000), [3; 10]);
        Record { call, seq, at: CallTime(1000 + seq), event: Event::Ringing { status: 180 } }
    }

    fn frames(count: u64) -> (Vec<u8>, usize) {
        let mut bytes = Vec::new();
        for seq in 0..count {
            encode(&record(seq), &mut bytes).unwrap();
        }
        let first = bytes.len() / usize::try_from(count).unwrap();
        (bytes, first)
    }

    #[test]
    fn records_come_back_one_by_one() {
        let (bytes, size) = frames(2);
        assert_eq!(scan(&bytes), Scan::Record { record: Box::new(record(0)), bytes: size });
        assert_eq!(scan(&bytes[size..]), Scan::Record { record: Box::new(record(1)), bytes: size });
        assert_eq!(scan(&[]), Scan::Torn);
    }

    #[test]
    fn a_frame_cut_anywhere_is_torn() {
        let (bytes, size) = frames(1);
        for cut in 0..size {
            assert_eq!(scan(&bytes[..cut]), Scan::Torn, "cut at {cut}");
        }
    }

    #[test]
    fn any_damaged_byte_costs_one_record() {
        let (bytes, size) = frames(3);
        for at in 0..size {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x41;
            assert_eq!(scan(&damaged), Scan::Damaged { bytes: size }, "damaged at {at}");
        }
        let mut zeros = vec![0; 5000];
        zeros.extend_from_slice(&bytes);
        assert_eq!(scan(&zeros), Scan::Damaged { bytes: 5000 });
    }

    #[test]
    fn an_intact_frame_of_another_version_is_stepped_over() {
        let body = br#"{"call":"x"}"#;
        let length = u32::try_from(body.len()).unwrap();
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend_from_slice(&checksum(length, body).to_le_bytes());
        bytes.extend_from_slice(body);
        assert_eq!(scan(&bytes), Scan::Unreadable { bytes: bytes.len() });
    }

    #[test]
    fn a_record_larger_than_a_frame_is_refused() {
        let mut huge = record(0);
        huge.event = Event::StreamReset { what: "x".repeat(200_000) };
        let mut out = vec![1, 2, 3];
        assert!(matches!(encode(&huge, &mut out), Err(FrameError::TooLong { .. })));
        assert_eq!(out, [1, 2, 3]);
    }
}
