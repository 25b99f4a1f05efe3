//! Responses: what they copy from the request (RFC 3261 8.2.6) and where they go (18.2.2, RFC 3581).

use std::net::SocketAddr;

use super::transmit::Target;
use crate::message::{Essentials, HeaderName, Headers, Host, Request, Response, StatusCode, Via};
use crate::transport::{Flow, Transport};

/// Where the responses to one request go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyPath {
    pub(crate) target: Target,
    /// See [`Transmit::fallback`](super::Transmit::fallback).
    pub(crate) fallback: Option<SocketAddr>,
}

impl ReplyPath {
    /// Follows the topmost Via alone: the source address, and the source port where `rport` asks for it. A `maddr`
    /// is not followed, since it would let anyone aim responses at third parties.
    pub(crate) fn new(flow: Flow, via: &Via) -> Self {
        let ip = flow.remote.ip();
        let sent_by = SocketAddr::new(ip, via.port.unwrap_or(flow.transport.default_port()));
        match flow.transport {
            Transport::Udp => {
                let remote = if via.rport().is_some() { flow.remote } else { sent_by };
                Self { target: Target { remote, ..flow.into() }, fallback: None }
            }
            Transport::Tcp | Transport::Tls => Self { target: flow.into(), fallback: Some(sent_by) },
        }
    }
}

/// Notes in the topmost Via where the request really came from (RFC 3261 18.2.1, RFC 3581 4).
pub(crate) fn stamp_via(headers: &mut Headers, via: &Via, source: SocketAddr) {
    let wants_port = via.rport().is_some();
    let is_elsewhere = match via.host {
        Host::Name(_) => true,
        Host::V4(ip) => source.ip() != ip,
        Host::V6(ip) => source.ip() != ip,
    };
    if !wants_port && !is_elsewhere {
        return;
    }
    let mut stamped = via.clone();
    stamped.set_received(source.ip());
    if wants_port {
        stamped.set_rport(source.port());
    }
    headers.set_via(&stamped);
}

/// What every response to one request repeats (RFC 3261 8.2.6.2, 12.1.1).
#[derive(Clone, Debug)]
pub(crate) struct Echo {
    headers: Headers,
    /// The To of all responses but 100.
    tagged_to: String,
}

impl Echo {
    /// `tag` goes into To where the request had none.
    pub(crate) fn new(request: &Request, essentials: &Essentials, tag: &str) -> Self {
        let mut headers = Headers::new();
        for name in ECHOED {
            headers.copy_from(&request.headers, &name);
        }
        let to = request.headers.first(&HeaderName::To).unwrap_or_default();
        let tagged_to = match essentials.to.tag() {
            Some(_) => to.to_owned(),
            None => format!("{to};tag={tag}"),
        };
        Self { headers, tagged_to }
    }

    /// A response without further headers or body.
    pub(crate) fn response(&self, status: StatusCode) -> Response {
        let mut response = self.dialog_response(status);
        response.headers.remove(&HeaderName::RecordRoute);
        response
    }

    /// A response that opens or may open a dialog: the Record-Routes return unchanged.
    pub(crate) fn dialog_response(&self, status: StatusCode) -> Response {
        let mut response = Response { headers: self.headers.clone(), ..Response::new(status) };
        if status == StatusCode::TRYING {
            response.headers.remove(&HeaderName::RecordRoute);
        } else {
            response.headers.set(HeaderName::To, self.tagged_to.as_str());
            response.headers.remove(&HeaderName::Timestamp);
        }
        response
    }
}

const ECHOED: [HeaderName; 7] = [
    HeaderName::Via,
    HeaderName::RecordRoute,
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::Timestamp,
];
