//! The torture messages of RFC 4475 and RFC 5118: what the parser makes of each stands in `torture/expectations.tsv`,
//! what it reads in them here.

use std::collections::BTreeSet;
use std::net::IpAddr;

use caly_sip::message::{
    HeaderError, HeaderName, Host, Malformed, Message, Method, NameAddr, Request, Response, Scheme, Syntax,
};

use crate::corpus::{describe, describe_stream, frame, sample, samples};

fn outcome(name: &str) -> Result<Message, Malformed> {
    Message::parse_datagram(&sample(&format!("torture/{name}.dat")))
}

fn request(name: &str) -> Request {
    match outcome(name) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn response(name: &str) -> Response {
    match outcome(name) {
        Ok(Message::Response(response)) => response,
        other => panic!("{name}: {other:?}"),
    }
}

fn reply(name: &str) -> Response {
    outcome(name).unwrap_err().reply.unwrap()
}

#[test]
fn every_message_is_read_or_refused_as_the_table_says() {
    let table = include_str!("../torture/expectations.tsv");
    let mut named = BTreeSet::new();
    for row in table.lines().skip(1) {
        let [file, section, datagram, stream, _] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not five columns: {row}");
        };
        let bytes = sample(&format!("torture/{file}"));
        assert_eq!(describe(&Message::parse_datagram(&bytes)), datagram, "{file}, RFC {section}");
        let stream = if stream == "same" { datagram } else { stream };
        assert_eq!(describe_stream(&frame([&bytes[..]])), stream, "{file} on a stream, RFC {section}");
        assert!(named.insert(format!("torture/{file}")), "{file} twice");
    }
    let files = samples().into_iter().map(|sample| sample.name).filter(|name| name.starts_with("torture/"));
    assert_eq!(files.collect::<BTreeSet<_>>(), named);
}

#[test]
fn no_response_and_no_ack_is_ever_answered() {
    for sample in samples() {
        let text = String::from_utf8_lossy(&sample.bytes).into_owned();
        let (method, _) = text.split_once(' ').unwrap();
        let as_ack = [b"ACK", &sample.bytes[method.len()..]].concat();
        let outcome = Message::parse_datagram(&as_ack);
        assert!(
            outcome.is_ok() || outcome.is_err_and(|malformed| malformed.reply.is_none()),
            "{}",
            sample.name
        );
    }
    assert_eq!(outcome("bigcode").unwrap_err().reply, None);
    assert_eq!(outcome("scalarlg").unwrap_err().reply, None);
}

