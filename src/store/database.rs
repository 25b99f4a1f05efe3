//! Opening the database: who it belongs to, whether it can be written, and bringing its schema up to date.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use super::data_dir::DataDir;
use super::error::StoreError;

/// An open database together with the lock that keeps other servers off its directory.
#[derive(Debug)]
pub struct Store {
    pub(super) data: DataDir,
    pub(super) connection: SqliteConnection,
    pub(super) busy_timeout: Duration,
    pub(super) lock: File,
}

impl Store {
    /// Opens the data directory at `root` for a server: makes what is missing, keeps other servers out, brings the
    /// schema up to date and proves that the database can be written.
    ///
    /// # Errors
    /// When anything stands in the way; see [`StoreError::advice`] for what to do.
    pub async fn open(root: &Path) -> Result<Self, StoreError> {
        Self::open_patiently(root, BUSY_TIMEOUT).await
    }

    /// [`Store::open`], waiting at most `busy_timeout` for another program's lock on the database, now and later.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_patiently(root: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        let data = DataDir::new(root);
        for folder in [data.root().to_path_buf(), data.spool(), data.recordings()] {
            let refused = |source| StoreError::Folder { path: folder.clone(), source };
            fs::create_dir_all(&folder).map_err(refused)?;
            probe(&folder).map_err(refused)?;
        }
        let lock = lock(&data)?;
        let file = data.database();
        examine(&file).await?;
        let mut connection =
            connect(&file, busy_timeout).await.map_err(|error| StoreError::of(&file, error))?;
        migrate(&file, &mut connection).await?;
        prove_writable(&mut connection).await.map_err(|error| StoreError::of(&file, error))?;
        Ok(Self { data, connection, busy_timeout, lock })
    }

    /// Where everything lies.
    pub fn data_dir(&self) -> &DataDir {
        &self.data
    }

    /// Closes the database and gives the directory free.
    ///
    /// # Errors
    /// When the database cannot be closed in order; nothing that was committed is lost.
    pub async fn close(self) -> Result<(), StoreError> {
        let file = self.data.database();
        let closed = self.connection.close().await;
        drop(self.lock);
        closed.map_err(|error| StoreError::of(&file, error))
    }
}

/// Connects for writing.
pub(super) async fn connect(file: &Path, busy_timeout: Duration) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A segment is deleted after its commit, so the commit has to be on the disk by then, not only in its cache.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(busy_timeout)
        .thread_name(|_| "caly-db".to_owned())
        .disable_statement_logging()
        .statement_cache_capacity(PREPARED_STATEMENTS)
        .pragma("cache_size", CACHE_KIB);
    options.connect().await
}

/// Connects for reading, whether or not a server runs. On a file system that cannot be written, a database without a
/// write-ahead log is read as it lies there.
pub(super) async fn connect_read_only(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    connect_read_only_patiently(file, BUSY_TIMEOUT).await
}

/// [`connect_read_only`], waiting at most `busy_timeout` for another program's lock on the database.
pub(super) async fn connect_read_only_patiently(
    file: &Path,
    busy_timeout: Duration,
) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .busy_timeout(busy_timeout)
        .thread_name(|_| "caly-db-read".to_owned())
        .disable_statement_logging();
    let opened = async {
        let mut connection = options.clone().connect().await?;
        sqlx::query("SELECT count(*) FROM sqlite_schema").execute(&mut connection).await?;
        Ok(connection)
    };
    match opened.await {
        Err(sqlx::Error::Database(_)) if !file.with_extension("db-wal").exists() => {
            options.immutable(true).connect().await
        }
        opened => opened,
    }
}

/// Refuses what stands in the database's place and is none of ours. An absent or empty file is fine.
pub(super) async fn examine(file: &Path) -> Result<(), StoreError> {
    let foreign = |what| StoreError::Foreign { file: file.to_path_buf(), what };
    match fs::metadata(file) {
        Ok(metadata) if metadata.is_dir() => return Err(foreign("a directory")),
        Ok(metadata) if !metadata.is_file() => return Err(foreign("no regular file")),
        Ok(metadata) if metadata.len() == 0 => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(StoreError::Folder { path: file.to_path_buf(), source }),
    }
    let failed = |error| StoreError::of(file, error);
    let mut connection = connect_read_only(file).await.map_err(failed)?;
    let owner: i32 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await.map_err(failed)?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    connection.close().await.map_err(failed)?;
    if owner == APPLICATION_ID || (owner == 0 && tables == 0) {
        return Ok(());
    }
    Err(foreign("a database of another program"))
}

