//! WebSockets.

use caly_provider::link::MAX_MESSAGE_BYTES;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite;
use tungstenite::protocol::CloseFrame;

use super::*;

fn websocket(address: SocketAddr) -> Request {
    Request::WebSocket(endpoint(&format!("ws://{address}/listen?a=b")))
}

/// Sends back what it hears, until the client closes.
async fn echo() -> SocketAddr {
    serve(|stream| async move {
        let mut socket = accept(stream).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() || message.is_binary() {
                socket.send(message).await.unwrap();
            }
        }
    })
    .await
}

/// Upgrades, and sends these bytes with the same write.
async fn upgrades_and_sends(bytes: &'static [u8]) -> SocketAddr {
    serve(move |mut stream| async move {
        let mut answer = upgrade(&read_head(&mut stream).await).into_bytes();
        answer.extend_from_slice(bytes);
        stream.write_all(&answer).await.unwrap();
        read_to_end(&mut stream).await;
    })
    .await
}

#[tokio::test]
async fn texts_and_bytes_go_both_ways() {
    let mut links = links().with_open(websocket(echo().await));
    // Ordered before it is open.
    links.deed(LINK, LinkDeed::Send(text("नमस्ते")));
    assert_eq!(links.opened().await.request_id.as_deref(), Some("r1"));
    assert_eq!(links.received().await, text("नमस्ते"));
    let megabyte: Vec<u8> = (0..1_048_576_u32).map(|at| (at % 251) as u8).collect();
    for message in [Message::Binary(vec![0, 255, 1]), Message::Binary(megabyte), text("")] {
        links.deed(LINK, LinkDeed::Send(message.clone()));
        assert!(links.received().await == message);
    }
}

#[tokio::test]
async fn what_comes_with_the_upgrade_is_not_lost() {
    let mut links = links().with_open(websocket(upgrades_and_sends(b"\x81\x05hello\x82\x01\x07").await));
    links.opened().await;
    assert_eq!(links.received().await, text("hello"));
    assert_eq!(links.received().await, Message::Binary(vec![7]));
}

#[tokio::test]
async fn a_peer_that_closes_says_why() {
    let mut with_reason = links().with_open(websocket(upgrades_and_sends(b"\x88\x09\x03\xf0no key.").await));
    with_reason.opened().await;
    let closed = LinkEnd::Closed { code: Some(1008), reason: "no key.".to_owned() };
    assert_eq!(with_reason.ended().await, closed);
    let mut without = links().with_open(websocket(upgrades_and_sends(b"\x88\x00").await));
    without.opened().await;
    assert_eq!(without.ended().await, LinkEnd::Closed { code: None, reason: String::new() });
}

#[tokio::test]
async fn a_peer_that_closes_says_why_even_while_it_is_sent_to() {
    let address = serve(|stream| async move {
        let mut socket = accept(stream).await;
        assert!(socket.next().await.unwrap().unwrap().is_binary());
        let frame = CloseFrame { code: 4_008.into(), reason: "quota".into() };
        socket.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let mut links = links().with_open(websocket(address));
    links.opened().await;
    for _ in 0..200 {
        links.deed(LINK, LinkDeed::Send(Message::Binary(vec![0; 640])));
    }
    let closed = LinkEnd::Closed { code: Some(4_008), reason: "quota".to_owned() };
    assert_eq!(links.ended().await, closed);
}

#[tokio::test]
async fn what_is_not_a_websocket_is_told_as_such() {
    // Text that is not UTF-8; a reserved opcode; a masked frame of a server; a continuation of nothing.
    for frame in [&b"\x81\x01\xff"[..], b"\x83\x00", b"\x81\x81\x00\x00\x00\x00a", b"\x80\x01a"] {
        let mut links = links().with_open(websocket(upgrades_and_sends(frame).await));
        links.opened().await;
        let failure = links.failed().await;
        assert!(matches!(failure, LinkFailure::Protocol(_)), "{frame:x?}: {failure:?}");
    }
    let wrong =
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";
    let failure = links().with_open(websocket(answers(wrong).await)).failed().await;
    assert!(matches!(&failure, LinkFailure::Protocol(why) if why.contains("Accept")), "{failure:?}");
}

#[tokio::test]
async fn a_message_that_is_too_long_is_not_read() {
    // Five megabytes are announced; not one of them has to come.
    let mut links = links().with_open(websocket(upgrades_and_sends(b"\x82\x7f\0\0\0\0\0\x50\0\0").await));
    links.opened().await;
    assert_eq!(links.failed().await, LinkFailure::TooLong { limit_bytes: MAX_MESSAGE_BYTES });
}

#[tokio::test]
async fn a_peer_that_hangs_up_has_broken_it() {
    let resets = serve(|stream| async move {
        let socket = accept(stream).await;
        socket.get_ref().set_zero_linger().unwrap();
    })
    .await;
    let hangs_up = serve(|stream| async move { drop(accept(stream).await) }).await;
    for address in [resets, hangs_up] {
        let mut links = links().with_open(websocket(address));
        let failure = match links.event().await {
            LinkEvent::Opened(_) => links.failed().await,
            LinkEvent::Ended(LinkEnd::Failed(failure)) => failure,
            other => panic!("{other:?}"),
        };
        assert!(matches!(failure, LinkFailure::Broken(_)), "{failure:?}");
    }
}

#[tokio::test]
async fn a_refused_upgrade_comes_with_its_body() {
    let (more, may_go_on) = mpsc::channel::<()>(1);
    let may_go_on = std::sync::Mutex::new(Some(may_go_on));
    let address = serve(move |mut stream| {
        let mut may_go_on = may_go_on.lock().unwrap().take().unwrap();
        async move {
            read_head(&mut stream).await;
            let head = "HTTP/1.1 401 Unauthorized\r\nRetry-After: 3\r\nX-Request-Id: q9\r\nContent-Length: 7\r\n\r\nbad";
            stream.write_all(head.as_bytes()).await.unwrap();
            may_go_on.recv().await;
            stream.write_all(b" key").await.unwrap();
        }
    })
    .await;
    let mut links = links().with_open(websocket(address));
    // The rest comes in a packet of its own.
    more.send(()).await.unwrap();
    let LinkFailure::Status(refusal) = links.failed().await else { panic!("not refused") };
    assert_eq!((refusal.status, refusal.body.as_str()), (401, "bad key"));
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(3)));
    assert_eq!(refusal.request_id.as_deref(), Some("q9"));
}

