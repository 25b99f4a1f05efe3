//! Route sets: what Request-URI and Route headers a request gets, and where its packet goes (RFC 3261 12.2.1.1).

use crate::message::{NameAddr, Uri};

/// How a request travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Way {
    pub(crate) request_uri: Uri,
    /// Values of the Route headers, in order.
    pub(crate) routes: Vec<String>,
    /// The URI whose host the packet is sent to.
    pub(crate) next_hop: Uri,
}

/// Loose routing where the first route has `lr`, strict routing where it has not. The remote target stays as the peer
/// gave it, private addresses included: with a route set nobody but the peer's own proxies looks at it.
pub(crate) fn way(remote_target: &Uri, route_set: &[NameAddr]) -> Way {
    let Some((first, rest)) = route_set.split_first() else {
        return Way {
            request_uri: as_request_uri(remote_target),
            routes: Vec::new(),
            next_hop: remote_target.clone(),
        };
    };
    if first.uri.params.contains("lr") {
        return Way {
            request_uri: as_request_uri(remote_target),
            routes: route_set.iter().map(NameAddr::to_string).collect(),
            next_hop: first.uri.clone(),
        };
    }
    let routes = rest.iter().map(NameAddr::to_string).chain([format!("<{remote_target}>")]).collect();
    Way { request_uri: as_request_uri(&first.uri), routes, next_hop: first.uri.clone() }
}

/// What may not stand in a Request-URI goes: headers and the method parameter (RFC 3261 19.1.1).
pub(crate) fn as_request_uri(uri: &Uri) -> Uri {
    let mut uri = uri.clone();
    uri.headers.clear();
    uri.params.remove("method");
    uri
}
