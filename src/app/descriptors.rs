//! File descriptors: a call takes two, and the usual soft limit of 1024 would end at some 500 calls.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the process's limit as far as it may, and says so if the configured calls do not fit.
pub(super) fn raise_limit(calls: usize) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let wanted =
        u64::try_from(calls).unwrap_or(u64::MAX).saturating_mul(PER_CALL).saturating_add(BESIDE_CALLS);
    if hard < wanted {
        tracing::warn!(
            limit = hard,
            wanted,
            "fewer files may be open than [limits] calls need: raise it (ulimit -Hn, LimitNOFILE= of systemd) or lower calls"
        );
    }
}

/// An RTP and an RTCP socket.
const PER_CALL: u64 = 2;
/// Connections, recordings, database, spool.
const BESIDE_CALLS: u64 = 256;
