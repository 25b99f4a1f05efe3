//! From an origin to bytes that flow: resolution, TCP by the first address that answers (RFC 8305), TLS.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use caly_provider::link::LinkFailure;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;
use tokio_rustls::client::TlsStream;

use super::target::Origin;
use super::{Pump, count, tls};

/// A connection, with TLS or without.
pub(super) enum Wire {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// Connects.
pub(super) async fn connect(pump: &Pump, origin: &Origin) -> Result<Wire, LinkFailure> {
    let addresses = resolve(pump, origin).await?;
    let stream = dial(origin, addresses).await?;
    count(&pump.shared.counters.connections);
    if origin.is_secure {
        tls::begin(&pump.shared.tls, origin, stream).await
    } else {
        Ok(Wire::Plain(stream))
    }
}

/// By the system's resolver, which reads `/etc/hosts` and answers at once for what it knows. It takes a thread until it gives up by
/// itself; whoever does not wait for it any more leaves it to end there.
async fn resolve(pump: &Pump, origin: &Origin) -> Result<Vec<SocketAddr>, LinkFailure> {
    let (host, port) = (origin.host.clone(), origin.port);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let unresolved = |why: String| LinkFailure::Resolve(format!("{}: {why}", origin.host));
    // RFC 6761 section 6.4: no name server is asked for what never exists.
    if host == "invalid" || host.ends_with(".invalid") {
        return Err(unresolved("names under .invalid never exist".to_owned()));
    }
    let turn = Arc::clone(&pump.shared.lookups).acquire_owned().await;
    let lookup = spawn_blocking(move || {
        let _turn = turn;
        (host.as_str(), port).to_socket_addrs().map(|found| found.take(MAX_ADDRESSES).collect::<Vec<_>>())
    });
    match lookup.await {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(Ok(_)) => Err(unresolved("it has no address".to_owned())),
        Ok(Err(error)) => Err(unresolved(error.to_string())),
        Err(error) => Err(unresolved(error.to_string())),
    }
}

/// The first address that answers; the next one is tried as well when one has failed or has been silent for a while.
async fn dial(origin: &Origin, addresses: Vec<SocketAddr>) -> Result<TcpStream, LinkFailure> {
    let mut rest = families_in_turn(addresses);
    let mut attempts = JoinSet::new();
    let mut fault = format!("{} has no address", origin.host);
    loop {
        if let Some(address) = rest.pop_front() {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        if attempts.is_empty() {
            return Err(LinkFailure::Connect(fault));
        }
        tokio::select! {
            Some(attempt) = attempts.join_next() => match attempt {
                Ok((_, Ok(stream))) => {
                    // Without it, a small message waits for the answer to the one before.
                    stream.set_nodelay(true).map_err(|error| LinkFailure::Connect(error.to_string()))?;
                    return Ok(stream);
                }
                Ok((address, Err(error))) => fault = format!("{} ({address}): {error}", origin.host),
                Err(error) => fault = error.to_string(),
            },
            () = sleep(ATTEMPT_DELAY), if !rest.is_empty() => {}
        }
    }
}

/// In the resolver's order, but IPv6 and IPv4 by turns (RFC 8305 section 4): a family that leads nowhere costs one delay, not many.
fn families_in_turn(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let is_first_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_first_ipv6);
    let mut ordered = VecDeque::new();
    while !first.is_empty() || !second.is_empty() {
        ordered.extend(first.pop_front());
        ordered.extend(second.pop_front());
    }
    ordered
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Secure(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Secure(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Secure(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Of one name; who has more has enough with these.
const MAX_ADDRESSES: usize = 8;

/// RFC 8305 section 5 recommends it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_families_take_turns() {
        let parse = |text: &[&str]| text.iter().map(|it| it.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let found = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1"]);
        let ordered: Vec<_> = families_in_turn(found).into();
        assert_eq!(ordered, parse(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "[::3]:1"]));
    }
}
