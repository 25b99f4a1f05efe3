//! Against a plain reading of the tables of ITU-T G.711, segment by segment.

use super::super::Codec;

/// Segments and intervals of a code word, its sign and the law's bit inversion taken away.
struct Word {
    is_positive: bool,
    segment: i32,
    interval: i32,
}

impl Word {
    fn of(code: u8, inverted: u8) -> Self {
        let plain = code ^ inverted;
        Self {
            is_positive: plain & 0x80 != 0,
            segment: i32::from(plain >> 4 & 7),
            interval: i32::from(plain & 15),
        }
    }

    fn signed(&self, magnitude: i32) -> i32 {
        if self.is_positive { magnitude } else { -magnitude }
    }
}

/// Mu-law inverts all bits but the sign, A-law every other one.
const MU_LAW_INVERTED: u8 = 0x7f;
const A_LAW_INVERTED: u8 = 0x55;

/// G.711 table 2: 14-bit values, segments of sixteen intervals, each twice as wide as in the segment before, from 2 on.
fn mu_law_value(code: u8) -> i32 {
    let word = Word::of(code, MU_LAW_INVERTED);
    word.signed(((2 * word.interval + 33) << word.segment) - 33) * 4
}

fn mu_law_lower_edge(word: &Word) -> i32 {
    ((2 * word.interval + 32) << word.segment) - 33
}

/// G.711 table 1: 13-bit values, the first two segments with intervals of 2, the others doubling.
fn a_law_value(code: u8) -> i32 {
    let word = Word::of(code, A_LAW_INVERTED);
    let magnitude = match word.segment {
        0 => 2 * word.interval + 1,
        segment => (2 * word.interval + 33) << (segment - 1),
    };
    word.signed(magnitude) * 8
}

fn a_law_lower_edge(word: &Word) -> i32 {
    match word.segment {
        0 => 2 * word.interval,
        segment => (2 * word.interval + 32) << (segment - 1),
    }
}

/// The code of a sample by search: of the codes with its sign, the one with the highest lower edge that it reaches. Negative
/// samples are complemented, not negated, as in the ITU's software tools (G.191).
fn search(sample: i16, unused_bits: u32, inverted: u8, lower_edge: impl Fn(&Word) -> i32) -> u8 {
    let is_positive = sample >= 0;
    let magnitude = i32::from(if is_positive { sample } else { !sample }) >> unused_bits;
    let codes = (0..=u8::MAX).filter(|code| Word::of(*code, inverted).is_positive == is_positive);
    let reached = codes.filter(|code| lower_edge(&Word::of(*code, inverted)) <= magnitude);
    reached.max_by_key(|code| lower_edge(&Word::of(*code, inverted))).unwrap()
}

fn decoded(codec: Codec, code: u8) -> i16 {
    let mut sample = [0];
    assert_eq!(codec.decode(&[code], &mut sample), 1);
    sample[0]
}

fn encoded(codec: Codec, sample: i16) -> u8 {
    let mut code = [0];
    assert_eq!(codec.encode(&[sample], &mut code), 1);
    code[0]
}

#[test]
fn all_256_codes_decode_to_the_values_of_the_recommendation() {
    for code in 0..=u8::MAX {
        assert_eq!(i32::from(decoded(Codec::Pcmu, code)), mu_law_value(code), "mu-law {code:#04x}");
        assert_eq!(i32::from(decoded(Codec::Pcma, code)), a_law_value(code), "A-law {code:#04x}");
    }
}

#[test]
fn all_65536_samples_encode_as_the_recommendation_says() {
    // The search is slow, and all samples that differ in unused bits only have one answer.
    let mut expected = (0, 0);
    for sample in i16::MIN..=i16::MAX {
        if sample & 3 == 0 {
            expected = (
                search(sample, 2, MU_LAW_INVERTED, mu_law_lower_edge),
                search(sample, 3, A_LAW_INVERTED, a_law_lower_edge),
            );
        }
        assert_eq!(encoded(Codec::Pcmu, sample), expected.0, "mu-law {sample}");
        assert_eq!(encoded(Codec::Pcma, sample), expected.1, "A-law {sample}");
    }
}

#[test]
fn codes_survive_decoding_and_encoding_but_for_the_second_zero_of_mu_law() {
    for code in 0..=u8::MAX {
        assert_eq!(encoded(Codec::Pcma, decoded(Codec::Pcma, code)), code);
        let expected = if code == 0x7f { 0xff } else { code };
        assert_eq!(encoded(Codec::Pcmu, decoded(Codec::Pcmu, code)), expected);
    }
}

#[test]
fn mu_law_zero_is_positive_and_just_below_zero_is_the_negative_zero() {
    assert_eq!((encoded(Codec::Pcmu, 0), encoded(Codec::Pcmu, -1)), (0xff, 0x7f));
    assert_eq!((decoded(Codec::Pcmu, 0xff), decoded(Codec::Pcmu, 0x7f)), (0, 0));
}

#[test]
fn silence_is_the_code_of_zero() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        assert_eq!(encoded(codec, 0), codec.silence_byte());
    }
}

#[test]
fn the_shorter_side_sets_the_length() {
    let mut samples = [1; 3];
    assert_eq!(Codec::Pcmu.decode(&[0xff; 5], &mut samples), 3);
    assert_eq!(Codec::Pcmu.decode(&[0xff; 2], &mut samples), 2);
    let mut payload = [0; 3];
    assert_eq!(Codec::Pcma.encode(&[0; 5], &mut payload), 3);
    assert_eq!(Codec::Pcma.encode(&[], &mut payload), 0);
}
