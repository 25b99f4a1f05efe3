//! Writes session descriptions in the order of RFC 8866 5, every line ended by CRLF.

use std::fmt;
use std::net::IpAddr;

use super::{Address, Attribute, Line, Media, MediaKind, Origin, Protocol, RtpMap, SessionDescription};

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\no={}\r\ns={}\r\n", self.origin, self.name)?;
        write_lines(f, &self.other_lines, "iuep")?;
        write_connection(f, self.connection.as_ref())?;
        write_lines(f, &self.other_lines, "cb")?;
        write!(f, "t={}\r\n", self.timing)?;
        write_lines(f, &self.other_lines, "trzk")?;
        write_attributes(f, &self.attributes)?;
        self.media.iter().try_for_each(|media| write!(f, "{media}"))
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.protocol)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        f.write_str("\r\n")?;
        write_lines(f, &self.other_lines, "i")?;
        write_connection(f, self.connection.as_ref())?;
        write_lines(f, &self.other_lines, "cbk")?;
        write_attributes(f, &self.attributes)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, session_id, session_version, address } = self;
        write!(f, "{username} {session_id} {session_version} {address}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(address)) => write!(f, "IN IP4 {address}"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "IN IP6 {address}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audio => "audio",
            Self::Other(kind) => kind,
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RtpAvp => "RTP/AVP",
            Self::RtpSavp => "RTP/SAVP",
            Self::Other(protocol) => protocol,
        })
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RtpMap(map) => write!(f, "rtpmap:{map}"),
            Self::Fmtp { format, parameters } => write!(f, "fmtp:{format} {parameters}"),
            Self::Ptime(ptime_ms) => write!(f, "ptime:{ptime_ms}"),
            Self::MaxPtime(maxptime_ms) => write!(f, "maxptime:{maxptime_ms}"),
            Self::Rtcp { port, address: None } => write!(f, "rtcp:{port}"),
            Self::Rtcp { port, address: Some(address) } => write!(f, "rtcp:{port} {address}"),
            Self::Direction(direction) => write!(f, "{direction}"),
            Self::Other { name, value: None } => f.write_str(name),
            Self::Other { name, value: Some(value) } => write!(f, "{name}:{value}"),
        }
    }
}

impl fmt::Display for RtpMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { payload_type, encoding, clock_rate, channels } = self;
        write!(f, "{payload_type} {encoding}/{clock_rate}")?;
        channels.iter().try_for_each(|channels| write!(f, "/{channels}"))
    }
}

fn write_lines(f: &mut fmt::Formatter<'_>, lines: &[Line], kinds: &str) -> fmt::Result {
    let wanted = lines.iter().filter(|line| kinds.contains(line.kind));
    wanted.into_iter().try_for_each(|line| write!(f, "{}={}\r\n", line.kind, line.value))
}

fn write_connection(f: &mut fmt::Formatter<'_>, connection: Option<&Address>) -> fmt::Result {
    connection.into_iter().try_for_each(|address| write!(f, "c={address}\r\n"))
}

fn write_attributes(f: &mut fmt::Formatter<'_>, attributes: &[Attribute]) -> fmt::Result {
    attributes.iter().try_for_each(|attribute| write!(f, "a={attribute}\r\n"))
}
