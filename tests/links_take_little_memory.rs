//! What an idle WebSocket to a provider takes of the heap: a call has 150 kB in all, and up to three of them. Counted exactly, on the
//! thread of the client alone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "common/upgrade.rs"]
mod upgrade;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use caly::pump::{ExtraRoots, Links, Pump, PumpConfig};
use caly_provider::link::{Endpoint, LinkDeed, LinkEvent, LinkId, LinkOrder, Message, Request, Url};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::time::timeout;

/// The heap of the current thread.
struct Counting;

thread_local! {
    static HELD_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends has no counter any more.
    let _ended = HELD_BYTES.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: handed on as it came.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: handed on as it came.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LINKS: u64 = 25;
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn an_idle_websocket_takes_little_memory() {
    let plain = bytes_of_a_link("ws", start_server(None), &PumpConfig::default());
    println!("an idle WebSocket without TLS: {plain} bytes");
    assert!(plain < 16 * 1024, "{plain}");

    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(certificate.der())
    );
    let roots = ExtraRoots { source: "test".to_owned(), pem: pem.into_bytes() };
    let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = PumpConfig { extra_roots: vec![roots] };
    let secure = bytes_of_a_link("wss", start_server(Some(Arc::new(server))), &config);
    println!("an idle WebSocket with TLS: {secure} bytes");
    assert!(secure < 48 * 1024, "{secure}");
}

/// After a message each way, so that every buffer has been used.
fn bytes_of_a_link(scheme: &str, server: SocketAddr, config: &PumpConfig) -> isize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut links = Links::new(Pump::new(config).unwrap());
        let url = format!("{scheme}://{server}/");
        talk(&mut links, 0, &url).await;
        let before = HELD_BYTES.get();
        for link in 1..=LINKS {
            talk(&mut links, link, &url).await;
        }
        (HELD_BYTES.get() - before) / LINKS as isize
    })
}

async fn talk(links: &mut Links, link: u64, url: &str) {
    let endpoint = Endpoint { url: Url::new(url), headers: Vec::new() };
    let mut order = |deed| links.order(LinkOrder { link: LinkId(link), deed });
    order(LinkDeed::Open(Request::WebSocket(endpoint)));
    order(LinkDeed::Send(Message::Binary(vec![0; 640])));
    let opened = timeout(PATIENCE, links.next()).await.unwrap();
    assert!(matches!(opened, (LinkId(id), LinkEvent::Opened(_)) if id == link), "{opened:?}");
    let answer = timeout(PATIENCE, links.next()).await.unwrap();
    assert!(matches!(answer, (LinkId(id), LinkEvent::Received(_)) if id == link), "{answer:?}");
}

/// A thread that accepts, and one for each connection.
fn start_server(tls: Option<Arc<ServerConfig>>) -> SocketAddr {
    let (tell, address): (SyncSender<SocketAddr>, _) = sync_channel(1);
    std::thread::spawn(move || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        tell.send(listener.local_addr().unwrap()).unwrap();
        for stream in listener.incoming().map(Result::unwrap) {
            let tls = tls.clone();
            std::thread::spawn(move || match tls {
                Some(config) => answer(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
                None => answer(stream),
            });
        }
    });
    address.recv().unwrap()
}

/// Upgrades, answers the first message, and holds the connection until the client hangs up.
fn answer(mut stream: impl Read + Write) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let upgrade = upgrade::answer(&String::from_utf8(head).unwrap());
    stream.write_all(upgrade.as_bytes()).unwrap();
    // A message of 640 bytes has a head of eight, as clients mask what they send.
    stream.read_exact(&mut [0; 648]).unwrap();
    stream.write_all(b"\x82\x7e\x02\x80").unwrap();
    stream.write_all(&[0; 640]).unwrap();
    while let Ok(1..) = stream.read(&mut byte) {}
}
