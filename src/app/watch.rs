//! Tells in the log what the server's threads only count: which drops and delays there were, and what an operator can do about
//! them. One line for each kind that grew, once a minute at most.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::engine::ShardStats;
use crate::signaling::SignalingStats;
use crate::store::{SpoolStats, StoreStats};

/// The counters of every part.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) signaling: Arc<SignalingStats>,
    pub(super) shards: Vec<Arc<ShardStats>>,
    pub(super) spool: Arc<SpoolStats>,
    pub(super) store: Arc<StoreStats>,
}

/// Begins to watch, until the task is aborted.
pub(super) fn start(sources: Sources) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut look = interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut kinds: Vec<Kind> = WATCHED.iter().map(Kind::new).collect();
        loop {
            let now = look.tick().await;
            for kind in &mut kinds {
                if let Some((new, total)) = kind.news(now, (kind.watched.read)(&sources)) {
                    tell(kind.watched, new, total);
                }
            }
        }
    })
}

/// One thing that is counted.
struct Watched {
    name: &'static str,
    weight: Weight,
    /// What was counted, and what to do.
    meaning: &'static str,
    read: fn(&Sources) -> u64,
}

#[derive(Clone, Copy)]
enum Weight {
    /// Worth knowing.
    Note,
    /// Calls suffer, or may.
    Concern,
}

/// What was told of one thing.
struct Kind {
    watched: &'static Watched,
    told: u64,
    told_at: Option<Instant>,
}

impl Kind {
    fn new(watched: &'static Watched) -> Self {
        Self { watched, told: 0, told_at: None }
    }

    /// How much came since it was told last, and the total, if it is to be told now.
    fn news(&mut self, now: Instant, total: u64) -> Option<(u64, u64)> {
        let is_quiet = self.told_at.is_some_and(|at| now.duration_since(at) < QUIET);
        if total <= self.told || is_quiet {
            return None;
        }
        let new = total - self.told;
        (self.told, self.told_at) = (total, Some(now));
        Some((new, total))
    }
}

fn tell(watched: &Watched, new: u64, total: u64) {
    let Watched { name, meaning, .. } = *watched;
    match watched.weight {
        Weight::Note => tracing::info!(counter = name, new, total, "{meaning}"),
        Weight::Concern => tracing::warn!(counter = name, new, total, "{meaning}"),
    }
}

fn of_shards(sources: &Sources, read: impl Fn(&ShardStats) -> u64) -> u64 {
    sources.shards.iter().map(|stats| read(stats)).sum()
}

const WATCHED: &[Watched] = &[
    Watched {
        name: "foreign",
        weight: Weight::Note,
        meaning: "SIP messages and connections were dropped: no [[trunk]] lists their source",
        read: |sources| sources.signaling.foreign.load(Ordering::Relaxed),
    },
    Watched {
        name: "rate_limited",
        weight: Weight::Concern,
        meaning: "INVITEs got 503, too many from one source; raise [limits] invites_per_second_per_source if it is your carrier",
        read: |sources| sources.signaling.rate_limited.load(Ordering::Relaxed),
    },
    Watched {
        name: "shard_timeouts",
        weight: Weight::Concern,
        meaning: "calls got 503 because no media thread took them in time; give the machine more cores or lower [limits] calls",
        read: |sources| sources.signaling.shard_timeouts.load(Ordering::Relaxed),
    },
    Watched {
        name: "sip_send_failed",
        weight: Weight::Concern,
        meaning: "SIP messages could not be sent; look at this host's routes and firewall",
        read: |sources| sources.signaling.send_failed.load(Ordering::Relaxed),
    },
    Watched {
        name: "malformed",
        weight: Weight::Note,
        meaning: "SIP messages could not be parsed",
        read: |sources| sources.signaling.malformed.load(Ordering::Relaxed),
    },
    Watched {
        name: "dropped_by_limit",
        weight: Weight::Concern,
        meaning: "SIP requests were refused because a table of transactions was full: somebody floods this server",
        read: |sources| sources.signaling.dropped_by_limit.load(Ordering::Relaxed),
    },
    Watched {
        name: "ticks_missed",
        weight: Weight::Concern,
        meaning: "ticks of 20 ms were skipped, callers heard a pause; this machine or its host is overloaded",
        read: |sources| of_shards(sources, |stats| stats.ticks_missed.load(Ordering::Relaxed)),
    },
    Watched {
        name: "rtp_refused",
        weight: Weight::Note,
        meaning: "packets on RTP ports were dropped: not from the call's peer, or no RTP",
        read: |sources| of_shards(sources, |stats| stats.refused.load(Ordering::Relaxed)),
    },
    Watched {
        name: "rtp_cut_short",
        weight: Weight::Concern,
        meaning: "RTP ports had more to read than one look takes: somebody floods them; let the firewall drop what is not your \
                  carrier's",
        read: |sources| of_shards(sources, |stats| stats.cut_short.load(Ordering::Relaxed)),
    },
    Watched {
        name: "rtp_send_failed",
        weight: Weight::Concern,
        meaning: "RTP packets could not be sent; look at this host's routes and firewall",
        read: |sources| of_shards(sources, |stats| stats.send_failed.load(Ordering::Relaxed)),
    },
    Watched {
        name: "events_dropped",
        weight: Weight::Concern,
        meaning: "details of calls were dropped on the way to the database; look at its disk, then raise [data] spool_max_mb",
        read: |sources| sources.spool.dropped_details() + sources.spool.dropped_in_rings(),
    },
    Watched {
        name: "milestones_dropped",
        weight: Weight::Concern,
        meaning: "milestones of calls were dropped, rows may be wrong; make room on the disk of the data directory",
        read: |sources| sources.spool.dropped_milestones(),
    },
    Watched {
        name: "spool_unreadable_bytes",
        weight: Weight::Concern,
        meaning: "bytes of the spool could not be read and were stepped over; check the disk of the data directory",
        read: |sources| sources.store.unreadable_bytes(),
    },
];

/// An operator who watches the log while a trunk is set up sees within this time what was dropped.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Internet-facing ports are scanned all day.
const QUIET: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_told_at_once_and_then_once_a_minute() {
        let mut kind = Kind::new(&WATCHED[0]);
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(kind.news(at(0), 0), None);
        assert_eq!(kind.news(at(10), 3), Some((3, 3)));
        assert_eq!(kind.news(at(20), 9), None);
        assert_eq!(kind.news(at(70), 9), Some((6, 9)));
        assert_eq!(kind.news(at(200), 9), None);
    }

    #[test]
    fn every_counter_has_a_name_of_its_own() {
        for (n, watched) in WATCHED.iter().enumerate() {
            assert!(WATCHED[..n].iter().all(|other| other.name != watched.name), "{}", watched.name);
        }
    }
}
