//! Reads session descriptions (RFC 8866 5 and 9), forgiving and bounded.

use std::net::IpAddr;

use super::{
    Address, Attribute, Direction, Line, MAX_PAYLOAD_TYPE, Media, MediaKind, Origin, Protocol, RtpMap,
    SessionDescription,
};

/// Why a body is not a usable session description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// The body is longer than [`MAX_BYTES`].
    #[error("SDP of {bytes} bytes, more than {MAX_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The body has more than [`MAX_LINES`] lines.
    #[error("SDP of more than {MAX_LINES} lines")]
    TooManyLines,
    /// A line is longer than [`MAX_LINE_BYTES`].
    #[error("SDP line {line} is longer than {MAX_LINE_BYTES} bytes")]
    LineTooLong {
        /// Its number, from 1; empty lines do not count.
        line: usize,
    },
    /// There are more than [`MAX_MEDIA`] `m=` lines.
    #[error("SDP of more than {MAX_MEDIA} media streams")]
    TooManyMedia,
    /// The body does not start with `v=0`.
    #[error("the body does not start with v=0")]
    NotSdp,
    /// There is no `o=` line.
    #[error("SDP without o=")]
    MissingOrigin,
    /// A line that matters cannot be read.
    #[error("SDP line {line} is malformed: {reason}")]
    Malformed {
        /// Its number, from 1; empty lines do not count.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

pub(super) fn session_description(body: &[u8]) -> Result<SessionDescription, SdpError> {
    if body.len() > MAX_BYTES {
        return Err(SdpError::TooLong { bytes: body.len() });
    }
    let mut lines = body.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty());
    match lines.next().map(<[u8]>::trim_ascii_end) {
        Some(b"v=0") => {}
        Some(_) | None => return Err(SdpError::NotSdp),
    }
    let mut draft = Draft::default();
    for (line, bytes) in (2..).zip(lines) {
        if line > MAX_LINES {
            return Err(SdpError::TooManyLines);
        }
        if bytes.len() > MAX_LINE_BYTES {
            return Err(SdpError::LineTooLong { line });
        }
        let (kind, value) = split(bytes).map_err(|reason| SdpError::Malformed { line, reason })?;
        draft.take(kind, value, line)?;
    }
    draft.finish()
}

/// What has been read so far.
#[derive(Default)]
struct Draft {
    origin: Option<Origin>,
    name: Option<String>,
    connection: Option<Address>,
    timing: Option<String>,
    other_lines: Vec<Line>,
    attributes: Vec<Attribute>,
    media: Vec<Media>,
}

impl Draft {
    fn take(&mut self, kind: char, value: String, line: usize) -> Result<(), SdpError> {
        let malformed = |reason| SdpError::Malformed { line, reason };
        if kind == 'm' {
            if self.media.len() == MAX_MEDIA {
                return Err(SdpError::TooManyMedia);
            }
            self.media.push(media(&value).map_err(malformed)?);
            return Ok(());
        }
        match self.media.last_mut() {
            Some(media) => take_in_media(media, kind, value),
            None => self.take_in_session(kind, value).map_err(malformed)?,
        }
        Ok(())
    }

    fn take_in_session(&mut self, kind: char, value: String) -> Result<(), &'static str> {
        match kind {
            'o' if self.origin.is_none() => self.origin = Some(origin(&value)?),
            's' if self.name.is_none() => self.name = Some(value),
            't' if self.timing.is_none() => self.timing = Some(value),
            'c' if self.connection.is_none() => self.connection = Some(address(&value)),
            'a' => self.attributes.push(attribute(&value)),
            'i' | 'u' | 'e' | 'p' | 'c' | 'b' | 't' | 'r' | 'z' | 'k' => {
                self.other_lines.push(Line { kind, value })
            }
            // A second o= or s= has no meaning, nor have letters that RFC 8866 does not know.
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self) -> Result<SessionDescription, SdpError> {
        sort(&mut self.other_lines, SESSION_ORDER);
        for media in &mut self.media {
            sort(&mut media.other_lines, MEDIA_ORDER);
        }
        Ok(SessionDescription {
            origin: self.origin.ok_or(SdpError::MissingOrigin)?,
            name: self.name.filter(|name| !name.is_empty()).unwrap_or_else(|| "-".to_owned()),
            connection: self.connection,
            timing: self.timing.unwrap_or_else(|| "0 0".to_owned()),
            other_lines: self.other_lines,
            attributes: self.attributes,
            media: self.media,
        })
    }
}

fn take_in_media(media: &mut Media, kind: char, value: String) {
    match kind {
        'c' if media.connection.is_none() => media.connection = Some(address(&value)),
        'a' => media.attributes.push(attribute(&value)),
        'i' | 'c' | 'b' | 'k' => media.other_lines.push(Line { kind, value }),
        // Session lines below an m= line come too late to mean anything.
        _ => {}
    }
}

/// Groups lines as they will be printed; within a group their order stays.
fn sort(lines: &mut [Line], order: &[&str]) {
    lines.sort_by_key(|line| order.iter().position(|group| group.contains(line.kind)));
}

fn split(bytes: &[u8]) -> Result<(char, String), &'static str> {
    let [kind, b'=', value @ ..] = bytes else { return Err("no letter followed by =") };
    if value.contains(&0) {
        return Err("a NUL byte");
    }
    Ok((char::from(*kind), String::from_utf8_lossy(value).trim_end().to_owned()))
}

