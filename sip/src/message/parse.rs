//! Reads messages from bytes (RFC 3261 7, 18.3 and 25).

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::error::{HeaderError, Malformed, ParseError, Syntax};
use super::scan::trim;
use super::{
    HeaderName, Headers, MAX_HEADERS, MAX_MESSAGE_BYTES, Message, Method, NameAddr, Request, Response,
    StatusCode, Uri,
};

pub(super) fn datagram(bytes: &[u8]) -> Result<Message, Malformed> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(Malformed { error: ParseError::TooLong, reply: None });
    }
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    let Some(bytes) = start.and_then(|start| bytes.get(start..)) else {
        return Err(Malformed { error: ParseError::Empty, reply: None });
    };
    let Some((head, rest)) = head_end(bytes, 0).and_then(|end| bytes.split_at_checked(end)) else {
        return Err(Draft::read(bytes).into_malformed(ParseError::Unterminated));
    };
    let draft = Draft::read(head);
    let body = match draft.headers.content_length() {
        Err(error) => return Err(draft.into_malformed(error.into())),
        Ok(None) => rest,
        Ok(Some(announced)) => match rest.get(..announced) {
            Some(body) => body,
            None => {
                return Err(draft.into_malformed(ParseError::Truncated { announced, present: rest.len() }));
            }
        },
    };
    draft.into_message(body.to_vec())
}

/// Where the body starts: behind the first empty line that ends at or after `from`.
pub(super) fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let newline = at + bytes.get(at..)?.iter().position(|&byte| byte == b'\n')?;
        match bytes.get(newline + 1..)? {
            [b'\n', ..] => return Some(newline + 2),
            [b'\r', b'\n', ..] => return Some(newline + 3),
            _ => at = newline + 1,
        }
    }
}

/// A message whose header was read and whose body was not. Errors are kept, since the answer to a broken request needs
/// the fields that are not broken.
#[derive(Debug)]
pub(super) struct Draft {
    start: StartLine,
    pub(super) headers: Headers,
    broken_line: Option<ParseError>,
}

#[derive(Debug)]
enum StartLine {
    Request { method: Method, uri: Uri },
    Response { status: StatusCode, reason: String },
    Broken { error: ParseError, answerable: Option<Method> },
}

impl Draft {
    /// Reads all up to the empty line, which may be missing.
    pub(super) fn read(head: &[u8]) -> Self {
        let text = String::from_utf8_lossy(head);
        let (line, mut rest) = split_line(&text);
        let mut draft = Self {
            start: StartLine::parse(line),
            headers: Headers::with_capacity(USUAL_HEADERS),
            broken_line: None,
        };
        let mut number = 2;
        while let Some((line, tail)) = unfold_line(rest) {
            rest = tail;
            if let Err(error) = draft.push_line(&line, number) {
                draft.broken_line.get_or_insert(error);
            }
            if draft.headers.len() > MAX_HEADERS {
                draft.broken_line = Some(ParseError::TooManyHeaders);
                draft.read_answerable(rest);
                break;
            }
            number += 1;
        }
        draft
    }

    /// Of the lines beyond the limit only those without which the sender would not know the 400 for its own.
    fn read_answerable(&mut self, mut rest: &str) {
        while let Some((line, tail)) = unfold_line(rest) {
            rest = tail;
            let Some((name, value)) = line.split_once(':') else { continue };
            let name = HeaderName::from_token(name.trim_end_matches([' ', '\t']));
            let wanted = name.filter(|name| IDENTIFYING.contains(name) && !self.headers.contains(name));
            if let Some(name) = wanted.filter(|_| !value.contains('\r')) {
                self.headers.push(name, trim(value));
            }
        }
    }

    fn push_line(&mut self, line: &str, number: usize) -> Result<(), ParseError> {
        let broken = ParseError::HeaderLine { line: number };
        let (name, value) = line.split_once(':').ok_or_else(|| broken.clone())?;
        let name =
            HeaderName::from_token(name.trim_end_matches([' ', '\t'])).ok_or_else(|| broken.clone())?;
        if value.contains('\r') {
            return Err(broken);
        }
        self.headers.push(name, trim(value));
        Ok(())
    }

