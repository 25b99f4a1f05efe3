//! Putting events into the database: each (call, number) once, and the call's row and turns with them, in one transaction.

mod turns;

use std::collections::{BTreeMap, HashSet};

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, QueryBuilder, Sqlite};

use super::row::{CallRow, event_type, int};
use crate::call::log::Record;

/// Inserts those of `records` that are not there yet and brings their calls' rows and turns up to date. Returns how many were
/// new. Records that were applied before change nothing.
///
/// # Errors
/// When the database does not take them; then nothing of it is in the database.
pub(super) async fn apply(connection: &mut SqliteConnection, records: &[Record]) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut fresh = HashSet::new();
    for chunk in records.chunks(EVENTS_PER_STATEMENT) {
        insert_events(&mut transaction, chunk, &mut fresh).await?;
    }
    let applied = int_of(fresh.len());
    let before = rows_of(&mut transaction, &fresh).await?;
    let news: Vec<(String, &Record)> = records
        .iter()
        .map(|record| (record.call.to_string(), record))
        .filter(|(id, record)| fresh.remove(&(id.clone(), int(record.seq))))
        .collect();
    let after = fold(&news, &before);
    let changed: Vec<CallRow> = after.into_values().filter(|row| before.get(&row.id) != Some(row)).collect();
    for chunk in changed.chunks(ROWS_PER_STATEMENT) {
        upsert_rows(&mut transaction, chunk).await?;
    }
    turns::apply(&mut transaction, &news).await?;
    transaction.commit().await?;
    Ok(applied)
}

async fn insert_events(
    connection: &mut SqliteConnection,
    records: &[Record],
    fresh: &mut HashSet<(String, i64)>,
) -> Result<(), sqlx::Error> {
    let mut bodies = Vec::with_capacity(records.len());
    for record in records {
        bodies.push(serde_json::to_string(&record.event).map_err(|error| sqlx::Error::Encode(error.into()))?);
    }
    let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO events (call_id, seq, at_us, type, body) ");
    query.push_values(records.iter().zip(bodies), |mut values, (record, body)| {
        values
            .push_bind(record.call.to_string())
            .push_bind(int(record.seq))
            .push_bind(int(record.at.0))
            .push_bind(event_type(&record.event))
            .push_bind(body);
    });
    query.push(" ON CONFLICT (call_id, seq) DO NOTHING RETURNING call_id, seq");
    let inserted: Vec<(String, i64)> = query.build_query_as().fetch_all(connection).await?;
    fresh.extend(inserted);
    Ok(())
}

