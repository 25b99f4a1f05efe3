//! Memory of ended calls goes back to the system. The allocator keeps what was freed, spread over an arena for each thread: after a
//! busy hour a server would hold as much as it needed then. Giving it back locks the allocator for a few milliseconds, so it is
//! done only while there is no call.
#![allow(unsafe_code, reason = "the allocator is asked by a C function, see `give_back`")]

use std::time::Duration;

use tokio::time::Instant;

/// Notices when calls are over.
#[derive(Debug, Default)]
pub(super) struct Memory {
    idle_since: Option<Instant>,
    /// Whether there were calls since memory was last given back for good.
    is_due: bool,
}

impl Memory {
    /// Ask now and then: whether memory is to be given back now. It is once the last call is long enough over for its SIP
    /// transactions to be forgotten too.
    pub(super) fn is_to_be_given_back(&mut self, now: Instant, calls: usize) -> bool {
        if calls > 0 {
            *self = Self { idle_since: None, is_due: true };
            return false;
        }
        let since = *self.idle_since.get_or_insert(now);
        let is_quiet = now.duration_since(since) >= TRANSACTIONS_LAST;
        is_quiet && std::mem::take(&mut self.is_due)
    }
}

/// Gives freed memory back to the system.
#[cfg(target_env = "gnu")]
pub(super) fn give_back() {
    // SAFETY: the function takes no pointer, changes no allocation that is in use, and may be called by any thread.
    unsafe { nix::libc::malloc_trim(0) };
}

/// Other allocators see to it themselves.
#[cfg(not(target_env = "gnu"))]
pub(super) fn give_back() {}

/// Timers H, J and L run for 32 s (64 x T1, RFC 3261 17), and what they hold is looked at once a second.
const TRANSACTIONS_LAST: Duration = Duration::from_secs(34);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_after_the_last_call_is_long_over() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut memory = Memory::default();
        assert!(!memory.is_to_be_given_back(at(0), 0));
        assert!(!memory.is_to_be_given_back(at(100), 0), "there was no call");
        assert!(!memory.is_to_be_given_back(at(101), 3));
        assert!(!memory.is_to_be_given_back(at(110), 0));
        assert!(!memory.is_to_be_given_back(at(120), 1), "a call came meanwhile");
        assert!(!memory.is_to_be_given_back(at(130), 0));
        assert!(!memory.is_to_be_given_back(at(163), 0));
        assert!(memory.is_to_be_given_back(at(164), 0));
        assert!(!memory.is_to_be_given_back(at(200), 0), "once is enough");
    }
}
