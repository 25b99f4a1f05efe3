//! The server's own log: set up once at start, on standard error, as text or as one JSON object per line.
//!
//! Phone numbers are personal data. Whatever names a party goes through [`Redacted`] before it reaches a log line.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line, for collectors.
    Json,
}

/// Whether the log shows whole phone numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhoneNumbers {
    /// Only their last digits.
    #[default]
    Masked,
    /// In full.
    Shown,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is neither one of the five names nor a list of `target=level`.
    #[error("{level:?} is no log level: write error, warn, info, debug or trace, or target=level, ...")]
    Level {
        /// What was configured.
        level: String,
    },
    /// A log was set up before in this process.
    #[error("the log is already set up in this process")]
    AlreadySet,
}

/// Sends the process's log to standard error from now on. Called once, before any thread starts.
///
/// # Errors
/// When `level` cannot be read, or on a second call.
pub fn init(level: &str, format: LogFormat, numbers: PhoneNumbers) -> Result<(), TelemetryError> {
    let filter = parse_level(level)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let outcome = match format {
        LogFormat::Text => log.with_ansi(is_coloured()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).try_init(),
    };
    outcome.map_err(|_| TelemetryError::AlreadySet)?;
    SHOW_NUMBERS.store(numbers == PhoneNumbers::Shown, Ordering::Relaxed);
    Ok(())
}

/// Reads a level as [`init`] does, so that a configuration can be checked without setting up a log.
///
/// # Errors
/// When it is neither a level's name nor a list of `target=level`.
pub fn check_level(level: &str) -> Result<(), TelemetryError> {
    parse_level(level).map(|_| ())
}

/// A party (a number, a SIP or tel URI, a `From` value) as it may stand in a log: of every phone number in it only
/// the last three digits, unless the log was set up with [`PhoneNumbers::Shown`].
#[derive(Clone, Copy)]
pub struct Redacted<'a>(pub &'a str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if SHOW_NUMBERS.load(Ordering::Relaxed) { f.write_str(self.0) } else { write_masked(self.0, f) }
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Masks the numbers of one party; what follows an `@` is a host and stays.
fn write_masked(party: &str, out: &mut impl fmt::Write) -> fmt::Result {
    let (mut rest, host) = match party.rsplit_once('@') {
        Some((user, _)) => (user, &party[user.len()..]),
        None => (party, ""),
    };
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from_digit) = rest.split_at(start);
        let end = from_digit.find(|c| !is_part_of_number(c)).unwrap_or(from_digit.len());
        let (number, after) = from_digit.split_at(end);
        out.write_str(before)?;
        write_number(number, out)?;
        rest = after;
    }
    out.write_str(rest)?;
    out.write_str(host)
}

fn write_number(number: &str, out: &mut impl fmt::Write) -> fmt::Result {
    let digits = number.chars().filter(char::is_ascii_digit).count();
    if digits < PHONE_NUMBER_DIGITS {
        return out.write_str(number);
    }
    out.write_char('…')?;
    number
        .chars()
        .filter(char::is_ascii_digit)
        .skip(digits - SHOWN_DIGITS)
        .try_for_each(|digit| out.write_char(digit))
}

/// Digits and the visual separators of RFC 3966 section 3.
fn is_part_of_number(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '-' | '.' | '(' | ')' | ' ')
}

fn parse_level(level: &str) -> Result<EnvFilter, TelemetryError> {
    let wrong = || TelemetryError::Level { level: level.to_owned() };
    if level.trim().is_empty() {
        return Err(wrong());
    }
    // A bare word would be taken for the name of a module, and the log would stay silent.
    let is_list = level.contains('=') || level.contains(',');
    if !is_list && level.parse::<tracing::Level>().is_err() && level != "off" {
        return Err(wrong());
    }
    EnvFilter::try_new(level).map_err(|_| wrong())
}

fn is_coloured() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Numbers shorter than this name no one: extensions, ports, service numbers such as 112 or 1800.
const PHONE_NUMBER_DIGITS: usize = 5;

/// Enough to tell two calls in a log apart, too few to call anyone.
const SHOWN_DIGITS: usize = 3;

/// Set once by [`init`]; log lines are formatted on many threads.
static SHOW_NUMBERS: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_phone_number_the_last_three_digits_are_left() {
        for (party, logged) in [
            ("+919812345678", "+…678"),
            ("sip:+919812345678@203.0.113.9:5060", "sip:+…678@203.0.113.9:5060"),
            ("tel:+1-(415)-555-0100", "tel:+…100"),
            ("tel:+1.415.555.0100;phone-context=+44", "tel:+…100;phone-context=+44"),
            ("\"Asha 98765 43210\" <sip:asha@example.com>", "\"Asha …210\" <sip:asha@example.com>"),
            ("98765 43210", "…210"),
        ] {
            assert_eq!(Redacted(party).to_string(), logged);
            assert_eq!(format!("{:?}", Redacted(party)), logged);
        }
    }

    #[test]
    fn what_is_no_phone_number_stays() {
        for party in ["sip:echo@127.0.0.1", "echo", "112", "sip:1004@10.20.30.40", "", "@", "नमस्ते"]
        {
            assert_eq!(Redacted(party).to_string(), party);
        }
    }

    #[test]
    fn a_level_is_a_known_name_or_a_list() {
        for level in [
            "error",
            "warn",
            "info",
            "debug",
            "trace",
            "off",
            "INFO",
            "caly=debug,info",
            "caly::signaling=trace",
        ] {
            assert!(check_level(level).is_ok(), "{level}");
        }
        for level in ["", "verbose", "caly=loud", "inf"] {
            assert!(check_level(level).is_err(), "{level}");
        }
    }
}
