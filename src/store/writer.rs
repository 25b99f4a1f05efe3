//! The task that moves events from the spool into the database. Whatever the database does, nothing is lost: a segment
//! is deleted after its commit, and events that come again change nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::task::{self, JoinHandle};
use tokio::time::{self, Instant};

use super::apply::apply;
use super::database::{self, Store};
use super::spool::{Batch, SpoolReader, SpoolStats};

impl Store {
    /// Begins to move events from the spool into the database, on the current tokio runtime. `spool` comes from
    /// [`SpoolHandle::stats`](super::SpoolHandle::stats).
    pub fn start_writer(self, spool: Arc<SpoolStats>) -> StoreWriter {
        let stats = Arc::new(StoreStats::default());
        let (stop, stopped) = oneshot::channel();
        let reader = SpoolReader::new(self.data.spool());
        let mover = Mover {
            file: self.data.database(),
            busy_timeout: self.busy_timeout,
            connection: Some(self.connection),
            reader: Some(reader),
            spool,
            stats: Arc::clone(&stats),
            failing: None,
        };
        let lock = self.lock;
        let task = tokio::spawn(async move {
            mover.run(stopped).await;
            drop(lock);
        });
        StoreWriter { task, stop, stats }
    }
}

/// Owns the writing task.
#[derive(Debug)]
pub struct StoreWriter {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    stats: Arc<StoreStats>,
}

impl StoreWriter {
    /// The writer's counters.
    pub fn stats(&self) -> Arc<StoreStats> {
        Arc::clone(&self.stats)
    }

    /// Moves what the spool still holds, closes the database and joins the task. Call it after
    /// [`SpoolHandle::shutdown`](super::SpoolHandle::shutdown). A database that does not take the rest within five
    /// seconds gets it at the next start.
    pub async fn shutdown(self) {
        // The task may have ended by itself only by a panic, which the join tells.
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the database writer did not end well");
        }
    }
}

/// What the database writer tells health and metrics.
#[derive(Debug, Default)]
pub struct StoreStats {
    applied: AtomicU64,
    failures: AtomicU64,
    unreadable_bytes: AtomicU64,
    is_failing: AtomicBool,
}

impl StoreStats {
    /// Events put into the database.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }

    /// Attempts that failed; each is made again.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Bytes of the spool that could not be read: torn tails, damage.
    pub fn unreadable_bytes(&self) -> u64 {
        self.unreadable_bytes.load(Ordering::Relaxed)
    }

    /// True while the database does not take what waits in the spool.
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }
}

/// Time between attempts while something fails.
#[derive(Debug)]
struct Backoff {
    since: Instant,
    next: Duration,
    last_log: Instant,
}

struct Mover {
    file: PathBuf,
    busy_timeout: Duration,
    connection: Option<SqliteConnection>,
    reader: Option<SpoolReader>,
    spool: Arc<SpoolStats>,
    stats: Arc<StoreStats>,
    failing: Option<Backoff>,
}

