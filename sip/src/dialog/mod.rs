//! Dialogs (RFC 3261 12): their state, and the requests that are built inside them.

pub(crate) mod exchange;
pub(crate) mod invite_uac;
pub(crate) mod invite_uas;
pub(crate) mod route;
pub(crate) mod session;

use std::net::SocketAddr;

use self::invite_uas::ALLOW;
use crate::endpoint::Target;
use crate::endpoint::hop::Hint;
use crate::message::{
    Essentials, HeaderError, HeaderName, Headers, Host, Method, NameAddr, Request, Response, Uri,
};
use crate::transaction::key::SentBy;
use crate::transport::Flow;

/// Names a dialog from our side (RFC 3261 12).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct DialogId {
    pub(crate) call_id: Box<str>,
    pub(crate) local_tag: Box<str>,
    pub(crate) remote_tag: Box<str>,
}

impl DialogId {
    /// The dialog that a received request names.
    pub(crate) fn of_request(essentials: &Essentials) -> Self {
        Self {
            call_id: essentials.call_id.as_str().into(),
            local_tag: essentials.to.tag().unwrap_or_default().into(),
            remote_tag: essentials.from.tag().unwrap_or_default().into(),
        }
    }
}

/// How the CSeq of a received request relates to the last one (RFC 3261 12.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    InOrder,
    /// Lower than the last: answered 500.
    OutOfOrder,
}

/// One dialog, early or confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) id: DialogId,
    /// The From value of our requests.
    local: String,
    /// The To value of our requests.
    remote: String,
    /// The Contact value of our requests.
    pub(crate) contact: Option<Uri>,
    local_sequence: u32,
    remote_sequence: Option<u32>,
    pub(crate) remote_target: Uri,
    pub(crate) route_set: Vec<NameAddr>,
    /// How the peer last reached us, or how we reached it: requests leave from the same address, and a connection
    /// that the peer opened is used again.
    path: Target,
    /// Whether the peer sent the INVITE: decides the wait after 491 (RFC 3261 14.1) and who waits for an ACK.
    pub(crate) is_uas: bool,
}

impl Dialog {
    /// The callee's side (RFC 3261 12.1.1): the route set in the order of Record-Route.
    pub(crate) fn uas(
        request: &Request,
        essentials: &Essentials,
        local_tag: &str,
        flow: Flow,
    ) -> Result<Self, HeaderError> {
        let first = |name| request.headers.first(&name).unwrap_or_default();
        let contact = request.headers.contact()?;
        Ok(Self {
            id: DialogId {
                call_id: essentials.call_id.as_str().into(),
                local_tag: local_tag.into(),
                remote_tag: essentials.from.tag().unwrap_or_default().into(),
            },
            local: format!("{};tag={local_tag}", first(HeaderName::To)),
            remote: first(HeaderName::From).to_owned(),
            contact: None,
            local_sequence: 0,
            remote_sequence: Some(essentials.cseq.number),
            remote_target: contact.map_or_else(|| essentials.from.uri.clone(), |c| c.uri),
            route_set: request.headers.record_routes()?,
            path: flow.into(),
            is_uas: true,
        })
    }

    /// The caller's side (RFC 3261 12.1.2): the route set in reverse. `request` is the INVITE as sent over `path`. A
    /// 2xx with a broken Contact or Record-Route still needs an ACK, so these count as absent.
    pub(crate) fn uac(request: &Request, response: &Response, essentials: &Essentials, path: Target) -> Self {
        let first = |headers: &Headers, name| headers.first(&name).unwrap_or_default().to_owned();
        let contact_of = |headers: &Headers| headers.contact().ok().flatten().map(|c| c.uri);
        let mut route_set = response.headers.record_routes().unwrap_or_default();
        route_set.reverse();
        Self {
            id: DialogId {
                call_id: essentials.call_id.as_str().into(),
                local_tag: essentials.from.tag().unwrap_or_default().into(),
                remote_tag: essentials.to.tag().unwrap_or_default().into(),
            },
            local: first(&request.headers, HeaderName::From),
            remote: first(&response.headers, HeaderName::To),
            contact: contact_of(&request.headers),
            local_sequence: essentials.cseq.number,
            remote_sequence: None,
            remote_target: contact_of(&response.headers).unwrap_or_else(|| request.uri.clone()),
            route_set,
            path,
            is_uas: false,
        }
    }

