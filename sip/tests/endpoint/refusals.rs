//! What the endpoint answers by itself (RFC 3261 8.2, 11.2, 21).

use caly_sip::message::{HeaderName, NameAddr, StatusCode};

use crate::agent::{Agent, in_dialog, invite, invite_with, outgoing, text_of, uri};

/// Status of the only answer, the value of this header in it, and that nothing was handed up.
fn refused(agent: &mut Agent, request: &str, header: HeaderName) -> (u16, String) {
    agent.receive(request);
    let response = agent.take_response();
    assert!(agent.take_event_names().is_empty());
    assert_eq!(agent.endpoint.session_count(), 0);
    (response.status.as_u16(), response.headers.first(&header).unwrap_or_default().to_owned())
}

fn request(method: &str, lines: &str) -> String {
    in_dialog(method, 1, "x", "z9hG4bKq").replace(";tag=x", "").replace("CSeq:", &format!("{lines}CSeq:"))
}

/// RFC 3261 8.2.1.
#[test]
fn unknown_methods_get_405_with_allow() {
    let mut agent = Agent::new();
    for method in
        ["REGISTER", "SUBSCRIBE", "MESSAGE", "INFO", "UPDATE", "PRACK", "REFER", "NEWMETHOD", "invite"]
    {
        let (status, allow) = refused(&mut agent, &request(method, ""), HeaderName::Allow);
        assert_eq!((status, allow.as_str()), (405, "INVITE, ACK, CANCEL, OPTIONS, BYE"), "{method}");
    }
    let (_, tag) = agent.answered();
    agent.receive(&in_dialog("INFO", 2, &tag, "z9hG4bKi"));
    assert_eq!(agent.take_response().status, StatusCode::METHOD_NOT_ALLOWED, "inside a dialog too");
}

/// RFC 3261 8.2.2.3; Proxy-Require is not for us; ACK and CANCEL are never refused for Require.
#[test]
fn required_extensions_get_420_with_exactly_them() {
    let mut agent = Agent::new();
    let lines = "Require: 100rel, foo\r\nRequire: bar\r\nProxy-Require: baz\r\nCSeq:";
    let invite = invite("z9hG4bKa1").replace("CSeq:", lines);
    assert_eq!(refused(&mut agent, &invite, HeaderName::Unsupported), (420, "100rel, foo, bar".to_owned()));
    agent.receive(&crate::agent::invite("z9hG4bKa1").replace("CSeq:", "Proxy-Require: baz\r\nCSeq:"));
    assert_eq!(agent.take_event_names(), ["Invite"]);
    agent.take_sent();
    let cancel = request("CANCEL", "Require: foo\r\n").replace("z9hG4bKq", "z9hG4bKa1");
    agent.receive(&cancel);
    assert!(agent.take_texts()[0].starts_with("SIP/2.0 200"));
}

/// RFC 3261 8.2.3.
#[test]
fn other_bodies_get_415_with_what_is_accepted() {
    let mut agent = Agent::new();
    for lines in [
        "Content-Type: application/unknown\r\n",
        "Content-Type: multipart/mixed;boundary=x\r\n",
        "",
        "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n",
    ] {
        let (status, accept) =
            refused(&mut agent, &invite_with("z9hG4bKa1", lines, "body"), HeaderName::Accept);
        assert_eq!((status, accept.as_str()), (415, "application/sdp"), "{lines}");
    }
    let ignorable = "Content-Type: text/html\r\nContent-Disposition: render; handling=OPTIONAL\r\n";
    agent.receive(&invite_with("z9hG4bKa1", ignorable, "body"));
    assert_eq!(agent.take_event_names(), ["Invite"]);
}

/// RFC 3261 8.2.3, 20.1.
#[test]
fn an_invite_that_takes_no_sdp_gets_406() {
    let mut agent = Agent::new();
    let with = |accept: &str| invite("z9hG4bKa1").replace("CSeq:", &format!("Accept: {accept}\r\nCSeq:"));
    let refusal = refused(&mut agent, &with("text/plain"), HeaderName::Accept);
    assert_eq!(refusal, (406, "application/sdp".to_owned()));
    for (index, accept) in ["application/sdp", "text/html, application/*", "*/*;q=0.5"].iter().enumerate() {
        agent.receive(
            &with(accept)
                .replace("z9hG4bKa1", &format!("z9hG4bKok{index}"))
                .replace("call-1", &format!("c{index}")),
        );
        assert_eq!(agent.take_event_names(), ["Invite"], "{accept}");
    }
}

