//! A peer that writes text: requests and responses that fit what was sent, more or less.

use arbitrary::Arbitrary;
use caly_sip::message::{HeaderName, Headers, Message};

/// A request to write.
#[derive(Arbitrary, Debug)]
pub(crate) struct Ask {
    pub(crate) is_tcp: bool,
    method: u8,
    /// Inside the dialog of something that was sent, or outside of any.
    dialog: Option<u8>,
    call: u8,
    branch: u8,
    number: u8,
    extra: u8,
    has_body: bool,
}

const METHODS: &[&str] =
    &["INVITE", "ACK", "BYE", "CANCEL", "INVITE", "ACK", "OPTIONS", "INFO", "UPDATE", "REGISTER"];

/// Lines that decide what becomes of a request.
const EXTRAS: &[&str] = &[
    "",
    "",
    "",
    "Require: 100rel\r\n",
    "Accept: text/plain\r\n",
    "Record-Route: <sip:192.0.2.8;lr>, <sip:192.0.2.7>\r\n",
    "Record-Route: sip:192.0.2.8;transport=tcp;lr\r\n",
    "Max-Forwards: 0\r\n",
    "Content-Encoding: gzip\r\n",
    "Reason: Q.850;cause=16\r\n",
    "Replaces: x\r\n",
];

/// The request, in a dialog that a message of ours belongs to or in none.
pub(crate) fn request(ask: &Ask, sent: &[Message]) -> Vec<u8> {
    let method = METHODS[usize::from(ask.method) % METHODS.len()];
    let extra = EXTRAS[usize::from(ask.extra) % EXTRAS.len()];
    let (from, to, call_id) = ask
        .dialog
        .and_then(|which| super::pick(sent, which))
        .and_then(parties)
        .unwrap_or_else(|| outside(ask.call));
    let body = if ask.has_body {
        "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    } else {
        "l: 0\r\n\r\n"
    };
    let text = format!(
        "{method} sip:caly@198.51.100.7 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{branch}\r\n\
         From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\n\
         Contact: <sip:alice@192.0.2.9:5060>\r\n{extra}{body}",
        branch = ask.branch,
        number = sequence(ask.number),
    );
    text.into_bytes()
}

/// Small numbers, and the ones after which there is none.
fn sequence(number: u8) -> u32 {
    if number < 250 { number.into() } else { u32::MAX - u32::from(255 - number) }
}

fn outside(call: u8) -> (String, String, String) {
    let from = "<sip:alice@192.0.2.9>;tag=alice".to_owned();
    (from, "<sip:caly@198.51.100.7>".to_owned(), format!("call-{call}@192.0.2.9"))
}

/// From, To and Call-ID as the peer writes them in the dialog.
fn parties(sent: &Message) -> Option<(String, String, String)> {
    let value = |headers: &Headers, name| headers.first(&name).map(str::to_owned);
    let headers = sent.headers();
    let (from, to) = (value(headers, HeaderName::From)?, value(headers, HeaderName::To)?);
    let call_id = value(headers, HeaderName::CallId)?;
    Some(match sent {
        Message::Request(_) => {
            (format!("{to};tag=bob").replace(";tag=bob;tag=bob", ";tag=bob"), from, call_id)
        }
        Message::Response(_) => (from, to, call_id),
    })
}

/// The answer to a request that was sent; `None` for a response.
pub(crate) fn answer(sent: &Message, status: u16, tag: u8, has_body: bool) -> Option<Vec<u8>> {
    let Message::Request(request) = sent else { return None };
    let value = |name| request.headers.first(&name);
    let to = value(HeaderName::To)?;
    let to = match tag % 4 {
        0 => to.to_owned(),
        _ if to.contains(";tag=") => to.to_owned(),
        1 => format!("{to};tag=carol"),
        _ => format!("{to};tag=bob"),
    };
    let body = if has_body {
        "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    } else {
        "l: 0\r\n\r\n"
    };
    let text = format!(
        "SIP/2.0 {status} Whatever\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:bob@192.0.2.9:5060>\r\n{body}",
        value(HeaderName::Via)?,
        value(HeaderName::From)?,
        value(HeaderName::CallId)?,
        value(HeaderName::CSeq)?,
    );
    Some(text.into_bytes())
}
