//! What is wrong with a command line, on one line or as JSON like every other failure; and the help texts.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser as _};

use super::{Cli, Failure, Format, secret};

/// A command line that runs no command.
#[derive(Debug)]
pub enum Usage {
    /// Help or the version, which was asked for; for standard output.
    Shown(String),
    /// The help of a command that was called without saying what to do; for standard error, exit code 2.
    Bare(String),
    /// The command line is wrong.
    Wrong(Failure, Format),
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// What to print instead of running a command.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Usage> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    Cli::try_parse_from(&arguments).map_err(|error| {
        let format = asked_format(&arguments);
        match (error.kind(), format) {
            (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, _) => {
                Usage::Shown(error.render().to_string())
            }
            (ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, Format::Text) => {
                Usage::Bare(error.render().to_string())
            }
            (ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, Format::Json) => {
                Usage::Wrong(Failure::refused("the command is missing").advise(see_help(&arguments)), format)
            }
            (_, format) => Usage::Wrong(failure(&error, &arguments), format),
        }
    })
}

/// `--json` counts even on a line that is wrong elsewhere.
fn asked_format(arguments: &[OsString]) -> Format {
    let is_asked =
        arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    if is_asked { Format::Json } else { Format::Text }
}

fn failure(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(one_line);
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let message = message.split(" [possible values: ").next().unwrap_or(message).trim_end_matches(':');
    let tip = paragraphs.find_map(|paragraph| paragraph.strip_prefix("tip: ").map(str::to_owned));
    let help = see_help(arguments);
    let advice = tip.or_else(|| values(error)).map_or_else(|| help.clone(), |tip| format!("{tip} ({help})"));
    Failure::refused(secret::without_passwords(message)).advise(secret::without_passwords(&advice))
}

/// The values that an option takes, if there are only so many.
fn values(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue) else { return None };
    (!values.is_empty()).then(|| format!("it is one of {}", values.join(", ")))
}

/// The help of the innermost command that was named.
fn see_help(arguments: &[OsString]) -> String {
    let root = Cli::command();
    let (mut command, mut named) = (&root, "caly".to_owned());
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        if let Some(inner) = command.find_subcommand(argument) {
            command = inner;
            named = format!("{named} {argument}");
        }
    }
    format!("see `{named} --help`")
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(line: &str) -> (String, Option<u8>) {
        let mut printed = Vec::new();
        match parse(line.split(' ').map(OsString::from)).unwrap_err() {
            Usage::Shown(text) => (text, Some(0)),
            Usage::Bare(text) => (text, None),
            Usage::Wrong(failure, format) => {
                failure.print(&mut printed, format).unwrap();
                (String::from_utf8(printed).unwrap(), Some(failure.exit_code()))
            }
        }
    }

    #[test]
    fn every_fault_is_one_line_that_says_what_to_do() {
        for (line, wanted) in [
            ("caly answer", "caly: unrecognized subcommand 'answer'; see `caly --help`\n"),
            (
                "caly call sip:echo@127.0.0.1 --dtmf 12x",
                "caly: invalid value '12x' for '--dtmf <DIGITS>': 'x' is no telephone digit; use 0-9 * # A-D, and a comma to wait a second; \
                 see `caly call --help`\n",
            ),
            (
                "caly call",
                "caly: the following required arguments were not provided: <URI>; see `caly call --help`\n",
            ),
            (
                "caly serve --conifg x",
                "caly: unexpected argument '--conifg' found; a similar argument exists: '--config' \
                 (see `caly serve --help`)\n",
            ),
            (
                "caly calls ls --limit 0",
                "caly: invalid value '0' for '--limit <N>': 0 is not in 1..=10000; see `caly calls ls --help`\n",
            ),
        ] {
            assert_eq!(printed(line), (wanted.to_owned(), Some(2)));
        }
        let (cause, _) = printed("caly calls ls --cause bored");
        assert!(cause.contains("'--cause <CAUSE>'; ") && cause.contains("remote_bye"), "{cause}");
        assert_eq!(cause.lines().count(), 1, "{cause}");
    }

    #[test]
    fn faults_are_json_when_json_is_asked() {
        for line in
            ["caly call --json --dtmf 12x sip:a@b", "caly answer --json", "caly --json", "caly calls --json"]
        {
            let (text, code) = printed(line);
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!((json["exit_code"].as_u64(), code), (Some(2), Some(2)), "{line}: {text}");
            assert!(json["error"].is_string() && json["advice"].is_string(), "{line}: {text}");
        }
    }

    #[test]
    fn no_fault_repeats_a_password() {
        let (text, _) = printed("caly call sip:echo@127.0.0.1 sip:echo:s3cret@127.0.0.1");
        assert!(text.contains("sip:echo:***@127.0.0.1") && !text.contains("s3cret"), "{text}");
    }

    #[test]
    fn help_is_no_fault() {
        assert_eq!(printed("caly --help").1, Some(0));
        assert!(printed("caly --version").0.starts_with("caly "));
        assert!(printed("caly").0.contains("Commands:") && printed("caly calls").0.contains("Commands:"));
    }
}
