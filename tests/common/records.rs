//! What calls left behind, read as an operator reads it: `caly calls ls` and `caly calls show`, as JSON.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::server::{Server, run_caly};
use super::wait;

/// The calls of one data directory.
pub(crate) struct Records {
    data: PathBuf,
}

impl Records {
    /// Of the directory `data`, whether or not a server runs there.
    pub(crate) fn new(data: PathBuf) -> Self {
        Self { data }
    }

    /// All call rows.
    #[track_caller]
    pub(crate) fn calls(&self) -> Vec<Value> {
        let printed = run_caly(&["calls", "ls", "--json", "--limit", "10000"], &self.data);
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
        let printed = run_caly(&["calls", "show", id, "--json"], &self.data);
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("not JSON ({error}): {printed}"))
    }

    /// The call with this Call-ID among `rows`, with its events.
    #[track_caller]
    pub(crate) fn call_of(&self, rows: &[Value], sip_call_id: &str) -> Value {
        let of_call: Vec<&Value> = rows.iter().filter(|row| row["sip_call_id"] == sip_call_id).collect();
        assert_eq!(of_call.len(), 1, "rows of {sip_call_id} among {rows:?}");
        self.call(text(of_call[0], "id"))
    }
}

impl Server {
    /// What its calls leave.
    pub(crate) fn records(&self) -> Records {
        Records::new(self.data())
    }

    /// [`Records::calls`].
    #[track_caller]
    pub(crate) fn calls(&self) -> Vec<Value> {
        self.records().calls()
    }

    /// [`Records::ended_calls`].
    #[track_caller]
    pub(crate) fn ended_calls(&self, number: usize) -> Vec<Value> {
        self.records().ended_calls(number)
    }

    /// [`Records::ended_call`].
    #[track_caller]
    pub(crate) fn ended_call(&self) -> Value {
        self.records().ended_call()
    }

    /// [`Records::call`].
    #[track_caller]
    pub(crate) fn call(&self, id: &str) -> Value {
        self.records().call(id)
    }
}

/// Holds that an ended call's log is whole: numbered without a hole, begun once and ended once, as its row says.
/// Returns the end.
#[track_caller]
pub(crate) fn assert_whole(call: &Value) -> Value {
    let records = call["events"].as_array().unwrap_or_else(|| panic!("no events in {call}"));
    let numbers: Vec<u64> = records.iter().map(|record| count(record, "seq")).collect();
    let expected: Vec<u64> = (0..).take(numbers.len()).collect();
    assert_eq!(numbers, expected, "{call}");
    assert_eq!(events(call)[0]["type"], "opened", "{call}");
    let (opened, ends) = (events_of(call, "opened"), events_of(call, "ended"));
    assert_eq!((opened.len(), ends.len()), (1, 1), "a call begins once and ends once: {call}");
    for field in ["cause", "status", "talk_ms"] {
        assert_eq!(ends[0][field], call[field], "{field} of {call}");
    }
    assert_eq!(call["state"], "ended", "{call}");
    assert!(call["ended_at"].is_string(), "{call}");
    ends[0].clone()
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

/// Slots of 20 ms in which the server says that it sent nothing, as it came too late.
#[track_caller]
pub(crate) fn missed(call: &Value) -> u64 {
    events_of(call, "tick_late").iter().map(|event| count(event, "missed")).sum()
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
