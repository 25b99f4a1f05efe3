//! The message parser against the outside world: the torture messages of the RFCs, what carriers send, streams cut
//! anywhere, broken messages, and another parser's opinion.

#![allow(clippy::unwrap_used)] // a test that cannot read its samples fails, here as in the test functions themselves

mod carriers;
mod corpus;
mod generate;
mod limits;
mod mutations;
mod oracle;
mod round_trip;
mod streams;
mod torture;
