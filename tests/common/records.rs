//! What calls left behind, read as an operator reads it: `caly calls ls` and `caly calls show`, as JSON.

use std::time::Duration;

use serde_json::Value;

use super::server::Server;
use super::wait;

impl Server {
    /// All call rows.
    #[track_caller]
    pub(crate) fn calls(&self) -> Vec<Value> {
        let printed = self.caly(&["calls", "ls", "--json", "--limit", "10000"]);
        json_values(&printed)
    }

    /// Waits until there are `number` rows and every one of them is closed; returns them.
    #[track_caller]
    pub(crate) fn ended_calls(&self, number: usize) -> Vec<Value> {
        let what = format!("{number} ended calls in `caly calls ls`");
        wait::until(&what, ROWS_LIMIT, || {
            let rows = self.calls();
            let all_ended = rows.iter().all(|row| row["cause"].is_string());
            (rows.len() == number && all_ended).then_some(rows)
        })
    }

    /// The only call, once it has ended, with its events.
    #[track_caller]
    pub(crate) fn ended_call(&self) -> Value {
        let rows = self.ended_calls(1);
        self.call(text(&rows[0], "id"))
    }

    /// One call with its events.
    #[track_caller]
    pub(crate) fn call(&self, id: &str) -> Value {
        let printed = self.caly(&["calls", "show", id, "--json"]);
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("not JSON ({error}): {printed}"))
    }
}

/// The events of a call as `caly calls show` prints it, without their envelope.
#[track_caller]
pub(crate) fn events(call: &Value) -> Vec<Value> {
    let records = call["events"].as_array().unwrap_or_else(|| panic!("no events in {call}"));
    records.iter().map(|record| record["event"].clone()).collect()
}

/// The events of one type.
#[track_caller]
pub(crate) fn events_of(call: &Value, kind: &str) -> Vec<Value> {
    events(call).into_iter().filter(|event| event["type"] == kind).collect()
}

/// A field that must be a string.
#[track_caller]
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is no string in {value}"))
}

/// A field that must be a count.
#[track_caller]
pub(crate) fn count(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("{field} is no count in {value}"))
}

/// The figures of the leg.
#[track_caller]
pub(crate) fn leg_quality(call: &Value) -> Value {
    let quality = events_of(call, "quality");
    assert_eq!(quality.len(), 1, "quality is told once: {call}");
    quality[0]["leg"].clone()
}

/// The directions of all negotiations, in their order.
#[track_caller]
pub(crate) fn directions(call: &Value) -> Vec<String> {
    events_of(call, "media").iter().map(|media| text(media, "direction").to_owned()).collect()
}

/// Accepts one array, or one value per line.
#[track_caller]
fn json_values(printed: &str) -> Vec<Value> {
    if let Ok(Value::Array(rows)) = serde_json::from_str(printed) {
        return rows;
    }
    let row = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    printed.lines().filter(|line| !line.trim().is_empty()).map(row).collect()
}

/// The spool writes every 100 ms and the database follows; the rest is for a stalling machine.
const ROWS_LIMIT: Duration = Duration::from_secs(10);
