//! A WebSocket (RFC 6455). Its handshake is an HTTP exchange like any other, so that a refusal comes with its body; the frames are
//! tungstenite's.

use std::pin::pin;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use caly_provider::link::{
    Endpoint, LinkEnd, LinkEvent, LinkFailure, MAX_MESSAGE_BYTES, Message, ResponseHead,
};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::StatusCode;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::{WebSocketStream, tungstenite};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::connect::{Wire, connect};
use super::link::{Closing, Outbox, Teller, until_closed};
use super::pool::HttpConnection;
use super::target::{Target, WEBSOCKET};
use super::{Pump, failure, http};

type Socket = WebSocketStream<Wire>;

/// Runs until the peer has closed or the owner has. An owner who closes while the link is not open yet has it broken off.
pub(super) async fn run(
    pump: &Pump,
    endpoint: &Endpoint,
    outbox: Outbox,
    teller: &Teller,
    closing: &mut Closing,
) {
    let opened = tokio::select! {
        opened = Box::pin(open(pump, endpoint)) => opened,
        _ = &mut *closing => return,
    };
    match opened {
        Ok((socket, head)) => {
            let time_is_up = async {
                let _closed = closing.await;
                sleep(GOODBYE_TIME).await;
            };
            tokio::select! {
                () = converse(socket, head, outbox, teller) => {}
                () = time_is_up => {}
            }
        }
        Err(failure) => until_closed(teller, async { LinkEnd::Failed(failure) }, closing).await,
    }
}

async fn open(pump: &Pump, endpoint: &Endpoint) -> Result<(Socket, ResponseHead), LinkFailure> {
    let target = Target::parse(&endpoint.url, &WEBSOCKET)?;
    let key = new_key()?;
    let mut headers = target.headers(endpoint)?;
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let unfit = |_| LinkFailure::Connect("the WebSocket's key fits no header".to_owned());
    headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).map_err(unfit)?);
    let request = http::message(hyper::Method::GET, &target, headers, Vec::new())?;

    let mut connection = HttpConnection::begin(connect(pump, &target.origin).await?).await?;
    let answer = connection.ask(request).await;
    let (head, mut body) = answer.map_err(|error| failure::of_http(error.error()))?.into_parts();
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        let (refusal, _) = http::refused(&mut connection, head.status, &head.headers, &mut body).await;
        return Err(LinkFailure::Status(Box::new(refusal)));
    }
    check_upgrade(&head.headers, &key)?;
    let (wire, come_already) = connection.into_wire().await;
    let socket =
        WebSocketStream::from_partially_read(wire, come_already.to_vec(), Role::Client, Some(sizes())).await;
    Ok((socket, http::response_head(&head.headers)))
}

/// RFC 6455 section 4.1, what the client must check of the answer.
fn check_upgrade(headers: &HeaderMap, key: &str) -> Result<(), LinkFailure> {
    let says = |name, wanted: &str| {
        let words = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        words.split(',').any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    let fault = if !says(UPGRADE, "websocket") || !says(CONNECTION, "upgrade") {
        "101 without an upgrade to a WebSocket"
    } else if headers.get(SEC_WEBSOCKET_ACCEPT).is_none_or(|value| value != accept_key(key).as_str()) {
        "101 whose Sec-WebSocket-Accept does not answer the key"
    } else if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        "101 with an extension that was not offered"
    } else {
        return Ok(());
    };
    Err(LinkFailure::Protocol(fault.to_owned()))
}

fn new_key() -> Result<String, LinkFailure> {
    let mut bytes = [0; 16];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| LinkFailure::Connect("the kernel gives no random bytes".to_owned()))?;
    Ok(STANDARD.encode(bytes))
}

/// RFC 6455 section 4.2.2: it proves that the other side speaks this protocol, nothing more.
pub(super) fn accept_key(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

fn sizes() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        // Each message leaves at once.
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_MESSAGE_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
}

/// Both ways at the same time: a peer that does not read until it is read must not hold the link.
async fn converse(socket: Socket, head: ResponseHead, mut outbox: Outbox, teller: &Teller) {
    teller.tell(LinkEvent::Opened(head)).await;
    let (mut sink, mut stream) = socket.split();
    let end = {
        let mut sending = pin!(send(&mut sink, &mut outbox));
        let mut hearing = pin!(hear(&mut stream, teller));
        tokio::select! {
            end = &mut hearing => Some(end),
            sent = &mut sending => match sent {
                Ok(()) => None,
                // The peer may have said why before it stopped to read.
                Err(error) => match timeout(GOODBYE_TIME, &mut hearing).await {
                    Ok(closed @ LinkEnd::Closed { .. }) => Some(closed),
                    Ok(LinkEnd::Complete | LinkEnd::Failed(_)) | Err(_) => {
                        Some(LinkEnd::Failed(failure::of_websocket(&error)))
                    }
                },
            },
        }
    };
    if let Some(end) = end {
        teller.tell(LinkEvent::Ended(end)).await;
    }
    let goodbye = async {
        let _said = sink.send(tungstenite::Message::Close(Some(NORMAL))).await;
        while let Some(Ok(_)) = stream.next().await {}
    };
    let _in_time = timeout(GOODBYE_TIME, goodbye).await;
}

/// Until the owner has closed the link and all is sent.
async fn send(
    sink: &mut SplitSink<Socket, tungstenite::Message>,
    outbox: &mut Outbox,
) -> Result<(), tungstenite::Error> {
    while let Some(message) = outbox.next().await {
        let message = match message {
            Message::Text(text) => tungstenite::Message::Text(text.into()),
            Message::Binary(bytes) => tungstenite::Message::Binary(bytes.into()),
        };
        sink.send(message).await?;
    }
    Ok(())
}

/// Until the peer has closed. While the call has no room, nothing is read.
async fn hear(stream: &mut SplitStream<Socket>, teller: &Teller) -> LinkEnd {
    loop {
        let message = match stream.next().await {
            Some(Ok(tungstenite::Message::Text(text))) => Message::Text(text.as_str().to_owned()),
            Some(Ok(tungstenite::Message::Binary(bytes))) => Message::Binary(bytes.into()),
            Some(Ok(tungstenite::Message::Close(frame))) => return closed(frame),
            // Pings are answered while reading.
            Some(Ok(
                tungstenite::Message::Ping(_)
                | tungstenite::Message::Pong(_)
                | tungstenite::Message::Frame(_),
            )) => continue,
            Some(Err(error)) => return LinkEnd::Failed(failure::of_websocket(&error)),
            None => return LinkEnd::Failed(failure::of_websocket(&tungstenite::Error::AlreadyClosed)),
        };
        teller.tell(LinkEvent::Received(message)).await;
    }
}

fn closed(frame: Option<CloseFrame>) -> LinkEnd {
    match frame {
        Some(frame) => {
            LinkEnd::Closed { code: Some(frame.code.into()), reason: frame.reason.as_str().to_owned() }
        }
        None => LinkEnd::Closed { code: None, reason: String::new() },
    }
}

const NORMAL: CloseFrame = CloseFrame {
    code: tungstenite::protocol::frame::coding::CloseCode::Normal,
    reason: tungstenite::Utf8Bytes::from_static(""),
};

/// For sending what is left, the close frame, and hearing the peer's.
const GOODBYE_TIME: Duration = Duration::from_secs(1);

/// tungstenite would take 128 kB for each connection. It grows for a message that is longer.
const READ_BUFFER_BYTES: usize = 2 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_answered_as_in_rfc_6455() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
