//! Messages on a byte stream: however TCP cuts them, the same comes out; whoever dawdles or floods is cut off.

use std::time::{Duration, Instant};

use caly_sip::message::{Framed, FramingError, MAX_MESSAGE_BYTES, MESSAGE_PATIENCE, Message, StreamFramer};

use crate::corpus::{describe_stream, frame, sample, samples};

const OPTIONS: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\nFrom: <sip:d@e>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: f\r\nCSeq: 1 OPTIONS\r\n";

fn options(rest: &str) -> String {
    format!("{OPTIONS}{rest}")
}

#[test]
fn every_message_comes_out_the_same_wherever_it_is_cut() {
    for sample in samples() {
        let whole = frame([&sample.bytes[..]]);
        for cut in 0..=sample.bytes.len() {
            let (head, tail) = sample.bytes.split_at(cut);
            assert_eq!(frame([head, tail]), whole, "{} cut at {cut}", sample.name);
        }
        assert_eq!(frame(sample.bytes.chunks(1)), whole, "{} byte by byte", sample.name);
    }
}

#[test]
fn all_messages_in_one_stream_come_out_one_by_one() {
    let mut stream = Vec::new();
    let mut expected = Vec::new();
    for sample in samples() {
        let mut framer = StreamFramer::new();
        framer.push(Instant::now(), &sample.bytes);
        let framed: Vec<_> = framer.by_ref().collect();
        // Some say a length that is not theirs: what follows on the stream is not what the sender meant.
        if framer.is_empty() && matches!(framed[..], [Ok(Framed::Message(_) | Framed::Malformed(_))]) {
            stream.extend_from_slice(&sample.bytes);
            stream.extend_from_slice(b"\r\n\r\n");
            expected.extend(framed);
            expected.push(Ok(Framed::Ping));
        }
    }
    assert!(expected.len() > 100, "{}", expected.len());
    for size in [1, 7, 100, 1460, 16384] {
        let read = frame(stream.chunks(size));
        assert_eq!(describe_stream(&read), describe_stream(&expected), "pieces of {size}");
    }
}

#[test]
fn pings_are_two_line_ends_and_one_is_nothing() {
    let message = options("Content-Length: 0\r\n\r\n");
    for (bytes, expected) in [
        ("\r\n".to_owned(), ""),
        ("\r\n\r\n".to_owned(), "ping"),
        ("\r\n\r\n\r\n".to_owned(), "ping"),
        ("\n\n\r\n\n".to_owned(), "ping; ping"),
        (format!("\r\n{message}\r\n\r\n{message}\r\n"), "OPTIONS; ping; OPTIONS"),
    ] {
        assert_eq!(describe_stream(&frame([bytes.as_bytes()])), expected, "{bytes:?}");
        assert_eq!(describe_stream(&frame(bytes.as_bytes().chunks(1))), expected, "{bytes:?} byte by byte");
    }
}

#[test]
fn bare_line_feeds_are_line_ends() {
    let message = options("Content-Length: 2\r\n\r\nhi").replace("\r\n", "\n");
    assert_eq!(describe_stream(&frame([message.as_bytes()])), "OPTIONS");
    assert!(Message::parse_datagram(message.as_bytes()).is_ok());
}

#[test]
fn lengths_decide_where_the_next_message_begins() {
    let second = options("l: 0\r\n\r\n");
    for (rest, expected) in [
        ("Content-Length: 2\r\nl: 2\r\n\r\nhi", "OPTIONS; OPTIONS"),
        ("Content-Length: 2\r\nl: 02\r\n\r\nhi", "OPTIONS; OPTIONS"),
        ("No colon\r\nl: 2\r\n\r\nhi", "400: header line 7 is malformed; OPTIONS"),
        (
            "l: 2\r\nl: 1\r\n\r\nhi",
            "400: Content-Length occurs more than once; closed: no usable Content-Length on a stream",
        ),
        (
            "l: 2, 2\r\n\r\nhi",
            "400: Content-Length: bad number; closed: no usable Content-Length on a stream",
        ),
        ("\r\nhi", "400: Content-Length is missing; closed: no usable Content-Length on a stream"),
        ("l: 65535\r\n\r\nhi", "513: message is too long; closed: message is too long"),
        (
            "l: 18446744073709551616\r\n\r\n",
            "400: Content-Length: bad number; closed: no usable Content-Length on a stream",
        ),
    ] {
        let stream = options(rest) + &second;
        assert_eq!(describe_stream(&frame([stream.as_bytes()])), expected, "{rest:?}");
    }
}

