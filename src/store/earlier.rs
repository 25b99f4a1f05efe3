//! What earlier calls of one number were about, for an agent that is called again. Read beside the running server, in a connection of its own for
//! each question: nobody is kept waiting by it, and a database that cannot be read costs its answer alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize as _;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, QueryBuilder, Sqlite};
use tokio::sync::Mutex;

use super::data_dir::DataDir;
use super::database;
use super::error::StoreError;
use super::turn::Turn;
use crate::call::dialogue::Dialogue;
use crate::call::hop::HopEvent;
use crate::call::log::{Event, UnixMicros};

/// The ended calls of a server, by who called.
#[derive(Debug)]
pub struct EarlierCalls {
    file: PathBuf,
    /// One question at a time: many calls that begin at once do not open many connections.
    turn: Mutex<()>,
}

/// Whose calls are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// His number: digits alone, with country code.
    pub number: String,
    /// The destination that took the calls, as `agent:asha`.
    pub destination: String,
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierCall {
    /// When it began.
    pub started_at: UnixMicros,
    /// What was said, in order.
    pub lines: Vec<SpokenLine>,
}

/// Words of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpokenLine {
    /// `agent` or `caller`.
    pub role: String,
    /// What the caller said, or of the agent's words those that were heard.
    pub text: String,
}

impl EarlierCalls {
    /// The calls in this data directory. Nothing is opened before somebody asks.
    pub fn new(data: &DataDir) -> Self {
        Self { file: data.database(), turn: Mutex::new(()) }
    }

    /// The last `calls` calls of this caller in which something was said, the newest last.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn of(&self, caller: &Caller, calls: u8) -> Result<Vec<EarlierCall>, StoreError> {
        let _turn = self.turn.lock().await;
        let failed = |error| StoreError::of(&self.file, error);
        let connection = database::connect_read_only_patiently(&self.file, BUSY_TIMEOUT).await;
        let mut connection = connection.map_err(failed)?;
        let found = read(&mut connection, caller, calls).await.map_err(failed)?;
        connection.close().await.map_err(failed)?;
        Ok(found)
    }
}

async fn read(
    connection: &mut SqliteConnection,
    caller: &Caller,
    calls: u8,
) -> Result<Vec<EarlierCall>, sqlx::Error> {
    let mut earlier = Vec::new();
    for (id, started_at) in ended_calls(connection, caller, calls).await? {
        let lines = lines_of(connection, &id).await?;
        earlier.push(EarlierCall { started_at: UnixMicros(started_at), lines });
    }
    earlier.reverse();
    Ok(earlier)
}

async fn ended_calls(
    connection: &mut SqliteConnection,
    caller: &Caller,
    calls: u8,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let mut query = QueryBuilder::new("");
    push_ended_calls(&mut query, caller, calls);
    query.build_query_as().fetch_all(connection).await
}

fn push_ended_calls(query: &mut QueryBuilder<Sqlite>, caller: &Caller, calls: u8) {
    query.push("SELECT id, started_at FROM calls WHERE (");
    let mut shapes = query.separated(" OR ");
    for [from, below] in ranges_of(&caller.number) {
        shapes.push("(from_uri >= ").push_bind_unseparated(from);
        shapes.push_unseparated(" AND from_uri < ").push_bind_unseparated(below).push_unseparated(")");
    }
    query
        .push(") AND destination = ")
        .push_bind(caller.destination.clone())
        .push(" AND ended_at IS NOT NULL AND EXISTS (SELECT 1 FROM turns WHERE call_id = calls.id")
        // By the index of callers: the plus keeps it from looking through all calls by their time.
        .push(" AND role = 'caller' AND text IS NOT NULL) ORDER BY +started_at DESC LIMIT ")
        .push_bind(i64::from(calls));
}

