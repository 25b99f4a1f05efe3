//! Requests that live on the branch of an INVITE: its CANCEL (RFC 3261 9.1) and the ACK of its refusal (17.1.1.3).

use crate::dialog::MAX_FORWARDS;
use crate::message::{HeaderName, Headers, Method, Request, Response};

/// The CANCEL of an INVITE as it was sent: same Request-URI, topmost Via, Route, From, To, Call-ID and CSeq number.
pub(crate) fn cancel_of(invite: &Request) -> Request {
    let to = invite.headers.first(&HeaderName::To).unwrap_or_default();
    follow_up(invite, Method::Cancel, to)
}

/// The ACK of a response of 300 or above; To is the response's.
pub(crate) fn ack_of_refusal(invite: &Request, response: &Response) -> Request {
    let to = response.headers.first(&HeaderName::To).unwrap_or_default();
    follow_up(invite, Method::Ack, to)
}

fn follow_up(invite: &Request, method: Method, to: &str) -> Request {
    let first = |name| invite.headers.first(&name).unwrap_or_default();
    let mut headers = Headers::new();
    headers.push(HeaderName::Via, first(HeaderName::Via));
    for route in invite.headers.all(&HeaderName::Route) {
        headers.push(HeaderName::Route, route);
    }
    headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
    headers.push(HeaderName::From, first(HeaderName::From));
    headers.push(HeaderName::To, to);
    headers.push(HeaderName::CallId, first(HeaderName::CallId));
    let sequence = first(HeaderName::CSeq).split_ascii_whitespace().next().unwrap_or_default();
    headers.push(HeaderName::CSeq, format!("{sequence} {method}"));
    Request { method, uri: invite.uri.clone(), headers, body: Vec::new() }
}
