//! Every limit holds, and what is not UTF-8 does harm only where it matters.

use caly_sip::message::{HeaderError, HeaderName, MAX_HEADERS, Malformed, Message, ParseError, Syntax};

const HEAD: &str =
    "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nTo: <sip:a@b>\r\nCSeq: 1 INVITE\r\n";
const REST: &str = "From: <sip:d@e>;tag=1\r\nCall-ID: f\r\n";

/// The message with these lines in it.
fn invite(lines: &[u8]) -> Vec<u8> {
    [HEAD.as_bytes(), REST.as_bytes(), lines, b"\r\n"].concat()
}

fn read(bytes: &[u8]) -> Message {
    Message::parse_datagram(bytes).unwrap()
}

fn error(bytes: &[u8]) -> ParseError {
    let Malformed { error, reply } = Message::parse_datagram(bytes).unwrap_err();
    assert!(reply.is_some(), "{error}");
    error
}

fn malformed(header: HeaderName, syntax: Syntax) -> ParseError {
    HeaderError::Malformed { header, syntax }.into()
}

#[test]
fn lines() {
    let fits = "X: y\r\n".repeat(MAX_HEADERS - 5);
    assert_eq!(read(&invite(fits.as_bytes())).headers().len(), MAX_HEADERS);
    let many = "X: y\r\n".repeat(10_000);
    assert_eq!(error(&invite(many.as_bytes())), ParseError::TooManyHeaders);
}

#[test]
fn addresses_in_one_field() {
    let routes = |count: usize| format!("Record-Route: <sip:h>{}\r\n", ", <sip:h>".repeat(count - 1));
    assert_eq!(read(&invite(routes(70).as_bytes())).headers().record_routes().unwrap().len(), 70);
    let record_route = HeaderName::RecordRoute;
    assert_eq!(
        read(&invite(routes(71).as_bytes())).headers().record_routes(),
        Err(HeaderError::Malformed { header: record_route, syntax: Syntax::TooMany })
    );
}

#[test]
fn parameters_of_one_address() {
    let contact = |count: usize| format!("Contact: <sip:h{}>{}\r\n", ";a".repeat(count), ";b".repeat(count));
    let message = read(&invite(contact(64).as_bytes()));
    assert_eq!(message.headers().contact().unwrap().unwrap().uri.params.iter().count(), 64);
    let contact = contact(65);
    assert!(read(&invite(contact.as_bytes())).headers().contact().is_err());
    let to = invite(b"").iter().map(|&byte| byte as char).collect::<String>();
    let to = to.replace("To: <sip:a@b>", &format!("To: <sip:a@b>{}", ";x".repeat(65)));
    assert_eq!(error(to.as_bytes()), malformed(HeaderName::To, Syntax::TooManyParams));
}

#[test]
fn headers_of_one_uri() {
    let contact = |count: usize| format!("Contact: <sip:h?{}a=b>\r\n", "a=b&".repeat(count - 1));
    let message = read(&invite(contact(32).as_bytes()));
    assert_eq!(message.headers().contact().unwrap().unwrap().uri.headers.len(), 32);
    assert!(read(&invite(contact(33).as_bytes())).headers().contact().is_err());
}

#[test]
fn bytes_that_are_not_utf8_are_replaced_where_they_only_are_shown() {
    let message = read(&invite(b"Subject: \xff\xfe!\r\n"));
    assert_eq!(message.headers().first(&HeaderName::Subject), Some("\u{fffd}\u{fffd}!"));
}

#[test]
fn bytes_that_are_not_utf8_are_errors_where_they_identify() {
    let with = |old: &str, new: &[u8]| {
        let bytes = invite(b"");
        let at = bytes.windows(old.len()).position(|part| part == old.as_bytes()).unwrap();
        [&bytes[..at], new, &bytes[at + old.len()..]].concat()
    };
    assert_eq!(error(&with("z9hG4bK1", b"z9hG4bK\xff")), malformed(HeaderName::Via, Syntax::Utf8));
    assert_eq!(error(&with("tag=1", b"tag=\xff")), malformed(HeaderName::From, Syntax::Utf8));
    assert_eq!(error(&with("ID: f", b"ID: f\xff")), malformed(HeaderName::CallId, Syntax::Utf8));
    assert_eq!(error(&with("1 INVITE", b"1 INVITE\xff")), malformed(HeaderName::CSeq, Syntax::Token));
    assert_eq!(error(&with("sip:a@b SIP", b"sip:\xff@b SIP")), ParseError::RequestUri(Syntax::Uri));
}

#[test]
fn a_carriage_return_inside_a_line_is_no_line_end() {
    assert_eq!(error(&invite(b"X: a\rVia: evil\r\n")), ParseError::HeaderLine { line: 7 });
    assert_eq!(error(&invite(b"X\r: a\r\n")), ParseError::HeaderLine { line: 7 });
}

#[test]
fn a_header_without_an_end_is_no_message() {
    let bytes = invite(b"");
    assert_eq!(error(&bytes[..bytes.len() - 2]), ParseError::Unterminated);
    let empty = Message::parse_datagram(b"\r\n\r\n").unwrap_err();
    assert_eq!((empty.error, empty.reply), (ParseError::Empty, None));
    assert_eq!(Message::parse_datagram(b"").unwrap_err().error, ParseError::Empty);
    assert_eq!(read(&[b"\r\n\n", &bytes[..]].concat()), read(&bytes));
}

#[test]
fn repeated_fields() {
    assert!(Message::parse_datagram(&invite(b"Content-Type: a/b\r\nc: A/B\r\n")).is_ok());
    let error = error(&invite(b"Content-Type: a/b\r\nc: a/c\r\n"));
    assert_eq!(error, HeaderError::Repeated(HeaderName::ContentType).into());
    let twice = Message::parse_datagram(&invite(b"Max-Forwards: 1\r\nMax-Forwards: 1\r\n")).unwrap_err();
    assert_eq!(twice.error, HeaderError::Repeated(HeaderName::MaxForwards).into());
}
