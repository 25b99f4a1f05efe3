//! Vendors as real servers on loopback: HTTP/1.1 with bodies that come part by part, and WebSockets, in plain or over TLS.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::vendor::{Action, Answer, Arrival, Connection, Frame, Headers, Refusal, Session, Vendor};

mod tls;
mod websocket;

pub use tls::Authority;

/// A server that is stopped, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    is_tls: bool,
    begun: Instant,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves a vendor on a port of its own.
    ///
    /// # Errors
    ///
    /// If there is none to listen on.
    pub async fn start(vendor: impl Vendor + 'static) -> io::Result<Self> {
        Self::serve(Box::new(vendor), None).await
    }

    /// The same over TLS, with a certificate of this authority for `localhost`, 127.0.0.1 and ::1.
    ///
    /// # Errors
    ///
    /// If there is no port to listen on.
    pub async fn start_tls(vendor: impl Vendor + 'static, authority: &Authority) -> io::Result<Self> {
        Self::serve(Box::new(vendor), Some(authority.acceptor())).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long it has been open: the vendor's own time.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What stands before the path in URLs of HTTP.
    pub fn http_base(&self) -> String {
        let (scheme, host) = if self.is_tls { ("https", "localhost") } else { ("http", "127.0.0.1") };
        format!("{scheme}://{host}:{}", self.address.port())
    }

    /// What stands before the path in URLs of WebSockets.
    pub fn websocket_base(&self) -> String {
        self.http_base().replacen("http", "ws", 1)
    }

    async fn serve(vendor: Box<dyn Vendor>, acceptor: Option<TlsAcceptor>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let is_tls = acceptor.is_some();
        let begun = Instant::now();
        let house = House { vendor: Arc::new(Mutex::new(vendor)), begun };
        let task = tokio::spawn(listen(listener, house, acceptor));
        Ok(Self { address, is_tls, begun, task })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The connections' tasks belong to this one and end with it.
        self.task.abort();
    }
}

/// A vendor and the time since it opened; all connections have one of these.
#[derive(Clone)]
struct House {
    vendor: Arc<Mutex<Box<dyn Vendor>>>,
    begun: Instant,
}

impl House {
    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn with<T>(&self, ask: impl FnOnce(&mut dyn Vendor, Duration) -> T) -> T {
        let mut vendor = self.vendor.lock().unwrap_or_else(PoisonError::into_inner);
        ask(vendor.as_mut(), self.begun.elapsed())
    }
}

async fn listen(listener: TcpListener, house: House, acceptor: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connected(stream, house.clone(), acceptor.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connected(stream: TcpStream, house: House, acceptor: Option<TlsAcceptor>) {
    // Neither option can fail on a socket that is connected; if it does, only a time or a reset is lost.
    let _ = stream.set_nodelay(true);
    let connection = house.with(|vendor, now| vendor.connect(now));
    match (connection, acceptor) {
        (Connection::Made, None) => exchange(stream, house).await,
        (Connection::Made, Some(acceptor)) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                exchange(stream, house).await;
            }
        }
        (Connection::Refused | Connection::Unresolved, _) => {
            // A listener cannot refuse one connection among others; a reset is the nearest to it.
            let _ = stream.set_zero_linger();
        }
        (Connection::TlsFails, _) => {
            let _ = stream.try_write(b"this is no TLS\r\n");
        }
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, house: House) {
    let upgrading = Arc::new(Mutex::new(None));
    let service = hyper::service::service_fn(|request| answer(request, house.clone(), upgrading.clone()));
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    let upgraded = upgrading.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Ok(()), Some((upgrade, session))) = (served, upgraded) else { return };
    let upgrade: OnUpgrade = upgrade;
    if let Ok(upgraded) = upgrade.await {
        let stream: TokioIo<Upgraded> = TokioIo::new(upgraded);
        websocket::run(stream, session, house).await;
    }
}

type Upgrading = Arc<Mutex<Option<(OnUpgrade, Box<dyn Session>)>>>;

