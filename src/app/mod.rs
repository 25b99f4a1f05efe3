//! The whole server: built from its configuration, every listener bound before anything is served, drained and stopped
//! in order.

mod agents;
mod descriptors;
mod live;
mod panics;
mod phone;
mod resolve;
mod seed;
mod serve;
mod start;
mod watch;

pub(crate) use agents::Agents;
pub use descriptors::shortage_of_files;
pub use live::{LiveReport, ask_providers};
pub use phone::{Phone, PhoneConfig, PhoneError};
pub use serve::serve;
pub use start::call_policy;
pub use start::{App, StartError};
