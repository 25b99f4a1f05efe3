//! A session over a WebSocket (RFC 6455).

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::House;
use crate::vendor::{Action, Frame, Session};

/// The answer to a client's key (RFC 6455 section 4.2.2).
pub(super) fn accept_key(key: &str) -> String {
    derive_accept_key(key.as_bytes())
}

/// Carries a session until one of the two ends it.
pub(super) async fn run<S>(stream: S, mut session: Box<dyn Session>, house: House)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // OpenAI takes 15 MiB of audio in base64 at once.
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES));
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    loop {
        let now = house.now();
        if let Some(action) = session.poll(now) {
            if act(&mut socket, action).await.is_none() {
                return;
            }
            continue;
        }
        let next = session.next().map(|next| house.begun + next.max(now));
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => session.receive(house.now(), Frame::Text(text.to_string())),
                Some(Ok(Message::Binary(bytes))) => session.receive(house.now(), Frame::Binary(bytes.to_vec())),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_) | Message::Close(_))) => {}
                Some(Err(_)) | None => return session.closed(house.now()),
            },
            () = async { sleep_until(next.unwrap_or(house.begun)).await }, if next.is_some() => {}
        }
    }
}

/// Returns `None` when it is over.
async fn act<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    action: Action,
) -> Option<()> {
    match action {
        Action::Send(Frame::Text(text)) => socket.send(Message::text(text)).await.ok(),
        Action::Send(Frame::Binary(bytes)) => socket.send(Message::binary(bytes)).await.ok(),
        Action::Close { code, reason } => {
            let close = CloseFrame { code: code.into(), reason: reason.into() };
            socket.close(Some(close)).await.ok()?;
            // The peer answers with a close frame; who does not is not waited for.
            let answered = async { while let Some(Ok(_)) = socket.next().await {} };
            let _ = timeout(CLOSE_WAIT, answered).await;
            None
        }
        // Without a close frame and without TLS's farewell: to the peer the connection is broken.
        Action::End | Action::Reset => None,
        Action::Garbage => {
            // All reserved bits set, and an opcode that does not exist (RFC 6455 section 5.2).
            let _ = socket.get_mut().write_all(&[0xff, 0x05, 1, 2, 3, 4, 5]).await;
            let _ = socket.get_mut().flush().await;
            None
        }
    }
}

const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

const CLOSE_WAIT: Duration = Duration::from_secs(1);
