//! Server-sent events (WHATWG HTML, section 9.2) out of a body that comes in parts.

use crate::link::MAX_MESSAGE_BYTES;
use crate::policy::{Fault, FaultKind};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseEvent {
    /// Its type; empty if it has none.
    pub name: String,
    /// Its data; lines are joined by line feeds.
    pub data: String,
}

/// Finds events in parts of a body.
#[derive(Debug, Default)]
pub struct SseParser {
    /// The line that is not complete.
    line: Vec<u8>,
    name: String,
    data: String,
    has_data: bool,
    /// The last part ended in a carriage return: a line feed that follows belongs to it.
    after_return: bool,
}

impl SseParser {
    /// Takes a part and gives the events that it completes.
    ///
    /// # Errors
    /// When an event is longer than [`MAX_MESSAGE_BYTES`], or no UTF-8.
    pub fn parse(&mut self, part: &[u8], events: &mut Vec<SseEvent>) -> Result<(), Fault> {
        for &byte in part {
            let follows_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    self.end_line(events)?;
                }
                byte => {
                    self.line.push(byte);
                    if self.line.len() + self.data.len() > MAX_MESSAGE_BYTES {
                        return Err(Fault::new(FaultKind::TooLong, "an event of the stream has no end"));
                    }
                }
            }
        }
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<SseEvent>) -> Result<(), Fault> {
        let line = std::mem::take(&mut self.line);
        let line = str::from_utf8(&line).map_err(Fault::malformed)?;
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            if std::mem::take(&mut self.has_data) {
                events.push(SseEvent { name, data });
            }
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.name),
            // Comments, ids and times of reconnection: nobody comes back to an answer.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parts: &[&[u8]]) -> Result<Vec<(String, String)>, Fault> {
        let (mut parser, mut events) = (SseParser::default(), Vec::new());
        for part in parts {
            parser.parse(part, &mut events)?;
        }
        Ok(events.into_iter().map(|event| (event.name, event.data)).collect())
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect()
    }

    #[test]
    fn events_are_found_wherever_the_parts_are_cut() {
        let body = "event: ping\r\ndata: {\"a\":1}\r\n\r\n: comment\n\ndata: न\ndata:two\n\nid: 7\n\ndata\n\ndata: [DONE]\n\n";
        let expected = pairs(&[("ping", "{\"a\":1}"), ("", "न\ntwo"), ("", ""), ("", "[DONE]")]);
        assert_eq!(parse(&[body.as_bytes()]).unwrap(), expected);
        for cut in 0..body.len() {
            let (one, other) = body.as_bytes().split_at(cut);
            assert_eq!(parse(&[one, other]).unwrap(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_has_no_end_or_is_no_text_is_a_fault() {
        let long = vec![b'x'; 64 * 1024];
        let parts = vec![long.as_slice(); 70];
        assert_eq!(parse(&parts).unwrap_err().kind, FaultKind::TooLong);
        assert_eq!(parse(&[b"data: \xff\n\n"]).unwrap_err().kind, FaultKind::Malformed);
        assert!(parse(&[b"data: the last one is not complete\n"]).unwrap().is_empty());
    }
}
