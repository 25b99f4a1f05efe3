//! `caly calls ls`: one line for each call.

use jiff::tz::TimeZone;

use super::columns::fixed;
use super::{failure, open, row_json, seconds, timestamp};
use crate::call::log::UnixMicros;
use crate::cli::{CallsLsArgs, Failure, Format, Output};
use crate::store::{CallFilter, CallList, CallRow};

pub(super) async fn run(args: &CallsLsArgs, zone: &TimeZone, out: &mut Output<'_>) -> Result<(), Failure> {
    let mut store = open(&args.data).await?;
    let filter = CallFilter {
        limit: args.limit,
        since: args.since.map(|since| UnixMicros(since.as_microsecond())),
        cause: args.cause,
        number: args.number.clone(),
    };
    let list = store.list(&filter).await.map_err(|error| failure(&error))?;
    store.close().await.map_err(|error| failure(&error))?;
    match out.format() {
        Format::Json => list.calls.iter().try_for_each(|row| out.json(&row_json(row)?)),
        Format::Text => lines(&list, zone).iter().try_for_each(|line| out.line(line)),
    }
}

fn lines(list: &CallList, zone: &TimeZone) -> Vec<String> {
    let mut lines = Vec::new();
    if list.calls.is_empty() {
        lines.push("no calls".to_owned());
    } else {
        lines.push(format!(
            "{:19}  {:28}  {:16}  {:14}  {:10}  {:14}  {:>11}  {:>6}  {:>4}  {:3}  ID",
            "STARTED", "FROM", "NUMBER", "STATE", "AGENT", "OUTCOME", "TALKED", "LOSS %", "MOS", "REC"
        ));
        lines.extend(list.calls.iter().map(|row| line(row, zone)));
        lines.push(format!("times in {}", zone_name(zone)));
    }
    if list.events_in_spool > 0 {
        lines.push(format!(
            "{} events still wait in the spool; what they tell is shown above",
            list.events_in_spool
        ));
    }
    lines
}

fn line(row: &CallRow, zone: &TimeZone) -> String {
    let started = timestamp(row.started_at).to_zoned(zone.clone());
    let text = |value: &Option<String>, width| fixed(value.as_deref().unwrap_or("-"), width);
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    format!(
        "{:19}  {}  {}  {:14}  {}  {}  {:>11}  {:>6}  {:>4}  {:3}  {}",
        started.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        text(&row.from_uri, 28),
        text(&row.number, 16),
        row.cause.as_deref().unwrap_or(&row.state),
        text(&row.agent, 10),
        text(&row.outcome, 14),
        row.talk_ms.map_or_else(|| "-".to_owned(), seconds),
        figure(row.quality.loss_percent),
        figure(row.quality.mos),
        recording(row),
        row.id,
    )
}

fn recording(row: &CallRow) -> &'static str {
    match (&row.recording_file, row.recording_ms, &row.recording_error) {
        (None, _, _) => "-",
        (Some(_), _, Some(_)) => "cut",
        (Some(_), Some(_), None) => "yes",
        (Some(_), None, None) => "...",
    }
}

fn zone_name(zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some(name) => format!("{name}; --json gives UTC"),
        None => "this machine's zone; --json gives UTC".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::calls::columns::columns;

    fn row() -> CallRow {
        CallRow {
            id: "018bcfe5-6be8-7101-8101-010101010101".to_owned(),
            started_at: 1_700_000_001_000_000,
            state: "ended".to_owned(),
            cause: Some("remote_bye".to_owned()),
            from_uri: Some("sip:a-very-long-name-of-a-caller@192.0.2.7".to_owned()),
            number: Some("echo".to_owned()),
            talk_ms: Some(5_000),
            ..CallRow::default()
        }
    }

    #[test]
    fn a_call_is_a_line_in_local_time() {
        let zone = TimeZone::fixed(jiff::tz::offset(5).saturating_add(jiff::SignedDuration::from_mins(30)));
        let lines = lines(&CallList { calls: vec![row()], events_in_spool: 3 }, &zone);
        assert_eq!(
            lines[1],
            "2023-11-15 03:43:21  sip:a-very-long-name-of-a-c…  echo              remote_bye      \
             -           -                   5.000 s       -     -  -    018bcfe5-6be8-7101-8101-010101010101"
        );
        assert!(lines[2].contains("UTC") && lines[3].contains("3 events"), "{lines:?}");
    }

    #[test]
    fn the_agent_and_the_outcome_keep_their_columns_in_any_script() {
        let agents = ["Caly", "कैली सहायक", "客服小姐客服"];
        let ids: Vec<usize> = agents
            .iter()
            .map(|agent| {
                let outcome = Some("order_status".to_owned());
                let told =
                    line(&CallRow { agent: Some((*agent).to_owned()), outcome, ..row() }, &TimeZone::UTC);
                assert!(told.contains(&agent[..3]) && told.contains("  order_status  "), "{told}");
                columns(told.split(&row().id).next().unwrap_or_default())
            })
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    }

    #[test]
    fn a_running_call_shows_its_state_and_an_empty_store_says_so() {
        let running = CallRow { cause: None, state: "ringing".to_owned(), ..row() };
        assert!(line(&running, &TimeZone::UTC).contains("ringing"));
        assert_eq!(lines(&CallList { calls: Vec::new(), events_in_spool: 0 }, &TimeZone::UTC), ["no calls"]);
    }
}
