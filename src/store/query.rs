//! Questions to the store, asked beside a running server or without one: the database is only read, and what still waits
//! in the spool is read too and added to the answers.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Serialize;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, QueryBuilder, Sqlite};

use super::data_dir::DataDir;
use super::database;
use super::error::StoreError;
use super::row::{CallRow, event_type, int};
use super::spool;
use super::turn::{Turn, turns_of};
use crate::call::cause::HangupCause;
use crate::call::log::{CallId, CallTime, Record, UnixMicros};

/// A data directory opened for reading.
#[derive(Debug)]
pub struct StoreReader {
    data: DataDir,
    connection: SqliteConnection,
    has_snapshot: bool,
}

/// Which calls to list. What is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// At most so many, the newest ones.
    pub limit: u32,
    /// Begun at this time or later.
    pub since: Option<UnixMicros>,
    /// Ended for this cause.
    pub cause: Option<HangupCause>,
    /// Called number or user, exactly; a trailing `*` stands for any rest.
    pub number: Option<String>,
}

/// Calls, the newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct CallList {
    /// The calls.
    pub calls: Vec<CallRow>,
    /// Events that have not reached the database yet. What they tell is in the rows.
    pub events_in_spool: u64,
}

/// What an id, or a part of one, stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// One call.
    Found(Box<CallLog>),
    /// Several calls; some of their ids.
    Several(Vec<String>),
    /// Too few characters to name a call: fewer than [`MIN_ID_PART`].
    TooShort,
    /// None.
    Absent,
}

/// One call with its events.
#[derive(Clone, Debug, PartialEq)]
pub struct CallLog {
    /// The row.
    pub row: CallRow,
    /// The events in order.
    pub events: Vec<StoredEvent>,
    /// What was said and done, as far as these events tell; in the order of their numbers.
    pub turns: Vec<Turn>,
    /// How many of the events wait in the spool.
    pub events_in_spool: u64,
}

/// One event as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredEvent {
    /// Position in the call's log. A number that is missing was dropped on its way to the store.
    pub seq: u64,
    /// Time since the call began, in microseconds.
    pub at_us: u64,
    /// Type of the event.
    #[serde(skip)]
    pub r#type: String,
    /// The event as JSON, its type included.
    #[serde(rename = "event")]
    pub body: serde_json::Value,
}

impl StoreReader {
    /// Opens the data directory at `root` for reading.
    ///
    /// # Errors
    /// When there is no database, or none that this version can read.
    pub async fn open(root: &Path) -> Result<Self, StoreError> {
        let data = DataDir::new(root);
        let file = data.database();
        if !file.exists() {
            return Err(StoreError::Absent { root: root.to_path_buf() });
        }
        database::examine(&file).await?;
        let failed = |error| StoreError::of(&file, error);
        let mut connection = database::connect_read_only(&file).await.map_err(failed)?;
        let (found, known) = database::schema(&mut connection).await.map_err(failed)?;
        if found > known {
            return Err(StoreError::Newer { file, found, known });
        }
        if found < known {
            return Err(StoreError::Older { file, found, known });
        }
        Ok(Self { data, connection, has_snapshot: false })
    }

    /// The newest calls that `filter` lets through.
    ///
    /// # Errors
    /// When the database or the spool cannot be read.
    pub async fn list(&mut self, filter: &CallFilter) -> Result<CallList, StoreError> {
        let waiting = self.waiting(|_| true, Waiting::rows).await?;
        let listed = self.listed(filter).await;
        self.end_snapshot().await?;
        let mut rows: BTreeMap<String, CallRow> =
            waiting.calls.into_iter().map(|(id, call)| (id, call.row)).collect();
        for row in listed? {
            rows.entry(row.id.clone()).or_insert(row);
        }
        let mut calls: Vec<CallRow> = rows.into_values().filter(|row| filter.admits(row)).collect();
        calls.sort_by(|one, other| (other.started_at, &other.id).cmp(&(one.started_at, &one.id)));
        calls.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
        Ok(CallList { calls, events_in_spool: waiting.events })
    }