async fn answer(
    mut request: Request<Incoming>,
    house: House,
    upgrading: Upgrading,
) -> Result<Response<Played>, Unanswered> {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
    let headers: Headers = headers.collect();
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let mut arrival = Arrival { headers, ..Arrival::new(request.method().as_str(), &target) };
    arrival.is_websocket = arrival.header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
    arrival.body = read(request.body_mut()).await.ok_or(Unanswered)?;
    let key = arrival.header("sec-websocket-key").map(str::to_owned);
    match house.with(|vendor, now| vendor.open(now, &arrival)) {
        Answer::Upgrade(headers, session) if arrival.is_websocket => {
            let upgrade = hyper::upgrade::on(&mut request);
            *upgrading.lock().unwrap_or_else(PoisonError::into_inner) = Some((upgrade, session));
            let accept = websocket::accept_key(key.as_deref().unwrap_or_default());
            let protocol =
                [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", &accept)];
            let protocol = protocol.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let headers: Vec<_> = headers.into_iter().chain(protocol).collect();
            Ok(response(StatusCode::SWITCHING_PROTOCOLS, &headers, Played::nothing(house)))
        }
        Answer::Respond(headers, session) if !arrival.is_websocket => Ok(response(
            StatusCode::OK,
            &headers,
            Played { of: Some(session), whole: None, house, sleep: None },
        )),
        Answer::Upgrade(..) | Answer::Respond(..) => {
            let refusal = Refusal { status: 426, headers: Vec::new(), body: "Upgrade Required".to_owned() };
            Ok(refused(refusal, house))
        }
        Answer::Refuse(refusal) => Ok(refused(refusal, house)),
        Answer::Nothing => std::future::pending().await,
    }
}

fn refused(refusal: Refusal, house: House) -> Response<Played> {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = Played { whole: Some(Bytes::from(refusal.body)), ..Played::nothing(house) };
    response(status, &refusal.headers, body)
}

fn response(status: StatusCode, headers: &Headers, body: Played) -> Response<Played> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The whole body, unless it is longer than any vendor takes.
async fn read(body: &mut Incoming) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
        if let Ok(part) = frame.ok()?.into_data() {
            bytes.extend_from_slice(&part);
        }
        if bytes.len() > MAX_BODY_BYTES {
            return None;
        }
    }
    Some(bytes)
}

/// A response's body as a session plays it.
struct Played {
    of: Option<Box<dyn Session>>,
    whole: Option<Bytes>,
    house: House,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Played {
    fn nothing(house: House) -> Self {
        Self { of: None, whole: None, house, sleep: None }
    }
}

impl Body for Played {
    type Data = Bytes;
    type Error = Unanswered;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Unanswered>>> {
        if let Some(whole) = self.whole.take() {
            return Poll::Ready(Some(Ok(hyper::body::Frame::data(whole))));
        }
        loop {
            let now = self.house.now();
            let Some(session) = &mut self.of else { return Poll::Ready(None) };
            match session.poll(now) {
                Some(Action::Send(frame)) => {
                    let bytes = match frame {
                        Frame::Text(text) => Bytes::from(text),
                        Frame::Binary(bytes) => Bytes::from(bytes),
                    };
                    return Poll::Ready(Some(Ok(hyper::body::Frame::data(bytes))));
                }
                Some(Action::End) => return Poll::Ready(None),
                Some(Action::Reset | Action::Garbage | Action::Close { .. }) => {
                    return Poll::Ready(Some(Err(Unanswered)));
                }
                None => {}
            }
            // Who has nothing more to say and does not end is stalled on purpose.
            let Some(next) = session.next() else { return Poll::Pending };
            let until = self.house.begun + next;
            let mut sleep = Box::pin(tokio::time::sleep_until(until));
            if sleep.as_mut().poll(context).is_pending() {
                self.sleep = Some(sleep);
                return Poll::Pending;
            }
        }
    }
}

/// An exchange that is broken off on purpose.
#[derive(Debug)]
struct Unanswered;

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken off on purpose")
    }
}

impl std::error::Error for Unanswered {}

/// What OpenAI takes as a file, and a little for what stands around it.
const MAX_BODY_BYTES: usize = 26 * 1024 * 1024;