#[test]
fn the_longest_message_passes_and_a_longer_one_does_not() {
    let head = options("l: 65000\r\n\r\n").len();
    let body = MAX_MESSAGE_BYTES - head;
    let message = options(&format!("l: {body}\r\n\r\n{}", "x".repeat(body)));
    assert_eq!(message.len(), MAX_MESSAGE_BYTES);
    assert_eq!(describe_stream(&frame(message.as_bytes().chunks(9000))), "OPTIONS");
    assert!(Message::parse_datagram(message.as_bytes()).is_ok());
    let endless = options(&format!("X: {}", "x".repeat(MAX_MESSAGE_BYTES)));
    for size in [1, 9000, 60000] {
        assert_eq!(describe_stream(&frame(endless.as_bytes().chunks(size))), "closed: message is too long");
    }
    assert!(Message::parse_datagram(endless.as_bytes()).is_err());
}

#[test]
fn a_message_must_be_complete_in_time() {
    let epoch = Instant::now();
    let invite = sample("fixtures/twilio-origination-tls.sip");
    let mut framer = StreamFramer::new();
    assert_eq!(framer.poll_timeout(), None);
    framer.push(epoch, b"\r\n");
    assert_eq!((framer.next(), framer.poll_timeout()), (None, None), "nobody is late between messages");
    // One byte a second: every byte is in time, the message is not.
    let deadline = epoch + MESSAGE_PATIENCE;
    for (second, byte) in (0..).zip(invite.chunks(1)) {
        let now = epoch + Duration::from_secs(second);
        framer.handle_timeout(now);
        match framer.next() {
            None => assert!(now < deadline && !framer.is_empty() || second == 0),
            Some(Err(error)) => {
                assert_eq!((error, now), (FramingError::TooSlow, deadline));
                break;
            }
            Some(Ok(framed)) => panic!("{framed:?}"),
        }
        framer.push(now, byte);
        assert_eq!(framer.next(), None);
        assert_eq!(framer.poll_timeout(), Some(deadline));
    }
    assert_eq!((framer.next(), framer.poll_timeout()), (None, None));
    framer.push(deadline, &invite);
    assert_eq!(framer.next(), None, "closed for good");
}

#[test]
fn the_patience_is_for_each_message() {
    let epoch = Instant::now();
    let message = options("l: 0\r\n\r\n");
    let (head, tail) = message.as_bytes().split_at(50);
    let mut framer = StreamFramer::new();
    framer.push(epoch, head);
    assert_eq!(framer.next(), None);
    let later = epoch + MESSAGE_PATIENCE - Duration::from_millis(1);
    framer.handle_timeout(later);
    framer.push(later, &[tail, head].concat());
    assert!(matches!(framer.next(), Some(Ok(Framed::Message(_)))));
    assert_eq!(framer.next(), None);
    assert_eq!(framer.poll_timeout(), Some(later + MESSAGE_PATIENCE));
    framer.push(later, tail);
    assert!(matches!(framer.next(), Some(Ok(Framed::Message(_)))));
    assert_eq!((framer.next(), framer.is_empty()), (None, true));
}

#[test]
fn what_is_not_taken_out_does_not_pile_up() {
    let mut framer = StreamFramer::new();
    let now = Instant::now();
    for _ in 0..3 {
        framer.push(now, &[b'x'; MAX_MESSAGE_BYTES]);
    }
    assert_eq!(framer.next(), Some(Err(FramingError::Overrun)));
    assert_eq!(framer.next(), None);
}
