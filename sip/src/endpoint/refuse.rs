//! What the endpoint answers by itself, most of it without state (RFC 3261 8.2, 8.2.7, 11.2): checks of new requests, refusals,
//! OPTIONS.

use std::time::Instant;

use super::Endpoint;
use super::command::SDP_CONTENT_TYPE;
use super::event::SessionId;
use super::outbound::Repeat;
use super::receive::Arrival;
use super::reply::{Echo, ReplyPath, stamp_via};
use super::transmit::Transmit;
use crate::dialog::invite_uas::ALLOW;
use crate::message::{
    HeaderName, Headers, Malformed, MediaType, Method, Request, Response, Scheme, StatusCode,
};
use crate::transaction::Opening;
use crate::transaction::key::MergeKey;
use crate::transport::Flow;

/// Why a request is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// 400 with this reason phrase.
    BadRequest(&'static str),
    /// 405: a method that this user agent has not.
    Method,
    /// 406: no session description is accepted.
    NotAcceptable,
    /// 513: the body is beyond our limit.
    TooLarge,
    /// 415: a body that is no session description, or encoded.
    MediaType,
    /// 416: a Request-URI that is neither sip, sips nor tel.
    Scheme,
    /// 420: these extensions are required.
    Extensions(Vec<String>),
    /// 481: no such dialog or transaction.
    NoDialog,
    /// 482: the same request came by another way.
    Merged,
    /// 491: an INVITE of ours is in progress.
    Pending,
    /// 500 with a random Retry-After: the peer's own earlier INVITE has no final response.
    Busy,
    /// 500: the CSeq is lower than the last.
    OutOfOrder,
    /// 503 with Retry-After: a table is full.
    Full,
    /// 503 with Retry-After: no new calls are wanted.
    Draining,
}

impl Endpoint {
    /// The checks of RFC 3261 8.2.1 to 8.2.3, in that order.
    pub(crate) fn inspect(&self, arrival: &Arrival) -> Option<Refusal> {
        let request = &arrival.request;
        match request.method {
            Method::Invite | Method::Bye | Method::Options => {}
            _ => return Some(Refusal::Method),
        }
        if matches!(request.uri.scheme, Scheme::Other(_)) {
            return Some(Refusal::Scheme);
        }
        let is_invite = request.method == Method::Invite;
        let is_new = arrival.essentials.to.tag().is_none();
        if is_invite && is_new && self.servers.is_merged(&MergeKey::of(&arrival.essentials)) {
            return Some(Refusal::Merged);
        }
        let required: Vec<String> =
            request.headers.elements(&HeaderName::Require).map(str::to_owned).collect();
        if !required.is_empty() {
            return Some(Refusal::Extensions(required));
        }
        if is_invite { self.inspect_body(request) } else { None }
    }

    fn inspect_body(&self, request: &Request) -> Option<Refusal> {
        let headers = &request.headers;
        if request.body.len() > self.config.limits.body_bytes {
            return Some(Refusal::TooLarge);
        }
        let is_plain =
            headers.elements(&HeaderName::ContentEncoding).all(|e| e.eq_ignore_ascii_case("identity"));
        if !request.body.is_empty() && !is_plain {
            return Some(Refusal::MediaType);
        }
        if !request.body.is_empty() && !is_sdp(headers) && !is_optional(headers) {
            return Some(Refusal::MediaType);
        }
        (!headers.accepts(&MediaType::sdp())).then_some(Refusal::NotAcceptable)
    }

    /// Sends a final response without keeping state; a repeat of the request gets the same again.
    pub(crate) fn refuse(&mut self, arrival: &Arrival, refusal: Refusal) {
        let response = self.refusal(arrival, refusal);
        self.respond_stateless(arrival, response);
    }

    /// Refuses an INVITE for a reason that may pass: in a transaction, so that a repeat that comes late is not taken
    /// for another try, which the caller would not hear of any more.
    pub(crate) fn refuse_invite(&mut self, now: Instant, arrival: &Arrival, refusal: Refusal) {
        let response = self.refusal(arrival, refusal);
        if !self.has_transaction_room() {
            return self.respond_stateless(arrival, response);
        }
        let to_tag = self.to_tag(arrival).into();
        let server = self.servers.open(Opening {
            key: arrival.key.clone(),
            merge_key: None,
            path: arrival.path,
            session: arrival.session,
            to_tag,
        });
        self.respond(now, server, response);
    }

    /// The To tag of a response without state: the request's own, else one that is the same for each repetition.
    fn to_tag(&self, arrival: &Arrival) -> String {
        let own = arrival.essentials.to.tag().map(str::to_owned);
        own.unwrap_or_else(|| tag_of(self.tokens.stateless_number(&arrival.identity())))
    }

