//! The command line's grammar: every flag of every command, checked while it is parsed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::call::cause::HangupCause;
use crate::config::PortRange;

/// `caly` and its commands.
#[derive(Debug, Parser)]
#[command(name = "caly", version, about, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Print JSON instead of text (errors: one object on standard error)
    #[arg(long, global = true, display_order = 100)]
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
    /// Render what agents say into a folder of audio clips (needs espeak-ng)
    #[command(after_help = EXIT_CODES)]
    Prompts(PromptsArgs),
    /// Run a captured call again, without a network, and keep its events and its recording
    #[command(after_help = EXIT_CODES)]
    Replay(ReplayArgs),
    /// Measure how agents take turns with callers, on a labelled set of synthetic ones or on one's own (needs espeak-ng)
    #[command(after_help = EXIT_CODES)]
    VoiceEval(VoiceEvalArgs),
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
    pub rtp_ports: Option<PortRange>,

    /// Directory for the database, the spool and the recordings [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// `caly call`.
#[derive(Debug, Default, Args)]
pub struct CallArgs {
    /// Whom to call, e.g. sip:echo@127.0.0.1 or sip:echo@192.0.2.7:5060;transport=tcp
    #[arg(value_name = "URI")]
    pub uri: String,

    /// Send this WAV file (PCM, float or G.711 of any rate; channels are mixed)
    #[arg(long, value_name = "FILE", group = "sound")]
    pub wav: Option<PathBuf>,

    /// Send the RTP of this capture (.pcap), with its own timing
    #[arg(long, value_name = "FILE", group = "sound")]
    pub pcap: Option<PathBuf>,

    /// Speak this text (needs espeak-ng on this machine)
    #[arg(long, value_name = "TEXT", group = "sound")]
    pub say: Option<String>,

    /// Press these keys once the call is answered (0-9 * # A-D; RFC 4733); a comma waits for a second
    #[arg(long, value_name = "DIGITS", value_parser = parse_digits)]
    pub dtmf: Option<String>,

    /// Keep both sides as a stereo WAV file (left: this caller); an old file goes when the new one is whole
    #[arg(long, value_name = "OUT.wav")]
    pub record: Option<PathBuf>,

    /// Keep every SIP, RTP and RTCP packet as a capture file; an old file goes when the new one is whole
    #[arg(long, value_name = "OUT.pcap")]
    pub capture: Option<PathBuf>,

    /// Hang up after this many seconds [default: when sound and digits are sent; without them, Ctrl-C does]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub duration: Option<Duration>,
}

/// `caly check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", default_value = "caly.toml")]
    pub config: PathBuf,

    /// Then ask every provider for real, each for at most 10 seconds; costs what a short sentence costs
    #[arg(long)]
    pub live: bool,
}

/// `caly prompts`.
#[derive(Debug, Args)]
pub struct PromptsArgs {
    /// An agent whose lines and words are needed; may be given more than once
    #[arg(long = "agent", value_name = "FILE", default_value = "config/agents/demo.toml")]
    pub agents: Vec<PathBuf>,

