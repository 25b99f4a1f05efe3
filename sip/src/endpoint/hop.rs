//! Where a request goes: the addresses to try, in order (RFC 3261 8.1.2 and 18.1.1, the numeric part of RFC 3263 4).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::message::{Host, Scheme, Uri};
use crate::transport::Transport;

/// One address to try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hop {
    pub(crate) transport: Transport,
    pub(crate) remote: SocketAddr,
    /// See [`Transmit::fallback`](super::Transmit::fallback).
    pub(crate) fallback: Option<SocketAddr>,
    /// Worth trying only if the transport of the hop before it failed: it is the same host in another way.
    pub(crate) is_second_choice: bool,
}

/// What is known about the way before any address is.
#[derive(Clone, Debug)]
pub(crate) struct NextHop {
    pub(crate) host: Host,
    port: Option<u16>,
    transports: Transports,
    connection: Option<(Transport, SocketAddr)>,
}

/// What a dialog knows about the way to its peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hint {
    /// The transport that carries the dialog, for URIs that name none.
    pub(crate) transport: Transport,
    /// The peer's end of a connection that the peer opened and that may be used again.
    pub(crate) connection: Option<SocketAddr>,
}

impl Default for Hint {
    fn default() -> Self {
        Self { transport: Transport::Udp, connection: None }
    }
}

/// Which transports are allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Transports {
    /// The URI or the caller names it.
    Only(Transport),
    /// Nobody names one: this is the likely one, UDP stays possible.
    Prefer(Transport),
}

impl NextHop {
    /// Reads the URI that a packet must go to. `chosen` overrides what it says about the transport. `None` if the URI
    /// cannot be reached by SIP.
    pub(crate) fn new(uri: &Uri, chosen: Option<Transport>, hint: Hint) -> Option<Self> {
        let transports = match (&uri.scheme, chosen, uri.params.value("transport")) {
            (Scheme::Sips, _, _) => Transports::Only(Transport::Tls),
            (Scheme::Sip, Some(transport), _) => Transports::Only(transport),
            (Scheme::Sip, None, Some(token)) => Transports::Only(Transport::from_token(token)?),
            (Scheme::Sip, None, None) => Transports::Prefer(hint.transport),
            (Scheme::Tel | Scheme::Other(_), _, _) => return None,
        };
        let host = uri.params.value("maddr").and_then(|m| m.parse().ok()).unwrap_or_else(|| uri.host.clone());
        // Only TLS is as good as what sips: asks for. A sip: URI may name another transport than the one that its owner
        // uses (carriers print transport=tls in the Record-Route of TCP calls): the open connection knows better.
        let is_good_enough = uri.scheme != Scheme::Sips || hint.transport == Transport::Tls;
        let connection = hint.connection.filter(|_| is_good_enough && hint.transport.is_reliable());
        let connection = connection.map(|remote| (hint.transport, remote));
        Some(Self { host, port: uri.port, transports, connection })
    }

    /// The hops over these addresses for a request of this size.
    pub(crate) fn hops(&self, addresses: &[IpAddr], request_bytes: usize) -> VecDeque<Hop> {
        addresses.iter().take(MAX_ADDRESSES).flat_map(|&ip| self.hops_to(ip, request_bytes)).collect()
    }

    fn hops_to(&self, ip: IpAddr, request_bytes: usize) -> Vec<Hop> {
        let is_large = request_bytes >= MAX_UDP_REQUEST_BYTES;
        let (first, second) = match self.transports {
            Transports::Only(transport) => (transport, None),
            Transports::Prefer(Transport::Udp) if is_large => (Transport::Tcp, Some(Transport::Udp)),
            Transports::Prefer(Transport::Udp) => (Transport::Udp, None),
            Transports::Prefer(Transport::Tcp) => (Transport::Tcp, Some(Transport::Udp)),
            // What came under TLS is never sent in the clear.
            Transports::Prefer(Transport::Tls) => (Transport::Tls, None),
        };
        let address =
            |transport: Transport| SocketAddr::new(ip, self.port.unwrap_or(transport.default_port()));
        let hop = |transport, is_second_choice| Hop {
            transport,
            remote: address(transport),
            fallback: None,
            is_second_choice,
        };
        let direct = hop(first, false);
        let connection = self.connection.filter(|&(transport, remote)| {
            first.is_reliable() && remote.ip() == ip && (transport, remote) != (first, direct.remote)
        });
        let mut hops = Vec::with_capacity(3);
        if let Some((transport, remote)) = connection {
            let fallback = (transport == first).then_some(direct.remote);
            hops.push(Hop { transport, remote, fallback, ..direct });
        }
        hops.push(Hop { is_second_choice: connection.is_some(), ..direct });
        hops.extend(second.map(|transport| hop(transport, true)));
        hops
    }
}