    /// The call with this id, or whose id begins or ends so.
    ///
    /// # Errors
    /// When the database or the spool cannot be read.
    pub async fn find(&mut self, id: &str) -> Result<Lookup, StoreError> {
        let part = id.trim().to_ascii_lowercase();
        if part.chars().count() < MIN_ID_PART {
            return Ok(Lookup::TooShort);
        }
        let is_named = |call: &str| call.starts_with(&part) || call.ends_with(&part);
        let waiting = self.waiting(is_named, Waiting::rows_and_records).await?;
        let found = self.found(&part, waiting).await;
        self.end_snapshot().await?;
        found
    }

    /// Where everything lies.
    pub fn data_dir(&self) -> &DataDir {
        &self.data
    }

    /// Closes the database.
    ///
    /// # Errors
    /// When it cannot be closed in order.
    pub async fn close(self) -> Result<(), StoreError> {
        let file = self.data.database();
        self.connection.close().await.map_err(|error| StoreError::of(&file, error))
    }

    /// What waits in the spool for the calls that `wanted` names, on top of what the database has of them. Begins a
    /// snapshot of the database that the answer fits to.
    async fn waiting(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        begin: impl Fn() -> Waiting,
    ) -> Result<Waiting, StoreError> {
        let mut attempt = 1;
        loop {
            // Segments are listed before the snapshot begins: one that is gone by then is in the database.
            let dir = self.data.spool();
            let unreadable = |source| StoreError::Folder { path: dir.clone(), source };
            let segments = spool::look(&dir).map_err(unreadable)?;
            self.begin_snapshot().await?;
            let mut waiting = begin();
            let mut vanished = false;
            for segment in segments {
                let Some(mut records) = segment.map_err(unreadable)? else {
                    vanished = true;
                    continue;
                };
                records.retain(|record| wanted(&record.call.to_string()));
                self.add_to(&mut waiting, records).await?;
            }
            if !vanished || attempt == MAX_ATTEMPTS {
                return Ok(waiting);
            }
            // The database got a segment's records after the snapshot had begun.
            attempt += 1;
            self.end_snapshot().await?;
        }
    }

    async fn add_to(&mut self, waiting: &mut Waiting, records: Vec<Record>) -> Result<(), StoreError> {
        let mut unknown: Vec<(String, CallId)> = records
            .iter()
            .map(|record| (record.call.to_string(), record.call))
            .filter(|(id, _)| !waiting.calls.contains_key(id))
            .collect();
        unknown.sort();
        unknown.dedup();
        let ids: Vec<&String> = unknown.iter().map(|(id, _)| id).collect();
        let (mut rows, seqs) = self.rows_with_seqs(&ids).await?;
        for (id, call) in unknown {
            let row = rows.remove(&id).unwrap_or_else(|| CallRow::new(call));
            let highest = seqs.get(&id).copied().unwrap_or(-1);
            waiting.calls.insert(id, WaitingCall { row, highest, records: Vec::new() });
        }
        waiting.forget_records_of_many();
        for record in records {
            waiting.add(record);
        }
        Ok(())
    }

    async fn found(&mut self, part: &str, mut waiting: Waiting) -> Result<Lookup, StoreError> {
        let mut ids = self.matching_ids(part).await?;
        ids.extend(waiting.calls.keys().cloned());
        ids.sort();
        ids.dedup();
        let [id] = ids.as_slice() else {
            return Ok(if ids.is_empty() { Lookup::Absent } else { Lookup::Several(ids) });
        };
        let mut events = self.events_of(id).await?;
        let (row, records) = match waiting.calls.remove(id) {
            Some(call) => (Some(call.row), call.records),
            None => (self.rows_with_seqs(&[id]).await?.0.remove(id), Vec::new()),
        };
        let events_in_spool = waiting.events;
        for record in records {
            events.push(self.stored(&record)?);
        }
        let turns = turns_of(id, &events);
        let log = |row| Lookup::Found(Box::new(CallLog { row, events, turns, events_in_spool }));
        Ok(row.map_or(Lookup::Absent, log))
    }

