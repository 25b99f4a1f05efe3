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
    if let Some(shortage) = shortage_of_files(calls) {
        tracing::warn!("{shortage}");
    }
}

/// What to do if fewer files may be open than `calls` calls need; `None` if they fit.
pub fn shortage_of_files(calls: usize) -> Option<String> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let wanted =
        u64::try_from(calls).unwrap_or(u64::MAX).saturating_mul(PER_CALL).saturating_add(BESIDE_CALLS);
    (hard < wanted).then(|| {
        format!(
            "{hard} files may be open, but [limits] calls = {calls} need {wanted}; raise the limit (ulimit -Hn, \
             LimitNOFILE= of systemd) or lower calls"
        )
    })
}

/// An RTP and an RTCP socket.
const PER_CALL: u64 = 2;
/// Connections, recordings, database, spool.
const BESIDE_CALLS: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_beyond_the_limit_of_open_files_are_told() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(shortage_of_files(0), None);
        let too_many = usize::try_from(hard / 2).unwrap();
        let told = shortage_of_files(too_many).unwrap();
        assert!(
            told.starts_with(&format!("{hard} files may be open, but [limits] calls = {too_many}")),
            "{told}"
        );
    }
}