/// The From URIs of a number, however trunks write it: from the first of each pair up to the second.
fn ranges_of(number: &str) -> Vec<[String; 2]> {
    let sip = ["sip:+", "sip:", "sips:+", "sips:"].map(|scheme| format!("{scheme}{number}"));
    // The character behind the `@` is `A`, that behind the `;` is `<`.
    let mut ranges: Vec<_> = sip.iter().map(|uri| [format!("{uri}@"), format!("{uri}A")]).collect();
    let tel = format!("tel:+{number}");
    ranges.push([tel.clone(), format!("{tel} ")]);
    ranges.push([format!("{tel};"), format!("{tel}<")]);
    ranges
}

async fn lines_of(connection: &mut SqliteConnection, id: &str) -> Result<Vec<SpokenLine>, sqlx::Error> {
    let turns: Vec<Turn> = sqlx::query_as(
        "SELECT * FROM turns WHERE call_id = $1 AND text IS NOT NULL ORDER BY at_us, seq LIMIT $2",
    )
    .bind(id)
    .bind(MAX_TURNS)
    .fetch_all(&mut *connection)
    .await?;
    let heard = heard_of(connection, id).await?;
    Ok(turns.into_iter().filter_map(|turn| line(turn, &heard)).collect())
}

/// The words that were heard of utterances that were cut.
async fn heard_of(connection: &mut SqliteConnection, id: &str) -> Result<BTreeMap<i64, String>, sqlx::Error> {
    let bodies: Vec<String> = sqlx::query_scalar(
        "SELECT body FROM events WHERE call_id = $1 AND type = 'dialogue' AND body LIKE '%\"heard_text\"%' LIMIT $2",
    )
    .bind(id)
    .bind(MAX_TURNS)
    .fetch_all(connection)
    .await?;
    let heard = |body: String| {
        let event: serde_json::Value = serde_json::from_str(&body).ok()?;
        let event = Event::deserialize(&event).ok()?;
        let Event::Dialogue(Dialogue::Hop(HopEvent::HeardText { utterance, text })) = event else {
            return None;
        };
        Some((i64::try_from(utterance).ok()?, text))
    };
    Ok(bodies.into_iter().filter_map(heard).collect())
}

fn line(turn: Turn, heard: &BTreeMap<i64, String>) -> Option<SpokenLine> {
    let cut = turn.utterance.and_then(|utterance| heard.get(&utterance));
    let text = match (&turn.interrupted_by, cut) {
        (Some(_), Some(heard)) => format!("{heard} —"),
        // Of a script's line that was cut only the time is known.
        (Some(_), None) if turn.heard_ms.unwrap_or(0) == 0 => return None,
        (Some(_) | None, _) => turn.text?,
    };
    (!text.trim().is_empty()).then_some(SpokenLine { role: turn.role, text })
}

