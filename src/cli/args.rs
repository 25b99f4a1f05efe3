//! The command line's grammar: every flag of every command, checked while it is parsed.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// `caly` and its commands.
#[derive(Debug, Parser)]
#[command(name = "caly", version, about, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Print machine-readable JSON on standard output (errors: one JSON line on standard error)
    #[arg(long, global = true)]
    pub json: bool,
}

/// One command each.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    #[command(after_help = EXIT_CODES)]
    Serve(ServeArgs),
    /// Place one real call and report how it went
    #[command(after_help = EXIT_CODES)]
    Call(CallArgs),
    /// Check a configuration file and list every fault in it
    #[command(after_help = EXIT_CODES)]
    Check(CheckArgs),
    /// Look at the calls that the server has handled
    #[command(after_help = EXIT_CODES)]
    Calls(CallsArgs),
}

/// `caly serve`. A flag wins over the configuration file, the file over the default.
#[derive(Debug, Default, Args)]
pub struct ServeArgs {
    /// Configuration file (TOML); without one, only this host's own addresses are served
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// SIP address for UDP and TCP; port 0 takes a free one [default: 0.0.0.0:5060]
    #[arg(long, value_name = "ADDR:PORT")]
    pub sip: Option<SocketAddr>,

    /// HTTP address for /health; port 0 takes a free one [default: 127.0.0.1:5050]
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<SocketAddr>,

    /// UDP ports for RTP and RTCP, both ends included [default: 10000-20000]
    #[arg(long, value_name = "A-B", value_parser = parse_port_range)]
    pub rtp_ports: Option<RangeInclusive<u16>>,

    /// Directory for the database, the spool and the recordings [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// `caly call`.
#[derive(Debug, Args)]
pub struct CallArgs {
    /// Whom to call, e.g. sip:echo@127.0.0.1 or sip:echo@192.0.2.7:5060;transport=tcp
    #[arg(value_name = "URI")]
    pub uri: String,

    /// Send this WAV file (mono, 8 kHz or a rate that is converted to it)
    #[arg(long, value_name = "FILE", group = "sound")]
    pub wav: Option<PathBuf>,

    /// Send the RTP of this capture (.pcap), with its own timing
    #[arg(long, value_name = "FILE", group = "sound")]
    pub pcap: Option<PathBuf>,

    /// Speak this text (needs espeak-ng on this machine)
    #[arg(long, value_name = "TEXT", group = "sound")]
    pub say: Option<String>,

    /// Press these digits once the call is answered (0-9 * # A-D; RFC 4733)
    #[arg(long, value_name = "DIGITS", value_parser = parse_digits)]
    pub dtmf: Option<String>,

    /// Keep what both sides said as a stereo WAV file (left: this caller, right: the far end)
    #[arg(long, value_name = "OUT.wav")]
    pub record: Option<PathBuf>,

    /// Keep every SIP, RTP and RTCP packet of the call as a capture file
    #[arg(long, value_name = "OUT.pcap")]
    pub capture: Option<PathBuf>,

    /// Hang up after this many seconds [default: when the sound and the digits are sent]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub duration: Option<Duration>,
}

/// `caly check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", default_value = "caly.toml")]
    pub config: PathBuf,
}

/// `caly calls`.
#[derive(Debug, Args)]
pub struct CallsArgs {
    /// What to look at.
    #[command(subcommand)]
    pub command: CallsCommand,
}

/// The commands below `caly calls`.
#[derive(Debug, Subcommand)]
pub enum CallsCommand {
    /// List calls, the newest first
    #[command(after_help = EXIT_CODES)]
    Ls(CallsLsArgs),
    /// Show one call: its row, its events with their times, its SIP ladder
    #[command(after_help = EXIT_CODES)]
    Show(CallsShowArgs),
}

/// `caly calls ls`.
#[derive(Debug, Args)]
pub struct CallsLsArgs {
    /// The server's data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    pub data: PathBuf,

    /// Show at most this many calls
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// `caly calls show`.
#[derive(Debug, Args)]
pub struct CallsShowArgs {
    /// The call's id as `caly calls ls` prints it; its beginning is enough if it is unique
    #[arg(value_name = "ID")]
    pub id: String,

    /// The server's data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    pub data: PathBuf,
}

/// Where the commands that read a server's traces look unless told otherwise.
pub const DEFAULT_DATA_DIR: &str = "data";

/// Shown at the end of every `--help`.
const EXIT_CODES: &str = "Exit codes:
  0  done
  1  tried and failed: the call was refused or lost, the call id is unknown, the server could not start or broke off
  2  not tried: the command line or the configuration is wrong";

/// The longest `--duration`: a day, so that a slip of the finger does not place a call for a year.
const MAX_CALL_SECONDS: f64 = 86_400.0;

/// The most digits one call sends; a calling card number with its PIN and a conference code stays below.
const MAX_DIGITS: usize = 64;

fn parse_port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) =
        text.split_once('-').ok_or("write two ports with a dash between, e.g. 10000-20000")?;
    let port = |part: &str| part.trim().parse::<u16>().map_err(|_| format!("{part:?} is not a port"));
    let (first, last) = (port(first)?, port(last)?);
    if first == 0 {
        return Err("port 0 cannot be part of a range".to_owned());
    }
    if last <= first {
        return Err(format!("{first}-{last} holds no pair of ports for RTP and RTCP"));
    }
    Ok(first..=last)
}

fn parse_digits(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_DIGITS {
        return Err(format!("between 1 and {MAX_DIGITS} digits can be sent"));
    }
    match text.chars().find(|c| !matches!(c.to_ascii_uppercase(), '0'..='9' | '*' | '#' | 'A'..='D')) {
        Some(other) => Err(format!("{other:?} is no telephone digit; use 0-9 * # A-D")),
        None => Ok(text.to_ascii_uppercase()),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    if seconds > 0.0 && seconds <= MAX_CALL_SECONDS {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(format!("between 0 and {MAX_CALL_SECONDS} seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_port_range_has_room_for_a_pair() {
        assert_eq!(parse_port_range("10000-20000"), Ok(10_000..=20_000));
        for wrong in ["", "10000", "0-10", "20000-10000", "5-5", "1-99999", "a-b"] {
            assert!(parse_port_range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn digits_are_those_of_a_telephone() {
        assert_eq!(parse_digits("12*#a"), Ok("12*#A".to_owned()));
        let too_many = "1".repeat(MAX_DIGITS + 1);
        for wrong in ["", "12x", "١٢", &too_many] {
            assert!(parse_digits(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_is_finite_and_positive() {
        assert_eq!(parse_seconds("2.5"), Ok(Duration::from_millis(2_500)));
        for wrong in ["0", "-1", "NaN", "inf", "1e9", "ten"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_source_of_sound_at_a_time() {
        let both =
            Cli::try_parse_from(["caly", "call", "sip:echo@127.0.0.1", "--wav", "a.wav", "--say", "hello"]);
        assert_eq!(both.map(|_| ()).map_err(|e| e.kind()), Err(clap::error::ErrorKind::ArgumentConflict));
    }

    #[test]
    fn json_may_stand_behind_any_command() {
        let cli = Cli::try_parse_from(["caly", "calls", "show", "c1", "--json"]).unwrap();
        assert!(cli.json);
    }
}
