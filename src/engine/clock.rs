//! The shell's clocks. The cores only see [`Instant`]s that come from here; wall-clock time is used for nothing but to
//! read the kernel's receive timestamps, so a step of the wall clock changes no call.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

/// Relates [`Instant`] to the kernel's monotonic clock, so that a thread can sleep to an absolute tick.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
    epoch_monotonic: Duration,
}

impl Clock {
    /// Reads both clocks once.
    pub fn new() -> Self {
        Self { epoch: Instant::now(), epoch_monotonic: read(ClockId::CLOCK_MONOTONIC) }
    }

    /// The present.
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Sleeps until `deadline`, to the absolute time: a late wake-up never delays the next one.
    pub fn sleep_until(&self, deadline: Instant) {
        let since_epoch = deadline.saturating_duration_since(self.epoch);
        let request = TimeSpec::from_duration(self.epoch_monotonic + since_epoch);
        // EINTR: a signal arrived; the absolute deadline still stands. Any other error cannot occur with a
        // valid clock and a normalised time, and returning early only costs one spin of the caller's loop.
        while clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &request)
            == Err(Errno::EINTR)
        {}
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// One wake-up of a thread: the same moment in both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Wake {
    now: Instant,
    unix: Duration,
}

impl Wake {
    /// Reads both clocks.
    pub fn sample(clock: &Clock) -> Self {
        Self { now: clock.now(), unix: read(ClockId::CLOCK_REALTIME) }
    }

    /// A wake-up at a moment that is `now`, and `unix` since the Unix epoch.
    pub fn at(now: Instant, unix: Duration) -> Self {
        Self { now, unix }
    }

    /// When the thread woke.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// When a datagram arrived, from the kernel's wall-clock stamp. It arrived after `earliest`, when its socket was
    /// last found empty, and not in the future, whatever the wall clock did between.
    pub fn arrival(&self, stamp: Option<Duration>, earliest: Instant) -> Instant {
        let Some(stamp) = stamp else { return self.now };
        let age = self.unix.saturating_sub(stamp);
        let arrival = self.now.checked_sub(age).unwrap_or(earliest);
        arrival.clamp(earliest.min(self.now), self.now)
    }
}

fn read(clock: ClockId) -> Duration {
    // CLOCK_MONOTONIC and CLOCK_REALTIME exist on every Linux; a failure would be a broken kernel.
    clock_gettime(clock).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wake(now: Instant, unix_ms: u64) -> Wake {
        Wake { now, unix: Duration::from_millis(unix_ms) }
    }

    #[test]
    fn a_kernel_stamp_becomes_monotonic_time() {
        let now = Instant::now() + Duration::from_secs(10);
        let at =
            wake(now, 50_000).arrival(Some(Duration::from_millis(49_993)), now - Duration::from_millis(20));
        assert_eq!(now - at, Duration::from_millis(7));
    }

    #[test]
    fn a_wall_clock_step_of_an_hour_cannot_move_an_arrival_out_of_the_tick() {
        let now = Instant::now() + Duration::from_secs(10_000);
        let earliest = now - Duration::from_millis(20);
        let hour = Duration::from_secs(3600);
        let stepped_back =
            wake(now, 50_000_000).arrival(Some(Duration::from_millis(50_000_000) + hour), earliest);
        assert_eq!(stepped_back, now);
        let stepped_on =
            wake(now, 50_000_000).arrival(Some(Duration::from_millis(50_000_000) - hour), earliest);
        assert_eq!(stepped_on, earliest);
    }

    #[test]
    fn without_a_stamp_the_wake_up_is_the_arrival() {
        let now = Instant::now() + Duration::from_secs(10);
        assert_eq!(wake(now, 1).arrival(None, now), now);
    }
}
