//! The table `turns`: what is still open of a call's turns is read, its new events are added, and what changed is written.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};

use crate::call::log::{Event, Record};
use crate::store::turn::{OPEN_TURNS, Turn, Turns};

/// Adds `news`, records that the database did not have before, to their calls' turns.
pub(super) async fn apply(
    connection: &mut SqliteConnection,
    news: &[(String, &Record)],
) -> Result<(), sqlx::Error> {
    let mut calls: BTreeMap<&String, (Vec<Turn>, Turns)> = BTreeMap::new();
    let mut changed = Vec::new();
    for (id, record) in news.iter().filter(|(_, record)| may_tell_of_turns(&record.event)) {
        if !calls.contains_key(id) {
            let before = open_turns(connection, id).await?;
            calls.insert(id, (before.clone(), Turns::new(id.clone(), before)));
        }
        if let Some((_, turns)) = calls.get_mut(id) {
            turns.apply(record.seq, record.at, &record.event);
        }
    }
    for (before, after) in calls.into_values() {
        changed.extend(after.into_inner().into_iter().filter(|turn| !before.contains(turn)));
    }
    for chunk in changed.chunks(TURNS_PER_STATEMENT) {
        upsert(connection, chunk).await?;
    }
    Ok(())
}

/// Keeps calls that have no turns from being asked for them.
fn may_tell_of_turns(event: &Event) -> bool {
    matches!(event, Event::Dialogue(_) | Event::Dtmf { .. } | Event::Ended(_))
}

async fn open_turns(connection: &mut SqliteConnection, id: &str) -> Result<Vec<Turn>, sqlx::Error> {
    let mut turns: Vec<Turn> =
        sqlx::query_as("SELECT * FROM turns WHERE call_id = $1 ORDER BY seq DESC LIMIT $2")
            .bind(id)
            .bind(i64::try_from(OPEN_TURNS).unwrap_or(i64::MAX))
            .fetch_all(connection)
            .await?;
    turns.reverse();
    Ok(turns)
}

async fn upsert(connection: &mut SqliteConnection, turns: &[Turn]) -> Result<(), sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO turns (call_id, seq, ");
    query.push(COLUMNS.join(", "));
    query.push(") ");
    query.push_values(turns, |mut values, turn| {
        values
            .push_bind(turn.call_id.clone())
            .push_bind(turn.seq)
            .push_bind(turn.at_us)
            .push_bind(turn.role.clone())
            .push_bind(turn.kind.clone())
            .push_bind(turn.text.clone())
            .push_bind(turn.language.clone())
            .push_bind(turn.utterance)
            .push_bind(turn.heard_ms)
            .push_bind(turn.interrupted_by.clone())
            .push_bind(turn.speech_ms)
            .push_bind(turn.from_ms)
            .push_bind(turn.to_ms);
    });
    query.push(" ON CONFLICT (call_id, seq) DO UPDATE SET ");
    let mut assignments = query.separated(", ");
    for column in COLUMNS {
        assignments.push(format_args!("{column} = excluded.{column}"));
    }
    query.build().execute(connection).await?;
    Ok(())
}

/// The columns of `turns` behind its key, in the order in which they are bound.
const COLUMNS: [&str; 11] = [
    "at_us",
    "role",
    "kind",
    "text",
    "language",
    "utterance",
    "heard_ms",
    "interrupted_by",
    "speech_ms",
    "from_ms",
    "to_ms",
];

/// Rows of 13 values, well below the number of variables that a statement may have.
const TURNS_PER_STATEMENT: usize = 128;
