//! `caly calls show`: everything about one call.

use std::path::Path;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::columns::printable;
use super::{dialogue, events, ladder, lookup, row_json, seconds, terminal_columns, timestamp, utc};
use crate::cli::{CallsShowArgs, Failure, Format, Output};
use crate::store::{CallLog, CallRow, DataDir, QualityColumns};

pub(super) async fn run(args: &CallsShowArgs, zone: &TimeZone, out: &mut Output<'_>) -> Result<(), Failure> {
    let (log, data) = lookup::call(&args.data, &args.id).await?;
    match out.format() {
        Format::Json => out.json(&whole_json(&log, &data)?),
        Format::Text => {
            lines(&log, &data, zone, terminal_columns()).iter().try_for_each(|line| out.line(line))
        }
    }
}

/// The row with the events and what is known about them beside.
fn whole_json(log: &CallLog, data: &DataDir) -> Result<Value, Failure> {
    let mut value = row_json(&log.row)?;
    let path = log.row.recording_file.as_ref().map(|file| data.recordings().join(file));
    value["recording_path"] = json!(path);
    value["dialogue"] = dialogue::json(&dialogue::entries(log));
    value["events"] = json!(log.events);
    value["missing_events"] = json!(events::missing(&log.events));
    value["events_in_spool"] = json!(log.events_in_spool);
    Ok(value)
}

fn lines(log: &CallLog, data: &DataDir, zone: &TimeZone, width: Option<usize>) -> Vec<String> {
    let row = &log.row;
    let mut lines = vec![format!("call {}", row.id)];
    lines.extend(parties(row));
    lines.extend(times(row, zone));
    lines.extend(conversation(row));
    lines.extend(recording(row, &data.recordings()));
    lines.extend(quality(&row.quality));
    if log.events_in_spool > 0 {
        lines.push(field(
            "spool",
            &format!("{} events have not reached the database yet", log.events_in_spool),
        ));
    }
    let dialogue = dialogue::entries(log);
    if !dialogue.is_empty() {
        lines.push(String::new());
        lines.push("dialogue (minutes and seconds since the call began)".to_owned());
        lines.extend(dialogue::lines(&dialogue, width));
    }
    lines.push(String::new());
    lines.push("events (seconds since the call began)".to_owned());
    lines.extend(events::lines(&log.events));
    let ladder = ladder::lines(&log.events);
    if !ladder.is_empty() {
        lines.push(String::new());
        lines.push("SIP".to_owned());
        lines.extend(ladder);
    }
    lines
}

fn parties(row: &CallRow) -> Vec<String> {
    let text = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), printable);
    let trunk = row.trunk.as_deref().map_or_else(|| "no trunk".to_owned(), |trunk| format!("trunk {trunk}"));
    vec![
        field("direction", &text(&row.direction)),
        field("from", &text(&row.from_uri)),
        field("to", &text(&row.to_uri)),
        field("number", &format!("{} -> {}", text(&row.number), text(&row.destination))),
        field("peer", &format!("{} over {}, {}", text(&row.peer), text(&row.transport), printable(&trunk))),
        field("Call-ID", &text(&row.sip_call_id)),
    ]
}

fn times(row: &CallRow, zone: &TimeZone) -> Vec<String> {
    let local = timestamp(row.started_at).to_zoned(zone.clone());
    let since_start = |time: i64| events::at(u64::try_from(time - row.started_at).unwrap_or(0));
    let mut lines = vec![field(
        "started",
        &format!("{} here, {}", local.strftime("%Y-%m-%d %H:%M:%S%.3f %:z"), utc(row.started_at)),
    )];
    if let Some(answered_at) = row.answered_at {
        let codec = row.codec.as_deref().map_or_else(String::new, |codec| format!(" with {codec}"));
        lines.push(field("answered", &format!("{}{}", since_start(answered_at), printable(&codec))));
    }
    let end = match (row.ended_at, &row.cause) {
        (Some(ended_at), Some(cause)) => {
            let status = row.status.map_or_else(String::new, |status| format!(", status {status}"));
            let reason =
                row.reason.as_deref().map_or_else(String::new, |reason| format!(", Reason: {reason}"));
            let talked = seconds(row.talk_ms.unwrap_or(0));
            format!("{} {cause}{status}{}, talked {talked}", since_start(ended_at), printable(&reason))
        }
        _ => format!("not yet ({}); or its server died and has not been started again", row.state),
    };
    lines.push(field("ended", &end));
    lines
}