    /// Folder for the clips and their index; clips in it that none of the agents needs are removed
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `caly replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The capture (pcap or pcapng) with the call's SIP and RTP
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The agent that the calls meet, or a test destination: echo, tone, record, ring, busy
    #[arg(long, value_name = "NAME", default_value = "demo")]
    pub agent: String,

    /// The folder for recordings, events.jsonl and report.json; it must be new or empty
    #[arg(long, value_name = "DIR", default_value = "replay")]
    pub out: PathBuf,

    /// The server's SIP address in the capture [default: where the first INVITE went]
    #[arg(long, value_name = "ADDR:PORT")]
    pub local: Option<SocketAddr>,

    /// Run RTP that was captured without SIP: the stream to this address [default: to where the most packets went]
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, require_equals = true, conflicts_with = "local")]
    pub rtp: Option<Option<SocketAddr>>,

    /// With --rtp: the payload type of the keys (RFC 4733)
    #[arg(long, value_name = "TYPE", default_value_t = 101, requires = "rtp", value_parser = clap::value_parser!(u8).range(96..=127))]
    pub dtmf_pt: u8,
}

/// `caly voice-eval`.
#[derive(Debug, Args)]
pub struct VoiceEvalArgs {
    /// A set of sounds with labels, NAME.wav beside NAME.toml [default: the synthetic one, which is made from the seed]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// Write the synthetic set into DIR, to be listened to or changed, and measure nothing (about 3 GB)
    #[arg(long, requires = "dir")]
    pub make: bool,

    /// The folder for report.json, report.md, trials.jsonl and the plots
    #[arg(long, value_name = "DIR", default_value = "voice-eval")]
    pub out: PathBuf,

    /// The seed of the set, of the network and of the recognizer
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Only these conditions, with commas between them (clean,babble-10)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub conditions: Vec<String>,

    /// A few trials of each kind: enough to see that something broke, too few for figures
    #[arg(long)]
    pub small: bool,

    /// The agent's file whose `[turn_taking]` is measured [default: the usual settings]
    #[arg(long, value_name = "FILE")]
    pub agent: Option<PathBuf>,

    /// Agents without a recognizer
    #[arg(long)]
    pub no_words: bool,

    /// What the figures have to be (TOML) [default: what comes with the program]
    #[arg(long, value_name = "FILE")]
    pub thresholds: Option<PathBuf>,
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
    /// List calls, the newest first (with --json: JSON lines, one object for each call)
    #[command(after_help = EXIT_CODES)]
    Ls(CallsLsArgs),
    /// Show one call: its row, its events with their times, its SIP ladder
    #[command(after_help = EXIT_CODES)]
    Show(CallsShowArgs),
    /// Draw where the time of each turn went, from the caller's last word to the agent's first (with --json: one object)
    #[command(after_help = EXIT_CODES)]
    Waterfall(CallsWaterfallArgs),
}

/// `caly calls ls`.
#[derive(Debug, Args)]
pub struct CallsLsArgs {
    /// The server's data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    pub data: PathBuf,

    /// Only calls that began then or later: a day, a time, or a span before now (2026-11-21, 2h)
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    pub since: Option<Timestamp>,

    /// Only calls to this number or user; a star at the end stands for any rest
    #[arg(long, value_name = "NUMBER")]
    pub number: Option<String>,

    /// Only calls that ended for this cause
    #[arg(long, value_name = "CAUSE", value_parser = causes(), hide_possible_values = true)]
    pub cause: Option<HangupCause>,

    /// Show at most this many calls
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// `caly calls show`.
#[derive(Debug, Args)]
pub struct CallsShowArgs {
    /// The call's id as `caly calls ls` prints it, or at least six characters of its beginning or its end
    #[arg(value_name = "ID")]
    pub id: String,

    /// The server's data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    pub data: PathBuf,
}

/// `caly calls waterfall`.
#[derive(Debug, Args)]
pub struct CallsWaterfallArgs {
    /// The call's id as `caly calls ls` prints it, or at least six characters of its beginning or its end
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
  2  not tried: the command line or the configuration is wrong, `--live` found a provider that fails, or the call id is not unique";

/// The longest `--duration`: a day, so that a slip of the finger does not place a call for a year.
const MAX_CALL_SECONDS: f64 = 86_400.0;

/// The most digits one call sends; a calling card number with its PIN and a conference code stays below.
const MAX_DIGITS: usize = 64;

fn parse_port_range(text: &str) -> Result<PortRange, String> {
    let (first, last) =
        text.split_once('-').ok_or("write two ports with a dash between, e.g. 10000-20000")?;
    let port = |part: &str| part.trim().parse::<u16>().map_err(|_| format!("{part:?} is not a port"));
    PortRange::new(port(first)?, port(last)?)
        .ok_or_else(|| "no room for an even port above 0 and the next one".to_owned())
}

fn causes() -> impl TypedValueParser<Value = HangupCause> {
    let known = |name: String| HangupCause::ALL.into_iter().find(|cause| cause.as_str() == name);
    PossibleValuesParser::new(HangupCause::ALL.map(HangupCause::as_str))
        .try_map(move |name| known(name).ok_or("no such cause"))
}

fn parse_since(text: &str) -> Result<Timestamp, String> {
    since(text, Timestamp::now())
}

/// A time, a day (its beginning in UTC) or a span before now.
fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Ok(day) = text.parse::<Date>() {
        return day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|error| error.to_string());
    }
    let span: SignedDuration = text
        .parse()
        .map_err(|_| "write 2026-11-21, 2026-11-21T10:00:00Z, or a span before now as 2h".to_owned())?;
    now.checked_sub(span.abs()).map_err(|error| error.to_string())
}

fn parse_digits(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_DIGITS {
        return Err(format!("between 1 and {MAX_DIGITS} digits can be sent"));
    }
    match text.chars().find(|c| !matches!(c.to_ascii_uppercase(), '0'..='9' | '*' | '#' | 'A'..='D' | ',')) {
        Some(other) => {
            Err(format!("{other:?} is no telephone digit; use 0-9 * # A-D, and a comma to wait a second"))
        }
        None => Ok(text.to_ascii_uppercase()),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    if seconds > 0.0 && seconds <= MAX_CALL_SECONDS {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(format!("write more than 0 and at most {MAX_CALL_SECONDS} seconds"))
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
        let range = parse_port_range("10000-20000").unwrap();
        assert_eq!((range.first(), range.last()), (10_000, 20_000));
        for wrong in ["", "10000", "0-10", "20000-10000", "5-5", "5-6", "1-99999", "a-b"] {
            assert!(parse_port_range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn since_is_a_day_a_time_or_a_span() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-21T12:00:00Z");
        for (text, meant) in [
            ("2026-11-20", at("2026-11-20T00:00:00Z")),
            ("2026-11-20T05:30:00+05:30", at("2026-11-20T00:00:00Z")),
            ("1h30m", at("2026-11-21T10:30:00Z")),
        ] {
            assert_eq!(since(text, now), Ok(meant), "{text}");
        }
        for wrong in ["", "yesterday", "21.11.2026", "2h ago, maybe"] {
            assert!(since(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cause_is_one_of_those_in_the_store() {
        let ls = |cause| Cli::try_parse_from(["caly", "calls", "ls", "--cause", cause]);
        assert!(HangupCause::ALL.iter().all(|cause| ls(cause.as_str()).is_ok()));
        assert!(ls("bored").is_err_and(|error| error.to_string().contains("remote_bye")));
    }

    #[test]
    fn digits_are_those_of_a_telephone() {
        assert_eq!(parse_digits("12*#a,"), Ok("12*#A,".to_owned()));
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
