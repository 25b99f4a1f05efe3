//! `[rtp]`: ports, codecs and patience for media.

use std::fmt;
use std::time::Duration;

use super::table::{Table, integer, text, word};
use toml::de::DeValue;

/// `[rtp]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpConfig {
    /// UDP ports; each call takes an even one for RTP and the next for RTCP.
    pub ports: PortRange,
    /// How long packets wait in the jitter buffer.
    pub jitter: Duration,
    /// How long a call lives without RTP that should come; zero for ever.
    pub timeout: Duration,
    /// How long a call on hold lives without any sign of its peer; zero for ever.
    pub hold_timeout: Duration,
    /// Codecs, the best first.
    pub codecs: Vec<CodecName>,
}

/// UDP ports, both ends included, with room for one pair at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// A codec by its SDP name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodecName {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Default for RtpConfig {
    fn default() -> Self {
        Self {
            ports: PortRange { first: 10_000, last: 20_000 },
            jitter: Duration::from_millis(60),
            timeout: Duration::from_secs(30),
            hold_timeout: Duration::from_secs(3600),
            codecs: vec![CodecName::Pcmu, CodecName::Pcma],
        }
    }
}

impl RtpConfig {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let default = Self::default();
        let ports = table.get("ports", port_range);
        let jitter_ms = table.get("jitter_ms", integer(20..=200, "ms"));
        let timeout_s = table.get("timeout_s", integer(0..=3600, "s, 0 for never"));
        let hold_timeout_s = table.get("hold_timeout_s", integer(0..=86_400, "s, 0 for never"));
        Self {
            ports: ports.unwrap_or(default.ports),
            jitter: jitter_ms.map_or(default.jitter, Duration::from_millis),
            timeout: timeout_s.map_or(default.timeout, Duration::from_secs),
            hold_timeout: hold_timeout_s.map_or(default.hold_timeout, Duration::from_secs),
            codecs: read_codecs(table).unwrap_or(default.codecs),
        }
    }
}

impl PortRange {
    /// Ports from `first` to `last`; `None` if they have no room for an even port and the next one.
    pub fn new(first: u16, last: u16) -> Option<Self> {
        let first_even = first.checked_next_multiple_of(2)?;
        (first > 0 && first_even < last).then_some(Self { first, last })
    }

    /// The lowest port.
    pub fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    pub fn last(self) -> u16 {
        self.last
    }

    /// Whether a port belongs to the range.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl CodecName {
    /// Every codec that can be configured.
    pub const ALL: [Self; 2] = [Self::Pcmu, Self::Pcma];

    /// Encoding name as in SDP.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }
}

fn read_codecs(table: &mut Table<'_>) -> Option<Vec<CodecName>> {
    let codecs = table.list("codecs", CodecName::ALL.len(), word(CODECS))?;
    if table.is_empty_list("codecs") {
        table.fault_at("codecs", "must name at least one codec".to_owned());
    }
    let is_repeated = (1..codecs.len()).any(|index| codecs[..index].contains(&codecs[index]));
    if is_repeated {
        table.fault_at("codecs", "names a codec twice".to_owned());
    }
    Some(codecs)
}

fn port_range(value: &DeValue<'_>) -> Result<PortRange, String> {
    let text = text(value)?;
    let ends = text.split_once('-').and_then(|(first, last)| {
        Some((first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?))
    });
    let (first, last) = ends.ok_or("must be two ports with a dash between, as \"10000-20000\"")?;
    PortRange::new(first, last)
        .ok_or_else(|| "must have room for an even port above 0 and the next one".to_owned())
}

const CODECS: &[(&str, CodecName)] = &[("PCMU", CodecName::Pcmu), ("PCMA", CodecName::Pcma)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_range_has_room_for_a_pair() {
        for (first, last, fits) in [
            (10_000, 20_000, true),
            (10_000, 10_001, true),
            (10_001, 10_002, false),
            (10_001, 10_003, true),
            (0, 10, false),
            (10, 9, false),
            (65_534, 65_535, true),
            (65_535, 65_535, false),
        ] {
            assert_eq!(PortRange::new(first, last).is_some(), fits, "{first}-{last}");
        }
    }
}