/// RFC 3261 18.1.1: a request within 200 bytes of the path MTU, or larger than 1300 bytes where that is unknown, goes
/// over a transport with congestion control.
const MAX_UDP_REQUEST_BYTES: usize = 1300;

/// Addresses tried for one name. Each costs up to 32 s of silence, so more would outlast any caller's patience.
const MAX_ADDRESSES: usize = 8;

#[cfg(test)]
mod tests {
    use super::{Hint, NextHop};
    use crate::message::Uri;
    use crate::transport::Transport;

    /// Transport and address of each hop to 192.0.2.9.
    fn hops(uri: &str, hint: Hint, bytes: usize) -> Vec<(Transport, String)> {
        let uri: Uri = uri.parse().unwrap();
        let hops = NextHop::new(&uri, None, hint).unwrap().hops(&["192.0.2.9".parse().unwrap()], bytes);
        hops.iter().map(|hop| (hop.transport, hop.remote.to_string())).collect()
    }

    fn over(transport: Transport, connection: &str) -> Hint {
        Hint { transport, connection: connection.parse().ok() }
    }

    #[test]
    fn the_size_decides_only_where_nothing_names_a_transport() {
        use Transport::{Tcp, Udp};
        let to = |port: u16| format!("192.0.2.9:{port}");
        assert_eq!(hops("sip:192.0.2.9", Hint::default(), 1_299), [(Udp, to(5060))]);
        assert_eq!(hops("sip:192.0.2.9:5070", Hint::default(), 1_300), [(Tcp, to(5070)), (Udp, to(5070))]);
        assert_eq!(hops("sip:192.0.2.9;transport=udp", Hint::default(), 9_000), [(Udp, to(5060))]);
    }

    #[test]
    fn a_dialog_over_tcp_stays_there_and_one_over_tls_never_leaves_it() {
        use Transport::{Tcp, Tls, Udp};
        let to = |port: u16| format!("192.0.2.9:{port}");
        let tcp = over(Tcp, "192.0.2.9:40000");
        assert_eq!(hops("sip:192.0.2.9", tcp, 500), [(Tcp, to(40000)), (Tcp, to(5060)), (Udp, to(5060))]);
        let tls = over(Tls, "192.0.2.9:40000");
        assert_eq!(hops("sip:192.0.2.9", tls, 500), [(Tls, to(40000)), (Tls, to(5061))]);
        // A route that says TLS in a call that came by TCP: the connection first, and never TLS's port in the clear.
        assert_eq!(hops("sip:192.0.2.9:443;transport=tls", tcp, 500), [(Tcp, to(40000)), (Tls, to(443))]);
        assert_eq!(hops("sips:192.0.2.9", tcp, 500), [(Tls, to(5061))]);
        let elsewhere = over(Tcp, "192.0.2.10:40000");
        assert_eq!(hops("sip:192.0.2.9;transport=tcp", elsewhere, 500), [(Tcp, to(5060))]);
    }

    #[test]
    fn what_is_no_sip_uri_has_no_next_hop() {
        for uri in ["tel:+15550100001", "urn:service:sos", "sip:192.0.2.9;transport=sctp"] {
            assert!(NextHop::new(&uri.parse().unwrap(), None, Hint::default()).is_none(), "{uri}");
        }
    }
}
