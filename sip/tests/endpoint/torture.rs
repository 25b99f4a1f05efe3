//! The messages of RFC 4475 and RFC 5118, as the endpoint answers them.

use crate::agent::{Agent, text_of};

/// What follows a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// Handed up as a new INVITE, with 100.
    Invited,
    /// Answered with this status, nothing handed up, nothing kept.
    Answered(u16),
    /// Dropped: a response that matches nothing, or no way to address an answer.
    Dropped,
}
use Outcome::{Answered, Dropped, Invited};

/// By file, in the order of RFC 4475.
const RFC_4475: &[(&str, Outcome)] = &[
    ("wsinv", Answered(481)), // carries a To tag
    ("intmeth", Answered(405)),
    ("esc01", Invited),
    ("escnull", Answered(405)),
    ("esc02", Answered(405)),
    ("lwsdisp", Answered(200)),
    ("longreq", Invited),
    ("dblreq", Answered(405)),
    ("semiuri", Answered(200)),
    ("transports", Answered(200)),
    ("mpart01", Answered(405)),
    ("unreason", Dropped),
    ("noreason", Dropped),
    ("badinv01", Dropped), // its Via is broken
    ("clerr", Answered(400)),
    ("ncl", Answered(400)),
    ("scalar02", Answered(400)),
    ("scalarlg", Dropped),
    ("quotbal", Answered(400)),
    ("ltgtruri", Answered(400)),
    ("lwsruri", Answered(400)),
    ("escruri", Answered(400)),
    ("baddate", Invited), // nobody reads Date
    ("regbadct", Answered(405)),
    ("baddn", Answered(400)),
    ("mismatch01", Answered(400)),
    ("mismatch02", Answered(400)),
    ("bigcode", Dropped),
    ("badbranch", Answered(200)),
    ("insuf", Answered(400)),
    ("unkscm", Answered(416)),
    ("novelsc", Answered(416)),
    ("unksm2", Answered(405)),
    ("bext01", Answered(420)),
    ("invut", Answered(415)),
    ("regaut01", Answered(405)),
    ("multi01", Answered(400)),
    ("mcl01", Answered(400)),
    ("bcast", Dropped),
    ("zeromf", Answered(200)),
    ("cparam01", Answered(405)),
    ("cparam02", Answered(405)),
    ("regescrt", Answered(405)),
    ("sdp01", Answered(406)),
    ("inv2543", Invited),
];

/// By file, in the order of RFC 5118.
const RFC_5118: &[(&str, Outcome)] = &[
    ("ipv6-good", Answered(405)),
    ("ipv6-bad", Answered(400)),
    ("port-ambiguous", Answered(405)),
    ("port-unambiguous", Answered(405)),
    ("via-received-param-with-delim", Answered(481)), // carries a To tag
    ("via-received-param-no-delim", Answered(200)),
    ("ipv6-in-sdp", Invited),
    ("mult-ip-in-header", Answered(481)), // carries a To tag
    ("mult-ip-in-sdp", Invited),
    ("ipv4-mapped-ipv6", Invited),
    ("ipv6-bug-abnf-3-colons", Answered(200)),
];

#[test]
fn each_torture_message_gets_its_answer() {
    let folders = [("", RFC_4475), ("rfc5118/", RFC_5118)];
    for (folder, (name, expected)) in
        folders.iter().flat_map(|(f, table)| table.iter().map(move |row| (f, row)))
    {
        let path = format!("{}/tests/torture/{folder}{name}.dat", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut agent = Agent::new();
        agent.endpoint.handle_datagram(agent.now, agent.flow, &bytes);
        agent.drain();
        assert_eq!(outcome(&mut agent), *expected, "{name}");
    }
}

fn outcome(agent: &mut Agent) -> Outcome {
    let texts: Vec<_> = agent.take_sent().iter().map(text_of).collect();
    match (&agent.take_event_names()[..], &texts[..]) {
        (["Invite"], [trying]) if trying.starts_with("SIP/2.0 100 ") => Invited,
        ([], [answer]) => {
            agent.assert_empty();
            Answered(answer.split(' ').nth(1).unwrap().parse().unwrap())
        }
        ([], []) => Dropped,
        (events, texts) => panic!("{events:?} {texts:?}"),
    }
}
