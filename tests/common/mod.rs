//! What the tests against real peers stand on: the server as a process, sipp, baresip, raw SIP sockets, a network of
//! their own, and the measuring of tones.
#![allow(dead_code, reason = "every test file is a crate of its own and uses a part of this")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "here a failure is the test's failure")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a failing test shows what its peers had said")]

pub(crate) mod baresip;
pub(crate) mod caller;
pub(crate) mod in_process;
pub(crate) mod load;
pub(crate) mod namespace;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod raw_call;
pub(crate) mod records;
pub(crate) mod rtp_callers;
pub(crate) mod rtp_line;
pub(crate) mod rtp_peer;
pub(crate) mod scratch;
pub(crate) mod seeded;
pub(crate) mod server;
pub(crate) mod sip_text;
pub(crate) mod sipp;
pub(crate) mod soak;
pub(crate) mod socket;
pub(crate) mod stalls;
pub(crate) mod tone;
pub(crate) mod wait;
pub(crate) mod wav;
