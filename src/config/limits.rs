//! `[limits]` and `[engine]`: how much is taken on, how long it may last, and on how many threads.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::table::{Table, integer};

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Calls at the same time; more get 503.
    pub calls: usize,
    /// INVITEs per second from one address, twice as many at once; more get 503 and leave no row.
    pub invites_per_second_per_source: u32,
    /// How long a call may last.
    pub max_duration: Duration,
    /// How long a call may ring.
    pub ring_timeout: Duration,
    /// How long running calls may go on after the signal to stop.
    pub grace: Duration,
}

/// `[engine]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineConfig {
    /// Media threads; `None` for one less than there are cores, and one at least.
    pub shards: Option<NonZeroUsize>,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            calls: 1000,
            invites_per_second_per_source: 50,
            max_duration: Duration::from_secs(14_400),
            ring_timeout: Duration::from_secs(180),
            grace: Duration::from_secs(280),
        }
    }
}

impl LimitsConfig {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let default = Self::default();
        let calls = table.get("calls", integer(1..=30_000, "calls"));
        let invites = table.get("invites_per_second_per_source", integer(1..=100_000, "per second"));
        let max_duration_s = table.get("max_duration_s", integer(1..=604_800, "s"));
        let ring_timeout_s = table.get("ring_timeout_s", integer(1..=600, "s"));
        let grace_s = table.get("grace_s", integer(0..=3600, "s"));
        Self {
            calls: calls.and_then(|calls| calls.try_into().ok()).unwrap_or(default.calls),
            invites_per_second_per_source: invites
                .and_then(|invites| invites.try_into().ok())
                .unwrap_or(default.invites_per_second_per_source),
            max_duration: max_duration_s.map_or(default.max_duration, Duration::from_secs),
            ring_timeout: ring_timeout_s.map_or(default.ring_timeout, Duration::from_secs),
            grace: grace_s.map_or(default.grace, Duration::from_secs),
        }
    }
}

impl EngineConfig {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let shards = table.get("shards", integer(1..=256, "threads"));
        Self { shards: shards.and_then(|shards| NonZeroUsize::new(shards.try_into().ok()?)) }
    }
}
