//! Another parser's opinion: what `rsip` reads in a message, we read too.
//!
//! It is the narrower of the two: it refuses folded lines and unknown methods, and what it is known to misread is left
//! out below, beside the reason. Broken messages that it accepts stand in [`WRONGLY_ACCEPTED`].

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rsip::prelude::{HasHeaders, HeadersExt, ToTypedHeader};

use caly_sip::message::{HeaderName, Headers, Message, NameAddr, Uri};

use crate::corpus::{describe, samples};
use crate::generate::{Taste, message};

/// What both make of a message: `Ok` if they agree, and whether `rsip` had an opinion.
fn compare(bytes: &[u8]) -> Result<bool, String> {
    let Ok(theirs) = rsip::SipMessage::try_from(bytes) else { return Ok(false) };
    let ours = Message::parse_datagram(bytes);
    match (&ours, &theirs) {
        (Ok(Message::Request(ours)), rsip::SipMessage::Request(theirs)) => {
            same("method", ours.method.as_str(), &theirs.method.to_string())?;
            same_uri(&ours.uri, &theirs.uri)?;
        }
        (Ok(Message::Response(ours)), rsip::SipMessage::Response(theirs)) => {
            same("status", ours.status.as_u16(), theirs.status_code.code())?;
        }
        _ => return Err(format!("we: {}", describe(&ours))),
    }
    let ours = ours.map_err(|error| error.to_string())?;
    same_lines(ours.headers(), theirs.headers())?;
    same_essentials(ours.headers(), &theirs)?;
    Ok(true)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, ours: T, theirs: T) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("{what}: we {ours:?}, they {theirs:?}")) }
}

fn same_uri(ours: &Uri, theirs: &rsip::Uri) -> Result<(), String> {
    // It knows no other schemes, and ends a user at `;` and `?`, which may stand in one.
    if !ours.is_sip() || ours.user.as_ref().is_some_and(|user| user.contains([';', '?'])) {
        return Ok(());
    }
    let scheme = theirs.scheme.as_ref().map(|scheme| scheme.to_string().to_ascii_lowercase());
    same("scheme", Some(ours.scheme.as_str().to_owned()), scheme)?;
    // It takes a user with a dot in it for a part of the host.
    let user_host = |user: Option<&str>, host: String| match user {
        Some(user) => format!("{user}@{host}"),
        None => host,
    };
    let ours_joined = user_host(ours.user.as_deref(), ours.host.to_string());
    same("user and host", ours_joined, user_host(theirs.user(), theirs.host().to_string()))?;
    same("port", ours.port, theirs.port().map(|port| *port.value()))?;
    let params: String = theirs.params.iter().map(ToString::to_string).collect();
    same("URI parameters", ours.params.to_string().to_ascii_lowercase(), params.to_ascii_lowercase())
}

fn same_address(
    ours: &NameAddr,
    name: Option<&str>,
    uri: &rsip::Uri,
    params: &[rsip::Param],
) -> Result<(), String> {
    let name = name.map(|name| name.trim_matches('"').to_owned()).filter(|name| !name.is_empty());
    // It keeps the escapes of quoted names, and looks for the URI inside of them.
    if ours.display_name.as_ref().is_some_and(|name| name.contains(['\\', '"', '<', '>', ';', ','])) {
        return Ok(());
    }
    same("display name", ours.display_name.clone(), name)?;
    same_uri(&ours.uri, uri)?;
    let params: String = params.iter().map(ToString::to_string).collect();
    same("parameters", ours.params.to_string().to_ascii_lowercase(), params.to_ascii_lowercase())
}

/// The lines, with their long names.
fn same_lines(ours: &Headers, theirs: &rsip::Headers) -> Result<(), String> {
    let ours: Vec<_> = ours.iter().map(|line| (line.name.clone(), line.value.trim().to_owned())).collect();
    let theirs = theirs.iter().map(|line| {
        let line = line.to_string();
        let (name, value) = line.split_once(':').unwrap();
        (HeaderName::from_token(name.trim()).unwrap(), value.trim().to_owned())
    });
    same("header lines", ours, theirs.collect())
}

