//! What a server does about the calls of a predecessor that was killed: their events are taken from the spool, their
//! recordings are closed, and calls without an end get one that says so.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;

use super::apply::apply;
use super::database::Store;
use super::error::StoreError;
use super::row::{CallRow, call_time};
use super::spool::SpoolReader;
use crate::call::cause::HangupCause;
use crate::call::log::{CallTime, Ended, Event, Record, UnixMicros};
use crate::recorder;

/// What [`Store::recover`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Events that waited in the spool.
    pub replayed_events: u64,
    /// Bytes at torn ends or damaged places of the spool.
    pub unreadable_bytes: u64,
    /// Calls that were closed as `server_lost`.
    pub closed_calls: u64,
    /// Recordings whose headers were repaired.
    pub repaired_recordings: u64,
}

impl Store {
    /// Puts a killed predecessor's traces in order. To be called before the spool and the recorder of this server start.
    ///
    /// # Errors
    /// When the spool cannot be read or the database does not take what is in it.
    pub async fn recover(&mut self) -> Result<Recovered, StoreError> {
        let mut recovered = self.replay_spool().await?;
        let recordings = self.data.recordings();
        let repaired = recorder::repair(&recordings)
            .map_err(|source| StoreError::Folder { path: recordings.clone(), source })?;
        recovered.repaired_recordings = repaired.len().try_into().unwrap_or(u64::MAX);
        let repaired: HashMap<String, u64> =
            repaired.into_iter().map(|repaired| (repaired.file, repaired.duration_ms)).collect();
        let file = self.data.database();
        while let Some(closed) =
            self.close_some(&repaired).await.map_err(|error| StoreError::of(&file, error))?
        {
            recovered.closed_calls += closed;
        }
        if recovered != Recovered::default() {
            tracing::info!(?recovered, "put the traces of a server that did not end in order right");
        }
        Ok(recovered)
    }

    async fn replay_spool(&mut self) -> Result<Recovered, StoreError> {
        let mut recovered = Recovered::default();
        let (file, spool) = (self.data.database(), self.data.spool());
        let mut reader = SpoolReader::new(spool.clone());
        loop {
            let batch = reader
                .read(u64::MAX, BATCH_RECORDS)
                .map_err(|source| StoreError::Folder { path: spool.clone(), source })?;
            if batch.is_empty() {
                return Ok(recovered);
            }
            let applied = apply(&mut self.connection, &batch.records).await;
            recovered.replayed_events += applied.map_err(|error| StoreError::of(&file, error))?;
            recovered.unreadable_bytes += batch.lost_bytes;
            reader.commit(&batch);
        }
    }

    /// Completes some of the calls that need it and tells how many got an end; `None` when all are complete.
    async fn close_some(&mut self, repaired: &HashMap<String, u64>) -> Result<Option<u64>, sqlx::Error> {
        let rows: Vec<CallRow> = sqlx::query_as(
            "SELECT * FROM calls WHERE ended_at IS NULL \
             OR (recording_file IS NOT NULL AND recording_ms IS NULL AND recording_error IS NULL) LIMIT 256",
        )
        .fetch_all(&mut self.connection)
        .await?;
        let mut records = Vec::new();
        for row in &rows {
            let recording = row.recording_file.as_deref().map(|file| self.recording_found(file, repaired));
            let log = log_end(&mut self.connection, &row.id).await?;
            records.extend(completion(row, &log, recording));
        }
        if records.is_empty() {
            return Ok(None);
        }
        let closed = records.iter().filter(|record| matches!(record.event, Event::Ended(_))).count();
        apply(&mut self.connection, &records).await?;
        Ok(Some(closed.try_into().unwrap_or(u64::MAX)))
    }

    fn recording_found(&self, file: &str, repaired: &HashMap<String, u64>) -> Found {
        match repaired.get(file) {
            Some(&duration_ms) => Found::Repaired { duration_ms },
            None => recorder::duration_ms(&self.data.recordings(), file)
                .map_or(Found::Nothing, |duration_ms| Found::Complete { duration_ms }),
        }
    }
}

/// What lies in the recordings folder for a call.
#[derive(Clone, Copy, Debug)]
enum Found {
    /// A file that the server had left open.
    Repaired { duration_ms: u64 },
    /// A file that was closed in order, but the server died before it could say so.
    Complete { duration_ms: u64 },
    /// No file that can be read.
    Nothing,
}

/// Where a call's log stops.
#[derive(Debug)]
struct LogEnd {
    next_seq: u64,
    at: CallTime,
    recording_began: Option<CallTime>,
}

