//! What a command prints: text or JSON on standard output, one line on standard error when it fails.

use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;

use crate::config::Faults;

/// Standard output (or a test's buffer) together with how to write to it.
pub struct Output<'a> {
    writer: &'a mut dyn Write,
    format: Format,
    style: Style,
}

/// Text for people or JSON for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines and tables.
    Text,
    /// One JSON value per result.
    Json,
}

/// Whether escape sequences may be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    Plain,
    /// ANSI colours.
    Coloured,
}

impl<'a> Output<'a> {
    /// Writes to `writer` as told.
    pub fn new(writer: &'a mut dyn Write, format: Format, style: Style) -> Self {
        Self { writer, format, style }
    }

    /// Text or JSON, as `--json` asked.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether colours may be used.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Prints one line of text.
    ///
    /// # Errors
    /// When standard output is closed or its disk is full.
    pub fn line(&mut self, text: impl std::fmt::Display) -> Result<(), Failure> {
        writeln!(self.writer, "{text}")?;
        Ok(())
    }

    /// Prints one JSON value on a line of its own.
    ///
    /// # Errors
    /// When standard output is closed or its disk is full.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut *self.writer, value).map_err(io::Error::from)?;
        writeln!(self.writer)?;
        self.writer.flush()?;
        Ok(())
    }
}

impl Style {
    /// Colours for a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or the terminal is dumb.
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if io::stdout().is_terminal() && !refused && !dumb { Self::Coloured } else { Self::Plain }
    }
}

/// Why a command did not do what it was asked, in one line, with what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    kind: FailureKind,
    message: String,
    advice: Option<String>,
}

/// What the process's exit code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Exit code 1: tried and failed.
    Failed,
    /// Exit code 2: not tried, because the command line or the configuration is wrong.
    Refused,
    /// Exit code 0: whoever read our output has seen enough (`caly calls ls | head`).
    ReaderGone,
}

impl Failure {
    /// Not tried, because an agent's file has faults: the first of them, and how many more there are.
    pub(super) fn faulty_agent(faults: &Faults) -> Self {
        let Some(first) = faults.iter().next() else { return Self::refused("the agent's file is faulty") };
        let message = match faults.count() - 1 {
            0 => first.to_string(),
            more => format!("{first} (and {more} more)"),
        };
        Self::refused(message).advise("mend the agent's file")
    }

    /// Tried and failed (exit code 1).
    pub fn failed(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Failed, message: message.into(), advice: None }
    }

    /// Not tried: the command line or the configuration is wrong (exit code 2).
    pub fn refused(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Refused, message: message.into(), advice: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// What the exit code tells.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            FailureKind::Failed => 1,
            FailureKind::Refused => 2,
            FailureKind::ReaderGone => 0,
        }
    }

    /// Prints the failure on one line: `caly: message; advice`, or as JSON.
    ///
    /// # Errors
    /// When `writer` cannot be written to.
    pub fn print(&self, writer: &mut dyn Write, format: Format) -> io::Result<()> {
        if self.kind == FailureKind::ReaderGone {
            return Ok(());
        }
        match format {
            Format::Text => match &self.advice {
                Some(advice) => writeln!(writer, "caly: {}; {}", one_line(&self.message), one_line(advice)),
                None => writeln!(writer, "caly: {}", one_line(&self.message)),
            },
            Format::Json => {
                let value = serde_json::json!({
                    "error": self.message, "advice": self.advice, "exit_code": self.exit_code()
                });
                writeln!(writer, "{value}")
            }
        }
    }
}

/// Names of files and words of peers may hold line ends and what else a terminal obeys.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { kind: FailureKind::ReaderGone, message: error.to_string(), advice: None };
        }
        Self::failed(format!("cannot write the output: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_with_its_advice() {
        let failure = Failure::refused("caly.toml:3: unknown key `sipp`").advise("write `sip`");
        let mut printed = Vec::new();
        failure.print(&mut printed, Format::Text).unwrap();
        assert_eq!(printed, b"caly: caly.toml:3: unknown key `sipp`; write `sip`\n");
        assert_eq!(failure.exit_code(), 2);
    }

    #[test]
    fn a_failure_stays_one_line_whatever_it_tells_of() {
        let mut printed = Vec::new();
        Failure::failed("a\nb\x1b[2J: no such file").print(&mut printed, Format::Text).unwrap();
        assert_eq!(String::from_utf8(printed).unwrap(), "caly: a\u{fffd}b\u{fffd}[2J: no such file\n");
    }

    #[test]
    fn a_failure_in_json_is_one_object() {
        let mut printed = Vec::new();
        Failure::failed("refused: 486 Busy Here").print(&mut printed, Format::Json).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&printed).unwrap();
        assert_eq!(value["error"], "refused: 486 Busy Here");
        assert_eq!(value["exit_code"], 1);
        assert_eq!(printed.iter().filter(|&&byte| byte == b'\n').count(), 1);
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut closed = Closed;
        let mut out = Output::new(&mut closed, Format::Text, Style::Plain);
        assert_eq!(out.line("call").unwrap_err().exit_code(), 0);
        assert_eq!(out.json(&1).unwrap_err().exit_code(), 0);
    }
}
