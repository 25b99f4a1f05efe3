//! What the process says of a panic. On a shard's thread a panic ends one call and the others go on, so it is told in
//! one line there: finding the names for a backtrace reads the program's debug information, which may take longer than
//! the other calls can wait.

use std::panic;
use std::sync::Once;

use crate::engine::is_shard;

/// Makes it so for the whole process, once. Other threads tell of their panics as before.
pub(super) fn tell_briefly_on_shards() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !is_shard(&std::thread::current()) {
                return before(panic);
            }
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(place, "panic: {}", panic.payload_as_str().unwrap_or("of no known type"));
        }));
    });
}