async fn log_end(connection: &mut SqliteConnection, id: &str) -> Result<LogEnd, sqlx::Error> {
    let (seq, at): (Option<i64>, Option<i64>) =
        sqlx::query_as("SELECT max(seq), max(at_us) FROM events WHERE call_id = $1")
            .bind(id)
            .fetch_one(&mut *connection)
            .await?;
    let began: Option<i64> =
        sqlx::query_scalar("SELECT max(at_us) FROM events WHERE call_id = $1 AND type = 'recording_started'")
            .bind(id)
            .fetch_one(connection)
            .await?;
    let time = |micros: i64| CallTime(u64::try_from(micros).unwrap_or(0));
    Ok(LogEnd {
        next_seq: seq.map_or(0, |seq| u64::try_from(seq).unwrap_or(0) + 1),
        at: time(at.unwrap_or(0)),
        recording_began: began.map(time),
    })
}

/// The events that a call's log is missing at its end.
fn completion(row: &CallRow, log: &LogEnd, recording: Option<Found>) -> Vec<Record> {
    let Ok(call) = row.id.parse() else {
        tracing::error!(id = %row.id, "a call in the database has an id that is none");
        return Vec::new();
    };
    let at = last_sign_of_life(log, recording);
    let mut events = Vec::new();
    if row.has_open_recording()
        && let (Some(file), Some(found)) = (row.recording_file.clone(), recording)
    {
        events.push(recording_end(file, found));
    }
    if row.ended_at.is_none() {
        events.push(Event::Ended(lost(row, at)));
    }
    let numbered = (log.next_seq..).zip(events);
    numbered.map(|(seq, event)| Record { call, seq, at, event }).collect()
}

fn last_sign_of_life(log: &LogEnd, recording: Option<Found>) -> CallTime {
    let recorded_ms = match recording {
        Some(Found::Repaired { duration_ms } | Found::Complete { duration_ms }) => duration_ms,
        Some(Found::Nothing) | None => 0,
    };
    let began = log.recording_began.unwrap_or_default();
    let recorded = CallTime(began.0.saturating_add(recorded_ms.saturating_mul(1000)));
    log.at.max(recorded)
}

fn recording_end(file: String, found: Found) -> Event {
    match found {
        Found::Repaired { duration_ms } => {
            let error = format!("the server died while it recorded; {duration_ms} ms were saved");
            Event::RecordingFailed { file, error, duration_ms }
        }
        // Blocks that came too late were not told either; the file itself is complete.
        Found::Complete { duration_ms } => Event::RecordingFinished { file, duration_ms, missing_blocks: 0 },
        Found::Nothing => {
            let error = "the server died while it recorded; there is no file".to_owned();
            Event::RecordingFailed { file, error, duration_ms: 0 }
        }
    }
}

fn lost(row: &CallRow, at: CallTime) -> Ended {
    let answered = row.answered_at.map(|answered_at| call_time(row.started_at, UnixMicros(answered_at)));
    let talk_us = answered.map_or(0, |answered| at.0.saturating_sub(answered.0));
    Ended {
        cause: HangupCause::ServerLost,
        status: answered.map(|_| 200),
        reason: None,
        talk_ms: talk_us / 1000,
    }
}

/// Events of one transaction.
const BATCH_RECORDS: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::scratch::Folder;
    use crate::store::{SpoolWriter, Turn, event_ring, sample};

    /// What a server that was killed leaves in its spool.
    fn leave(store: &Store, records: &[Record]) {
        let (mut sender, receiver) = event_ring();
        let spool = SpoolWriter::start(&store.data.spool(), vec![receiver], 1024 * 1024).unwrap();
        records.iter().for_each(|record| sender.append(record.clone()));
        spool.shutdown().unwrap();
    }

    async fn kept(store: &mut Store) -> (CallRow, Vec<Turn>) {
        let row = sqlx::query_as("SELECT * FROM calls").fetch_one(&mut store.connection).await.unwrap();
        let turns = sqlx::query_as("SELECT * FROM turns ORDER BY seq").fetch_all(&mut store.connection).await;
        (row, turns.unwrap())
    }

    #[tokio::test]
    async fn a_conversation_is_kept_once_when_its_server_is_killed() {
        let dir = Folder::new("recover-dialogue");
        let mut store = Store::open(dir.path()).await.unwrap();
        let records = sample::agent_call(sample::call(1));
        // Killed while the agent said goodbye, with a part of the spool in the database already.
        let (known, killed) = (&records[..9], &records[..records.len() - 2]);
        apply(&mut store.connection, known).await.unwrap();
        leave(&store, killed);
        assert_eq!(store.recover().await.unwrap().closed_calls, 1);
        let once = kept(&mut store).await;
        assert_eq!(once.0.cause.as_deref(), Some("server_lost"));
        assert_eq!((once.0.agent.as_deref(), once.0.digits), (Some("Caly"), 8));
        let last = once.1.last().unwrap();
        assert_eq!((last.text.as_deref(), last.heard_ms), (Some("Thank you, goodbye."), Some(0)));
        assert_eq!(last.interrupted_by.as_deref(), Some("end"));
        leave(&store, killed);
        assert_eq!(store.recover().await.unwrap().replayed_events, 0);
        assert_eq!(kept(&mut store).await, once);
    }
}