    /// Takes note of a received request's CSeq (RFC 3261 12.2.2).
    pub(crate) fn observe_sequence(&mut self, number: u32) -> Order {
        if self.remote_sequence.is_some_and(|last| number < last) {
            return Order::OutOfOrder;
        }
        self.remote_sequence = Some(number);
        Order::InOrder
    }

    /// The peer may come over a new connection when the old one broke. Only from the same host, so that nobody else
    /// can draw our requests to himself.
    pub(crate) fn observe_flow(&mut self, flow: Flow) {
        let is_same_host = flow.transport == self.path.transport && flow.remote.ip() == self.path.remote.ip();
        if is_same_host && flow.transport.is_reliable() {
            self.path = flow.into();
        }
    }

    /// Takes over the Contact of a target refresh request or its 2xx (RFC 3261 12.2).
    pub(crate) fn refresh_target(&mut self, target: Option<Uri>) {
        if let Some(target) = target {
            self.remote_target = target;
        }
    }

    /// What is known about the way to the peer. A connection is used again only where the peer opened it: one that we
    /// opened leads where its address says.
    pub(crate) fn hint(&self) -> Hint {
        let connection = (self.is_uas && self.path.transport.is_reliable()).then_some(self.path.remote);
        Hint { transport: self.path.transport, connection }
    }

    /// The address that our requests leave from.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.path.local
    }

    /// Host and port of our Vias.
    pub(crate) fn sent_by(&self) -> SentBy {
        SentBy::of(&self.contact_uri())
    }

    /// Our Contact. Before the application has named it, the address that the peer reached.
    pub(crate) fn contact_uri(&self) -> Uri {
        match (&self.contact, self.path.local) {
            (Some(contact), _) => contact.clone(),
            (None, Some(local)) => Uri::sip(None, local.ip(), Some(local.port())),
            (None, None) => Uri::sip(None, Host::Name("anonymous.invalid".to_owned()), None),
        }
    }

    /// A new request inside the dialog (RFC 3261 12.2.1.1) and the URI that its packet goes to.
    pub(crate) fn request(&mut self, method: Method) -> (Request, Uri) {
        self.local_sequence = self.local_sequence.saturating_add(1);
        self.request_numbered(method, self.local_sequence)
    }

    /// The ACK of a 2xx: the CSeq number of its INVITE (RFC 3261 13.2.2.4).
    pub(crate) fn ack(&self, sequence: u32) -> (Request, Uri) {
        self.request_numbered(Method::Ack, sequence)
    }

    fn request_numbered(&self, method: Method, sequence: u32) -> (Request, Uri) {
        let way = route::way(&self.remote_target, &self.route_set);
        let mut headers = Headers::new();
        for route in way.routes {
            headers.push(HeaderName::Route, route);
        }
        headers.push(HeaderName::MaxForwards, MAX_FORWARDS);
        headers.push(HeaderName::From, self.local.as_str());
        headers.push(HeaderName::To, self.remote.as_str());
        headers.push(HeaderName::CallId, &*self.id.call_id);
        headers.push(HeaderName::CSeq, format!("{sequence} {method}"));
        if method == Method::Invite {
            headers.push(HeaderName::Contact, format!("<{}>", self.contact_uri()));
            headers.push(HeaderName::Allow, ALLOW);
        }
        (Request { method, uri: way.request_uri, headers, body: Vec::new() }, way.next_hop)
    }
}

/// RFC 3261 8.1.1.6.
pub(crate) const MAX_FORWARDS: &str = "70";
