//! Which of our addresses a peer is told.

use std::net::{IpAddr, SocketAddr};

use caly_sip::message::Uri;
use caly_sip::transport::{Flow, Transport};

use crate::call::exchange::MediaAddress;
use crate::call::route::{Routing, Source};

/// The addresses for one call.
#[derive(Clone, Debug)]
pub(super) struct OurAddress {
    /// For Contact.
    pub(super) contact: Uri,
    /// For RTP.
    pub(super) media: MediaAddress,
}

/// The address that the peer reached, or what the trunk or the server advertises to peers outside this host. A peer on
/// this host always gets the address it reached, and nobody else ever gets loopback.
pub(super) fn for_flow(
    flow: Flow,
    port: u16,
    source: Source<'_>,
    routing: &Routing,
    advertise: Option<IpAddr>,
) -> OurAddress {
    let reached = flow.local.ip().to_canonical();
    let advertised = if routing.is_local(flow.remote.ip()) {
        reached
    } else {
        let of_trunk = match source {
            Source::Trunk(trunk) => trunk.advertise,
            Source::Local => None,
        };
        of_trunk.or(advertise).unwrap_or(reached)
    };
    OurAddress {
        contact: contact(SocketAddr::new(advertised, port), flow.transport),
        media: MediaAddress { bind: reached, advertised },
    }
}

/// A Contact URI for an address.
pub(super) fn contact(address: SocketAddr, transport: Transport) -> Uri {
    let mut uri = Uri::sip(None, address.ip(), Some(address.port()));
    match transport {
        Transport::Udp => {}
        Transport::Tcp => uri.params.set("transport", Some("tcp")),
        Transport::Tls => uri.params.set("transport", Some("tls")),
    }
    uri
}