    async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        if self.has_snapshot {
            // The question before this one failed on its way.
            self.end_snapshot().await?;
        }
        sqlx::query("BEGIN").execute(&mut self.connection).await.map_err(self.failed())?;
        self.has_snapshot = true;
        Ok(())
    }

    async fn end_snapshot(&mut self) -> Result<(), StoreError> {
        self.has_snapshot = false;
        sqlx::query("COMMIT").execute(&mut self.connection).await.map_err(self.failed())?;
        Ok(())
    }

    /// Rows of these calls, and the highest number that the database has of each.
    async fn rows_with_seqs(
        &mut self,
        ids: &[&String],
    ) -> Result<(HashMap<String, CallRow>, HashMap<String, i64>), StoreError> {
        let (mut rows, mut seqs) = (HashMap::new(), HashMap::new());
        for chunk in ids.chunks(IDS_PER_STATEMENT) {
            let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM calls WHERE id IN ");
            push_ids(&mut query, chunk);
            let found: Vec<CallRow> =
                query.build_query_as().fetch_all(&mut self.connection).await.map_err(self.failed())?;
            rows.extend(found.into_iter().map(|row| (row.id.clone(), row)));
            let mut query =
                QueryBuilder::<Sqlite>::new("SELECT call_id, max(seq) FROM events WHERE call_id IN ");
            push_ids(&mut query, chunk);
            query.push(" GROUP BY call_id");
            let found: Vec<(String, i64)> =
                query.build_query_as().fetch_all(&mut self.connection).await.map_err(self.failed())?;
            seqs.extend(found);
        }
        Ok((rows, seqs))
    }

    async fn listed(&mut self, filter: &CallFilter) -> Result<Vec<CallRow>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM calls WHERE 1 = 1");
        if let Some(since) = filter.since {
            query.push(" AND started_at >= ").push_bind(since.0);
        }
        if let Some(cause) = filter.cause {
            query.push(" AND cause = ").push_bind(cause.as_str());
        }
        match filter.number.as_deref().map(|number| (number, number.strip_suffix('*'))) {
            Some((_, Some(prefix))) => {
                let characters = i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX);
                query
                    .push(" AND substr(number, 1, ")
                    .push_bind(characters)
                    .push(") = ")
                    .push_bind(prefix.to_owned());
            }
            Some((number, None)) => {
                query.push(" AND number = ").push_bind(number.to_owned());
            }
            None => {}
        }
        query.push(" ORDER BY started_at DESC, id DESC LIMIT ").push_bind(i64::from(filter.limit));
        query.build_query_as().fetch_all(&mut self.connection).await.map_err(self.failed())
    }

    async fn matching_ids(&mut self, part: &str) -> Result<Vec<String>, StoreError> {
        // `instr` and its kin differ between databases; an id holds no character that LIKE gives a meaning to.
        let is_plain = part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if !is_plain {
            return Ok(Vec::new());
        }
        let named = "SELECT id FROM calls WHERE id LIKE $1 OR id LIKE $2 ORDER BY started_at DESC LIMIT 10";
        sqlx::query_scalar(named)
            .bind(format!("{part}%"))
            .bind(format!("%{part}"))
            .fetch_all(&mut self.connection)
            .await
            .map_err(self.failed())
    }

    async fn events_of(&mut self, id: &str) -> Result<Vec<StoredEvent>, StoreError> {
        let rows: Vec<(i64, i64, String, String)> =
            sqlx::query_as("SELECT seq, at_us, type, body FROM events WHERE call_id = $1 ORDER BY seq")
                .bind(id)
                .fetch_all(&mut self.connection)
                .await
                .map_err(self.failed())?;
        let file = self.data.database();
        let parse = |(seq, at_us, r#type, body): (i64, i64, String, String)| {
            let corrupt = |error| StoreError::Corrupt {
                file: file.clone(),
                what: format!("event {seq} of call {id} is no JSON: {error}"),
            };
            Ok(StoredEvent {
                seq: u64::try_from(seq).unwrap_or(0),
                at_us: u64::try_from(at_us).unwrap_or(0),
                r#type,
                body: serde_json::from_str(&body).map_err(corrupt)?,
            })
        };
        rows.into_iter().map(parse).collect()
    }

    fn stored(&self, record: &Record) -> Result<StoredEvent, StoreError> {
        let body = serde_json::to_value(&record.event).map_err(|error| StoreError::Corrupt {
            file: self.data.spool(),
            what: format!("event {} of call {} is no JSON: {error}", record.seq, record.call),
        })?;
        Ok(StoredEvent {
            seq: record.seq,
            at_us: record.at.0,
            r#type: event_type(&record.event).to_owned(),
            body,
        })
    }

    fn failed(&self) -> impl Fn(sqlx::Error) -> StoreError + use<> {
        let file = self.data.database();
        move |error| StoreError::of(&file, error)
    }
}

