//! Which transaction a message belongs to (RFC 3261 17.1.3 and 17.2.3), and which requests are merged (8.2.2.2).

use std::fmt::Write;

use crate::endpoint::token::MAGIC_COOKIE;
use crate::message::{Essentials, Host, Method, Request, Uri, Via};
use crate::transport::Transport;

/// A client transaction: the branch that we put into the topmost Via and the method of the CSeq.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ClientKey {
    pub(crate) branch: Box<str>,
    pub(crate) method: Method,
}

/// A server transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ServerKey {
    /// The branch is unique: RFC 3261 17.2.3, first list.
    Unique { branch: Box<str>, sent_by: Box<str>, method: Method },
    /// The branch carries no magic cookie, or nothing behind it: what RFC 2543 compared instead. The To tag is left
    /// out, since an ACK carries the tag that the INVITE had not.
    Compared { fields: Box<str>, method: Method },
}

impl ServerKey {
    /// The transaction that a request opens or repeats; an ACK belongs to its INVITE.
    pub(crate) fn of(request: &Request, essentials: &Essentials) -> Self {
        let method = match request.method {
            Method::Ack => Method::Invite,
            _ => request.method.clone(),
        };
        Self::with_method(request, essentials, method)
    }

    /// The INVITE transaction that a CANCEL names (RFC 3261 9.2).
    pub(crate) fn cancelled(request: &Request, essentials: &Essentials) -> Self {
        Self::with_method(request, essentials, Method::Invite)
    }

    fn with_method(request: &Request, essentials: &Essentials, method: Method) -> Self {
        let via = &essentials.via;
        match via.branch().filter(|b| is_unique(b)) {
            Some(branch) => Self::Unique { branch: branch.into(), sent_by: sent_by(via).into(), method },
            None => Self::Compared { fields: compared_fields(request, essentials).into(), method },
        }
    }
}

/// What makes two requests with different branches the same request, merged on the way (RFC 3261 8.2.2.2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct MergeKey {
    call_id: Box<str>,
    from_tag: Box<str>,
    sequence: u32,
}

impl MergeKey {
    pub(crate) fn of(essentials: &Essentials) -> Self {
        Self {
            call_id: essentials.call_id.as_str().into(),
            from_tag: essentials.from.tag().unwrap_or_default().into(),
            sequence: essentials.cseq.number,
        }
    }
}

impl ServerKey {
    pub(crate) fn is_invite(&self) -> bool {
        match self {
            Self::Unique { method, .. } | Self::Compared { method, .. } => *method == Method::Invite,
        }
    }
}

/// Host and port that our Vias name: those of our Contact, so that a peer who lost our connection finds us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SentBy {
    host: Host,
    port: Option<u16>,
}

impl SentBy {
    pub(crate) fn of(contact: &Uri) -> Self {
        Self { host: contact.host.clone(), port: contact.port }
    }

    /// Whether a response carries the Via that we sent (RFC 3261 18.1.2).
    pub(crate) fn is_in(&self, via: &Via) -> bool {
        self.host == via.host && self.port == via.port
    }

    /// A Via with this sent-by that asks for `rport` (RFC 3581 3).
    pub(crate) fn via(&self, transport: Transport, branch: &str) -> Via {
        let mut via = Via::new(transport, self.host.clone(), self.port, branch);
        via.request_rport();
        via
    }
}

/// Host and port of a Via, hosts in one case and the default port spelled out.
fn sent_by(via: &Via) -> String {
    let mut text = via.host.to_string();
    text.make_ascii_lowercase();
    let _infallible = write!(text, ":{}", via.port.unwrap_or(DEFAULT_PORT));
    text
}

fn is_unique(branch: &str) -> bool {
    let cookie = branch.get(..MAGIC_COOKIE.len());
    cookie.is_some_and(|c| c.eq_ignore_ascii_case(MAGIC_COOKIE)) && branch.len() > MAGIC_COOKIE.len()
}

fn compared_fields(request: &Request, essentials: &Essentials) -> String {
    format!(
        "{}\n{}\n{}\n{}\n{}\n{}",
        request.uri,
        essentials.from.tag().unwrap_or_default(),
        essentials.call_id,
        essentials.cseq.number,
        sent_by(&essentials.via),
        essentials.via.branch().unwrap_or_default(),
    )
}

/// A sent-by without a port means 5060 on every transport that a server listens on here (RFC 3261 18.1.1 leaves 5061
/// to TLS, whose peers name the port or not, but always in the same way for one transaction).
const DEFAULT_PORT: u16 = 5060;
