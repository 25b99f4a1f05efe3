//! What calls leave behind: the ring from the shards, the spool on disk, the database, and the questions one may ask it.
//! SQL stands in this folder and nowhere else.
//!
//! A server opens the [`Store`], lets it recover, starts the [`SpoolWriter`] and then the [`StoreWriter`], and shuts down in
//! the order shards, recorder, spool, store.

mod apply;
mod data_dir;
mod database;
mod earlier;
mod error;
mod query;
mod recover;
mod row;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
pub(crate) mod scratch;
mod shop;
mod spool;
mod turn;
mod writer;

pub use data_dir::DataDir;
pub use database::Store;
pub use earlier::{Caller, EarlierCall, EarlierCalls, SpokenLine};
pub use error::StoreError;
pub use query::{CallFilter, CallList, CallLog, Lookup, MIN_ID_PART, StoreReader, StoredEvent};
pub use recover::Recovered;
pub use row::{CallRow, QualityColumns};
pub use shop::Shop;
pub use spool::{EventReceiver, EventSender, SpoolError, SpoolHandle, SpoolStats, SpoolWriter, event_ring};
pub use turn::Turn;
pub use writer::{StoreStats, StoreWriter};