fn conversation(row: &CallRow) -> Option<String> {
    let agent = printable(row.agent.as_ref()?);
    let outcome = row.outcome.as_deref().map_or_else(|| "no outcome".to_owned(), printable);
    Some(field(
        "agent",
        &format!(
            "{agent}: {outcome}; {} turns by speech, {} keys, {} interruptions",
            row.turns, row.digits, row.barge_ins
        ),
    ))
}

fn recording(row: &CallRow, dir: &Path) -> Option<String> {
    let path = dir.join(row.recording_file.as_ref()?);
    let state = match (row.recording_ms, &row.recording_error) {
        (_, Some(error)) => format!("stopped early: {error}"),
        (Some(length), None) => {
            let missing = row.recording_missing_blocks.unwrap_or(0);
            format!("{}, {missing} blocks missing", seconds(length))
        }
        (None, None) => "being written; its name ends in .part until it is complete".to_owned(),
    };
    Some(field("recording", &format!("{} ({})", path.display(), printable(&state))))
}

fn quality(quality: &QualityColumns) -> Vec<String> {
    if quality.packets_received.is_none() {
        return Vec::new();
    }
    let figure = |value: Option<f64>, unit: &str| match value {
        Some(value) => format!("{value:.1}{unit}"),
        None => "-".to_owned(),
    };
    let count = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    vec![
        field(
            "quality",
            &format!(
                "MOS {}, loss {}, jitter {} / {} / {} (p50 / p95 / max), round trip {}, loss at the peer {}",
                figure(quality.mos, ""),
                figure(quality.loss_percent, " %"),
                figure(quality.jitter_p50_ms, " ms"),
                figure(quality.jitter_p95_ms, " ms"),
                figure(quality.jitter_max_ms, " ms"),
                figure(quality.rtt_ms, " ms"),
                figure(quality.remote_loss_percent, " %"),
            ),
        ),
        field(
            "packets",
            &format!(
                "{} received, {} sent, {} lost, {} late, {} twice, {} out of order, {} foreign, {} invalid",
                count(quality.packets_received),
                count(quality.packets_sent),
                count(quality.packets_lost),
                count(quality.packets_late),
                count(quality.packets_duplicate),
                count(quality.packets_reordered),
                count(quality.packets_foreign),
                count(quality.packets_invalid),
            ),
        ),
        field(
            "timing",
            &format!(
                "{} ticks, {} missed, send error {} / {} us (p50 / p99), {} slips, {} ms concealed",
                count(quality.ticks),
                count(quality.ticks_missed),
                count(quality.pacing_p50_us),
                count(quality.pacing_p99_us),
                count(quality.slips),
                count(quality.concealed_ms),
            ),
        ),
    ]
}

fn field(name: &str, value: &str) -> String {
    format!("  {name:10}{value}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample;

    #[test]
    fn a_call_is_shown_with_both_clocks_its_events_and_its_ladder() {
        let call = sample::call(1);
        let records = sample::answered_call(call);
        let log = CallLog {
            row: sample::row(&records),
            events: sample::stored(&records),
            turns: Vec::new(),
            events_in_spool: 0,
        };
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let text = lines(&log, &DataDir::new("/srv/caly"), &zone, None).join("\n");
        for expected in [
            "started   2023-11-15 00:13:21.000 +02:00 here, 2023-11-14T22:13:21.000000Z",
            "answered  +0.040000 with PCMU",
            "ended     +5.040000 remote_bye, status 200, talked 5.000 s",
            "/srv/caly/recordings/2023-11-14/",
            "MOS 4.2, loss 2.0 %",
            "245 received, 250 sent, 5 lost",
            "|<- BYE sip:echo@192.0.2.1",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
    }
}
