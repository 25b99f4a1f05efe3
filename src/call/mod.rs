//! The call itself, without IO: routing, admission, negotiation, the call's states, its one cause and its log.

pub mod admission;
#[expect(clippy::module_inception, reason = "the call is the one concept that gives the folder its name")]
mod call;
pub mod cause;
pub mod destination;
pub mod dialogue;
pub mod exchange;
pub mod hop;
mod interface;
pub mod log;
mod negotiate;
mod observe;
mod recording;
pub mod route;
mod starvation;
pub mod waterfall;

pub use call::Call;
pub use caly_rtp::codec::Codec;
pub use interface::{CallConfig, CallPolicy, End, Output};
pub use recording::{MediaTap, NoTap};
