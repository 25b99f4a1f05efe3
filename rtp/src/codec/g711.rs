//! ITU-T G.711 by tables, built once: decoding looks up one byte, encoding the upper 14 bits of a sample.
//!
//! Mu-law has two codes for zero. Zero itself encodes to the positive one, 0xff; samples just below zero take 0x7f, which
//! decodes to zero as well. A sample of -1 therefore comes back as 0, as the ITU's own G.191 tools do it.

use std::sync::LazyLock;

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

/// Both directions of one law.
pub(super) struct Law {
    linear: [i16; 256],
    compressed: [u8; LINEAR_STEPS],
}

/// Both laws.
pub(super) struct Tables {
    pub(super) mu_law: Law,
    pub(super) a_law: Law,
}

/// The tables, computed when first asked for.
pub(super) fn tables() -> &'static Tables {
    &TABLES
}

pub(super) fn decode(law: &Law, payload: &[u8], samples: &mut [i16]) -> usize {
    for (code, sample) in payload.iter().zip(samples.iter_mut()) {
        *sample = law.linear[usize::from(*code)];
    }
    payload.len().min(samples.len())
}

pub(super) fn encode(law: &Law, samples: &[i16], payload: &mut [u8]) -> usize {
    for (sample, code) in samples.iter().zip(payload.iter_mut()) {
        *code = law.compressed[usize::from(sample.cast_unsigned() >> DROPPED_BITS)];
    }
    payload.len().min(samples.len())
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    mu_law: Law { linear: linear(decode_ulaw), compressed: compressed(encode_ulaw) },
    a_law: Law { linear: linear(decode_alaw), compressed: compressed(encode_alaw) },
});

fn linear(decode: impl Fn(u8) -> i16) -> [i16; 256] {
    let mut table = [0; 256];
    for (sample, code) in table.iter_mut().zip(0..=u8::MAX) {
        *sample = decode(code);
    }
    table
}

fn compressed(encode: impl Fn(i16) -> u8) -> [u8; LINEAR_STEPS] {
    let mut table = [0; LINEAR_STEPS];
    for (code, upper_bits) in table.iter_mut().zip(0_u16..) {
        *code = encode((upper_bits << DROPPED_BITS).cast_signed());
    }
    table
}

/// Neither law looks at the two lowest bits of a 16-bit sample: mu-law is defined on 14 bits, A-law on 13.
const DROPPED_BITS: u32 = 2;

const LINEAR_STEPS: usize = 1 << (16 - DROPPED_BITS);

#[cfg(test)]
mod tests;