#[tokio::test]
async fn pings_are_answered() {
    let address = serve(|stream| async move {
        let mut socket = accept(stream).await;
        socket.send(tungstenite::Message::Ping("there?".into())).await.unwrap();
        let answer = socket.next().await.unwrap().unwrap();
        assert_eq!(answer, tungstenite::Message::Pong("there?".into()));
        socket.send(tungstenite::Message::text("answered")).await.unwrap();
    })
    .await;
    let mut links = links().with_open(websocket(address));
    links.opened().await;
    assert_eq!(links.received().await, text("answered"));
}

#[tokio::test]
async fn closing_sends_what_was_ordered_before_and_says_goodbye() {
    let (tell, mut heard) = mpsc::channel(16);
    let address = serve(move |stream| {
        let tell = tell.clone();
        async move {
            let mut socket = accept(stream).await;
            while let Some(Ok(message)) = socket.next().await {
                tell.send(message).await.unwrap();
            }
        }
    })
    .await;
    let mut links = links().with_open(websocket(address));
    links.opened().await;
    for word in ["one", "two"] {
        links.deed(LINK, LinkDeed::Send(text(word)));
    }
    links.deed(LINK, LinkDeed::Close);
    timeout(PATIENCE, links.finish()).await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), tungstenite::Message::text("one"));
    assert_eq!(heard.recv().await.unwrap(), tungstenite::Message::text("two"));
    let goodbye = heard.recv().await.unwrap();
    assert!(matches!(&goodbye, tungstenite::Message::Close(Some(frame)) if u16::from(frame.code) == 1000));
}

#[tokio::test]
async fn a_peer_without_manners_does_not_hold_a_closed_link() {
    // It answers no close frame and never hangs up by itself.
    let mut links = links().with_open(websocket(upgrades_and_sends(b"").await));
    links.opened().await;
    links.deed(LINK, LinkDeed::Close);
    assert_eq!(links.tasks(), 1);
    timeout(PATIENCE, links.finish()).await.expect("it waits for the peer for ever");
}

#[tokio::test]
async fn closing_while_it_connects_breaks_it_off() {
    let (tell, mut told) = mpsc::channel(2);
    let address = serve(move |mut stream| {
        let tell = tell.clone();
        async move {
            read_head(&mut stream).await;
            tell.send("asked").await.unwrap();
            read_to_end(&mut stream).await;
            tell.send("gone").await.unwrap();
        }
    })
    .await;
    let mut links = links().with_open(websocket(address));
    // The client's task runs while the server is waited for.
    assert_eq!(timeout(PATIENCE, told.recv()).await.unwrap(), Some("asked"));
    links.deed(LINK, LinkDeed::Close);
    assert_eq!(timeout(PATIENCE, told.recv()).await.unwrap(), Some("gone"));
    timeout(PATIENCE, links.finish()).await.unwrap();
}