impl StoredEvent {
    /// Time since the call began.
    pub fn at(&self) -> CallTime {
        CallTime(self.at_us)
    }
}

impl CallFilter {
    fn admits(&self, row: &CallRow) -> bool {
        let is_number = |wanted: &String| {
            let number = row.number.as_deref().unwrap_or_default();
            wanted.strip_suffix('*').map_or(number == wanted, |prefix| number.starts_with(prefix))
        };
        self.since.is_none_or(|since| row.started_at >= since.0)
            && self.cause.is_none_or(|cause| row.cause.as_deref() == Some(cause.as_str()))
            && self.number.as_ref().is_none_or(is_number)
    }
}

/// Calls with events in the spool.
#[derive(Debug)]
struct Waiting {
    calls: HashMap<String, WaitingCall>,
    events: u64,
    keeps_records: bool,
}

#[derive(Debug)]
struct WaitingCall {
    row: CallRow,
    highest: i64,
    records: Vec<Record>,
}

impl Waiting {
    /// Only what the events tell: a spool can hold millions of them.
    fn rows() -> Self {
        Self { calls: HashMap::new(), events: 0, keeps_records: false }
    }

    /// The events too, as long as they are of one call.
    fn rows_and_records() -> Self {
        Self { keeps_records: true, ..Self::rows() }
    }

    fn forget_records_of_many(&mut self) {
        if self.calls.len() > 1 {
            self.keeps_records = false;
            self.calls.values_mut().for_each(|call| call.records = Vec::new());
        }
    }

    /// Applies a record that neither the database nor an earlier segment had.
    fn add(&mut self, record: Record) {
        let Some(call) = self.calls.get_mut(&record.call.to_string()) else { return };
        if int(record.seq) > call.highest {
            call.highest = int(record.seq);
            call.row.apply(record.at, &record.event);
            self.events += 1;
            if self.keeps_records {
                call.records.push(record);
            }
        }
    }
}

fn push_ids(query: &mut QueryBuilder<Sqlite>, ids: &[&String]) {
    query.push("(");
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind((*id).clone());
    }
    query.push(")");
}

/// Fewer characters at one end of an id meet a call by chance rather than by intention.
pub const MIN_ID_PART: usize = 6;

/// Well below the number of variables that a statement may have.
const IDS_PER_STATEMENT: usize = 256;

/// How often an answer is begun again because the server moved a segment into the database meanwhile. After that the
/// answer may be a moment old.
const MAX_ATTEMPTS: u32 = 5;
