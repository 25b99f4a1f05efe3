//! Exchanges.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use caly_provider::link::{MAX_REFUSAL_BYTES, RefusedStatus};
use tokio::sync::{mpsc, oneshot};

use super::*;

#[tokio::test]
async fn each_part_is_told_when_it_comes() {
    let (more, next_part) = mpsc::channel::<&'static str>(1);
    let next_part = Arc::new(tokio::sync::Mutex::new(next_part));
    let address = serve(move |mut stream| {
        let next_part = Arc::clone(&next_part);
        async move {
            read_head(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\nX-Request-ID: q1\r\n\
                        CF-Ray: c1\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            while let Some(part) = next_part.lock().await.recv().await {
                stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let mut links = links().with_open(get(&format!("http://{address}/v1")));
    let head = links.opened().await;
    assert_eq!(head.request_id.as_deref(), Some("q1"));
    assert_eq!(head.content_type.as_deref(), Some("text/event-stream"));
    // The next part is not written before this one has been told.
    for part in ["data: a\n\n", "data: b\n\n", "da"] {
        more.send(part).await.unwrap();
        assert_eq!(links.received().await, Message::Binary(part.as_bytes().to_vec()));
    }
    drop(more);
    assert_eq!(links.ended().await, LinkEnd::Complete);
}

#[tokio::test]
async fn body_and_headers_arrive() {
    let (heard, request) = oneshot::channel();
    let heard = std::sync::Mutex::new(Some(heard));
    let address = serve(move |mut stream| {
        let heard = heard.lock().unwrap().take().unwrap();
        async move {
            let head = read_head(&mut stream).await;
            let mut body = [0; 5];
            stream.read_exact(&mut body).await.unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            heard.send((head, body)).unwrap();
        }
    })
    .await;
    let mut links =
        links().with_open(post(&format!("http://{address}/say?voice=a%20b"), Method::Post, b"hello"));
    assert_eq!(links.body().await, b"");
    let (head, body) = request.await.unwrap();
    assert_eq!(&body, b"hello");
    assert!(head.starts_with("POST /say?voice=a%20b HTTP/1.1\r\n"), "{head}");
    for header in
        [&format!("host: {address}"), "content-length: 5", "authorization: Token abc", "user-agent: caly/"]
    {
        assert!(head.contains(&format!("\r\n{header}")), "{header} in {head}");
    }
}

#[tokio::test]
async fn a_refusal_comes_with_its_cause() {
    let refusal = async |answer: &'static str| {
        let address = answers(answer).await;
        match links().with_open(get(&format!("http://{address}/"))).failed().await {
            LinkFailure::Status(refusal) => *refusal,
            other => panic!("{other:?}"),
        }
    };
    let unauthorized = "HTTP/1.1 401 Unauthorized\r\nRequest-Id: q2\r\nContent-Length: 7\r\n\r\nbad key";
    let expected = RefusedStatus {
        status: 401,
        retry_after: None,
        body: "bad key".to_owned(),
        request_id: Some("q2".to_owned()),
    };
    assert_eq!(refusal(unauthorized).await, expected);
    let busy = refusal("HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((busy.status, busy.retry_after), (429, Some(Duration::from_secs(7))));
    let date = "HTTP/1.1 503 x\r\nRetry-After: Sat, 21 Nov 2026 18:00:00 GMT\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(refusal(date).await.retry_after, None);
    let cut_off = "HTTP/1.1 500 x\r\nCF-Ray: c2\r\nContent-Length: 50\r\n\r\nit broke";
    let cut_off = refusal(cut_off).await;
    assert_eq!((cut_off.body.as_str(), cut_off.request_id.as_deref()), ("it broke", Some("c2")));
    assert_eq!(refusal("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n").await.status, 302);
}

#[tokio::test]
async fn of_a_long_refusal_the_beginning_is_told() {
    let address = serve(|mut stream| async move {
        read_head(&mut stream).await;
        let body = "न".repeat(4_000);
        let head = format!("HTTP/1.1 400 x\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        // The client hangs up in the middle of it.
        let _cut = stream.write_all(body.as_bytes()).await;
    })
    .await;
    let LinkFailure::Status(refusal) = links().with_open(get(&format!("http://{address}/"))).failed().await
    else {
        panic!("not refused");
    };
    assert!(refusal.body.len() > MAX_REFUSAL_BYTES - 4 && refusal.body.len() <= MAX_REFUSAL_BYTES);
    assert!(refusal.body.starts_with("ननन"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_complete() {
    let reset = serve(|mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
        // Not before the client has read so much does it matter; what was sent is lost to it otherwise.
        stream.set_zero_linger().unwrap();
    })
    .await;
    let mut resets = links().with_open(get(&format!("http://{reset}/")));
    let mut event = resets.event().await;
    while matches!(event, LinkEvent::Opened(_) | LinkEvent::Received(_)) {
        event = resets.event().await;
    }
    assert!(matches!(event, LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Broken(_)))), "{event:?}");

    let short = answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf").await;
    let mut shorts = links().with_open(get(&format!("http://{short}/")));
    shorts.opened().await;
    assert_eq!(shorts.received().await, Message::Binary(b"half".to_vec()));
    let failure = shorts.failed().await;
    assert!(matches!(failure, LinkFailure::Broken(_)), "{failure:?}");

    let silent = answers("").await;
    let failure = links().with_open(get(&format!("http://{silent}/"))).failed().await;
    assert!(matches!(failure, LinkFailure::Broken(_)), "{failure:?}");
}

#[tokio::test]
async fn what_is_not_http_is_told_as_such() {
    for nonsense in ["SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]
    {
        let address = answers(nonsense).await;
        let mut links = links().with_open(get(&format!("http://{address}/")));
        let mut event = links.event().await;
        if matches!(event, LinkEvent::Opened(_)) {
            event = links.event().await;
        }
        assert!(matches!(event, LinkEvent::Ended(LinkEnd::Failed(LinkFailure::Protocol(_)))), "{event:?}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut() {
    let address = serve(|mut stream| async move {
        read_head(&mut stream).await;
        let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000));
        let _cut = stream.write_all(long.as_bytes()).await;
        read_to_end(&mut stream).await;
    })
    .await;
    let failure = links().with_open(get(&format!("http://{address}/"))).failed().await;
    assert!(matches!(failure, LinkFailure::TooLong { limit_bytes: 16_384 }), "{failure:?}");
}

#[tokio::test]
async fn a_second_request_needs_no_new_connection() {
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&accepted);
    let address = serve(move |mut stream| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move {
            // Two requests for each connection, and only the server knows.
            for _ in 0..2 {
                read_head(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            }
        }
    })
    .await;
    let (pump, url) = (pump(), format!("http://{address}/"));
    for connections in [1, 1] {
        // Another call takes over what an earlier one has left.
        let mut links = Links::new(pump.clone()).with_open(get(&url));
        assert_eq!(links.body().await, b"ok");
        links.finish().await;
        assert_eq!(accepted.load(Ordering::Relaxed), connections);
    }
    let counts = pump.counts();
    assert_eq!((counts.links, counts.connections, counts.reused), (2, 1, 1));
    // The server has hung up together with its second answer; that costs the third request nothing.
    let mut links = Links::new(pump.clone()).with_open(get(&url));
    assert_eq!(links.body().await, b"ok");
    assert_eq!(accepted.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn closing_breaks_an_exchange_off() {
    let (gone, is_gone) = oneshot::channel();
    let gone = std::sync::Mutex::new(Some(gone));
    let address = serve(move |mut stream| {
        let gone = gone.lock().unwrap().take().unwrap();
        async move {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
            read_to_end(&mut stream).await;
            gone.send(()).unwrap();
        }
    })
    .await;
    let mut links = links().with_open(get(&format!("http://{address}/")));
    links.opened().await;
    links.deed(LINK, LinkDeed::Close);
    timeout(PATIENCE, is_gone).await.unwrap().unwrap();
    links.finish().await;
}

#[tokio::test]
async fn nobody_there_is_told_apart_from_no_such_name() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = links().with_open(get(&format!("http://{free}/"))).failed().await;
    assert!(matches!(&refused, LinkFailure::Connect(why) if why.contains("refused")), "{refused:?}");
    let unknown = links().with_open(get("http://provider.invalid/")).failed().await;
    assert!(matches!(&unknown, LinkFailure::Resolve(why) if why.contains("provider.invalid")), "{unknown:?}");
    // Longer than any label may be: the system's resolver refuses it without asking anybody.
    let unresolved = links().with_open(get(&format!("http://{}/", "x".repeat(64)))).failed().await;
    assert!(matches!(unresolved, LinkFailure::Resolve(_)), "{unresolved:?}");
    let bad = links().with_open(get("ftp://provider/")).failed().await;
    assert!(matches!(bad, LinkFailure::Connect(_)), "{bad:?}");
}
