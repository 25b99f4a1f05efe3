//! `caly calls`: what calls left behind, read from a data directory while its server runs or when none does.

mod columns;
mod dialogue;
mod events;
mod hops;
mod ladder;
mod list;
mod lookup;
mod show;
mod waterfall;

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{CallsArgs, CallsCommand, Failure, Output};
use crate::store::{CallRow, StoreError, StoreReader};

/// Runs the command.
///
/// # Errors
/// When there is no database, no such call, or more than one.
pub(super) fn run(args: &CallsArgs, out: &mut Output<'_>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let zone = TimeZone::system();
    match &args.command {
        CallsCommand::Ls(args) => runtime.block_on(list::run(args, &zone, out)),
        CallsCommand::Show(args) => runtime.block_on(show::run(args, &zone, out)),
        CallsCommand::Waterfall(args) => runtime.block_on(waterfall::run(args, out)),
    }
}

async fn open(data: &Path) -> Result<StoreReader, Failure> {
    StoreReader::open(data).await.map_err(|error| failure(&error))
}

fn failure(error: &StoreError) -> Failure {
    Failure::failed(error.to_string()).advise(error.advice())
}

/// How wide the terminal is; `None` if standard output is none, so that who searches the text finds whole sentences.
fn terminal_columns() -> Option<usize> {
    console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns))
}

/// A row for programs: its times as RFC 3339 in UTC.
fn row_json(row: &CallRow) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(row).map_err(|error| Failure::failed(error.to_string()))?;
    for (key, time) in
        [("started_at", Some(row.started_at)), ("answered_at", row.answered_at), ("ended_at", row.ended_at)]
    {
        value[key] = time.map_or(Value::Null, |micros| Value::String(utc(micros)));
    }
    Ok(value)
}

/// RFC 3339 in UTC, to the microsecond.
fn utc(micros: i64) -> String {
    timestamp(micros).strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Milliseconds as seconds.
fn seconds(ms: i64) -> String {
    format!("{}.{:03} s", ms / 1000, ms.rem_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_to_the_microsecond() {
        assert_eq!(utc(1_700_000_000_000_001), "2023-11-14T22:13:20.000001Z");
        assert_eq!(seconds(5_040), "5.040 s");
    }
}