    /// The message with its body, if it is valid.
    pub(super) fn into_message(self, body: Vec<u8>) -> Result<Message, Malformed> {
        if let Err(error) = self.check() {
            return Err(self.into_malformed(error));
        }
        let headers = self.headers;
        match self.start {
            StartLine::Request { method, uri } => {
                Ok(Message::Request(Request { method, uri, headers, body }))
            }
            StartLine::Response { status, reason } => {
                Ok(Message::Response(Response { status, reason, headers, body }))
            }
            StartLine::Broken { error, .. } => Err(Malformed { error, reply: None }),
        }
    }

    fn check(&self) -> Result<(), ParseError> {
        if let StartLine::Broken { error, .. } = &self.start {
            return Err(error.clone());
        }
        if let Some(error) = &self.broken_line {
            return Err(error.clone());
        }
        let essentials = self.headers.essentials()?;
        self.headers.max_forwards()?;
        self.check_content_type()?;
        match &self.start {
            StartLine::Request { method, .. } if *method != essentials.cseq.method => {
                Err(ParseError::MethodMismatch)
            }
            StartLine::Request { .. } | StartLine::Response { .. } | StartLine::Broken { .. } => Ok(()),
        }
    }

    /// Two parts of one system that believe different types are how filters are fooled; what a type that nobody
    /// knows means is for the application to say.
    fn check_content_type(&self) -> Result<(), HeaderError> {
        match self.headers.content_type() {
            Err(error @ HeaderError::Repeated(_)) => Err(error),
            Ok(_) | Err(HeaderError::Malformed { .. } | HeaderError::Missing(_)) => Ok(()),
        }
    }

    /// The error, and the answer that it deserves (RFC 3261 8.2 and 21.4.1).
    pub(super) fn into_malformed(self, error: ParseError) -> Malformed {
        // What is wrong with the start line says more than what follows from it.
        let (error, method) = match self.start {
            StartLine::Request { method, .. } => (error, Some(method)),
            StartLine::Response { .. } => (error, None),
            StartLine::Broken { error, answerable } => (error, answerable),
        };
        let is_answerable = method.is_some_and(|method| method != Method::Ack);
        let reply =
            (is_answerable && self.headers.contains(&HeaderName::Via)).then(|| reply(&self.headers, &error));
        Malformed { error, reply }
    }
}

impl StartLine {
    fn parse(line: &str) -> Self {
        if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/")) {
            Self::parse_response(line)
        } else {
            Self::parse_request(line)
        }
    }

    /// More than one space between the parts or behind them is tolerated; a space inside the URI makes a fourth part.
    fn parse_request(line: &str) -> Self {
        let mut parts = line.split([' ', '\t']).filter(|part| !part.is_empty());
        let method = parts.next().and_then(Method::from_token);
        let broken = |error| Self::Broken { error, answerable: method.clone() };
        let (Some(uri), Some(version), None) = (parts.next(), parts.next(), parts.next()) else {
            return broken(ParseError::StartLine);
        };
        let version = version.split_once('/').filter(|(name, _)| name.eq_ignore_ascii_case("SIP"));
        match (version, uri.parse::<Uri>(), &method) {
            (None, _, _) | (_, _, None) => broken(ParseError::StartLine),
            (Some((_, version)), _, _) if version != VERSION => broken(ParseError::Version),
            (_, Err(syntax), _) => broken(ParseError::RequestUri(syntax)),
            // RFC 3261 19.1.1: headers have no place here, and nobody must be led to act on them.
            (_, Ok(Uri { headers, .. }), _) if !headers.is_empty() => {
                broken(ParseError::RequestUri(Syntax::Uri))
            }
            (_, Ok(uri), Some(method)) => Self::Request { method: method.clone(), uri },
        }
    }

    fn parse_response(line: &str) -> Self {
        let broken = |error| Self::Broken { error, answerable: None };
        let (version, rest) = line.split_once(' ').unwrap_or((line, ""));
        if version.get(4..) != Some(VERSION) {
            return broken(ParseError::Version);
        }
        let rest = rest.trim_start_matches(' ');
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
        match is_code.then(|| StatusCode::new(code.parse().ok()?)).flatten() {
            Some(_) if reason.contains('\r') => broken(ParseError::StartLine),
            Some(status) => Self::Response { status, reason: reason.to_owned() },
            None => broken(ParseError::Status),
        }
    }
}

