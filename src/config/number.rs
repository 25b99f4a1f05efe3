//! Which called numbers a route takes.

use std::fmt;

/// A called number, or all that begin alike. Numbers are compared as the user part of the Request-URI has them, with
/// escapes decoded: a `+` matters, letters too, and so does their case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NumberPattern {
    /// This one.
    Exact(String),
    /// Every number that begins so; written with a `*` behind, and with nothing before it for all numbers.
    Prefix(String),
}

impl NumberPattern {
    /// Reads a pattern: a `*` at the end is a wildcard, anywhere else it is the key of a telephone.
    ///
    /// # Errors
    /// What is wrong, for the person who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("must be a number, a prefix with * behind it, or * for all".to_owned());
        }
        if text.chars().count() > MAX_NUMBER_CHARS {
            return Err(format!("must have at most {MAX_NUMBER_CHARS} characters"));
        }
        if let Some(wrong) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!(
                "must not contain {wrong:?}: write numbers without blanks, as they arrive in SIP"
            ));
        }
        Ok(match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(text.to_owned()),
        })
    }

    /// Whether a called number fits.
    pub fn matches(&self, number: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == number,
            Self::Prefix(prefix) => number.starts_with(prefix.as_str()),
        }
    }

    /// Whether every number that fits `other` fits this too.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(number)) => self.matches(number),
            (Self::Prefix(wide), Self::Prefix(narrow)) => narrow.starts_with(wide.as_str()),
            (Self::Exact(_), Self::Prefix(_)) => false,
        }
    }
}

impl fmt::Display for NumberPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(number) => f.write_str(number),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

/// Far above the 15 digits of E.164; names of destinations fit too.
const MAX_NUMBER_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> NumberPattern {
        NumberPattern::parse(text).unwrap()
    }

    #[test]
    fn exact_numbers_and_prefixes_match() {
        for (written, number, fits) in [
            ("+14155550100", "+14155550100", true),
            ("+14155550100", "14155550100", false),
            ("+1415*", "+14155550100", true),
            ("+1415*", "+1415", true),
            ("+1415*", "+141", false),
            ("*", "", true),
            ("*", "anything", true),
            ("*98", "*98", true),
            ("*98", "198", false),
            ("**", "*5", true),
            ("Echo", "echo", false),
        ] {
            assert_eq!(pattern(written).matches(number), fits, "{written} {number}");
            assert_eq!(pattern(written).to_string(), written);
        }
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        for (wide, narrow, covers) in [
            ("*", "+1*", true),
            ("*", "5", true),
            ("+1*", "+14*", true),
            ("+14*", "+1*", false),
            ("+1*", "+1", true),
            ("5", "5", true),
            ("5", "5*", false),
        ] {
            assert_eq!(pattern(wide).covers(&pattern(narrow)), covers, "{wide} {narrow}");
        }
    }

    #[test]
    fn blanks_and_control_characters_are_refused() {
        for wrong in ["", "+1 415", "5\t", "\u{7}", &"1".repeat(MAX_NUMBER_CHARS + 1)] {
            assert!(NumberPattern::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
