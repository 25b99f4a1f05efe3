//! HTTP/1.1 connections (RFC 9112): one that has answered waits here for the next request, which then needs no handshake.
//!
//! No task runs for a connection. Whoever uses it drives it, and one that lies idle is looked at again when it is taken out: if its
//! server has closed it meanwhile, it is dropped there.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use caly_provider::link::LinkFailure;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::connect::Wire;
use super::target::Origin;
use super::{count, failure};

/// A connection that can be asked.
pub(super) struct HttpConnection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
}

/// The half of a connection that moves bytes.
struct Driver {
    connection: http1::Connection<TokioIo<Wire>, Full<Bytes>>,
    is_over: bool,
}

impl HttpConnection {
    pub(super) async fn begin(wire: Wire) -> Result<Self, LinkFailure> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_BUFFER_BYTES).max_headers(MAX_HEADERS);
        let begun = builder.handshake(TokioIo::new(wire)).await;
        let (sender, connection) = begun.map_err(|error| failure::of_http(&error))?;
        Ok(Self { sender, driver: Driver { connection, is_over: false } })
    }

    /// Sends a request and waits for the head of its response. A request that has not left comes back with the error.
    pub(super) async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        let answer = self.sender.try_send_request(request);
        self.drive(answer).await
    }

    /// Waits for something that comes over this connection.
    pub(super) async fn drive<F: Future>(&mut self, awaited: F) -> F::Output {
        let mut awaited = pin!(awaited);
        poll_fn(|cx| {
            self.driver.poll(cx);
            awaited.as_mut().poll(cx)
        })
        .await
    }

    /// True if another request can be sent.
    pub(super) async fn is_ready(&mut self) -> bool {
        poll_fn(|cx| {
            self.driver.poll(cx);
            Poll::Ready(!self.driver.is_over && self.sender.is_ready())
        })
        .await
    }

    /// After 101 (RFC 9110 section 7.8): the bare connection, and what has come over it after the head.
    pub(super) async fn into_wire(mut self) -> (Wire, Bytes) {
        poll_fn(|cx| {
            self.driver.poll(cx);
            if self.driver.is_over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let parts = self.driver.connection.into_parts();
        (parts.io.into_inner(), parts.read_buf)
    }
}

impl Driver {
    fn poll(&mut self, cx: &mut Context<'_>) {
        // An error is told to who waits for the response or its body.
        self.is_over = self.is_over || self.connection.poll_without_shutdown(cx).is_ready();
    }
}

/// Connections that wait for their next request.
pub(super) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
    room: usize,
    dropped: AtomicU64,
}

/// The oldest stand first.
struct Idle {
    origin: Origin,
    connection: HttpConnection,
    since: Instant,
}

impl Pool {
    /// With room for so many connections.
    pub(super) fn new(room: usize) -> Self {
        Self { idle: Mutex::default(), room, dropped: AtomicU64::new(0) }
    }

    /// The connection to there that was used last and can be used again.
    pub(super) async fn take(&self, origin: &Origin) -> Option<HttpConnection> {
        while let Some(mut connection) = self.take_any(origin) {
            if connection.is_ready().await {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose response is whole, if its server keeps it too.
    pub(super) async fn keep(&self, origin: Origin, mut connection: HttpConnection) {
        if !connection.is_ready().await {
            return;
        }
        let mut idle = self.idle();
        if idle.len() >= self.room {
            idle.pop_front();
            count(&self.dropped);
        }
        idle.push_back(Idle { origin, connection, since: Instant::now() });
    }

    /// Connections that had no room.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn take_any(&self, origin: &Origin) -> Option<HttpConnection> {
        let now = Instant::now();
        let mut idle = self.idle();
        while idle.front().is_some_and(|oldest| now.duration_since(oldest.since) > MAX_IDLE_TIME) {
            idle.pop_front();
        }
        let place = idle.iter().rposition(|idle| idle.origin == *origin)?;
        idle.remove(place).map(|idle| idle.connection)
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        // Whole after every statement that could panic.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For all calls together: with one request in flight for each of some hundred calls, the rest of a turn they lie here.
pub(super) const MAX_IDLE: usize = 256;

/// Common servers and balancers close what is idle after 60 to 75 seconds; one that closes just as a request leaves costs that request.
const MAX_IDLE_TIME: Duration = Duration::from_secs(45);

/// Of a connection, for each direction; no head of a response may be longer.
pub(super) const MAX_BUFFER_BYTES: usize = 16 * 1024;

const MAX_HEADERS: usize = 100;
