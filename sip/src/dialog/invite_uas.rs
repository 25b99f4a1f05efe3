//! The callee's side of one INVITE or re-INVITE that lies with the application (RFC 3261 13.3, 14.2).

use crate::endpoint::reply::Echo;
use crate::endpoint::{Body, Reply};
use crate::message::{HeaderName, Response, StatusCode, Uri};
use crate::transaction::ServerId;

/// An INVITE without a final response.
#[derive(Debug)]
pub(crate) struct PendingInvite {
    pub(crate) server: ServerId,
    /// The CSeq number, which the ACK will carry.
    pub(crate) sequence: u32,
    /// The target that the peer will have once we accept (RFC 3261 12.2.2).
    pub(crate) target: Option<Uri>,
    echo: Echo,
}

impl PendingInvite {
    pub(crate) fn new(server: ServerId, sequence: u32, target: Option<Uri>, echo: Echo) -> Self {
        Self { server, sequence, target, echo }
    }

    /// 100 Trying.
    pub(crate) fn trying(&self) -> Response {
        self.echo.response(StatusCode::TRYING)
    }

    /// 101-199: opens an early dialog (RFC 3261 12.1.1).
    pub(crate) fn provisional(&self, reply: Reply) -> Response {
        fill(self.echo.dialog_response(reply.status), reply)
    }

    /// 200 with our answer or offer.
    pub(crate) fn accepted(&self, body: Body, contact: &str) -> Response {
        let mut response = self.echo.dialog_response(StatusCode::OK);
        response.headers.push(HeaderName::Contact, format!("<{contact}>"));
        response.headers.push(HeaderName::Allow, ALLOW);
        response.headers.push(HeaderName::ContentType, body.content_type);
        response.body = body.bytes;
        response
    }

    /// 300-699.
    pub(crate) fn refused(&self, reply: Reply) -> Response {
        fill(self.echo.response(reply.status), reply)
    }

    /// 487 after CANCEL, after BYE, or when the INVITE has expired.
    pub(crate) fn terminated(&self) -> Response {
        self.echo.response(StatusCode::REQUEST_TERMINATED)
    }
}

fn fill(mut response: Response, reply: Reply) -> Response {
    if let Some(reason) = reply.reason {
        response.reason = reason;
    }
    if let Some(contact) = reply.contact {
        response.headers.push(HeaderName::Contact, format!("<{contact}>"));
    }
    for (name, value) in reply.headers {
        response.headers.push(name, value);
    }
    if let Some(body) = reply.body {
        response.headers.push(HeaderName::ContentType, body.content_type);
        response.body = body.bytes;
    }
    response
}

/// The methods of this user agent.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, OPTIONS, BYE";
