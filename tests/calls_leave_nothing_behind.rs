//! When calls have ended, nothing of them is left: no file descriptor, no thread, no bound port, and not one call was lost
//! on the way. `make bench` does the same with more calls for longer, and then looks at the memory as well.

mod common;

use std::time::Duration;

use common::namespace::with_own_network;
use common::soak::{self, SoakPlan};

#[test]
fn hundreds_of_calls_come_and_go_and_leave_nothing() {
    with_own_network("hundreds_of_calls_come_and_go_and_leave_nothing", || {
        let soaked = soak::run(SoakPlan {
            steady_calls: 100,
            steady: Duration::from_secs(10),
            short_calls: 300,
            short_calls_per_second: 50,
            warm_up_calls: 50,
            settle: Duration::ZERO,
            memory_growth_percent: None,
        });
        assert_eq!(soaked.faults(), Vec::<String>::new(), "{soaked:?}");
        // An RTP and an RTCP socket for each call, or the baseline says nothing.
        assert!(soaked.loaded.sockets >= soaked.baseline.sockets + 200, "{soaked:?}");
    });
}