fn same_essentials(ours: &Headers, theirs: &rsip::SipMessage) -> Result<(), String> {
    let essentials = ours.essentials().map_err(|error| error.to_string())?;
    if let Ok(Ok(via)) = theirs.via_header().map(|via| via.typed()) {
        same("Via transport", essentials.via.transport.to_ascii_uppercase(), via.transport.to_string())?;
        same("Via host", essentials.via.host.to_string(), via.uri.host().to_string())?;
        same("Via port", essentials.via.port, via.uri.port().map(|port| *port.value()))?;
        same("branch", essentials.via.branch(), via.branch().map(|branch| branch.value()))?;
    }
    if let Ok(Ok(from)) = theirs.from_header().map(|from| from.typed()) {
        same_address(&essentials.from, from.display_name.as_deref(), &from.uri, &from.params)?;
    }
    if let Ok(Ok(to)) = theirs.to_header().map(|to| to.typed()) {
        same_address(&essentials.to, to.display_name.as_deref(), &to.uri, &to.params)?;
    }
    if let Ok(Ok(cseq)) = theirs.cseq_header().map(|cseq| cseq.typed()) {
        same("CSeq number", essentials.cseq.number, cseq.seq)?;
        same("CSeq method", essentials.cseq.method.to_string(), cseq.method.to_string())?;
    }
    if let Some(Ok(contact)) = theirs.contact_header().ok().map(|contact| contact.typed()) {
        let contacts = ours.addresses(&HeaderName::Contact).map_err(|error| error.to_string())?;
        let first = contacts.first().ok_or("no Contact")?;
        same_address(first, contact.display_name.as_deref(), &contact.uri, &contact.params)?;
    }
    Ok(())
}

/// How many of a thousand generated messages it reads. They must mean the same to both.
fn opinions(taste: Taste) -> usize {
    let mut runner = TestRunner::deterministic();
    let messages = message(taste);
    let mut opinions = 0;
    for _ in 0..1000 {
        let bytes = messages.new_tree(&mut runner).unwrap().current().to_bytes();
        match compare(&bytes) {
            Ok(has_opinion) => opinions += usize::from(has_opinion),
            Err(difference) => panic!("{difference}\n{}", String::from_utf8_lossy(&bytes)),
        }
    }
    opinions
}

#[test]
fn samples_mean_the_same() {
    let (mut opinions, mut differences) = (0, Vec::new());
    for sample in samples() {
        match compare(&sample.bytes) {
            Ok(has_opinion) => opinions += usize::from(has_opinion),
            Err(difference) => differences.push((sample.name, difference)),
        }
    }
    let differences: Vec<_> = differences.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
    assert_eq!(differences, WRONGLY_ACCEPTED);
    assert!(opinions >= 34, "{opinions}");
}

#[test]
fn plain_messages_mean_the_same() {
    assert_eq!(opinions(Taste::Plain), 1000);
}

#[test]
fn odd_messages_mean_the_same_where_it_reads_them() {
    let opinions = opinions(Taste::Odd);
    assert!(opinions > 500, "{opinions}");
}

/// Messages that `rsip` accepts and that RFC 4475 calls invalid, each for what we say is wrong with it.
const WRONGLY_ACCEPTED: &[(&str, &str)] = &[
    ("torture/baddn.dat", "we: 400: From: bad display name"),
    ("torture/badinv01.dat", "we: 400: Via: bad parameters"),
    ("torture/clerr.dat", "we: 400: Content-Length says 9999 bytes, there are 154"),
    ("torture/insuf.dat", "we: 400: From is missing"),
    ("torture/ltgtruri.dat", "we: 400: bad Request-URI: bad URI"),
    ("torture/mcl01.dat", "we: 400: Content-Length occurs more than once"),
    ("torture/mismatch01.dat", "we: 400: the method of the CSeq is not the method of the request"),
    ("torture/multi01.dat", "we: 400: From occurs more than once"),
    ("torture/ncl.dat", "we: 400: Content-Length: bad number"),
    ("torture/quotbal.dat", "we: 400: To: unbalanced quotes or brackets"),
    ("torture/scalarlg.dat", "we: dropped: CSeq: bad number"),
];
