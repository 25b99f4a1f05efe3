//! A database that another process has locked for half a minute: calls go on, begin and end as ever, and afterwards
//! every event of theirs is there once.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "here a failure is the test's failure")]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::raw_call::RawCall;
use common::records::{assert_whole, count, text};
use common::server::Server;
use common::stalls::StallWatch;
use common::wait;
use serde_json::Value;
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tokio::runtime::Runtime;

#[test]
fn a_database_locked_for_half_a_minute_delays_rows_and_nothing_else() {
    let server = Server::start();
    let watch = StallWatch::start(server.pid());
    let long = RawCall::speaking(server.sip(), "echo", 440.0);
    let long_id = long.call_id();
    wait::until("the first call's row", Duration::from_secs(10), || {
        (server.calls().len() == 1).then_some(())
    });

    let lock = Lock::take(&server.data().join("caly.db"));
    let taken = Instant::now();
    let short_ids = [500, 1_500, 2_500].map(|talk_ms| {
        let call = RawCall::speaking(server.sip(), "record", 700.0);
        wait::last(Duration::from_millis(talk_ms));
        let call_id = call.call_id();
        call.hang_up();
        call_id
    });
    wait::until("the server's complaint", Duration::from_secs(20), || {
        server.log().contains(REFUSED).then_some(())
    });
    let rows = server.calls();
    for call_id in &short_ids {
        let call = server.records().call_of(&rows, call_id);
        assert_eq!(call["cause"], "remote_bye", "what waits in the spool is shown all the same");
        assert!(count(&call, "events_in_spool") > 0);
    }
    wait::last(LOCKED.saturating_sub(taken.elapsed()));
    assert!(!server.log().contains(TAKEN_AGAIN));
    lock.release();

    wait::until("the database's return", Duration::from_secs(15), || {
        server.log().contains(TAKEN_AGAIN).then_some(())
    });
    let heard = long.hang_up();
    watch.stop().assert_unbroken("the call that lasted", &heard, 1_400);
    let records = server.records();
    for call_id in short_ids.iter().chain([&long_id]) {
        let call = wait::until("an empty spool", Duration::from_secs(10), || {
            let call = records.call_of(&records.calls(), call_id);
            (call["cause"].is_string() && count(&call, "events_in_spool") == 0).then_some(call)
        });
        assert_eq!(assert_whole(&call)["cause"], "remote_bye");
        assert_eq!(call["dropped_events"], 0, "{call}");
    }
    assert_each_event_once(&server.data().join("caly.db"), &records.calls());
}

/// A write lock on a database, held by this process.
struct Lock {
    runtime: Runtime,
    connection: SqliteConnection,
}

impl Lock {
    #[track_caller]
    fn take(database: &Path) -> Self {
        let runtime = runtime();
        let connection = runtime.block_on(async {
            let mut connection = connect(database).await;
            sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.unwrap();
            connection
        });
        Self { runtime, connection }
    }

    #[track_caller]
    fn release(mut self) {
        self.runtime.block_on(async {
            sqlx::query("ROLLBACK").execute(&mut self.connection).await.unwrap();
            self.connection.close().await.unwrap();
        });
    }
}

/// Looks past `caly calls`, at the table itself.
#[track_caller]
fn assert_each_event_once(database: &Path, rows: &[Value]) {
    runtime().block_on(async {
        let mut connection = connect(database).await;
        for row in rows {
            let counted =
                sqlx::query("SELECT count(*), count(DISTINCT seq), max(seq) FROM events WHERE call_id = ?")
                    .bind(text(row, "id"))
                    .fetch_one(&mut connection)
                    .await
                    .unwrap();
            let [all, distinct, last] = [0, 1, 2].map(|column| counted.get::<i64, _>(column));
            assert_eq!((all, distinct), (last + 1, last + 1), "{row}");
        }
        connection.close().await.unwrap();
    });
}

async fn connect(database: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite:{}", database.display())).await.unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

const LOCKED: Duration = Duration::from_secs(30);
const REFUSED: &str = "the database does not take events";
const TAKEN_AGAIN: &str = "the database takes events again";
