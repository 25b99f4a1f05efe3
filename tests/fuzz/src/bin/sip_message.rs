//! Any datagram: no panic; what is valid prints and reads back; nobody answers a response or an ACK.

#![no_main]

use caly_sip::message::{HeaderName, Malformed, MediaType, Message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Message::parse_datagram(bytes) {
        Ok(message) => {
            read_all(&message);
            let printed = message.to_bytes();
            let again = Message::parse_datagram(&printed).expect("what we print is valid");
            assert_eq!(again.to_bytes(), printed);
            assert_eq!(again.headers().essentials(), message.headers().essentials());
        }
        Err(Malformed { reply: Some(reply), .. }) => {
            assert!(!bytes.trim_ascii_start().starts_with(b"ACK "));
            let printed = reply.to_bytes();
            assert!(printed.starts_with(b"SIP/2.0 4") || printed.starts_with(b"SIP/2.0 5"));
            assert_eq!(printed.windows(4).filter(|end| *end == b"\r\n\r\n").count(), 1);
        }
        Err(Malformed { reply: None, .. }) => {}
    }
});

fn read_all(message: &Message) {
    let headers = message.headers();
    let _ = (headers.contact(), headers.routes(), headers.record_routes(), headers.content_type());
    let _ = (headers.allow().count(), headers.reasons().count(), headers.accepts(&MediaType::sdp()));
    for header in headers {
        let _ = (headers.addresses(&header.name), headers.seconds(&header.name));
    }
    let _ = headers.has_option(&HeaderName::Require, "100rel");
    if let Message::Request(request) = message {
        let _ = (request.uri.subscriber(), request.uri.user_unescaped());
    }
}
