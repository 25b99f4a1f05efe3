//! Calls that strangers flood: their sockets are emptied at every wake-up of the shard, before the kernel's buffer is full of
//! foreign packets and drops the peer's.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::clock::Wake;
use super::shard::Shard;
use super::surroundings::Surroundings;
use super::tick::TickIo;

impl<S: Surroundings> Shard<S> {
    /// A call's own tick has found a flood. It is looked at more often, unless too many are already.
    pub(super) fn note_flood(&mut self, index: usize) {
        if self.flooded.len() < MAX_FLOODED && !self.flooded.contains(&index) {
            self.flooded.push(index);
        }
    }

    /// Empties the sockets of flooded calls, also between their ticks.
    pub(super) fn relieve_flooded(&mut self, wake: &Wake) {
        let mut n = 0;
        while let Some(&index) = self.flooded.get(n) {
            match self.relieve(index, wake) {
                Flood::GoesOn => n += 1,
                Flood::Over => drop(self.flooded.swap_remove(n)),
            }
        }
    }

    fn relieve(&mut self, index: usize, wake: &Wake) -> Flood {
        let entry = self.calls.get_mut(index).and_then(Option::as_mut);
        let Some(live) = entry.and_then(|entry| entry.live.as_mut()) else { return Flood::Over };
        // Its own tick has emptied it in this very wake-up, or has found the flood to be over.
        if !live.is_flooded {
            return Flood::Over;
        }
        if live.drained_at == wake.now() {
            return Flood::GoesOn;
        }
        let mut io = TickIo {
            surroundings: &self.surroundings,
            stats: &self.stats,
            pacing: &mut self.pacing,
            buffer: &mut self.buffer[..],
            capture: &mut self.links.capture,
            refusals_left: &mut self.refusals_left,
        };
        if catch_unwind(AssertUnwindSafe(|| io.relieve(live, wake))).is_err() {
            self.end_panicked(index, wake.now());
            return Flood::Over;
        }
        // A quarter of a tick's flood is a flood still: only the next tick says that it is over.
        live.is_flooded = true;
        Flood::GoesOn
    }
}

/// What a look at a flooded call's socket has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flood {
    GoesOn,
    Over,
}

/// Flooded calls that are looked at more often than others; more floods than this fill the line anyway.
const MAX_FLOODED: usize = 32;
