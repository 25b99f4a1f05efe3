//! `[demo_shop]`: the shop that the demo agent's tools ask.

use std::time::Duration;

use super::table::{Table, integer};

/// `[demo_shop]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DemoShopConfig {
    /// How long each of its tools takes longer than it has to.
    pub delay: Duration,
}

impl DemoShopConfig {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let delay = table.get("delay_ms", integer(0..=MAX_DELAY_MS, "ms"));
        Self { delay: Duration::from_millis(delay.unwrap_or(0)) }
    }
}

/// Longer than any tool is waited for.
const MAX_DELAY_MS: u64 = 10_000;