/// RFC 3261 8.2.2.1.
#[test]
fn other_schemes_get_416() {
    let mut agent = Agent::new();
    for scheme in ["soap.beep://192.0.2.103:3002", "nobodyKnowsThisScheme:totallyopaquecontent"] {
        let options = request("OPTIONS", "")
            .replace("OPTIONS sip:caly@198.51.100.7:5060", &format!("OPTIONS {scheme}"));
        assert_eq!(refused(&mut agent, &options, HeaderName::Allow).0, 416, "{scheme}");
    }
}

/// RFC 3261 21.5.7.
#[test]
fn a_body_beyond_the_limit_gets_513() {
    let mut agent = Agent::new();
    let body = "a".repeat(16 * 1024 + 1);
    let invite = invite_with("z9hG4bKa1", "Content-Type: application/sdp\r\n", &body);
    assert_eq!(refused(&mut agent, &invite, HeaderName::Allow).0, 513);
}

/// RFC 3261 8.2.2.2: the same request by another way, while the first is being served.
#[test]
fn a_merged_request_gets_482() {
    let mut agent = Agent::new();
    agent.receive(&invite("z9hG4bKa1"));
    agent.take_sent();
    agent.receive(&invite("z9hG4bKa2"));
    assert_eq!(agent.take_response().status, StatusCode::LOOP_DETECTED);
    assert_eq!(agent.take_event_names(), ["Invite"]);
    assert_eq!(agent.endpoint.counters().merged, 1);
    agent.receive(&invite("z9hG4bKa3").replace("CSeq: 1", "CSeq: 2"));
    assert_eq!(agent.take_event_names(), ["Invite"], "another CSeq is another request");
    let mut agent = Agent::new();
    let (_, tag) = agent.answered();
    agent.receive(&in_dialog("INVITE", 1, &tag, "z9hG4bKa2"));
    assert_eq!(agent.take_event_names(), ["Reinvite"], "inside a dialog nothing is merged");
}

/// RFC 3261 8.2.7: refusals keep no state; a repeat gets the same bytes, an ACK is ignored.
#[test]
fn a_refusal_is_stateless_and_the_same_each_time() {
    let mut agent = Agent::new();
    let invite = invite("z9hG4bKa1").replace("CSeq:", "Require: foo\r\nCSeq:");
    agent.receive(&invite);
    agent.receive(&invite);
    let sent = agent.take_sent();
    assert_eq!(sent[0].bytes, sent[1].bytes);
    assert!(text_of(&sent[0]).contains("To: <sip:caly@198.51.100.7>;tag="), "{}", text_of(&sent[0]));
    agent.assert_empty();
    assert_eq!(agent.endpoint.counters().refused, 2);
}

/// RFC 3261 11.2; Max-Forwards of zero is for forwarders only.
#[test]
fn options_gets_200_with_our_capabilities_or_503_while_draining() {
    let mut agent = Agent::new();
    let options = request("OPTIONS", "Max-Forwards: 0\r\n");
    agent.receive(&options);
    let ok = agent.take_response();
    assert_eq!(ok.status, StatusCode::OK);
    assert_eq!(ok.headers.first(&HeaderName::Allow), Some("INVITE, ACK, CANCEL, OPTIONS, BYE"));
    assert_eq!(ok.headers.first(&HeaderName::Accept), Some("application/sdp"));
    assert_eq!(ok.headers.first(&HeaderName::Supported), Some(""));
    let (_, tag) = agent.answered();
    agent.endpoint.set_accepting(false);
    agent.receive(&options);
    let busy = agent.take_response();
    assert_eq!(busy.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(busy.headers.seconds(&HeaderName::RetryAfter), Some(5));
    agent.receive(&in_dialog("OPTIONS", 2, &tag, "z9hG4bKo"));
    assert_eq!(agent.take_response().status, StatusCode::OK, "calls in progress are not drained away");
    agent.receive(&invite("z9hG4bKb1").replace("call-1", "call-2"));
    assert_eq!(agent.take_event_names(), ["Invite"], "refusing calls is the application's policy");
    agent.take_sent();
    agent.endpoint.set_accepting(true);
    agent.receive(&options);
    assert_eq!(agent.take_response().status, StatusCode::OK);
}

/// RFC 3261 8.1.1, 21.4.1, 21.5.6: broken requests are answered where an answer can be addressed.
#[test]
fn malformed_requests_get_400_or_505_and_broken_responses_nothing() {
    let mut agent = Agent::new();
    let good = request("OPTIONS", "");
    for (broken, status) in [
        (good.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), 400),
        (good.replace("CSeq: 1", "CSeq: 99999999999"), 400),
        (good.replace(" SIP/2.0\r\nVia", " SIP/7.0\r\nVia"), 505),
        (good.replace("Content-Length: 0", "Content-Length: 9999"), 400),
    ] {
        agent.receive(&broken);
        let answer = text_of(&agent.take_one());
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{answer}");
    }
    agent.receive("SIP/2.0 4294967301 better not break the receiver\r\n\r\n");
    agent.receive("\r\n\r\n");
    agent.receive(&good.replace("Via: ", "Via: \u{1}"));
    assert!(agent.take_sent().is_empty());
    assert!(agent.endpoint.counters().malformed >= 6);
    agent.assert_empty();
}

