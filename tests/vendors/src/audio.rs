//! Audio on the vendors' side: G.711 (ITU-T G.711) and 16-bit PCM, written here once more so that a fault in the product's
//! tables cannot hide in the simulation.

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// G.711 mu-law.
    Mulaw,
    /// G.711 A-law.
    Alaw,
    /// 16-bit signed PCM, little-endian.
    Linear16,
}

/// One channel of audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// How samples are written.
    pub coding: Coding,
    /// Samples in a second.
    pub rate_hz: u32,
}

impl Coding {
    /// Bytes of a sample.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Mulaw | Self::Alaw => 1,
            Self::Linear16 => 2,
        }
    }

    /// What silence is made of.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mulaw => 0xff,
            Self::Alaw => 0xd5,
            Self::Linear16 => 0,
        }
    }
}

impl Format {
    /// A format.
    pub const fn new(coding: Coding, rate_hz: u32) -> Self {
        Self { coding, rate_hz }
    }

    /// Bytes in a second.
    pub const fn bytes_per_second(self) -> usize {
        self.rate_hz as usize * self.coding.bytes()
    }

    /// Samples of bytes; a byte too many is left out.
    pub fn decoded(self, bytes: &[u8]) -> Vec<i16> {
        match self.coding {
            Coding::Mulaw => bytes.iter().map(|byte| mulaw_decoded(*byte)).collect(),
            Coding::Alaw => bytes.iter().map(|byte| alaw_decoded(*byte)).collect(),
            Coding::Linear16 => {
                let (pairs, _) = bytes.as_chunks::<2>();
                pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
            }
        }
    }

    /// Bytes of samples.
    pub fn encoded(self, samples: &[i16]) -> Vec<u8> {
        match self.coding {
            Coding::Mulaw => samples.iter().map(|sample| mulaw_encoded(*sample)).collect(),
            Coding::Alaw => samples.iter().map(|sample| alaw_encoded(*sample)).collect(),
            Coding::Linear16 => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
        }
    }
}

/// A WAV file of 16-bit PCM, one channel.
pub fn wav(rate_hz: u32, samples: &[i16]) -> Vec<u8> {
    let size = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - 36);
    let mut bytes = Vec::with_capacity(44 + samples.len() * 2);
    bytes.extend(b"RIFF");
    bytes.extend((size + 36).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(rate_hz.to_le_bytes());
    bytes.extend((rate_hz * 2).to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend(size.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

/// Rate and samples of a WAV file of 16-bit PCM, one channel.
///
/// # Errors
///
/// What is wrong with it.
pub fn wav_decoded(bytes: &[u8]) -> Result<(u32, Vec<i16>), String> {
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err("no RIFF/WAVE header".to_owned());
    }
    let word =
        |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes);
    let mut rate = None;
    let mut at = 12;
    while let (Some(name), Some(size)) = (bytes.get(at..at + 4), word(at + 4)) {
        let size = size as usize;
        let body = bytes.get(at + 8..at + 8 + size);
        match (name, body) {
            (b"fmt ", Some(format))
                if format.get(..4) == Some(&[1, 0, 1, 0]) && format.get(14..16) == Some(&[16, 0]) =>
            {
                rate = word(at + 12);
            }
            (b"fmt ", _) => return Err("neither 16-bit PCM nor one channel".to_owned()),
            (b"data", Some(samples)) => {
                let rate = rate.ok_or("the data chunk stands before the fmt chunk")?;
                return Ok((rate, Format::new(Coding::Linear16, rate).decoded(samples)));
            }
            (b"data", None) => return Err(format!("the data chunk says {size} bytes and has fewer")),
            _ => {}
        }
        at += 8 + size + size % 2;
    }
    Err("no data chunk".to_owned())
}

/// Root mean square of samples.
pub fn rms(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (sum / samples.len().max(1) as f64).sqrt()
}

fn mulaw_decoded(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((i16::from(byte & 0x0f) << 3) + 0x84) << ((byte & 0x70) >> 4);
    if byte & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

fn mulaw_encoded(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs().min(32_635) + 0x84;
    let segment = magnitude.ilog2() - 7;
    let step = (magnitude >> (segment + 3)) & 0x0f;
    // Segment and step take seven bits.
    !(sign | (segment as u8) << 4 | step as u8)
}

fn alaw_decoded(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let step = i16::from(byte & 0x0f) << 4;
    let magnitude = match (byte & 0x70) >> 4 {
        0 => step + 8,
        segment => (step + 0x108) << (segment - 1),
    };
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

fn alaw_encoded(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    let magnitude = if sample < 0 { !sample } else { sample }.unsigned_abs() >> 3;
    let code = if magnitude < 32 {
        magnitude >> 1
    } else {
        let segment = magnitude.ilog2() - 4;
        (segment as u16) << 4 | (magnitude >> segment) & 0x0f
    };
    (sign | code as u8) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_g711() {
        let mulaw = Format::new(Coding::Mulaw, 8_000);
        assert_eq!(mulaw.decoded(&[0xff, 0x7f, 0x80, 0x00]), [0, 0, 32_124, -32_124]);
        assert_eq!(mulaw.encoded(&[0, 32_767, -32_768]), [0xff, 0x80, 0x00]);
        let alaw = Format::new(Coding::Alaw, 8_000);
        assert_eq!(alaw.decoded(&[0xd5, 0x55, 0xaa, 0x2a]), [8, -8, 32_256, -32_256]);
        assert_eq!(alaw.encoded(&[8, 32_767, -32_768]), [0xd5, 0xaa, 0x2a]);
    }

    #[test]
    fn every_byte_of_g711_comes_back() {
        for coding in [Coding::Mulaw, Coding::Alaw] {
            let format = Format::new(coding, 8_000);
            for byte in 0..=255_u8 {
                // Mu-law has two zeros.
                let expected = if coding == Coding::Mulaw && byte == 0x7f { 0xff } else { byte };
                assert_eq!(format.encoded(&format.decoded(&[byte])), [expected], "{coding:?} {byte:#x}");
            }
        }
    }

    #[test]
    fn a_wav_file_comes_back_and_a_broken_one_is_told() {
        let file = wav(16_000, &[1, -2, 3]);
        assert_eq!(wav_decoded(&file), Ok((16_000, vec![1, -2, 3])));
        assert!(wav_decoded(&file[..46]).is_err_and(|error| error.contains("fewer")));
        assert!(wav_decoded(b"ID3").is_err());
        let mut stereo = file;
        stereo[22] = 2;
        assert!(wav_decoded(&stereo).is_err_and(|error| error.contains("one channel")));
    }
}
