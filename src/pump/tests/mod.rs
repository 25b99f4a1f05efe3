//! Links against real servers on loopback, most of them a few written bytes.

mod bounds;
mod http;
mod program;
mod tls;
mod websocket;

use std::net::SocketAddr;
use std::time::Duration;

use caly_provider::link::{
    Endpoint, HttpRequest, LinkDeed, LinkEnd, LinkEvent, LinkFailure, LinkId, LinkOrder, Message, Method,
    Request, ResponseHead, Url,
};
use caly_provider::secret::Secret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{Links, Pump, PumpConfig};

/// The one link of most tests.
const LINK: LinkId = LinkId(7);

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn links() -> Links {
    Links::new(pump())
}

fn pump() -> Pump {
    Pump::new(&PumpConfig::default()).unwrap()
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint { url: Url::new(url), headers: vec![("authorization", Secret::new("Token abc"))] }
}

fn get(url: &str) -> Request {
    post(url, Method::Get, b"")
}

fn post(url: &str, method: Method, body: &[u8]) -> Request {
    Request::Http(HttpRequest { method, endpoint: endpoint(url), body: body.to_vec() })
}

fn text(text: &str) -> Message {
    Message::Text(text.to_owned())
}

impl Links {
    fn with_open(mut self, request: Request) -> Self {
        self.deed(LINK, LinkDeed::Open(request));
        self
    }

    fn deed(&mut self, link: LinkId, deed: LinkDeed) {
        self.order(LinkOrder { link, deed });
    }

    /// The next event, which is of the one link.
    async fn event(&mut self) -> LinkEvent {
        let (link, event) = timeout(PATIENCE, self.next()).await.expect("nothing happens");
        assert_eq!(link, LINK);
        event
    }

    async fn opened(&mut self) -> ResponseHead {
        match self.event().await {
            LinkEvent::Opened(head) => head,
            other => panic!("expected it open: {other:?}"),
        }
    }

    async fn received(&mut self) -> Message {
        match self.event().await {
            LinkEvent::Received(message) => message,
            other => panic!("expected a message: {other:?}"),
        }
    }

    async fn ended(&mut self) -> LinkEnd {
        match self.event().await {
            LinkEvent::Ended(end) => end,
            other => panic!("expected the end: {other:?}"),
        }
    }

    async fn failed(&mut self) -> LinkFailure {
        match self.ended().await {
            LinkEnd::Failed(failure) => failure,
            other => panic!("expected a failure: {other:?}"),
        }
    }

    /// All parts of the body, up to a good end.
    async fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            match self.event().await {
                LinkEvent::Opened(_) => {}
                LinkEvent::Received(Message::Binary(part)) => body.extend(part),
                LinkEvent::Ended(LinkEnd::Complete) => return body,
                other => panic!("in a body: {other:?}"),
            }
        }
    }
}

/// A server that handles every connection so.
async fn serve<F: Future<Output = ()> + Send + 'static>(
    handle: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    address
}

/// A server that answers every request with these bytes and hangs up.
async fn answers(answer: &'static str) -> SocketAddr {
    serve(move |mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await
}

/// The head of a request, with its empty line; empty if the client hangs up.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return String::new(),
        }
    }
    String::from_utf8(head).unwrap()
}

/// Done when the client has hung up.
async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) {
    let mut rest = [0; 1_024];
    while let Ok(1..) = stream.read(&mut rest).await {}
}

/// Upgrades the connection to a WebSocket.
async fn accept<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> WebSocketStream<S> {
    let upgrade = upgrade(&read_head(&mut stream).await);
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    WebSocketStream::from_raw_socket(stream, Role::Server, None).await
}

/// The answer to a handshake.
fn upgrade(head: &str) -> String {
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
    let accept = super::websocket::accept_key(key);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         DG-Request-Id: r1\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}
