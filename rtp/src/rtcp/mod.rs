//! RTCP (RFC 3550 section 6): packets, what a receiver knows about a source, when reports are due, and the machine that
//! joins them.

mod interval;
mod packet;
mod reception;
mod reporter;

pub use interval::{Interval, MINIMUM_INTERVAL};
pub use packet::{
    CNAME_LIMIT, Compound, CompoundWriter, ReportBlock, ReportBlocks, RtcpError, RtcpPacket, SenderInfo,
    Sources,
};
pub use reception::{Arrival, Reception, ReceptionTotals};
pub use reporter::{Heard, RemoteReport, Reporter, Sent};