    fn refusal(&mut self, arrival: &Arrival, refusal: Refusal) -> Response {
        self.count(&refusal);
        let echo = Echo::new(&arrival.request, &arrival.essentials, &self.to_tag(arrival));
        let mut response = echo.response(refusal.status());
        match refusal {
            Refusal::BadRequest(reason) => reason.clone_into(&mut response.reason),
            Refusal::Method => response.headers.push(HeaderName::Allow, ALLOW),
            Refusal::NotAcceptable => response.headers.push(HeaderName::Accept, SDP_CONTENT_TYPE),
            Refusal::MediaType => {
                response.headers.push(HeaderName::Accept, SDP_CONTENT_TYPE);
                response.headers.push(HeaderName::AcceptEncoding, "identity");
            }
            Refusal::Extensions(tags) => response.headers.push(HeaderName::Unsupported, tags.join(", ")),
            Refusal::Busy => {
                let seed = self.tokens.stateless_number(&arrival.identity());
                response.headers.push(HeaderName::RetryAfter, (seed % 11).to_string());
            }
            Refusal::Full | Refusal::Draining => {
                response.headers.push(HeaderName::RetryAfter, self.config.retry_after_s.to_string());
            }
            Refusal::TooLarge | Refusal::Scheme | Refusal::NoDialog | Refusal::Merged => {}
            Refusal::Pending | Refusal::OutOfOrder => {}
        }
        response
    }

    /// 200 with what this user agent can do, or 503 while draining (RFC 3261 11.2).
    pub(crate) fn answer_options(&mut self, arrival: &Arrival) {
        if !self.is_accepting && arrival.session.is_none() {
            return self.refuse(arrival, Refusal::Draining);
        }
        let echo = Echo::new(&arrival.request, &arrival.essentials, &self.to_tag(arrival));
        let mut response = echo.response(StatusCode::OK);
        response.headers.push(HeaderName::Allow, ALLOW);
        response.headers.push(HeaderName::Accept, SDP_CONTENT_TYPE);
        response.headers.push(HeaderName::AcceptEncoding, "identity");
        response.headers.push(HeaderName::Supported, "");
        self.respond_stateless(arrival, response);
    }

    /// Sends the reply that the parser prepared for a broken request.
    pub(crate) fn receive_malformed(&mut self, flow: Flow, malformed: Malformed) {
        self.outputs.counters.malformed += 1;
        let Some(mut response) = malformed.reply else { return };
        let Some(via) = response.headers.via_of_any_version() else { return };
        let path = ReplyPath::new(flow, &via);
        // A Via of another version goes back as it came: what its parameters mean is not known here.
        if response.headers.via().is_ok() {
            stamp_via(&mut response.headers, &via, flow.remote);
        }
        self.outputs.counters.refused += 1;
        self.respond_over(path, None, response);
    }

    pub(crate) fn respond_stateless(&mut self, arrival: &Arrival, response: Response) {
        self.respond_over(arrival.path, arrival.session, response);
    }

    fn respond_over(&mut self, path: ReplyPath, session: Option<SessionId>, response: Response) {
        let bytes = self.signed(response).to_bytes().into();
        self.send(Transmit { target: path.target, fallback: path.fallback, bytes, session }, Repeat::First);
    }

    fn count(&mut self, refusal: &Refusal) {
        let counters = &mut self.outputs.counters;
        counters.refused += 1;
        match refusal {
            Refusal::NoDialog => counters.stray_requests += 1,
            Refusal::Merged => counters.merged += 1,
            Refusal::Pending | Refusal::Busy => counters.glare += 1,
            Refusal::Full => counters.dropped_by_limit += 1,
            Refusal::BadRequest(_) | Refusal::Method | Refusal::NotAcceptable | Refusal::TooLarge => {}
            Refusal::MediaType | Refusal::Scheme | Refusal::Extensions(_) | Refusal::OutOfOrder => {}
            Refusal::Draining => {}
        }
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::TooLarge => StatusCode::MESSAGE_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Scheme => StatusCode::UNSUPPORTED_URI_SCHEME,
            Self::Extensions(_) => StatusCode::BAD_EXTENSION,
            Self::NoDialog => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
            Self::Merged => StatusCode::LOOP_DETECTED,
            Self::Pending => StatusCode::REQUEST_PENDING,
            Self::Busy | Self::OutOfOrder => StatusCode::SERVER_INTERNAL_ERROR,
            Self::Full | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Whether the body is a session description.
fn is_sdp(headers: &Headers) -> bool {
    matches!(headers.content_type(), Ok(Some(kind)) if kind.is("application", "sdp"))
}

/// Whether the sender lets us ignore a body that we do not understand (RFC 3261 20.11).
fn is_optional(headers: &Headers) -> bool {
    let disposition = headers.first(&HeaderName::ContentDisposition).unwrap_or_default();
    disposition.split(';').skip(1).any(|p| p.replace(' ', "").eq_ignore_ascii_case("handling=optional"))
}

fn tag_of(number: u64) -> String {
    format!("{number:016x}")
}
