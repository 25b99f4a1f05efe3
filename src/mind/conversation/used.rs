//! What was used of providers in a call, for who pays.

use std::collections::BTreeMap;

use crate::call::hop::{Hop, HopEvent};

/// Sums of each provider and unit.
#[derive(Debug, Default)]
pub(in crate::mind) struct Used(BTreeMap<(usize, &'static str), u64>);

impl Used {
    pub(in crate::mind) fn add(&mut self, provider: usize, unit: &'static str, count: u64) {
        if count > 0 {
            let sum = self.0.entry((provider, unit)).or_default();
            *sum = sum.saturating_add(count);
        }
    }

    /// As the log's events; nothing is left.
    pub(in crate::mind) fn take(&mut self, hop: Hop, name: impl Fn(usize) -> String) -> Vec<HopEvent> {
        let sums = std::mem::take(&mut self.0).into_iter();
        let event = |((provider, unit), count): ((usize, &str), u64)| HopEvent::Usage {
            hop,
            provider: name(provider),
            unit: unit.to_owned(),
            count,
        };
        sums.map(event).collect()
    }
}
