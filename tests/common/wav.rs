//! WAV files in and out, as samples between -1 and 1.

use std::path::Path;

use super::tone::RATE_HZ;

/// Writes a mono 16-bit file of 8,000 Hz.
pub(crate) fn write(path: &Path, samples: &[f64]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).expect("a WAV file can be made");
    for sample in samples {
        let scaled = (sample * f64::from(i16::MAX)).round() as i16;
        writer.write_sample(scaled).expect("a sample can be written");
    }
    writer.finalize().expect("the WAV file can be finished");
}

/// Reads a 16-bit file of 8,000 Hz: one list of samples per channel.
#[track_caller]
pub(crate) fn read(path: &Path) -> Vec<Vec<f64>> {
    let mut reader = hound::WavReader::open(path)
        .unwrap_or_else(|error| panic!("{} is no WAV file: {error}", path.display()));
    let spec = reader.spec();
    assert_eq!((spec.sample_rate, spec.bits_per_sample), (RATE_HZ, 16), "format of {}", path.display());
    let interleaved: Vec<f64> = reader
        .samples::<i16>()
        .map(|sample| f64::from(sample.expect("the file is whole")) / f64::from(i16::MAX))
        .collect();
    let channels = usize::from(spec.channels);
    (0..channels)
        .map(|channel| interleaved.iter().skip(channel).step_by(channels).copied().collect())
        .collect()
}
