//! Valid messages by the thousand.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};

use caly_sip::message::{
    CSeq, HeaderName, Headers, Host, Message, Method, NameAddr, Request, Response, Scheme, StatusCode, Uri,
    Via,
};
use caly_sip::transport::Transport;

/// How odd the messages may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taste {
    /// All that the grammar allows.
    Odd,
    /// What an older parser can be expected to read.
    Plain,
}

/// Any valid message. Content-Length is not among its fields.
pub(crate) fn message(taste: Taste) -> impl Strategy<Value = Message> {
    prop_oneof![request(taste).prop_map(Message::Request), response(taste).prop_map(Message::Response)]
}

fn request(taste: Taste) -> impl Strategy<Value = Request> {
    (method(taste), uri(taste), any::<u32>(), headers(taste), body()).prop_map(
        |(method, mut uri, number, mut headers, body)| {
            uri.headers.clear();
            headers.push(HeaderName::CSeq, CSeq { number, method: method.clone() }.to_string());
            Request { method, uri, headers, body }
        },
    )
}

fn response(taste: Taste) -> impl Strategy<Value = Response> {
    (100..=699_u16, "[ -~äß€]{0,20}", method(taste), any::<u32>(), headers(taste), body()).prop_map(
        |(status, reason, method, number, mut headers, body)| {
            headers.push(HeaderName::CSeq, CSeq { number, method }.to_string());
            Response {
                status: StatusCode::new(status).unwrap(),
                reason: reason.trim().to_owned(),
                headers,
                body,
            }
        },
    )
}

fn method(taste: Taste) -> BoxedStrategy<Method> {
    let known = prop_oneof![
        Just(Method::Invite),
        Just(Method::Ack),
        Just(Method::Bye),
        Just(Method::Cancel),
        Just(Method::Options),
        Just(Method::Register),
        Just(Method::Update),
    ];
    match taste {
        Taste::Plain => known.boxed(),
        Taste::Odd => {
            prop_oneof![3 => known, 1 => TOKEN.prop_map(|token| Method::from_token(&token).unwrap())].boxed()
        }
    }
}

fn host(taste: Taste) -> BoxedStrategy<Host> {
    let name = "[a-z][a-z0-9-]{0,8}(\\.[a-z][a-z0-9]{1,8}){1,3}".prop_map(Host::Name);
    let plain = prop_oneof![name, any::<u32>().prop_map(|bits| Host::V4(Ipv4Addr::from_bits(bits)))];
    match taste {
        Taste::Plain => plain.boxed(),
        Taste::Odd => {
            prop_oneof![2 => plain, 1 => any::<u128>().prop_map(|bits| Host::V6(Ipv6Addr::from_bits(bits)))]
                .boxed()
        }
    }
}

fn port() -> impl Strategy<Value = Option<u16>> {
    option::of(1..=u16::MAX)
}

pub(crate) fn uri(taste: Taste) -> BoxedStrategy<Uri> {
    let user = match taste {
        Taste::Plain => "\\+?[a-z0-9.]{1,15}",
        Taste::Odd => "\\PC{1,15}",
    };
    let params = vec((TOKEN, option::of("[a-zA-Z0-9.%+]{1,8}")), 0..3);
    let sip = (any::<bool>(), option::of(user), host(taste), port(), params).prop_map(
        |(is_sips, user, host, port, params)| {
            let mut uri = Uri::sip(user.as_deref(), host, port);
            if is_sips {
                uri.scheme = Scheme::Sips;
            }
            for (name, value) in params {
                uri.params.set(&format!("x{name}"), value.as_deref());
            }
            uri
        },
    );
    match taste {
        Taste::Plain => sip.boxed(),
        Taste::Odd => {
            let other = prop_oneof![
                "tel:\\+?[0-9.()-]{1,15}(;[a-z]{1,5}=[a-z]{1,5})?",
                "[a-z]{4,9}:[!#-;=?-~]{0,20}"
            ];
            prop_oneof![5 => sip, 1 => other.prop_map(|text| text.parse().unwrap())].boxed()
        }
    }
}

pub(crate) fn name_addr(taste: Taste) -> impl Strategy<Value = NameAddr> {
    let name = match taste {
        Taste::Plain => "[A-Za-z][A-Za-z0-9 ]{0,10}[a-z]",
        Taste::Odd => "[ -~\t\0äß€]{1,12}",
    };
    let params = vec((TOKEN, option::of("[a-zA-Z0-9.%+]{1,8}")), 0..3);
    (option::of(name), uri(taste), option::of("[a-z0-9_.-]{1,12}"), params).prop_map(
        |(display_name, uri, tag, params)| {
            let mut address = NameAddr { display_name, ..NameAddr::new(uri) };
            if let Some(tag) = tag {
                address.set_tag(&tag);
            }
            for (name, value) in params {
                address.params.set(&format!("y{name}"), value.as_deref());
            }
            address
        },
    )
}

pub(crate) fn via(taste: Taste) -> impl Strategy<Value = Via> {
    let transport = prop_oneof![Just(Transport::Udp), Just(Transport::Tcp), Just(Transport::Tls)];
    (transport, host(taste), port(), "[a-zA-Z0-9.-]{1,20}", option::of(1..=u16::MAX)).prop_map(
        |(transport, host, port, branch, rport)| {
            let mut via = Via::new(transport, host, port, &format!("z9hG4bK{branch}"));
            match rport {
                Some(rport) => via.set_rport(rport),
                None => via.set_received(Ipv4Addr::new(192, 0, 2, 1).into()),
            }
            via
        },
    )
}

fn headers(taste: Taste) -> impl Strategy<Value = Headers> {
    let other_value = match taste {
        Taste::Plain => "[a-zA-Z0-9;=/.+-]{1,20}",
        Taste::Odd => "[ -~\t\0äß€]{0,30}",
    };
    (
        vec(via(taste), 1..4),
        name_addr(taste),
        name_addr(taste),
        "[a-zA-Z0-9.-]{1,20}(@[a-z0-9.]{1,10})?",
        option::of(name_addr(taste)),
        option::of(any::<u8>()),
        vec((TOKEN, other_value), 0..6),
    )
        .prop_map(|(vias, from, to, call_id, contact, hops, others)| {
            let mut headers = Headers::new();
            for via in vias {
                headers.push(HeaderName::Via, via.to_string());
            }
            headers.push(HeaderName::From, from.to_string());
            headers.push(HeaderName::To, to.to_string());
            headers.push(HeaderName::CallId, call_id);
            if let Some(contact) = contact {
                headers.push(HeaderName::Contact, contact.to_string());
            }
            if let Some(hops) = hops {
                headers.push(HeaderName::MaxForwards, hops.to_string());
            }
            for (name, value) in others {
                let name = HeaderName::from_token(&format!("X-{name}")).unwrap();
                headers.push(name, value.trim_matches([' ', '\t']));
            }
            headers
        })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), vec(any::<u8>(), 1..60)]
}

/// A token without the characters that nobody uses in one.
const TOKEN: &str = "[A-Za-z][A-Za-z0-9-]{0,10}";