async fn rows_of(
    connection: &mut SqliteConnection,
    fresh: &HashSet<(String, i64)>,
) -> Result<BTreeMap<String, CallRow>, sqlx::Error> {
    let ids: HashSet<&String> = fresh.iter().map(|(id, _)| id).collect();
    let ids: Vec<&String> = ids.into_iter().collect();
    let mut rows = BTreeMap::new();
    for chunk in ids.chunks(EVENTS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM calls WHERE id IN (");
        let mut list = query.separated(", ");
        for id in chunk {
            list.push_bind((*id).clone());
        }
        query.push(")");
        let found: Vec<CallRow> = query.build_query_as().fetch_all(&mut *connection).await?;
        rows.extend(found.into_iter().map(|row| (row.id.clone(), row)));
    }
    Ok(rows)
}

/// The rows of `before` with `news` applied.
fn fold(news: &[(String, &Record)], before: &BTreeMap<String, CallRow>) -> BTreeMap<String, CallRow> {
    let mut rows: BTreeMap<String, CallRow> = BTreeMap::new();
    for (id, record) in news {
        let known = || before.get(id).cloned().unwrap_or_else(|| CallRow::new(record.call));
        rows.entry(id.clone()).or_insert_with(known).apply(record.at, &record.event);
    }
    rows
}

async fn upsert_rows(connection: &mut SqliteConnection, rows: &[CallRow]) -> Result<(), sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO calls (id, ");
    query.push(COLUMNS.join(", "));
    query.push(") ");
    query.push_values(rows, |mut values, row| {
        values.push_bind(row.id.clone());
        bind_row(&mut values, row);
        bind_quality(&mut values, row);
    });
    query.push(" ON CONFLICT (id) DO UPDATE SET ");
    let mut assignments = query.separated(", ");
    for column in COLUMNS {
        assignments.push(format_args!("{column} = excluded.{column}"));
    }
    query.build().execute(connection).await?;
    Ok(())
}

type Values<'qb> = sqlx::query_builder::Separated<'qb, Sqlite, &'static str>;

/// The first 28 of [`COLUMNS`].
fn bind_row(values: &mut Values<'_>, row: &CallRow) {
    values
        .push_bind(row.started_at)
        .push_bind(row.answered_at)
        .push_bind(row.ended_at)
        .push_bind(row.state.clone())
        .push_bind(row.direction.clone())
        .push_bind(row.trunk.clone())
        .push_bind(row.peer.clone())
        .push_bind(row.transport.clone())
        .push_bind(row.from_uri.clone())
        .push_bind(row.to_uri.clone())
        .push_bind(row.number.clone())
        .push_bind(row.sip_call_id.clone())
        .push_bind(row.destination.clone())
        .push_bind(row.codec.clone())
        .push_bind(row.cause.clone())
        .push_bind(row.status)
        .push_bind(row.reason.clone())
        .push_bind(row.talk_ms)
        .push_bind(row.dropped_events)
        .push_bind(row.recording_file.clone())
        .push_bind(row.recording_ms)
        .push_bind(row.recording_missing_blocks)
        .push_bind(row.recording_error.clone())
        .push_bind(row.agent.clone())
        .push_bind(row.outcome.clone())
        .push_bind(row.turns)
        .push_bind(row.barge_ins)
        .push_bind(row.digits);
}

/// The rest of [`COLUMNS`].
fn bind_quality(values: &mut Values<'_>, row: &CallRow) {
    let quality = &row.quality;
    values
        .push_bind(quality.mos)
        .push_bind(quality.loss_percent)
        .push_bind(quality.jitter_p50_ms)
        .push_bind(quality.jitter_p95_ms)
        .push_bind(quality.jitter_max_ms)
        .push_bind(quality.rtt_ms)
        .push_bind(quality.remote_loss_percent)
        .push_bind(quality.packets_received)
        .push_bind(quality.packets_sent)
        .push_bind(quality.packets_lost)
        .push_bind(quality.packets_late)
        .push_bind(quality.packets_duplicate)
        .push_bind(quality.packets_reordered)
        .push_bind(quality.packets_foreign)
        .push_bind(quality.packets_invalid)
        .push_bind(quality.slips)
        .push_bind(quality.concealed_ms)
        .push_bind(quality.ticks)
        .push_bind(quality.ticks_missed)
        .push_bind(quality.pacing_p50_us)
        .push_bind(quality.pacing_p99_us);
}

fn int_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The columns of `calls` behind `id`, in the order in which they are bound.
const COLUMNS: [&str; 49] = [
    "started_at",
    "answered_at",
    "ended_at",
    "state",
    "direction",
    "trunk",
    "peer",
    "transport",
    "from_uri",
    "to_uri",
    "number",
    "sip_call_id",
    "destination",
    "codec",
    "cause",
    "status",
    "reason",
    "talk_ms",
    "dropped_events",
    "recording_file",
    "recording_ms",
    "recording_missing_blocks",
    "recording_error",
    "agent",
    "outcome",
    "turns",
    "barge_ins",
    "digits",
    "mos",
    "loss_percent",
    "jitter_p50_ms",
    "jitter_p95_ms",
    "jitter_max_ms",
    "rtt_ms",
    "remote_loss_percent",
    "packets_received",
    "packets_sent",
    "packets_lost",
    "packets_late",
    "packets_duplicate",
    "packets_reordered",
    "packets_foreign",
    "packets_invalid",
    "slips",
    "concealed_ms",
    "ticks",
    "ticks_missed",
    "pacing_p50_us",
    "pacing_p99_us",
];

/// Rows of five values: well below the 32,766 variables that a statement of SQLite may have.
const EVENTS_PER_STATEMENT: usize = 128;

/// Rows of 50 values, likewise.
const ROWS_PER_STATEMENT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::log::Event;
    use crate::store::Store;
    use crate::store::sample;
    use crate::store::scratch::Folder;
    use crate::store::turn::{Turn, turns_of};

    type Everything = (Vec<CallRow>, Vec<(String, i64, String)>, Vec<Turn>);

    async fn everything(store: &mut Store) -> Everything {
        let rows = sqlx::query_as("SELECT * FROM calls ORDER BY id").fetch_all(&mut store.connection).await;
        let events = sqlx::query_as("SELECT call_id, seq, body FROM events ORDER BY call_id, seq")
            .fetch_all(&mut store.connection)
            .await;
        let turns = sqlx::query_as("SELECT * FROM turns ORDER BY call_id, seq")
            .fetch_all(&mut store.connection)
            .await;
        (rows.unwrap(), events.unwrap(), turns.unwrap())
    }

    #[tokio::test]
    async fn every_column_comes_back_as_it_was_folded() {
        let dir = Folder::new("apply-columns");
        let mut store = Store::open(dir.path()).await.unwrap();
        let call = sample::call(1);
        let records = sample::one_of_each(call);
        let mut expected = CallRow::new(call);
        records.iter().for_each(|record| expected.apply(record.at, &record.event));
        assert_eq!(apply(&mut store.connection, &records).await.unwrap(), int_of(records.len()));
        let (rows, events, _) = everything(&mut store).await;
        assert_eq!(rows, [expected]);
        for (record, (_, _, body)) in records.iter().zip(&events) {
            assert_eq!(serde_json::from_str::<Event>(body).unwrap(), record.event);
        }
    }

    #[tokio::test]
    async fn replays_in_any_pieces_change_nothing() {
        let dir = Folder::new("apply-replay");
        let mut store = Store::open(dir.path()).await.unwrap();
        let mut records = sample::one_of_each(sample::call(1));
        records.extend(sample::answered_call(sample::call(2)));
        records.extend(sample::agent_call(sample::call(3)));
        apply(&mut store.connection, &records).await.unwrap();
        let once = everything(&mut store).await;
        for piece in [1, 3, 7, records.len()] {
            for chunk in records.chunks(piece) {
                assert_eq!(apply(&mut store.connection, chunk).await.unwrap(), 0);
            }
        }
        let twice: Vec<Record> = records.iter().chain(&records).cloned().collect();
        assert_eq!(apply(&mut store.connection, &twice).await.unwrap(), 0);
        assert_eq!(everything(&mut store).await, once);
    }

    #[tokio::test]
    async fn a_call_in_pieces_gives_the_row_and_the_turns_of_the_whole() {
        for (name, whole) in [
            ("apply-pieces", sample::one_of_each(sample::call(1))),
            ("apply-said-in-pieces", sample::agent_call(sample::call(1))),
            ("apply-heard-in-pieces", sample::cascade_call(sample::call(1))),
        ] {
            let dir = Folder::new(name);
            let mut store = Store::open(dir.path()).await.unwrap();
            apply(&mut store.connection, &whole).await.unwrap();
            let expected = everything(&mut store).await;
            for table in ["turns", "events", "calls"] {
                let emptied = format!("DELETE FROM {table}");
                sqlx::query(sqlx::AssertSqlSafe(emptied)).execute(&mut store.connection).await.unwrap();
            }
            for record in &whole {
                apply(&mut store.connection, std::slice::from_ref(record)).await.unwrap();
            }
            assert_eq!(everything(&mut store).await, expected);
        }
    }

    #[tokio::test]
    async fn the_turns_in_the_database_are_those_of_the_log() {
        let dir = Folder::new("apply-turns");
        let mut store = Store::open(dir.path()).await.unwrap();
        let records = sample::agent_call(sample::call(1));
        apply(&mut store.connection, &records).await.unwrap();
        let (rows, _, turns) = everything(&mut store).await;
        assert_eq!(turns, turns_of(&rows[0].id, &sample::stored(&records)));
        assert!(turns.len() > 5, "{turns:#?}");
        assert_eq!(
            (rows[0].agent.as_deref(), rows[0].outcome.as_deref()),
            (Some("Caly"), Some("message_taken"))
        );
        assert_eq!((rows[0].turns, rows[0].barge_ins, rows[0].digits), (1, 2, 8));
    }

    #[tokio::test]
    async fn a_call_whose_beginning_was_lost_still_has_a_row() {
        let dir = Folder::new("apply-headless");
        let mut store = Store::open(dir.path()).await.unwrap();
        let call = sample::call(1);
        apply(&mut store.connection, &sample::answered_call(call)[5..]).await.unwrap();
        let (rows, _, _) = everything(&mut store).await;
        assert_eq!(rows[0].started_at, call.made_at().0);
        assert_eq!(rows[0].direction, None);
        assert_eq!(rows[0].cause.as_deref(), Some("remote_bye"));
    }
}
