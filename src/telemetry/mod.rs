//! The server's own log: set up once at start, on standard error, as text or as one JSON object per line.
//!
//! Phone numbers are personal data. Whatever names a party goes through [`Redacted`] before it reaches a log line.

mod calls;
mod redacted;

use std::io::{self, IsTerminal as _};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

pub use calls::announce;
pub use redacted::Redacted;

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

/// Keeps the log's thread; what is still to be written is written when it is dropped.
#[derive(Debug)]
#[must_use = "the log ends when it is dropped"]
pub struct LogGuard {
    _writer: WorkerGuard,
}

/// Sends the process's log to standard error from now on. Called once, before any thread starts. A thread of its own writes:
/// whoever logs never waits for who reads, and lines are lost when 8,192 wait for a reader that stands still.
///
/// # Errors
/// When `level` cannot be read, or on a second call.
pub fn init(level: &str, format: LogFormat, numbers: PhoneNumbers) -> Result<LogGuard, TelemetryError> {
    let filter = parse_level(level)?;
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("caly-log")
        .finish(io::stderr());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let outcome = match format {
        LogFormat::Text => log.with_ansi(is_coloured()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).try_init(),
    };
    outcome.map_err(|_| TelemetryError::AlreadySet)?;
    redacted::show_numbers(numbers == PhoneNumbers::Shown);
    Ok(LogGuard { _writer: guard })
}

/// Reads a level as [`init`] does, so that a configuration can be checked without setting up a log.
///
/// # Errors
/// When it is neither a level's name nor a list of `target=level`.
pub fn check_level(level: &str) -> Result<(), TelemetryError> {
    parse_level(level).map(|_| ())
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

/// Seconds of a busy server's log.
const WAITING_LINES: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

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
