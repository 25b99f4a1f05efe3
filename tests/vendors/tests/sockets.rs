//! The same vendors as real servers.
#![cfg(feature = "sockets")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

use std::sync::Arc;
use std::time::Duration;

use caly_vendors::deepgram_speak::DeepgramSpeak;
use caly_vendors::faults::{Fault, Faults, When};
use caly_vendors::model::{Model, Rule, TokenPace};
use caly_vendors::openai_chat::{Dialect, OpenAiChat};
use caly_vendors::seen::Seen;
use caly_vendors::sockets::{Authority, Server};
use caly_vendors::stage::Stage;
use caly_vendors::voice::{Pace, Voice};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const QUERY: &str = "/v1/speak?encoding=mulaw&sample_rate=8000&model=aura-2-thalia-en";

fn speaker(seen: &Seen, faults: Faults) -> Stage {
    let pace = Pace { first_byte: Duration::from_millis(5), speed: 100.0, ..Pace::default() };
    Stage::new(DeepgramSpeak::new(Voice::default(), pace, seen), seen).with_faults(faults)
}

fn chat(seen: &Seen, faults: Faults) -> Stage {
    let pace = TokenPace { first: Duration::from_millis(5), each: Duration::from_millis(2) };
    let model = Model::new([Rule::always().say("ek do teen")], pace);
    Stage::new(OpenAiChat::new(model, Dialect::SelfHosted), seen).with_faults(faults)
}

async fn upgraded<S>(stream: S, server: &Server, key: &str) -> Result<WebSocketStream<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("{}{QUERY}", server.websocket_base()).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Token {key}").parse().unwrap());
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn connected(server: &Server, key: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    upgraded(TcpStream::connect(server.address()).await.unwrap(), server, key).await
}

async fn spoken<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> usize {
    for message in
        [json!({"type": "Speak", "text": "Hello. "}), json!({"type": "Flush"}), json!({"type": "Close"})]
    {
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
    let mut bytes = 0;
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(audio))) => bytes += audio.len(),
            Some(Ok(Message::Close(frame))) => {
                assert_eq!(u16::from(frame.unwrap().code), 1000);
                return bytes;
            }
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The whole response to a chat request, until the server closes.
async fn asked(server: &Server) -> String {
    let body =
        json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "x"}]}).to_string();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut response = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut response).await;
    String::from_utf8_lossy(&response).into_owned()
}

#[tokio::test]
async fn a_websocket_speaks_in_plain_and_refuses_a_wrong_key() {
    let seen = Seen::default();
    let server = Server::start(speaker(&seen, Faults::default())).await.unwrap();
    let mut socket = connected(&server, "test-key").await.unwrap();
    assert!(spoken(&mut socket).await > 2_000);
    assert_eq!(seen.complaints(), Vec::<String>::new());
    let Err(Error::Http(response)) = connected(&server, "wrong").await else { panic!("taken") };
    let body = String::from_utf8(response.body().clone().unwrap()).unwrap();
    assert!(response.status() == 401 && body.contains("INVALID_AUTH"), "{body}");
}

#[tokio::test]
async fn tls_is_spoken_to_who_trusts_the_authority() {
    let authority = Authority::new().unwrap();
    let server = Server::start_tls(speaker(&Seen::default(), Faults::default()), &authority).await.unwrap();
    let mut roots = RootCertStore::empty();
    let connector = |roots: &RootCertStore| {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    };
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    assert!(connector(&roots).connect(name.clone(), stream).await.is_err(), "trusted by nobody");
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let stream = connector(&roots).connect(name, stream).await.unwrap();
    let mut socket = upgraded(stream, &server, "test-key").await.unwrap();
    assert!(spoken(&mut socket).await > 2_000);
}

#[tokio::test]
async fn a_body_comes_in_chunks_and_faults_are_played() {
    let seen = Seen::default();
    let faults = Faults::default()
        .with(When::Nth(2), Fault::TooMany { retry_after_s: Some(7) })
        .with(When::Nth(3), Fault::DropAfter(2));
    let server = Server::start(chat(&seen, faults)).await.unwrap();
    let whole = asked(&server).await;
    assert!(whole.starts_with("HTTP/1.1 200") && whole.contains("transfer-encoding: chunked"), "{whole}");
    assert!(whole.contains("data: [DONE]") && whole.ends_with("\r\n0\r\n\r\n"), "{whole}");
    let refused = asked(&server).await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: 7"), "{refused}");
    let cut = asked(&server).await;
    assert!(
        cut.starts_with("HTTP/1.1 200") && !cut.contains("[DONE]") && !cut.ends_with("0\r\n\r\n"),
        "{cut}"
    );
    assert_eq!(seen.arrivals(), 3);
}

#[tokio::test]
async fn broken_connections_are_broken_on_the_wire() {
    let faults = Faults::default()
        .with(When::Nth(1), Fault::Refused)
        .with(When::Nth(2), Fault::DropAfter(1))
        .with(When::Nth(3), Fault::GarbageAfter(1));
    // Connections and requests are counted apart: the first connection brings no request.
    let server = Server::start(speaker(&Seen::default(), faults)).await.unwrap();
    assert!(connected(&server, "test-key").await.is_err());
    for n in 1..=3 {
        let mut socket = connected(&server, "test-key").await.unwrap();
        if n == 1 {
            assert!(spoken(&mut socket).await > 0);
            continue;
        }
        let _ = socket.send(Message::text(json!({"type": "Speak", "text": "Hi. "}).to_string())).await;
        let _ = socket.send(Message::text(json!({"type": "Flush"}).to_string())).await;
        let end = loop {
            match socket.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error,
                None => panic!("a good end"),
            }
        };
        assert!(matches!(end, Error::Protocol(_) | Error::Io(_)), "{end:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_no_connection() {
    let server = Server::start(speaker(&Seen::default(), Faults::default())).await.unwrap();
    let mut socket = connected(&server, "test-key").await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Message::Text(_)))), "metadata");
    drop(server);
    assert!(matches!(socket.next().await, Some(Err(_)) | None));
}
