//! What carriers' messages say, in the shapes that they come in (`fixtures/`).

use caly_sip::message::{HeaderName, Message, NameAddr, Request, Response, Via};

use crate::corpus::{frame, sample, samples};

fn request(name: &str) -> Request {
    match Message::parse_datagram(&sample(&format!("fixtures/{name}.sip"))) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn response(name: &str) -> Response {
    match Message::parse_datagram(&sample(&format!("fixtures/{name}.sip"))) {
        Ok(Message::Response(response)) => response,
        other => panic!("{name}: {other:?}"),
    }
}

fn uris(addresses: &[NameAddr]) -> Vec<String> {
    addresses.iter().map(|address| address.uri.to_string()).collect()
}

#[test]
fn all_of_them_are_valid_as_datagrams_and_on_streams() {
    for sample in samples().into_iter().filter(|sample| sample.name.starts_with("fixtures/")) {
        let message =
            Message::parse_datagram(&sample.bytes).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
        let framed = frame([&sample.bytes[..]]);
        assert_eq!(framed, [Ok(caly_sip::message::Framed::Message(message))], "{}", sample.name);
    }
}

#[test]
fn twilio_routes_twice_and_hides_behind_a_private_contact() {
    let invite = request("twilio-origination-tls");
    let routes = invite.headers.record_routes().unwrap();
    assert_eq!(uris(&routes), ["sip:192.0.2.10:5061;transport=tls;r2=on;lr", "sip:192.0.2.10;r2=on;lr"]);
    let contact = invite.headers.contact().unwrap().unwrap();
    assert_eq!(contact.uri.to_string(), "sip:+15550100002@172.25.75.240:5060;transport=udp");
    let essentials = invite.essentials().unwrap();
    assert_eq!(essentials.via.transport, "TLS");
    assert_eq!(essentials.from.uri.subscriber().as_deref(), Some("+15550100002"));
    assert_eq!(essentials.from.uri.port, Some(5060));
    assert_eq!(essentials.to.uri.params.value("transport"), Some("tls"));
    let vias: Vec<Via> = invite.headers.elements(&HeaderName::Via).map(|via| via.parse().unwrap()).collect();
    assert_eq!((vias.len(), vias[1].rport()), (2, Some(Some(5060))));
    let diversion = invite.headers.addresses(&HeaderName::Diversion).unwrap();
    assert_eq!(diversion[0].params.value("reason"), Some("unconditional"));
    assert_eq!(invite.headers.allow().count(), 7);
    assert_eq!(invite.body.len(), 363);
}

#[test]
fn twilio_supports_timers_without_asking_for_one() {
    let invite = request("twilio-origination-udp-timer");
    assert!(invite.headers.has_option(&HeaderName::Supported, "timer"));
    assert_eq!(invite.headers.seconds(&HeaderName::MinSe), Some(120));
    assert_eq!(invite.headers.seconds(&HeaderName::SessionExpires), None);
    let asserted = invite.headers.addresses(&HeaderName::PAssertedIdentity).unwrap();
    assert_eq!(asserted[0].uri.params.value("user"), Some("phone"));
    assert_eq!(
        invite.headers.first(&HeaderName::Other("x-twilio-verstat".into())),
        Some("TN-Validation-Passed-A")
    );
}

#[test]
fn twilio_says_why_it_hangs_up() {
    let bye = request("twilio-bye-with-reason");
    let reasons: Vec<_> = bye.headers.reasons().collect();
    assert_eq!((reasons.len(), reasons[0].protocol.as_str(), reasons[0].cause()), (1, "Q.850", Some(16)));
    assert_eq!(reasons[0].text().as_deref(), Some("Normal call clearing"));
    assert_eq!(bye.essentials().unwrap().via.branch(), Some("z9hG4bK9d39.72521cd1.0"));
}

#[test]
fn a_challenge_is_not_torn_at_its_commas() {
    let challenge = response("twilio-termination-407");
    let value = challenge.headers.first(&HeaderName::ProxyAuthenticate).unwrap();
    assert!(value.starts_with("Digest realm=\"sip.twilio.com\",qop=\"auth\""));
    assert_eq!(challenge.essentials().unwrap().via.rport(), Some(Some(33549)));
}

#[test]
fn exotel_leaves_the_brackets_out() {
    for name in ["exotel-inbound-tcp", "exotel-inbound-tls"] {
        let routes = request(name).headers.record_routes().unwrap();
        assert_eq!(uris(&routes), ["sip:192.0.2.20:443;transport=tls;lr"], "{name}");
        assert!(routes[0].uri.params.contains("lr") && routes[0].params.is_empty());
    }
    let bare = request("exotel-inbound-fqdn-bare-uris");
    let essentials = bare.essentials().unwrap();
    assert_eq!(
        (essentials.to.uri.to_string().as_str(), essentials.to.tag()),
        ("sip:+910000000001@sip.example.net", None)
    );
    let contact = bare.headers.contact().unwrap().unwrap();
    assert_eq!(contact.uri.to_string(), "sip:+910000000002@203.0.113.61:5070");
    assert_eq!(contact.params.value("transport"), Some("tcp"));
    assert_eq!(bare.headers.addresses(&HeaderName::PAssertedIdentity).unwrap().len(), 1);
    let refusal = response("exotel-outbound-403");
    assert_eq!(refusal.headers.first(&HeaderName::Other("X-Exotel-ErrorCode".into())), Some("4001"));
}

#[test]
fn fields_are_echoed_byte_for_byte() {
    for name in ["exotel-inbound-tcp", "twilio-origination-tls"] {
        let invite = request(name);
        let mut ok = invite.response(caly_sip::message::StatusCode::OK);
        ok.headers.copy_from(&invite.headers, &HeaderName::RecordRoute);
        let text = String::from_utf8(ok.to_bytes()).unwrap();
        let sent = String::from_utf8(sample(&format!("fixtures/{name}.sip"))).unwrap();
        let echoed = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Record-Route:"];
        for line in sent.lines().take_while(|line| !line.is_empty()) {
            assert_eq!(
                text.lines().any(|other| other == line),
                echoed.iter().any(|name| line.starts_with(name)),
                "{line}"
            );
        }
    }
}

#[test]
fn the_topmost_via_alone_is_stamped() {
    let mut ringing = request("twilio-origination-tls").response(caly_sip::message::StatusCode::RINGING);
    let second = ringing.headers.all(&HeaderName::Via).nth(1).unwrap().to_owned();
    let mut via = ringing.headers.via().unwrap();
    via.set_received([192, 0, 2, 99].into());
    ringing.headers.set_via(&via);
    let vias: Vec<_> = ringing.headers.all(&HeaderName::Via).collect();
    assert!(vias[0].ends_with(".0;received=192.0.2.99"), "{}", vias[0]);
    assert_eq!(vias[1], second);
}
