//! The endpoint as its application and its peers see it: virtual time, no sockets. One module per behaviour.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod acknowledgement;
mod agent;
mod byes;
mod cancelling;
mod client_timers;
mod forking;
mod fuzz;
mod limits;
mod network;
mod pair;

mod providers;
mod refusals;
mod reinvites;

mod resolving;
mod routing;
mod server_timers;
mod streams;
mod torture;