/// Shorter than a call's beginning, which is when it is asked.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);
/// Half an hour of talk.
const MAX_TURNS: i64 = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::log::Record;
    use crate::store::scratch::Folder;
    use crate::store::{Store, apply, sample};

    /// Call number `n` from `from` to `to`.
    fn call(n: u8, from: &str, to: &str) -> Vec<Record> {
        let mut records = sample::cascade_call(sample::call(n));
        for record in &mut records {
            if let Event::Opened(opened) = &mut record.event {
                from.clone_into(&mut opened.from);
                opened.destination = Some(to.to_owned());
            }
        }
        records
    }

    async fn store(folder: &Folder, calls: &[Vec<Record>]) -> Store {
        let mut store = Store::open(folder.path()).await.unwrap();
        for call in calls {
            apply::apply(&mut store.connection, call).await.unwrap();
        }
        store
    }

    fn asha(number: &str) -> Caller {
        Caller { number: number.to_owned(), destination: "agent:asha".to_owned() }
    }

    #[tokio::test]
    async fn the_last_calls_of_a_number_are_found_however_it_was_written() {
        let folder = Folder::new("earlier-calls");
        let mut unended = call(8, "sip:+919812345678@192.0.2.7", "agent:asha");
        unended.pop();
        let calls = [
            call(1, "sip:+919812345678@192.0.2.7", "agent:asha"),
            call(2, "sip:919812345678@192.0.2.9:5062;user=phone", "agent:asha"),
            call(3, "sip:+919812345678@192.0.2.7", "agent:other"),
            call(4, "sip:+9198123456780@192.0.2.7", "agent:asha"),
            call(5, "sip:+91981234567@192.0.2.7", "agent:asha"),
            call(6, "tel:+919812345678;phone-context=x", "agent:asha"),
            call(7, "tel:+919812345678", "agent:asha"),
            unended,
        ];
        let store = store(&folder, &calls).await;
        let earlier = EarlierCalls::new(store.data_dir());
        let found = async |calls| {
            let found = earlier.of(&asha("919812345678"), calls).await.unwrap();
            found.iter().map(|call| call.started_at.0 / 1_000_000 % 100).collect::<Vec<_>>()
        };
        assert_eq!(found(9).await, [1, 2, 6, 7]);
        assert_eq!(found(3).await, [2, 6, 7], "the last ones, the newest last");
        assert_eq!(earlier.of(&asha("919812345679"), 3).await.unwrap(), []);
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn of_what_was_cut_stands_what_was_heard() {
        let folder = Folder::new("earlier-lines");
        let store = store(&folder, &[call(1, "sip:+919812345678@192.0.2.7", "agent:asha")]).await;
        let found = EarlierCalls::new(store.data_dir()).of(&asha("919812345678"), 3).await.unwrap();
        let lines: Vec<(&str, &str)> =
            found[0].lines.iter().map(|line| (line.role.as_str(), line.text.as_str())).collect();
        let expected = [
            ("agent", "नमस्ते! मैं कैली हूँ।"),
            ("caller", "मेरा ऑर्डर कहाँ है"),
            ("agent", "आपका ऑर्डर रास्ते में है।"),
            ("caller", "cancel kar do"),
            ("agent", "Ek second."),
            ("agent", "It is cancelled, —"),
            ("caller", "haan"),
        ];
        assert_eq!(lines, expected);
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_number_is_looked_up_by_its_index() {
        let folder = Folder::new("earlier-plan");
        let mut store = store(&folder, &[]).await;
        let mut query = QueryBuilder::<Sqlite>::new("EXPLAIN QUERY PLAN ");
        push_ended_calls(&mut query, &asha("919812345678"), 3);
        let plan: Vec<(i64, i64, i64, String)> =
            query.build_query_as().fetch_all(&mut store.connection).await.unwrap();
        let is_by_caller = |step: &(i64, i64, i64, String)| step.3.contains("calls_by_caller");
        assert_eq!(plan.iter().filter(|step| is_by_caller(step)).count(), 6, "{plan:?}");
        assert!(!plan.iter().any(|step| step.3.contains("SCAN calls")), "{plan:?}");
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_database_that_another_program_has_locked_costs_the_answer_alone() {
        let folder = Folder::new("earlier-locked");
        let store = store(&folder, &[call(1, "sip:+919812345678@192.0.2.7", "agent:asha")]).await;
        let data = store.data_dir().clone();
        store.close().await.unwrap();
        let mut other = database::connect(&data.database(), BUSY_TIMEOUT).await.unwrap();
        for statement in ["PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE", "DELETE FROM meta"] {
            sqlx::raw_sql(statement).execute(&mut other).await.unwrap();
        }
        let earlier = EarlierCalls::new(&data);
        let refused = earlier.of(&asha("919812345678"), 3).await;
        assert!(matches!(refused, Err(StoreError::Locked { .. })), "{refused:?}");
        other.close().await.unwrap();
        assert_eq!(earlier.of(&asha("919812345678"), 3).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn without_a_database_there_is_a_fault_and_nothing_is_made() {
        let folder = Folder::new("earlier-absent");
        let data = DataDir::new(folder.path());
        assert!(EarlierCalls::new(&data).of(&asha("919812345678"), 3).await.is_err());
        assert!(!data.database().exists());
    }
}
