//! Recordings: one thread writes stereo WAV files (caller left, agent right) while the calls run. The shards only push
//! blocks into rings.

mod file;
mod repair;
mod tap;
mod thread;
mod wav;
mod window;

use jiff::Timestamp;

pub use repair::{Repaired, duration_ms, repair};
pub use tap::{BLOCK_SAMPLES, Channel, RecorderPort, RecordingOutcome, RecordingReport, Tap};
pub use thread::{Recorder, RecorderDesk, RecorderHandle, RecorderStats};

use crate::call::log::CallId;

/// Where a call's recording lies inside the recordings folder: `YYYY-MM-DD/<call id>.wav`, by the UTC day on which the
/// call began. Nothing in the name comes from a peer.
pub fn file_name(call: CallId) -> String {
    let day = Timestamp::from_microsecond(call.made_at().0).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{}/{call}.wav", day.strftime("%Y-%m-%d"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::log::UnixMicros;

    #[test]
    fn a_recording_lies_in_the_folder_of_its_day() {
        let call = CallId::new(UnixMicros(1_700_000_000_000_000), [1; 10]);
        assert_eq!(file_name(call), format!("2023-11-14/{call}.wav"));
    }
}