/// One line without its end, and what follows.
fn split_line(text: &str) -> (&str, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

/// One header line, its folds replaced by one space each (RFC 3261 7.3.1). `None` at the empty line and at the end.
fn unfold_line(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let (first, mut rest) = split_line(text);
    if first.is_empty() {
        return None;
    }
    let mut line = Cow::Borrowed(first);
    while rest.starts_with([' ', '\t']) {
        let (next, tail) = split_line(rest);
        let line = line.to_mut();
        line.truncate(line.trim_end_matches([' ', '\t']).len());
        line.push(' ');
        line.push_str(trim(next));
        rest = tail;
    }
    Some((line, rest))
}

fn reply(request: &Headers, error: &ParseError) -> Response {
    let status = match error {
        ParseError::Version => StatusCode::VERSION_NOT_SUPPORTED,
        ParseError::TooLong => StatusCode::MESSAGE_TOO_LARGE,
        ParseError::Empty
        | ParseError::Unterminated
        | ParseError::StartLine
        | ParseError::RequestUri(_)
        | ParseError::Status
        | ParseError::HeaderLine { .. }
        | ParseError::TooManyHeaders
        | ParseError::Header(_)
        | ParseError::MethodMismatch
        | ParseError::Truncated { .. } => StatusCode::BAD_REQUEST,
    };
    let mut reply = Response::echo(request, status);
    if status == StatusCode::BAD_REQUEST {
        reply.reason = format!("{} ({error})", reply.reason);
    }
    keep_first_of_each(&mut reply.headers);
    keep_first_vias(&mut reply.headers);
    tag(&mut reply.headers);
    reply
}

/// A repeated To or CSeq may be what is wrong; the answer must not repeat it.
fn keep_first_of_each(headers: &mut Headers) {
    for name in IDENTIFYING {
        if let Some(value) = headers.first(&name).map(str::to_owned) {
            headers.set(name, value);
        }
    }
}

/// A client knows its response by the topmost Via; a request with more of them than any path has hops is broken, and
/// what it gets back must not be as long as itself.
fn keep_first_vias(headers: &mut Headers) {
    let vias: Vec<String> = headers.all(&HeaderName::Via).take(MAX_ECHOED_VIAS).map(str::to_owned).collect();
    headers.remove(&HeaderName::Via);
    for via in vias.into_iter().rev() {
        headers.push_front(HeaderName::Via, via);
    }
}

/// Adds a To tag that is the same for each repetition of the request, since nobody remembers it (RFC 3261 8.2.7).
fn tag(headers: &mut Headers) {
    let to = headers.first(&HeaderName::To).and_then(|to| to.parse::<NameAddr>().ok());
    let Some(mut to) = to.filter(|to| to.tag().is_none()) else { return };
    let mut hasher = DefaultHasher::new();
    for header in headers.iter() {
        header.value.hash(&mut hasher);
    }
    to.set_tag(&format!("{:016x}", hasher.finish()));
    headers.set(HeaderName::To, to.to_string());
}

/// By these and the topmost Via a client knows its response.
const IDENTIFYING: [HeaderName; 4] = [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];

const VERSION: &str = "2.0";

/// Carriers' INVITEs have 14 to 20 lines.
const USUAL_HEADERS: usize = 20;

/// Via lines in the answer to a broken request. Max-Forwards begins at 70, so no honest path is longer.
const MAX_ECHOED_VIAS: usize = 70;
