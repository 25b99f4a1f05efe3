//! SIP messages as text, read just well enough to check them; shares no code with the parser under test.

use std::net::SocketAddr;

/// A message as it came off the wire.
#[derive(Clone, Debug)]
pub(crate) struct SipText {
    text: String,
}

impl SipText {
    /// Any bytes; what is no SIP has no status and no headers.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { text: String::from_utf8_lossy(bytes).into_owned() }
    }

    /// All of it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The first line.
    pub(crate) fn start_line(&self) -> &str {
        self.text.lines().next().unwrap_or("")
    }

    /// The status code of a response; 0 for anything else.
    pub(crate) fn status(&self) -> u16 {
        let code = self.start_line().strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
        code.and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The values of a header's lines, by its long name, in their order.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or("");
        let value = |line: &'_ str| -> Option<usize> {
            let (left, _) = line.split_once(':')?;
            left.trim().eq_ignore_ascii_case(name).then_some(left.len() + 1)
        };
        head.split("\r\n").skip(1).filter_map(|line| value(line).map(|start| line[start..].trim())).collect()
    }

    /// The value of a header that must be there once.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let values = self.values(name);
        assert_eq!(values.len(), 1, "number of {name} headers in:\n{}", self.text);
        values[0]
    }

    /// A parameter of the topmost Via; empty if it has no value.
    pub(crate) fn via_parameter(&self, name: &str) -> Option<&str> {
        let via = self.values("Via").first().copied()?;
        let mut parameters = via.split(';').skip(1).map(|part| part.split_once('=').unwrap_or((part, "")));
        parameters.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    }

    /// The body.
    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// Where an SDP body wants its audio to be sent.
    #[track_caller]
    pub(crate) fn rtp_address(&self) -> SocketAddr {
        let line = |start: &str| self.body().lines().find_map(|line| line.strip_prefix(start));
        let address = line("c=IN IP4 ").and_then(|value| value.trim().parse().ok());
        let port = line("m=audio ").and_then(|value| value.split(' ').next()?.parse().ok());
        match (address, port) {
            (Some(address), Some(port)) => SocketAddr::new(address, port),
            _ => panic!("no audio address in:\n{}", self.text),
        }
    }
}
