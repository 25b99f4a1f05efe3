//! A database that is locked, and a server that dies: no event is lost, none is there twice, and calls are closed
//! truthfully.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "here a failure is the test's failure"
)]

#[path = "common/scratch.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod scratch;
#[path = "store/script.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod script;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use caly::call::cause::HangupCause;
use caly::store::{CallLog, Lookup, SpoolStats, SpoolWriter, Store, StoreReader, event_ring};
use scratch::Scratch;
use script::{Script, call_id};
use sqlx::{Connection as _, SqliteConnection};

#[tokio::test(start_paused = true)]
async fn a_database_locked_for_half_a_minute_costs_nothing() {
    let dir = Scratch::new("locked");
    let store = Store::open_patiently(dir.path(), Duration::from_millis(1)).await.unwrap();
    let stats = spool(dir.path(), &[Script::answered(1), Script::answered(2)]);
    let mut other =
        SqliteConnection::connect(&format!("sqlite:{}", dir.join("caly.db").display())).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();

    let writer = store.start_writer(Arc::clone(&stats));
    let counters = writer.stats();
    let begun = tokio::time::Instant::now();
    // The clock is virtual, the database's own thread is not: it gets real moments to refuse in.
    while begun.elapsed() < Duration::from_secs(30) || counters.failures() < 12 {
        std::thread::park_timeout(Duration::from_millis(1));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(counters.is_failing(), "{counters:?}");
    assert_eq!(counters.applied(), 0);
    assert!(stats.disk_bytes() > 0, "everything waits in the spool");
    let seen = show(dir.path(), 1).await;
    assert_eq!(seen.row.cause.as_deref(), Some("remote_bye"), "what waits can be seen all the same");
    assert_eq!(seen.events_in_spool, u64::try_from(seen.events.len()).unwrap());

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    writer.shutdown().await;
    assert!(!counters.is_failing());
    assert_eq!(counters.applied(), stats.written());
    assert_eq!(stats.disk_bytes(), 0);
    for call in [1, 2] {
        assert_whole(&show(dir.path(), call).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_locked_until_the_end_gets_its_events_at_the_next_start() {
    let dir = Scratch::new("locked-to-the-end");
    let store = Store::open_patiently(dir.path(), Duration::from_millis(1)).await.unwrap();
    let stats = spool(dir.path(), &[Script::answered(1)]);
    let mut other =
        SqliteConnection::connect(&format!("sqlite:{}", dir.join("caly.db").display())).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    store.start_writer(stats).shutdown().await;
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();

    let mut store = Store::open(dir.path()).await.unwrap();
    let recovered = store.recover().await.unwrap();
    assert!(recovered.replayed_events > 0);
    assert_eq!(recovered.closed_calls, 0, "its end was in the spool");
    store.close().await.unwrap();
    assert_whole(&show(dir.path(), 1).await);
}

#[tokio::test]
async fn a_writer_that_dies_at_any_moment_applies_every_event_once() {
    let dir = Scratch::new("dying-writer");
    let scripts: Vec<Script> = (1..=20).map(Script::answered).collect();
    let expected: usize = scripts.iter().map(Script::len).sum();
    // The segments of one spool, given back after every round: as if no deletion had ever happened.
    drop(spool(dir.path(), &scripts));
    let kept = segments(dir.path());
    for _ in 0..5 {
        for (name, bytes) in &kept {
            std::fs::write(dir.join("spool").join(name), bytes).unwrap();
        }
        let mut store = Store::open(dir.path()).await.unwrap();
        store.recover().await.unwrap();
        // Dropped without being closed, as a killed process leaves it.
        drop(store);
    }
    let mut connection =
        SqliteConnection::connect(&format!("sqlite:{}", dir.join("caly.db").display())).await.unwrap();
    let events: i64 =
        sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&mut connection).await.unwrap();
    assert_eq!(usize::try_from(events).unwrap(), expected);
    for call in 1..=20 {
        assert_whole(&show(dir.path(), call).await);
    }
}

#[tokio::test]
async fn a_torn_spool_keeps_every_whole_event() {
    let dir = Scratch::new("torn-spool");
    drop(spool(dir.path(), &[Script::answered(1)]));
    let (name, bytes) = segments(dir.path()).pop().unwrap();
    std::fs::write(dir.join("spool").join(&name), &bytes[..bytes.len() - 3]).unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    let recovered = store.recover().await.unwrap();
    store.close().await.unwrap();
    let log = show(dir.path(), 1).await;
    assert!(recovered.unreadable_bytes > 0);
    assert_eq!(recovered.replayed_events, u64::try_from(Script::answered(1).len()).unwrap() - 1);
    assert_eq!(log.row.cause.as_deref(), Some("remote_bye"), "only the recorder's report was torn off");
    let last = log.events.last().unwrap();
    assert_eq!(last.r#type, "recording_failed", "there is no such file, and the log says so");
}

#[tokio::test]
async fn a_call_without_an_end_is_closed_as_lost_and_only_once() {
    let dir = Scratch::new("lost-call");
    let unfinished = Script::answered(1).cut_at(5_000);
    drop(spool(dir.path(), &[unfinished, Script::answered(2)]));
    for round in 0..2 {
        let mut store = Store::open(dir.path()).await.unwrap();
        let recovered = store.recover().await.unwrap();
        assert_eq!(recovered.closed_calls, u64::from(round == 0));
        store.close().await.unwrap();
    }
    let lost = show(dir.path(), 1).await;
    assert_eq!(lost.row.cause.as_deref(), Some(HangupCause::ServerLost.as_str()));
    assert_eq!(lost.row.ended_at, Some(lost.row.started_at + 550_000), "the ACK was the last that was known");
    assert_eq!((lost.row.talk_ms, lost.row.status), (Some(510), Some(200)));
    let types: Vec<&str> = lost.events.iter().rev().take(2).map(|event| event.r#type.as_str()).collect();
    assert_eq!(types, ["ended", "recording_failed"]);
    assert_eq!(lost.events.iter().filter(|event| event.r#type == "ended").count(), 1);
    assert_eq!(show(dir.path(), 2).await.row.cause.as_deref(), Some("remote_bye"));
}

#[tokio::test]
async fn calls_can_be_read_while_the_server_writes() {
    let dir = Scratch::new("readers");
    let mut store = Store::open(dir.path()).await.unwrap();
    drop(spool(dir.path(), &[Script::answered(1)]));
    store.recover().await.unwrap();
    let mut reader = StoreReader::open(dir.path()).await.unwrap();
    let part = &call_id(1).to_string()[24..];
    assert!(matches!(reader.find(part).await.unwrap(), Lookup::Found(_)));
    assert!(matches!(reader.find("no-such").await.unwrap(), Lookup::Absent));
    assert!(matches!(reader.find("%%%%%%").await.unwrap(), Lookup::Absent));
    drop(spool(dir.path(), &[Script::answered(2)]));
    assert!(matches!(reader.find("018bcfe5").await.unwrap(), Lookup::Several(ids) if ids.len() == 2));
    let list = reader.list(&caly::store::CallFilter { limit: 10, ..Default::default() }).await.unwrap();
    let ids: Vec<&str> = list.calls.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, [call_id(2).to_string(), call_id(1).to_string()], "the newest first");
    assert!(list.events_in_spool > 0);
    store.recover().await.unwrap();
    assert_eq!(
        reader.list(&caly::store::CallFilter { limit: 1, ..Default::default() }).await.unwrap().calls.len(),
        1
    );
}

/// Sends the calls through a ring and the spool's thread.
fn spool(dir: &Path, scripts: &[Script]) -> Arc<SpoolStats> {
    let (mut sender, receiver) = event_ring();
    let spool = SpoolWriter::start(&dir.join("spool"), vec![receiver], 64 * 1024 * 1024).unwrap();
    for script in scripts {
        script.append_to(&mut sender);
    }
    let stats = spool.stats();
    spool.shutdown().unwrap();
    stats
}

fn segments(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(dir.join("spool")).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

async fn show(dir: &Path, call: u8) -> CallLog {
    let mut reader = StoreReader::open(dir).await.unwrap();
    let Lookup::Found(log) = reader.find(&call_id(call).to_string()).await.unwrap() else {
        panic!("no call {call}")
    };
    *log
}

/// Every event of [`Script::answered`] is there in order, and the row is theirs.
fn assert_whole(log: &CallLog) {
    let seqs: Vec<u64> = log.events.iter().map(|event| event.seq).collect();
    let expected: Vec<u64> = (0..u64::try_from(Script::answered(1).len()).unwrap()).collect();
    assert_eq!(seqs, expected);
    assert_eq!((log.row.state.as_str(), log.row.cause.as_deref()), ("ended", Some("remote_bye")));
    assert_eq!((log.row.talk_ms, log.row.recording_ms), (Some(5_000), Some(5_000)));
}