/// The username may hold spaces in the wild, so the five fields after it are taken from the end.
fn origin(value: &str) -> Result<Origin, &'static str> {
    const INCOMPLETE: &str = "o= needs username, session id, version and address";
    let mut fields = value.rsplitn(6, ' ');
    let mut next = || fields.next().filter(|field| !field.is_empty()).ok_or(INCOMPLETE);
    let (host, address_type, net_type) = (next()?, next()?, next()?);
    let (session_version, session_id) = (next()?.to_owned(), next()?.to_owned());
    let username = next()?.to_owned();
    Ok(Origin {
        username,
        session_id,
        session_version,
        address: address(&format!("{net_type} {address_type} {host}")),
    })
}

fn address(value: &str) -> Address {
    let mut fields = value.split_ascii_whitespace();
    let ip: Option<IpAddr> = match (fields.next(), fields.next(), fields.next(), fields.next()) {
        (Some("IN"), Some("IP4" | "IP6"), Some(host), None) => host.parse().ok(),
        _ => None,
    };
    ip.map_or_else(|| Address::Other(value.into()), Address::Ip)
}

fn media(value: &str) -> Result<Media, &'static str> {
    let mut fields = value.split_ascii_whitespace();
    let mut next = || fields.next().ok_or("m= needs media, port, protocol and a format");
    let (kind, ports, protocol) = (next()?, next()?, next()?);
    let (port, port_count) = match ports.split_once('/') {
        Some((port, count)) => (port, Some(count.parse().map_err(|_| "m= with a bad number of ports")?)),
        None => (ports, None),
    };
    let formats: Vec<String> = fields.map(str::to_owned).collect();
    if formats.is_empty() {
        return Err("m= without a format");
    }
    if formats.len() > MAX_FORMATS {
        return Err("m= with too many formats");
    }
    Ok(Media {
        kind: media_kind(kind),
        port: port.parse().map_err(|_| "m= with a bad port")?,
        port_count,
        protocol: media_protocol(protocol),
        formats,
        connection: None,
        other_lines: Vec::new(),
        attributes: Vec::new(),
    })
}

fn media_kind(text: &str) -> MediaKind {
    if text.eq_ignore_ascii_case("audio") {
        return MediaKind::Audio;
    }
    MediaKind::Other(text.to_ascii_lowercase().into())
}

fn media_protocol(text: &str) -> Protocol {
    if text.eq_ignore_ascii_case("RTP/AVP") {
        return Protocol::RtpAvp;
    }
    if text.eq_ignore_ascii_case("RTP/SAVP") {
        return Protocol::RtpSavp;
    }
    Protocol::Other(text.into())
}

/// A known attribute that is malformed stays text: it is better ignored than the call refused.
fn attribute(text: &str) -> Attribute {
    let (name, value) = match text.split_once(':') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    known_attribute(name, value)
        .unwrap_or_else(|| Attribute::Other { name: name.to_owned(), value: value.map(str::to_owned) })
}

fn known_attribute(name: &str, value: Option<&str>) -> Option<Attribute> {
    let Some(value) = value else { return Direction::from_attribute(name).map(Attribute::Direction) };
    match name.to_ascii_lowercase().as_str() {
        "rtpmap" => rtpmap(value).map(Attribute::RtpMap),
        "fmtp" => {
            let (format, parameters) = value.trim_start().split_once(' ')?;
            Some(Attribute::Fmtp {
                format: format.to_owned(),
                parameters: parameters.trim_start().to_owned(),
            })
        }
        "ptime" => value.trim().parse().ok().map(Attribute::Ptime),
        "maxptime" => value.trim().parse().ok().map(Attribute::MaxPtime),
        "rtcp" => rtcp(value),
        _ => None,
    }
}

fn rtpmap(value: &str) -> Option<RtpMap> {
    let (payload_type, encoding) = value.trim().split_once(' ')?;
    let payload_type = payload_type.parse().ok().filter(|&number| number <= MAX_PAYLOAD_TYPE)?;
    let mut fields = encoding.trim_start().split('/');
    let (encoding, clock_rate) = (fields.next()?, fields.next()?.parse().ok()?);
    let channels = fields.next().map(str::parse).transpose().ok()?;
    if encoding.is_empty() || encoding.contains(' ') || fields.next().is_some() {
        return None;
    }
    Some(RtpMap { payload_type, encoding: encoding.to_owned(), clock_rate, channels })
}

fn rtcp(value: &str) -> Option<Attribute> {
    let value = value.trim();
    let (port, rest) = match value.split_once(' ') {
        Some((port, rest)) => (port, Some(address(rest.trim_start()))),
        None => (value, None),
    };
    Some(Attribute::Rtcp { port: port.parse().ok()?, address: rest })
}

/// The longest description read. A browser's offer with its ICE candidates has some 8 kB; a SIP message 64 kB at most.
pub const MAX_BYTES: usize = 32 * 1024;

/// The most lines read: 32 streams of 31 lines each.
pub const MAX_LINES: usize = 1024;

/// The longest line read; the longest in use, video parameter sets, stay below 2 kB.
pub const MAX_LINE_BYTES: usize = 4096;

/// The most `m=` lines read; our answer repeats them all, so they must be few.
pub const MAX_MEDIA: usize = 32;

/// The most formats of one `m=` line: RTP has 128 payload types.
pub const MAX_FORMATS: usize = 128;

/// Groups of lines in the order of RFC 8866 5, split where a typed line is printed.
const SESSION_ORDER: &[&str] = &["i", "u", "e", "p", "c", "b", "t", "r", "z", "k"];

/// The same below an `m=` line.
const MEDIA_ORDER: &[&str] = &["i", "c", "b", "k"];
