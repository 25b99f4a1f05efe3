//! Links to providers that are dropped leave neither a task nor a socket nor a process. Alone in
//! its process, because it counts what the process has open.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helping functions too")]

#[path = "common/upgrade.rs"]
mod upgrade;

use std::net::SocketAddr;
use std::time::Duration;

use caly::pump::{Links, Pump, PumpConfig};
use caly_provider::link::{
    Endpoint, HttpRequest, LinkDeed, LinkEvent, LinkId, LinkOrder, Method, ProgramRequest, Request, Url,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;

/// Of each kind.
const LINKS: u64 = 6;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn dropped_links_leave_nothing_behind() {
    let server = start_server();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pump = Pump::new(&PumpConfig::default()).unwrap();
        // What tokio opens for its first child process stays: its watch for signals.
        let mut first = Links::new(pump.clone());
        open(&mut first, 0, program("true"));
        while !matches!(timeout(PATIENCE, first.next()).await.unwrap().1, LinkEvent::Ended(_)) {}
        drop(first);
        let before = open_files();

        let mut links = Links::new(pump.clone());
        let url = |scheme: &str, path: &str| format!("{scheme}://{server}/{path}");
        for link in 0..LINKS {
            open(&mut links, 4 * link, Request::WebSocket(endpoint(&url("ws", "upgrade"))));
            open(&mut links, 4 * link + 1, exchange(&url("http", "body")));
            open(&mut links, 4 * link + 2, program("cat /dev/zero"));
            // Answered by nobody: it is dropped while it connects.
            open(&mut links, 4 * link + 3, Request::WebSocket(endpoint(&url("ws", "silence"))));
        }
        let mut opened = 0;
        while opened < 3 * LINKS {
            let (_, event) = timeout(PATIENCE, links.next()).await.unwrap();
            assert!(!matches!(event, LinkEvent::Ended(_)), "{event:?}");
            opened += u64::from(matches!(event, LinkEvent::Opened(_)));
        }
        assert!(open_files() > before + 3 * LINKS as usize);
        assert_eq!(links.tasks(), 4 * LINKS as usize);

        drop(links);
        let all_gone = async {
            // The server's halves are counted as well: it sees that its clients are gone.
            while Handle::current().metrics().num_alive_tasks() > 0 || open_files() > before || has_children()
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = timeout(PATIENCE, all_gone).await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        assert!(
            in_time.is_ok(),
            "{tasks} tasks, {} files instead of {before}, {}",
            open_files(),
            has_children()
        );
    });
}

fn open(links: &mut Links, link: u64, request: Request) {
    links.order(LinkOrder { link: LinkId(link), deed: LinkDeed::Open(request) });
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint { url: Url::new(url), headers: Vec::new() }
}

fn exchange(url: &str) -> Request {
    Request::Http(HttpRequest { method: Method::Get, endpoint: endpoint(url), body: Vec::new() })
}

fn program(script: &str) -> Request {
    let arguments = vec!["-c".to_owned(), format!("exec {script}")];
    Request::Program(ProgramRequest { program: "sh".to_owned(), arguments, stdin: Vec::new() })
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Running or not yet reaped.
fn has_children() -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let mut lists = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
    lists.any(|list| !list.trim().is_empty())
}

/// On a runtime and a thread of its own, so that its tasks are not counted.
fn start_server() -> SocketAddr {
    let (tell, address) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
    });
    address.recv().unwrap()
}

/// Begins what it is asked for, and goes on until the client hangs up.
async fn answer(mut stream: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let answer = match head.split(' ').nth(1).unwrap() {
        "/upgrade" => upgrade::answer(&head),
        "/body" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n".to_owned(),
        _ => String::new(),
    };
    stream.write_all(answer.as_bytes()).await.unwrap();
    let mut rest = [0; 64];
    while let Ok(1..) = stream.read(&mut rest).await {}
}
