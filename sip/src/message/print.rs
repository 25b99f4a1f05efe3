//! Writes messages (RFC 3261 7).

use std::fmt::{self, Write};

use super::{HeaderName, Headers, Request, Response};

pub(super) fn request(request: &Request) -> Vec<u8> {
    let start = format_args!("{} {} SIP/2.0", request.method, request.uri);
    message(start, &request.headers, &request.body)
}

pub(super) fn response(response: &Response) -> Vec<u8> {
    let start = format_args!("SIP/2.0 {} {}", response.status, response.reason);
    message(start, &response.headers, &response.body)
}

fn message(start: fmt::Arguments<'_>, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let header_bytes: usize = headers.iter().map(|h| h.name.as_str().len() + h.value.len() + 4).sum();
    let mut out = Lines(Vec::with_capacity(START_BYTES + header_bytes + body.len()));
    out.line(start);
    for header in headers.iter().filter(|header| header.name != HeaderName::ContentLength) {
        out.text(header.name.as_str());
        out.0.extend_from_slice(b": ");
        out.text(&header.value);
        out.end();
    }
    out.line(format_args!("{}: {}", HeaderName::ContentLength, body.len()));
    out.end();
    out.0.extend_from_slice(body);
    out.0
}

/// Lines whose text can hold no line end.
struct Lines(Vec<u8>);

impl Lines {
    fn line(&mut self, text: fmt::Arguments<'_>) {
        // Writing into memory cannot fail, and none of our Display implementations makes an error up.
        let _infallible = self.write_fmt(text);
        self.end();
    }

    fn text(&mut self, text: &str) {
        let start = self.0.len();
        self.0.extend_from_slice(text.as_bytes());
        if text.contains(['\r', '\n']) {
            for byte in self.0.iter_mut().skip(start).filter(|byte| matches!(byte, b'\r' | b'\n')) {
                *byte = b' ';
            }
        }
    }

    fn end(&mut self) {
        self.0.extend_from_slice(b"\r\n");
    }
}

impl Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

/// Room for the start line, Content-Length and the empty line, so that most messages are written without growing.
const START_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use super::super::{Method, StatusCode};
    use super::*;

    #[test]
    fn content_length_is_computed_and_last() {
        let mut request = Request::new(Method::Options, "sip:a@b".parse().unwrap());
        request.headers.push(HeaderName::ContentLength, "99");
        request.headers.push(HeaderName::from_token("v").unwrap(), "SIP/2.0/UDP a");
        request.body = b"hi".to_vec();
        let text = String::from_utf8(request.to_bytes()).unwrap();
        assert_eq!(text, "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nContent-Length: 2\r\n\r\nhi");
    }

    #[test]
    fn no_value_can_add_a_line() {
        let mut response = Response::new(StatusCode::OK);
        response.reason = "OK\r\nX: 1".into();
        response.headers.push(HeaderName::Other("X\nY".into()), "a\r\nVia: evil\n\n");
        let text = String::from_utf8(response.to_bytes()).unwrap();
        assert_eq!(text, "SIP/2.0 200 OK  X: 1\r\nX Y: a  Via: evil  \r\nContent-Length: 0\r\n\r\n");
    }
}
