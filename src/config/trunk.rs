//! `[[trunk]]`: the carriers that may call, by the addresses they call from.

use std::net::IpAddr;

use ipnet::IpNet;

use super::table::{Table, advertised_address, network, text};

/// A carrier's SIP trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// What routes and logs call it.
    pub name: String,
    /// Where its SIP comes from. Network and broadcast addresses count: carriers use them as hosts.
    pub signaling: Vec<IpNet>,
    /// Where its RTP comes from; empty if not known, then the address in SDP decides.
    pub media: Vec<IpNet>,
    /// The address that this trunk's peers reach us under, if it is another than `[sip] advertise`.
    pub advertise: Option<IpAddr>,
}

impl Trunk {
    /// Whether SIP from this address belongs to the trunk.
    pub fn signals_from(&self, address: IpAddr) -> bool {
        self.signaling.iter().any(|net| net.contains(&address))
    }

    /// Whether RTP from this address belongs to the trunk.
    pub fn sends_media_from(&self, address: IpAddr) -> bool {
        self.media.iter().any(|net| net.contains(&address))
    }
}

/// Reads the trunks; faulty ones stay in the list as far as they can be read, so that routes still find their names.
pub(super) fn read(tables: Vec<Table<'_>>) -> Vec<Trunk> {
    let mut trunks: Vec<Trunk> = Vec::new();
    for mut table in tables {
        let trunk = Trunk {
            name: table.require("name", |value| text(value).and_then(trunk_name)).unwrap_or_default(),
            signaling: table.require_list("signaling", MAX_NETS, network),
            media: table.list("media", MAX_NETS, network).unwrap_or_default(),
            advertise: table.get("advertise", advertised_address),
        };
        check(&trunk, &trunks, &table);
        trunks.push(trunk);
        table.finish();
    }
    trunks
}

fn check(trunk: &Trunk, earlier: &[Trunk], table: &Table<'_>) {
    if !trunk.name.is_empty() && earlier.iter().any(|other| other.name == trunk.name) {
        table.fault_at("name", "is the name of an earlier trunk already".to_owned());
    }
    for other in earlier {
        let overlap = trunk.signaling.iter().find_map(|net| {
            let theirs =
                other.signaling.iter().find(|theirs| theirs.contains(net) || net.contains(*theirs))?;
            Some((net, theirs))
        });
        if let Some((net, theirs)) = overlap {
            let message = format!(
                "{net} overlaps {theirs} of trunk \"{}\": a call from there can belong to one trunk only",
                other.name
            );
            table.fault_at("signaling", message);
        }
    }
}

fn trunk_name(name: String) -> Result<String, String> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !is_plain || name.is_empty() || name.len() > MAX_NAME_CHARS {
        return Err(format!("must be 1 to {MAX_NAME_CHARS} letters, digits, dots, dashes or underscores"));
    }
    Ok(name)
}

/// Every packet of a stranger is held against all networks; the largest carrier lists below 100.
const MAX_NETS: usize = 256;

/// Names stand in log lines and metrics.
pub(super) const MAX_NAME_CHARS: usize = 64;