#[test]
fn white_space_and_folds_do_not_change_values() {
    let request = request("wsinv");
    let essentials = request.essentials().unwrap();
    assert_eq!(essentials.to.to_string(), "<sip:vivekg@chair-dnrc.example.com>;tag=1918181833n");
    assert_eq!(essentials.from.display_name.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(essentials.from.tag(), Some("98asjd8"));
    assert_eq!((essentials.cseq.number, essentials.cseq.method), (9, Method::Invite));
    assert_eq!(essentials.via.to_string(), "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw");
    let vias: Vec<_> = request.headers.elements(&HeaderName::Via).collect();
    assert_eq!(vias.len(), 3);
    let second: caly_sip::message::Via = vias[1].parse().unwrap();
    assert_eq!(second.to_string(), "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8");
    assert_eq!(request.headers.max_forwards(), Ok(Some(68)));
    let contact = request.headers.contact().unwrap().unwrap();
    assert_eq!(contact.display_name.as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.params.value("newparam"), Some("newvalue"));
    assert_eq!(contact.params.value("q"), Some("0.33"));
    let folded = request.headers.first(&HeaderName::Other("NewFangledHeader".into()));
    assert_eq!(folded, Some("newfangled value continued newfangled value"));
    assert_eq!(request.headers.first(&HeaderName::Subject), Some(""));
    assert_eq!(request.headers.routes().unwrap()[0].uri.params.value("unknownwith"), Some("value"));
    assert_eq!(request.body.len(), 150);
}

#[test]
fn characters_and_escapes_keep_their_meaning() {
    let intmeth = request("intmeth");
    let essentials = intmeth.essentials().unwrap();
    assert_eq!(essentials.to.display_name.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    assert_eq!(essentials.from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(essentials.cseq.method, intmeth.method);
    assert_eq!(intmeth.uri.host, Host::Name("example.com".into()));
    let extension = intmeth.headers.iter().find(|header| header.name.as_str().starts_with("extension"));
    assert_eq!(extension.unwrap().value, "\u{feff}大停電");

    let esc01 = request("esc01");
    assert_eq!(
        (&esc01.uri.scheme, esc01.uri.user.as_deref()),
        (&Scheme::Sip, Some("sips%3Auser%40example.com"))
    );
    assert_eq!(esc01.uri.user_unescaped().as_deref(), Some("sips:user@example.com"));
    let essentials = esc01.essentials().unwrap();
    assert_eq!(essentials.to.uri.user_unescaped().as_deref(), Some("user"));
    assert_eq!(essentials.from.uri.user_unescaped().as_deref(), Some("I have spaces"));
    let contact = esc01.headers.contact().unwrap().unwrap();
    assert_eq!(contact.uri.to_string(), "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31");

    let contacts = request("escnull").headers.addresses(&HeaderName::Contact).unwrap();
    let users: Vec<_> = contacts.iter().map(|contact| contact.uri.user_unescaped().unwrap()).collect();
    assert_eq!(users, ["\0", "\0\0"]);

    let esc02 = request("esc02");
    assert_eq!(esc02.method, Method::Other("RE%47IST%45R".into()));
    assert_eq!(esc02.headers.addresses(&HeaderName::Contact).unwrap().len(), 2);
    assert_eq!(esc02.essentials().unwrap().to.display_name.as_deref(), Some("%Z%45"));

    assert_eq!(request("semiuri").uri.user_unescaped().as_deref(), Some("user;par=u@example.net"));
    assert_eq!(response("unreason").reason.chars().count(), 47);
    assert_eq!(response("noreason").reason, "");
}

#[test]
fn long_values_and_many_vias() {
    let longreq = request("longreq");
    assert_eq!(longreq.headers.elements(&HeaderName::Via).count(), 34);
    let essentials = longreq.essentials().unwrap();
    assert_eq!(essentials.via.host, Host::Name("sip33.example.com".into()));
    assert!(essentials.call_id.len() > 100 && longreq.uri.port.is_none());
    assert_eq!(request("transports").headers.elements(&HeaderName::Via).count(), 5);
    assert_eq!(response("bcast").headers.elements(&HeaderName::Via).count(), 2);
    assert_eq!(request("mpart01").body.len(), 553);
}

#[test]
fn fields_that_cannot_be_read_are_errors_for_whoever_reads_them() {
    let contact = HeaderName::Contact;
    let malformed = HeaderError::Malformed { header: contact, syntax: Syntax::Uri };
    assert_eq!(request("regbadct").headers.contact(), Err(malformed));
    let contact = request("regescrt").headers.contact().unwrap().unwrap();
    assert_eq!(contact.uri.headers, [("Route".to_owned(), "%3Csip:sip.example.com%3E".to_owned())]);
    let both = |name| {
        let contact = request(name).headers.contact().unwrap().unwrap();
        (contact.params.contains("unknownparam"), contact.uri.params.contains("unknownparam"))
    };
    assert_eq!((both("cparam01"), both("cparam02")), ((true, false), (false, true)));
    assert_eq!(
        request("invut").headers.content_type().unwrap().unwrap().to_string(),
        "application/unknownformat"
    );
    assert!(!request("sdp01").headers.accepts(&caly_sip::message::MediaType::sdp()));
    assert!(request("badbranch").headers.accepts(&caly_sip::message::MediaType::sdp()));
    let bext01 = request("bext01");
    let required: Vec<_> = bext01.headers.elements(&HeaderName::Require).collect();
    assert_eq!(required, ["nothingSupportsThis", "nothingSupportsThisEither"]);
    let unksm2 = request("unksm2").essentials().unwrap();
    assert_eq!(unksm2.to.uri.scheme, Scheme::Other("isbn".into()));
    assert_eq!(unksm2.from.uri.opaque.as_deref(), Some("//www.example.com"));
}

#[test]
fn answers_to_broken_requests_echo_what_there_is() {
    let multi01 = reply("multi01");
    for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
        assert_eq!(multi01.headers.all(&name).count(), 1, "{name}");
    }
    let to: NameAddr = multi01.headers.first(&HeaderName::To).unwrap().parse().unwrap();
    assert_eq!(to.uri.to_string(), "sip:user@example.com");
    assert!(to.tag().is_some_and(|tag| !tag.is_empty()));
    assert_eq!(reply("multi01"), multi01, "a retransmission must get the same tag");
    assert_ne!(
        reply("multi01").headers.first(&HeaderName::To),
        reply("mcl01").headers.first(&HeaderName::To)
    );
    assert_eq!(
        reply("lwsruri").headers.first(&HeaderName::To),
        Some("sip:user@example.com;tag=3xfe-9921883-z9f")
    );
    let insuf = reply("insuf");
    assert_eq!(
        (insuf.headers.contains(&HeaderName::To), insuf.headers.contains(&HeaderName::CSeq)),
        (false, true)
    );
    assert_eq!(insuf.reason, "Bad Request (From is missing)");
    assert_eq!(reply("badvers").reason, "Version Not Supported");
    assert!(
        matches!(Message::parse_datagram(&multi01.to_bytes()), Ok(Message::Response(read)) if read.reason == multi01.reason)
    );
}

#[test]
fn ipv6_in_every_place() {
    let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
    assert_eq!(request("rfc5118/ipv6-good").uri.host.address(), Some(v6("2001:db8::10")));
    let ambiguous = request("rfc5118/port-ambiguous").uri;
    assert_eq!((ambiguous.host.address(), ambiguous.port), (Some(v6("2001:db8::10:5070")), None));
    assert_eq!(request("rfc5118/port-unambiguous").uri.port, Some(5070));
    let received = |name| request(name).essentials().unwrap().via.received();
    assert_eq!(received("rfc5118/via-received-param-with-delim"), Some(v6("2001:db8::9:255")));
    assert_eq!(received("rfc5118/via-received-param-no-delim"), Some(v6("2001:db8::9:255")));
    let mapped = request("rfc5118/ipv4-mapped-ipv6").essentials().unwrap().via;
    assert_eq!((mapped.host.address(), mapped.port), (Some(v6("::ffff:192.0.2.10")), Some(19823)));
    let colons = |name| request(name).uri.host;
    assert_eq!(colons("rfc5118/ipv6-bug-abnf-3-colons"), colons("rfc5118/ipv6-correct-abnf-2-colons"));
    let vias = request("rfc5118/mult-ip-in-header");
    let third: caly_sip::message::Via =
        vias.headers.elements(&HeaderName::Via).nth(2).unwrap().parse().unwrap();
    assert_eq!(third.received(), Some(v6("192.0.2.200")));
}
