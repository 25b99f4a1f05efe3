//! What is bounded, and what happens at the bound.

use futures_util::{SinkExt, StreamExt};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite;

use super::super::connect::Wire;
use super::super::pool::{HttpConnection, Pool};
use super::super::target::Origin;
use super::*;

fn websocket(address: SocketAddr) -> Request {
    Request::WebSocket(endpoint(&format!("ws://{address}/")))
}

/// Upgrades, then neither reads nor says anything.
async fn mute() -> SocketAddr {
    serve(|stream| async move {
        let _socket = accept(stream).await;
        std::future::pending::<()>().await;
    })
    .await
}

const MESSAGES: usize = 1_000;
const BYTES: usize = 64 * 1024;

/// Sends all messages; tells how many had gone when one was held for the first time.
async fn send_until_held(socket: &mut WebSocketStream<TcpStream>, stalled: oneshot::Sender<usize>) {
    let mut stalled = Some(stalled);
    for sent in 0..MESSAGES {
        let mut sending = std::pin::pin!(socket.send(tungstenite::Message::binary(vec![0; BYTES])));
        // What TCP does not take in this time it holds back.
        if timeout(Duration::from_millis(500), &mut sending).await.is_err() {
            stalled.take().into_iter().for_each(|stalled| stalled.send(sent).unwrap());
            sending.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_call_that_does_not_listen_holds_its_peer() {
    let (stalled, when_stalled) = oneshot::channel();
    let stalled = std::sync::Mutex::new(Some(stalled));
    let address = serve(move |stream| {
        let stalled = stalled.lock().unwrap().take().unwrap();
        async move { send_until_held(&mut accept(stream).await, stalled).await }
    })
    .await;
    let mut links = links().with_open(websocket(address));
    let sent = timeout(PATIENCE, when_stalled).await.unwrap().expect("all was sent to nobody");
    assert!(sent < MESSAGES / 2, "{sent}");
    links.opened().await;
    for _ in 0..MESSAGES {
        assert!(matches!(links.received().await, Message::Binary(bytes) if bytes.len() == BYTES));
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_given_up() {
    let pump = pump();
    let mut links = Links::new(pump.clone()).with_open(websocket(mute().await));
    links.opened().await;
    let mut end = None;
    for _ in 0..1_000 {
        links.deed(LINK, LinkDeed::Send(Message::Binary(vec![0; 64 * 1024])));
        tokio::select! {
            biased;
            (_, event) = links.next() => end = Some(event),
            () = tokio::task::yield_now() => {}
        }
        if end.is_some() {
            break;
        }
    }
    let Some(LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Broken(why)))) = end else { panic!("{end:?}") };
    assert!(why.contains("does not read"), "{why}");
    assert_eq!(pump.counts().not_reading, 1);
}

#[tokio::test]
async fn messages_that_wait_are_counted_as_well() {
    let pump = pump();
    let mut links = Links::new(pump.clone()).with_open(websocket(mute().await));
    // Nothing leaves before this test waits for something.
    for _ in 0..256 {
        links.deed(LINK, LinkDeed::Send(text("a")));
    }
    assert_eq!(pump.counts().not_reading, 0);
    links.deed(LINK, LinkDeed::Send(text("a")));
    assert!(matches!(links.failed().await, LinkFailure::Broken(_)));
    assert_eq!(pump.counts().not_reading, 1);
}

#[tokio::test]
async fn a_call_has_so_many_links_and_no_more() {
    let (pump, address) = (pump(), mute().await);
    let mut links = Links::new(pump.clone());
    for link in 0..32 {
        links.deed(LinkId(link), LinkDeed::Open(websocket(address)));
    }
    links.deed(LinkId(99), LinkDeed::Open(websocket(address)));
    let (link, event) = timeout(PATIENCE, links.next()).await.unwrap();
    assert_eq!(link, LinkId(99));
    assert!(matches!(event, LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Connect(_)))), "{event:?}");
    assert_eq!(pump.counts().too_many, 1);
    // Nobody asks: after as many words as there may be tasks, they are only counted.
    for link in 100..200 {
        links.deed(LinkId(link), LinkDeed::Open(websocket(address)));
    }
    assert_eq!((pump.counts().too_many, pump.counts().untold), (101, 36));
}

#[tokio::test]
async fn of_a_closed_link_nothing_more_is_told() {
    let address = serve(|stream| async move {
        let mut socket = accept(stream).await;
        while let Some(Ok(message)) = socket.next().await {
            let answer = tungstenite::Message::text(format!("{message}, you said"));
            if socket.send(answer).await.is_err() {
                return;
            }
        }
    })
    .await;
    let mut links = links().with_open(websocket(address));
    for word in ["one", "two", "three"] {
        links.deed(LINK, LinkDeed::Send(text(word)));
    }
    links.opened().await;
    assert_eq!(links.received().await, text("one, you said"));
    links.deed(LINK, LinkDeed::Close);
    // Another one of the same name: what is told is of this one alone.
    links.deed(LINK, LinkDeed::Open(websocket(address)));
    links.deed(LINK, LinkDeed::Send(text("four")));
    links.opened().await;
    assert_eq!(links.received().await, text("four, you said"));
}

#[tokio::test]
async fn the_oldest_idle_connection_makes_room() {
    let address = mute().await;
    let origin = |host: &str| Origin { is_secure: false, host: host.to_owned(), port: address.port() };
    let pool = Pool::new(2);
    for host in ["a", "b", "c"] {
        let wire = Wire::Plain(TcpStream::connect(address).await.unwrap());
        pool.keep(origin(host), HttpConnection::begin(wire).await.unwrap()).await;
    }
    assert_eq!(pool.dropped(), 1);
    assert!(pool.take(&origin("a")).await.is_none());
    assert!(pool.take(&origin("b")).await.is_some());
    assert!(pool.take(&origin("c")).await.is_some());
    assert!(pool.take(&origin("c")).await.is_none());
}