impl Mover {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut deadline = None;
        loop {
            let outcome = self.move_some().await;
            let pause = self.judge(&outcome);
            if deadline.is_none() && !matches!(stopped.try_recv(), Err(TryRecvError::Empty)) {
                deadline = Some(Instant::now() + LAST_PATIENCE);
            }
            let is_moving = matches!(outcome, Ok(true));
            match deadline {
                Some(deadline) if matches!(outcome, Ok(false)) || Instant::now() >= deadline => break,
                Some(_) if !is_moving => time::sleep(pause.min(LAST_PAUSE)).await,
                None if !is_moving && self.wait(outcome.is_ok(), pause, &mut stopped).await => {
                    deadline = Some(Instant::now() + LAST_PATIENCE);
                }
                Some(_) | None => {}
            }
        }
        if self.failing.is_some() {
            tracing::error!(
                "the database did not take all events; they wait in the spool for the next start"
            );
        }
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database could not be closed in order");
        }
    }

    /// Waits for the spool's next words, or for the pause if it cannot be told of them; true if it was told to stop.
    async fn wait(&self, is_well: bool, pause: Duration, stopped: &mut oneshot::Receiver<()>) -> bool {
        tokio::select! {
            _ = stopped => true,
            () = self.spool.news(), if is_well => false,
            () = time::sleep(pause) => false,
        }
    }

    /// Moves one batch; true if there was one.
    async fn move_some(&mut self) -> Result<bool, MoveError> {
        let (reader, batch) = read(self.reader.take(), &self.file, self.spool.open_segment()).await;
        self.reader = Some(reader);
        let batch = batch.map_err(MoveError::Spool)?;
        if batch.is_empty() {
            return Ok(false);
        }
        if !batch.records.is_empty() {
            let connection = match &mut self.connection {
                Some(connection) => connection,
                None => self.connection.insert(database::connect(&self.file, self.busy_timeout).await?),
            };
            match apply(connection, &batch.records).await {
                Ok(applied) => self.stats.applied.fetch_add(applied, Ordering::Relaxed),
                Err(error) => {
                    // The next attempt begins with a fresh connection, whatever state this one is in.
                    self.connection = None;
                    return Err(error.into());
                }
            };
        }
        self.commit(&batch);
        Ok(true)
    }

    fn commit(&mut self, batch: &Batch) {
        if batch.lost_bytes > 0 {
            self.stats.unreadable_bytes.fetch_add(batch.lost_bytes, Ordering::Relaxed);
            tracing::warn!(bytes = batch.lost_bytes, "stepped over a part of the spool that cannot be read");
        }
        if let Some(reader) = &mut self.reader {
            self.spool.subtract_disk_bytes(reader.commit(batch));
        }
    }

    /// Logs changes between working and failing; returns how long to pause.
    fn judge(&mut self, outcome: &Result<bool, MoveError>) -> Duration {
        let now = Instant::now();
        let error = match outcome {
            Ok(_) => {
                if let Some(backoff) = self.failing.take() {
                    self.stats.is_failing.store(false, Ordering::Relaxed);
                    let seconds = now.duration_since(backoff.since).as_secs();
                    tracing::info!(seconds, "the database takes events again");
                }
                return LOOK_INTERVAL;
            }
            Err(error) => error,
        };
        self.stats.failures.fetch_add(1, Ordering::Relaxed);
        self.stats.is_failing.store(true, Ordering::Relaxed);
        let backoff = self.failing.get_or_insert_with(|| {
            tracing::error!(%error, "the database does not take events; they wait in the spool, calls go on");
            Backoff { since: now, next: FIRST_BACKOFF, last_log: now }
        });
        if now.duration_since(backoff.last_log) >= LOG_INTERVAL {
            backoff.last_log = now;
            tracing::error!(%error, "the database still does not take events");
        }
        let pause = backoff.next;
        backoff.next = (pause * 2).min(LONGEST_BACKOFF);
        pause
    }
}

#[derive(Debug, thiserror::Error)]
enum MoveError {
    #[error("the spool cannot be read: {0}")]
    Spool(std::io::Error),
    #[error("{0}")]
    Database(#[from] sqlx::Error),
}

/// Reads a batch where blocking is allowed.
async fn read(
    reader: Option<SpoolReader>,
    file: &std::path::Path,
    open_segment: u64,
) -> (SpoolReader, std::io::Result<Batch>) {
    let spool = file.with_file_name("spool");
    let reader = reader.unwrap_or_else(|| SpoolReader::new(spool.clone()));
    let reading = task::spawn_blocking(move || {
        let batch = reader.read(open_segment, BATCH_RECORDS);
        (reader, batch)
    });
    match reading.await {
        Ok(read) => read,
        // After a panic in there, reading begins at the front again, which changes nothing.
        Err(error) => (SpoolReader::new(spool), Err(std::io::Error::other(error))),
    }
}

/// Events of one transaction.
const BATCH_RECORDS: usize = 2_048;

/// How often the spool is looked at even if it tells of nothing new: segments that could not be deleted, files put back by hand.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// Pause after the first failure; it doubles.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// A database that comes back is used within this time.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// How often a lasting failure is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// How long the end of a server waits for a database that fails.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// Pause between attempts in that time.
const LAST_PAUSE: Duration = Duration::from_millis(250);
