//! Notices audio that is not what was negotiated. A recognizer given the wrong encoding does not complain in words: it hears noise.
//! The simulation says so.

use std::time::Duration;

use crate::audio::{Coding, Format, rms};

/// Watches the audio of one connection.
#[derive(Clone, Debug)]
pub struct Framing {
    format: Format,
    bytes: usize,
    samples: Vec<i16>,
    longest_piece: Duration,
}

impl Framing {
    /// Watches for audio of this format in pieces that last no longer than this.
    pub fn new(format: Format, longest_piece: Duration) -> Self {
        Self { format, bytes: 0, samples: Vec::new(), longest_piece }
    }

    /// Samples of a piece.
    ///
    /// # Errors
    ///
    /// Why this is no audio of the format.
    pub fn decoded(&mut self, piece: &[u8]) -> Result<Vec<i16>, String> {
        if piece.is_empty() {
            return Err("an empty piece of audio".to_owned());
        }
        if !piece.len().is_multiple_of(self.format.coding.bytes()) {
            return Err(format!("{} bytes are no whole samples of 16 bits", piece.len()));
        }
        if self.bytes == 0
            && (piece.starts_with(b"RIFF") || piece.starts_with(b"ID3") || piece.starts_with(b"OggS"))
        {
            return Err("a file's header where raw audio was negotiated".to_owned());
        }
        let longest = self.longest_piece.as_secs_f64() * self.format.bytes_per_second() as f64;
        if piece.len() as f64 > longest {
            return Err(format!(
                "{} bytes in one piece, which is more than {:?}",
                piece.len(),
                self.longest_piece
            ));
        }
        self.bytes += piece.len();
        let samples = self.format.decoded(piece);
        self.samples.extend_from_slice(&samples);
        if self.samples.len() >= self.format.rate_hz as usize / 2 {
            let half_second = std::mem::take(&mut self.samples);
            self.judge(&half_second)?;
        }
        Ok(samples)
    }

    fn judge(&self, samples: &[i16]) -> Result<(), String> {
        let told = |what: &str| {
            Err(format!("this is not {:?} at {} Hz: {what}", self.format.coding, self.format.rate_hz))
        };
        match self.format.coding {
            Coding::Mulaw | Coding::Alaw => {
                // Silence of 16-bit PCM and its high bytes are the loudest values of mu-law, and louder than speech in A-law.
                let loud = samples.iter().filter(|sample| sample.unsigned_abs() >= 30_000).count();
                let is_clipped = loud * 5 > samples.len();
                let same = samples.iter().filter(|sample| **sample == samples[0]).count();
                let is_stuck = same == samples.len() && samples[0].unsigned_abs() > 1_000;
                if is_clipped || is_stuck {
                    told("it is clipped throughout, as PCM read as G.711 is")
                } else {
                    Ok(())
                }
            }
            Coding::Linear16 => {
                // Bytes of G.711 speech taken by pairs are louder than anybody talks: -11 dBFS over half a second.
                let is_noise = rms(samples) > 9_000.0;
                if is_noise { told("it is loud noise, as G.711 read as PCM is") } else { Ok(()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice;

    fn verdict(sent: Format, negotiated: Format) -> Result<(), String> {
        let bytes = voice::caller(sent, &["mera order kahan hai bhai", "haan"], Duration::from_millis(300));
        let mut framing = Framing::new(negotiated, Duration::from_secs(1));
        bytes.chunks(320).try_for_each(|piece| framing.decoded(piece).map(|_| ()))
    }

    #[test]
    fn the_right_encoding_passes_and_every_wrong_one_is_noticed() {
        let formats =
            [Coding::Mulaw, Coding::Alaw, Coding::Linear16].map(|coding| Format::new(coding, 8_000));
        for format in formats {
            assert_eq!(verdict(format, format), Ok(()), "{format:?}");
        }
        let [mulaw, alaw, linear] = formats;
        for (sent, negotiated) in [(linear, mulaw), (mulaw, linear), (alaw, linear)] {
            assert!(verdict(sent, negotiated).is_err(), "{sent:?} as {negotiated:?}");
        }
    }

    #[test]
    fn odd_bytes_empty_pieces_files_and_long_pieces_are_refused() {
        let linear = Format::new(Coding::Linear16, 8_000);
        let refused = |piece: &[u8]| Framing::new(linear, Duration::from_millis(250)).decoded(piece).is_err();
        assert!(refused(&[1, 2, 3]) && refused(&[]) && refused(b"RIFF1234") && refused(&[0; 4_002]));
        assert!(!refused(&[0; 4_000]));
    }
}