/// The latest schema in a database, and the latest that this version knows.
pub(super) async fn schema(connection: &mut SqliteConnection) -> Result<(i64, i64), sqlx::Error> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(connection).await?;
    Ok((found.unwrap_or(0), latest_schema()))
}

async fn migrate(file: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed = |error| StoreError::of(file, error);
    sqlx::query("PRAGMA application_id = 1128352857").execute(&mut *connection).await.map_err(failed)?;
    match MIGRATIONS.run(&mut *connection).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => {
            Err(StoreError::Newer { file: file.to_path_buf(), found, known: latest_schema() })
        }
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Err(failed(error)),
        Err(other) => Err(StoreError::Corrupt { file: file.to_path_buf(), what: other.to_string() }),
    }
}

/// Opening a database reads it at most; only writing shows whether it can be written.
async fn prove_writable(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES ('opened_by', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(format!("caly {} process {}", env!("CARGO_PKG_VERSION"), std::process::id()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Whoever holds this lock owns the calls of the directory: at its start a server closes those without an end.
fn lock(data: &DataDir) -> Result<File, StoreError> {
    let path = data.lock();
    let refused = |source| StoreError::Folder { path: path.clone(), source };
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let process = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
            return Err(StoreError::InUse { root: data.root().to_path_buf(), process });
        }
        Err(fs::TryLockError::Error(source)) => return Err(refused(source)),
    }
    file.set_len(0).map_err(refused)?;
    writeln!(file, "{}", std::process::id()).map_err(refused)?;
    Ok(file)
}

/// Tries whether files can be made in `folder`.
fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(".probe");
    let mut file = File::create(&path)?;
    // A full disk may still make files; it takes no bytes.
    let written = file.write_all(&[0; PROBE_BYTES]);
    fs::remove_file(&path)?;
    written
}

fn latest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The schema, in steps.
static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations");

/// Pages that the writer keeps in memory: a negative number counts KiB. Calls come and go at the end of the tables, so a small
/// cache serves as well as the usual 2 MB.
const CACHE_KIB: &str = "-512";

/// Statements kept prepared. Batches of every size have a text of their own, and 20 kB each: the usual hundred would be 2 MB.
const PREPARED_STATEMENTS: usize = 8;

/// Marks the file as ours: `CALY` in ASCII. The same number stands in `PRAGMA application_id` above.
const APPLICATION_ID: i32 = 0x4341_4C59;

/// How long one statement waits for another program's lock. Longer waits are the writer's business, between attempts.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// One block of most file systems.
const PROBE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{CallRow, Lookup, StoreReader, apply, sample, scratch::Folder};

    #[tokio::test]
    async fn a_database_of_the_first_schema_keeps_its_calls_and_takes_new_ones() {
        let dir = Folder::new("database-upgrade");
        let mut store = Store::open(dir.path()).await.unwrap();
        let old = sample::answered_call(sample::call(1));
        apply::apply(&mut store.connection, &old).await.unwrap();
        for statement in [
            "DROP TABLE turns",
            "DROP INDEX calls_by_agent",
            "ALTER TABLE calls DROP COLUMN agent",
            "ALTER TABLE calls DROP COLUMN outcome",
            "ALTER TABLE calls DROP COLUMN turns",
            "ALTER TABLE calls DROP COLUMN barge_ins",
            "ALTER TABLE calls DROP COLUMN digits",
            "DROP INDEX calls_by_caller",
            "DELETE FROM _sqlx_migrations WHERE version > 1",
        ] {
            sqlx::query(statement).execute(&mut store.connection).await.unwrap();
        }
        store.close().await.unwrap();
        let refused = StoreReader::open(dir.path()).await;
        assert!(matches!(refused, Err(StoreError::Older { found: 1, known: 3, .. })));
        let mut store = Store::open(dir.path()).await.unwrap();
        apply::apply(&mut store.connection, &sample::agent_call(sample::call(2))).await.unwrap();
        let rows: Vec<CallRow> =
            sqlx::query_as("SELECT * FROM calls ORDER BY id").fetch_all(&mut store.connection).await.unwrap();
        assert_eq!(rows[0], sample::row(&old));
        assert_eq!((rows[1].agent.as_deref(), rows[1].digits), (Some("Caly"), 8));
        store.close().await.unwrap();
        let mut reader = StoreReader::open(dir.path()).await.unwrap();
        let found = reader.find(&sample::call(1).to_string()).await.unwrap();
        assert!(matches!(found, Lookup::Found(log) if log.turns.is_empty()));
    }
}
