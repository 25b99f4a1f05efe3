//! What is printed reads back as the same, on both kinds of transport.

use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::sample::Index;
use proptest::{prop_assert, prop_assert_eq};

use caly_sip::message::{Framed, HeaderName, Host, Message, NameAddr, Uri, Via};

use crate::corpus::frame;
use crate::generate::{Taste, message, name_addr, uri, via};

fn without_length(mut message: Message) -> Message {
    match &mut message {
        Message::Request(request) => request.headers.remove(&HeaderName::ContentLength),
        Message::Response(response) => response.headers.remove(&HeaderName::ContentLength),
    };
    message
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages(message in message(Taste::Odd), cut in any::<Index>()) {
        let bytes = message.to_bytes();
        let read = Message::parse_datagram(&bytes);
        prop_assert!(read.is_ok(), "{:?}\n{}", read, String::from_utf8_lossy(&bytes));
        let read = read.map(without_length);
        prop_assert_eq!(read.as_ref(), Ok(&message));
        let (head, tail) = bytes.split_at(cut.index(bytes.len()));
        let framed = frame([head, tail]);
        let [Ok(Framed::Message(framed))] = &framed[..] else { panic!("{framed:?}") };
        prop_assert_eq!(without_length(framed.clone()), message);
    }

    #[test]
    fn uris(uri in uri(Taste::Odd)) {
        prop_assert_eq!(uri.to_string().parse::<Uri>(), Ok(uri));
    }

    #[test]
    fn users_survive_their_escapes(user in "\\PC{1,20}") {
        let uri = Uri::sip(Some(&user), Host::Name("example.net".into()), None);
        let read: Uri = uri.to_string().parse().unwrap();
        prop_assert_eq!(read.user_unescaped().unwrap(), user);
    }

    #[test]
    fn addresses(address in name_addr(Taste::Odd)) {
        let text = address.to_string();
        prop_assert_eq!(text.parse::<NameAddr>(), Ok(address.clone()), "{}", text);
        prop_assert_eq!(NameAddr::parse_route(&text), Ok(address));
    }

    #[test]
    fn vias(via in via(Taste::Odd)) {
        prop_assert_eq!(via.to_string().parse::<Via>(), Ok(via));
    }

    /// No text at all makes a reader panic.
    #[test]
    fn any_text(text in "(?s).{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (text.parse::<Uri>(), text.parse::<NameAddr>(), text.parse::<Via>(), text.parse::<Host>());
        let _ = (NameAddr::parse_route(&text), Message::parse_datagram(&bytes), Message::parse_datagram(text.as_bytes()));
    }
}
