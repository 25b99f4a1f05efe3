//! Waiting for a condition with a deadline: the only way in which these tests synchronise.

use std::time::{Duration, Instant};

/// Looks again and again until `look` finds something.
///
/// # Panics
/// When `within` has passed; the message tells what was waited for.
#[track_caller]
pub(crate) fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain: {what}");
        std::thread::sleep(GLANCE);
    }
}

/// Lets time pass that belongs to the test itself: how long a call or a hold is to last. Never a way to wait for
/// something.
pub(crate) fn last(duration: Duration) {
    std::thread::sleep(duration);
}

/// Pause between two looks: short beside everything that is waited for, long beside a look.
const GLANCE: Duration = Duration::from_millis(20);
