//! Who only holds HTTP connections open keeps neither others nor the calls from their descriptors.
#![allow(clippy::unwrap_used, reason = "here a failure is the test's failure")]

mod common;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use common::server::Server;

#[test]
fn idle_connections_are_bounded_and_end() {
    let server = Server::start();
    let idle: Vec<TcpStream> = (0..600).map(|_| TcpStream::connect(server.http()).unwrap()).collect();
    let taken = server_descriptors(&server);
    assert!(taken < 400, "{taken} descriptors are open");
    // The answer waits until the time of those before it is over.
    assert!(health(server.http()).starts_with("HTTP/1.1 200 "));
    for mut stream in idle.into_iter().take(5) {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        match stream.read(&mut [0; 1]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("an idle connection is still open: {other:?}"),
        }
    }
}

#[test]
fn a_connection_answers_several_requests() {
    let server = Server::start();
    let mut stream = TcpStream::connect(server.http()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: caly\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let mut byte = [0; 1];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let answer = String::from_utf8(answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let keys: Vec<&String> = body.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["status", "timestamp", "uptime"], "{body}");
        assert_eq!(body["status"], "ok");
    }
}

fn health(server: SocketAddr) -> String {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: caly\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn server_descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}
