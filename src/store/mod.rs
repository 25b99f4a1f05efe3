//! What calls leave behind: the ring from the shards, the spool on disk, the database, and the questions one may ask it.
//! SQL stands in this folder and nowhere else.

mod ring;

pub use ring::{EventReceiver, EventSender, event_ring};
