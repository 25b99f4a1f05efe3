//! A data directory that cannot be used: the server does not start, and says what stands in the way and what to do.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "here a failure is the test's failure"
)]

#[path = "store/mount.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod mount;
#[path = "common/scratch.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod scratch;

use std::fs;
use std::path::Path;
use std::time::Duration;

use caly::store::{Store, StoreError, StoreReader};
use mount::{Mount, with_tmpfs};
use scratch::Scratch;
use sqlx::{Connection as _, SqliteConnection};

async fn refusal(dir: &Path) -> StoreError {
    let refusal = Store::open(dir).await.expect_err("the directory cannot be used");
    assert!(refusal.to_string().contains(&dir.display().to_string()), "{refusal} does not name the place");
    assert!(!refusal.advice().is_empty());
    refusal
}

#[tokio::test]
async fn a_directory_in_the_databases_place() {
    let dir = Scratch::new("directory");
    fs::create_dir(dir.join("caly.db")).unwrap();
    assert!(matches!(refusal(dir.path()).await, StoreError::Foreign { what: "a directory", .. }));
    assert!(matches!(StoreReader::open(dir.path()).await, Err(StoreError::Foreign { .. })));
}

#[tokio::test]
async fn a_file_in_the_directorys_place() {
    let dir = Scratch::new("file");
    let file = dir.write("data", "no directory");
    assert!(matches!(refusal(&file).await, StoreError::Folder { .. }));
    let parent = dir.join("other");
    fs::create_dir(&parent).unwrap();
    fs::write(parent.join("spool"), "no directory").unwrap();
    assert!(matches!(refusal(&parent).await, StoreError::Folder { .. }));
}

#[tokio::test]
async fn a_file_of_another_kind_is_left_as_it_is() {
    let dir = Scratch::new("letter");
    let letter = "Dear Sir or Madam, ".repeat(100);
    dir.write("caly.db", &letter);
    assert!(matches!(refusal(dir.path()).await, StoreError::Foreign { .. }));
    assert_eq!(fs::read_to_string(dir.join("caly.db")).unwrap(), letter);
}

#[tokio::test]
async fn a_database_of_another_program_is_left_as_it_is() {
    let dir = Scratch::new("other-program");
    let mut other = database(&dir, "?mode=rwc").await;
    sqlx::query("CREATE TABLE cars (id INTEGER)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let before = fs::read(dir.join("caly.db")).unwrap();
    assert!(matches!(
        refusal(dir.path()).await,
        StoreError::Foreign { what: "a database of another program", .. }
    ));
    assert_eq!(fs::read(dir.join("caly.db")).unwrap(), before);
}

#[tokio::test]
async fn a_database_of_a_later_version() {
    let dir = Scratch::new("later-version");
    Store::open(dir.path()).await.unwrap().close().await.unwrap();
    let mut later = database(&dir, "").await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9000, 'from the future', 1, x'00', 0)",
    )
    .execute(&mut later)
    .await
    .unwrap();
    later.close().await.unwrap();
    assert!(matches!(refusal(dir.path()).await, StoreError::Newer { found: 9000, known: 3, .. }));
    assert!(matches!(StoreReader::open(dir.path()).await, Err(StoreError::Newer { .. })));
}

#[tokio::test]
async fn a_database_without_our_schema_yet() {
    let dir = Scratch::new("older-version");
    Store::open(dir.path()).await.unwrap().close().await.unwrap();
    let mut older = database(&dir, "").await;
    sqlx::query("DELETE FROM _sqlx_migrations").execute(&mut older).await.unwrap();
    older.close().await.unwrap();
    assert!(matches!(StoreReader::open(dir.path()).await, Err(StoreError::Older { found: 0, .. })));
}

#[tokio::test]
async fn a_second_server_on_the_same_directory() {
    let dir = Scratch::new("second-server");
    let first = Store::open(dir.path()).await.unwrap();
    let refusal = refusal(dir.path()).await;
    assert!(
        matches!(refusal, StoreError::InUse { process: Some(process), .. } if process == std::process::id())
    );
    first.close().await.unwrap();
    assert!(Store::open(dir.path()).await.is_ok());
}

#[tokio::test]
async fn a_database_that_another_program_holds() {
    let dir = Scratch::new("held");
    Store::open(dir.path()).await.unwrap().close().await.unwrap();
    let mut other = database(&dir, "").await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let refusal = Store::open_patiently(dir.path(), Duration::from_millis(1)).await.unwrap_err();
    assert!(matches!(refusal, StoreError::Locked { .. }), "{refusal}");
}

#[tokio::test]
async fn no_database_at_all() {
    let dir = Scratch::new("empty");
    assert!(matches!(StoreReader::open(dir.path()).await, Err(StoreError::Absent { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "looking leaves nothing behind");
}

#[test]
fn a_read_only_file_system() {
    with_tmpfs("a_read_only_file_system", Mount { size: "4m", is_read_only: true }, |dir| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let refusal = runtime.block_on(refusal(dir));
        assert!(refusal.to_string().contains("Read-only file system"), "{refusal}");
    });
}

#[test]
fn a_full_file_system() {
    with_tmpfs("a_full_file_system", Mount { size: "64k", is_read_only: false }, |dir| {
        fs::write(dir.join("filler"), vec![1; 64 * 1024]).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let refusal = runtime.block_on(refusal(dir));
        assert!(refusal.to_string().contains("No space left"), "{refusal}");
    });
}

async fn database(dir: &Scratch, mode: &str) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite:{}{mode}", dir.join("caly.db").display())).await.unwrap()
}
