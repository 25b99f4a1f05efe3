//! TLS, with certificates that are made here.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::{ExtraRoots, PumpError};
use super::*;

/// A certificate that is its own root, with its key.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn identity(name: &str, last_year: i32) -> Identity {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(last_year, 12, 31);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap().der().clone();
    Identity { certificate, key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
}

impl Identity {
    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    fn trusting_pump(&self) -> Pump {
        let encoded = STANDARD.encode(&self.certificate);
        let lines: Vec<_> =
            encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        let roots = ExtraRoots { source: "own.pem".to_owned(), pem: pem.into_bytes() };
        Pump::new(&PumpConfig { extra_roots: vec![roots] }).unwrap()
    }

    /// The port of a server that answers one request, or echoes a WebSocket, for each connection.
    async fn serve(&self) -> u16 {
        let acceptor = self.acceptor();
        let address = serve(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                // A client that does not trust it hangs up.
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream).await;
                }
            }
        });
        address.await.port()
    }
}

async fn answer(mut stream: TlsStream<TcpStream>) {
    let head = read_head(&mut stream).await;
    if !head.contains("upgrade: websocket") {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        return read_to_end(&mut stream).await;
    }
    stream.write_all(upgrade(&head).as_bytes()).await.unwrap();
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() {
            socket.send(message).await.unwrap();
        }
    }
}

async fn why_refused(pump: Pump, url: &str) -> String {
    match Links::new(pump).with_open(get(url)).failed().await {
        LinkFailure::Tls(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_extra_root_is_trusted() {
    let identity = identity("localhost", 2100);
    let (pump, port) = (identity.trusting_pump(), identity.serve().await);
    let mut exchange = Links::new(pump.clone()).with_open(get(&format!("https://localhost:{port}/")));
    assert_eq!(exchange.body().await, b"ok");
    let request = Request::WebSocket(endpoint(&format!("wss://localhost:{port}/")));
    let mut socket = Links::new(pump).with_open(request);
    socket.deed(LINK, LinkDeed::Send(text("over TLS")));
    socket.opened().await;
    assert_eq!(socket.received().await, text("over TLS"));
    socket.finish().await;
}

#[tokio::test]
async fn whoever_is_not_trusted_is_told_why() {
    let good = identity("localhost", 2100);
    let port = good.serve().await;
    let unknown = why_refused(pump(), &format!("https://localhost:{port}/")).await;
    assert!(unknown.contains("localhost") && unknown.contains("unknown issuer"), "{unknown}");
    let wrong_name = why_refused(good.trusting_pump(), &format!("https://127.0.0.1:{port}/")).await;
    assert!(wrong_name.contains("not for the name 127.0.0.1"), "{wrong_name}");
    let old = identity("localhost", 2021);
    let expired =
        why_refused(old.trusting_pump(), &format!("https://localhost:{}/", old.serve().await)).await;
    assert!(expired.contains("has expired"), "{expired}");
}

#[tokio::test]
async fn a_port_without_tls_is_told_as_such() {
    let plain = serve(|mut stream| async move {
        // As plain servers do when they are greeted in TLS.
        let mut greeting = [0; 64];
        let _some = stream.read(&mut greeting).await;
        let _sent = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        read_to_end(&mut stream).await;
    })
    .await;
    let why = why_refused(pump(), &format!("https://{plain}/")).await;
    assert!(why.contains("does not speak TLS"), "{why}");
    let closes = serve(|mut stream| async move {
        let mut greeting = [0; 4_096];
        let _all = stream.read(&mut greeting).await;
    })
    .await;
    let why = why_refused(pump(), &format!("https://{closes}/")).await;
    assert!(why.contains("hung up"), "{why}");
}

#[test]
fn roots_that_are_none_are_refused_with_their_source() {
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let roots = ExtraRoots { source: "/etc/caly/own.pem".to_owned(), pem: pem.as_bytes().to_vec() };
        let fault = Pump::new(&PumpConfig { extra_roots: vec![roots] }).unwrap_err();
        assert!(matches!(fault, PumpError::BadRoots { .. }));
        assert!(fault.to_string().contains("/etc/caly/own.pem"), "{fault}");
    }
}
