//! What both said, by the vendor's names and by ours, and how much sound came of each.

use std::collections::VecDeque;
use std::time::Duration;

use crate::realtime::ItemId;

/// The items of a call; the oldest are forgotten.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: VecDeque<Item>,
    next: u64,
}

#[derive(Debug)]
struct Item {
    id: ItemId,
    /// The vendor's name; none if it was that of another session.
    name: Option<String>,
    bytes: u64,
    /// Silence at its beginning that nobody hears.
    trimmed: Duration,
}

impl Items {
    /// Our name of what the vendor calls so.
    pub(super) fn id(&mut self, name: &str) -> ItemId {
        if let Some(known) = self.items.iter().rev().find(|item| item.name.as_deref() == Some(name)) {
            return known.id;
        }
        if self.items.len() >= MAX_ITEMS {
            self.items.pop_front();
        }
        let id = ItemId(self.next);
        self.next += 1;
        self.items.push_back(Item { id, name: Some(name.to_owned()), bytes: 0, trimmed: Duration::ZERO });
        id
    }

    /// So much sound more has come.
    pub(super) fn add(&mut self, id: ItemId, bytes: usize) {
        if let Some(item) = self.items.iter_mut().find(|item| item.id == id) {
            item.bytes += bytes as u64;
        }
    }

    /// So much of its beginning was silence, which was left out.
    pub(super) fn trim(&mut self, id: ItemId, trimmed: Duration) {
        if let Some(item) = self.items.iter_mut().find(|item| item.id == id) {
            item.trimmed = trimmed;
        }
    }

    /// How much of its beginning was left out.
    pub(super) fn trimmed(&self, id: ItemId) -> Duration {
        self.items.iter().find(|item| item.id == id).map_or(Duration::ZERO, |item| item.trimmed)
    }

    /// How much sound has come.
    pub(super) fn bytes(&self, id: ItemId) -> u64 {
        self.items.iter().find(|item| item.id == id).map_or(0, |item| item.bytes)
    }

    /// What the vendor is to be told: of this item so much was heard, unless all of it was, and nothing of those with sound after it.
    pub(super) fn cut(&self, id: ItemId, heard: Option<Duration>) -> Vec<(String, Duration)> {
        let cut = |item: &Item| {
            let heard = if item.id == id { heard? } else { Duration::ZERO };
            Some((item.name.clone()?, heard))
        };
        self.items.iter().filter(|item| item.id >= id && item.bytes > 0).filter_map(cut).collect()
    }

    /// The vendor's names are of no meaning any more.
    pub(super) fn forget_names(&mut self) {
        self.items.iter_mut().for_each(|item| item.name = None);
    }
}

/// More than can be on its way or in playback.
const MAX_ITEMS: usize = 64;