/// RFC 3261 21.5.6: who speaks another version in its Via too must still hear of it.
#[test]
fn a_via_of_another_version_is_echoed_as_it_came() {
    let mut agent = Agent::new();
    let broken = request("OPTIONS", "").replace("SIP/2.0", "SIP/7.0");
    let via = broken.lines().find_map(|line| line.strip_prefix("Via: ")).unwrap();
    assert!(via.starts_with("SIP/7.0/UDP "));
    agent.receive(&broken);
    let answer = text_of(&agent.take_one());
    assert!(answer.starts_with("SIP/2.0 505 "), "{answer}");
    assert!(answer.contains(&format!("\r\nVia: {via}\r\n")), "{answer}");
    agent.assert_empty();
}

#[test]
fn too_many_vias_get_400_with_few_of_them_and_what_the_caller_knows_it_by() {
    let mut agent = Agent::new();
    let good = invite("z9hG4bKtop");
    let more = "Via: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKx\r\n".repeat(500);
    for broken in [
        good.replacen("From: ", &format!("{more}From: "), 1),
        good.replacen("From: ", &format!("{}From: ", "X: y\r\n".repeat(5_000)), 1),
        good.replacen("Max-Forwards: ", &format!("{more}Max-Forwards: "), 1),
    ] {
        agent.receive(&broken);
        let answer = text_of(&agent.take_one());
        assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
        assert!(answer.matches("Via: ").count() <= 70 && answer.len() < 5_000, "{} bytes", answer.len());
        let top = answer.lines().find(|line| line.starts_with("Via: ")).unwrap();
        assert!(top.contains("branch=z9hG4bKtop"), "{top}");
        for line in ["From: ", "To: ", "Call-ID: call-1@192.0.2.9\r\n", "CSeq: 1 INVITE\r\n"] {
            assert_eq!(answer.matches(&format!("\r\n{line}")).count(), 1, "{line} in {answer}");
        }
    }
    agent.assert_empty();
}

/// Who we are is told only if configured.
#[test]
fn the_server_header_is_optional() {
    let mut silent = Agent::new();
    silent.receive(&request("OPTIONS", ""));
    assert!(!text_of(&silent.take_one()).contains("Server:"));
    let config =
        caly_sip::endpoint::EndpointConfig { user_agent: Some("Caly".to_owned()), ..Default::default() };
    let mut named = Agent::with_config(config);
    named.receive(&request("OPTIONS", ""));
    assert!(text_of(&named.take_one()).contains("Server: Caly\r\n"));
    let (_, invite) = named.calls();
    assert_eq!(invite.headers.first(&HeaderName::UserAgent), Some("Caly"));
}

/// The trace is for people: what goes over the wire keeps the password, what they read does not.
#[test]
fn the_trace_hides_passwords_both_ways() {
    let mut agent = Agent::new();
    agent.receive(&invite("z9hG4bKa1").replace("sip:caly@", "sip:caly:s3cret@"));
    let mut called = outgoing("sip:bob:s3cret@192.0.2.9?Authorization=s3cret");
    called.to = NameAddr::new(uri("sip:bob:s3cret@192.0.2.9"));
    agent.endpoint.invite(agent.now, called).unwrap();
    agent.settle();
    let lines: Vec<&str> = agent.ladder.iter().map(|trace| trace.start_line.as_str()).collect();
    assert!(lines.contains(&"INVITE sip:caly@198.51.100.7 SIP/2.0"), "{lines:?}");
    assert!(lines.contains(&"INVITE sip:bob@192.0.2.9 SIP/2.0"), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("s3cret")), "{lines:?}");
}
