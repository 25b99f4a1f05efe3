//! Values that the tables of providers have in common.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use caly_provider::policy::Patience;
use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use crate::config::table::{Table, integer, text};

/// Keeps what was read, if there was anything sound.
pub(super) fn set<T>(place: &mut T, read: Option<T>) {
    if let Some(value) = read {
        *place = value;
    }
}

/// How long a provider is waited for: `connect_ms`, `first_ms` and `stall_ms`.
pub(super) fn patience(table: &mut Table<'_>, usual: Patience) -> Patience {
    let connect = wait(table, "connect_ms", usual.connect);
    Patience { connect, ..answer_patience(table, usual) }
}

/// The same where connecting is a part of what comes before the answer.
pub(super) fn answer_patience(table: &mut Table<'_>, usual: Patience) -> Patience {
    let (first, stall) = (wait(table, "first_ms", usual.first), wait(table, "stall_ms", usual.stall));
    Patience { first, stall, ..usual }
}

fn wait(table: &mut Table<'_>, key: &'static str, usual: Duration) -> Duration {
    table.get(key, integer(MIN_WAIT_MS..=MAX_WAIT_MS, "ms")).map_or(usual, Duration::from_millis)
}

/// Where a provider is, with one of these schemes.
pub(super) fn url(schemes: &'static [&'static str]) -> impl Fn(&DeValue<'_>) -> Result<String, String> {
    move |value| {
        let url = line(value)?;
        let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)?.strip_prefix("://"));
        let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':', '?']));
        if !has_host || url.contains([' ', '#', '@']) {
            let examples: Vec<String> =
                schemes.iter().map(|scheme| format!("\"{scheme}://host/path\"")).collect();
            return Err(format!("must be a URL, as {}", examples.join(" or ")));
        }
        Ok(url)
    }
}

/// A word or a name: not empty, on one line, not long.
pub(super) fn line(value: &DeValue<'_>) -> Result<String, String> {
    let line = text(value)?;
    if line.trim().is_empty() || line.len() > MAX_LINE_BYTES || line.chars().any(char::is_control) {
        return Err(format!("must be a text of 1 to {MAX_LINE_BYTES} bytes on one line"));
    }
    Ok(line)
}

/// What a provider is told in sentences.
pub(super) fn prose(value: &DeValue<'_>) -> Result<String, String> {
    let prose = text(value)?;
    if prose.len() > MAX_PROSE_BYTES {
        return Err(format!("has {} bytes; at most {MAX_PROSE_BYTES} are allowed", prose.len()));
    }
    Ok(prose)
}

/// A whole number that fits 32 bits; the unit is named in the fault.
pub(super) fn whole(
    range: RangeInclusive<u32>,
    unit: &'static str,
) -> impl Fn(&DeValue<'_>) -> Result<u32, String> {
    let read = integer(u64::from(*range.start())..=u64::from(*range.end()), unit);
    // The range says that it fits.
    move |value| read(value).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// A number within bounds, whole or not.
pub(super) fn number(range: RangeInclusive<f64>) -> impl Fn(&DeValue<'_>) -> Result<f64, String> {
    move |value| {
        let written = value.as_float().map(|float| float.as_str());
        let written = written.or_else(|| value.as_integer().map(|digits| digits.as_str()));
        let number = written.and_then(|digits| digits.parse().ok());
        let within = number.filter(|number| range.contains(number));
        within.ok_or_else(|| format!("must be {}..={}", range.start(), range.end()))
    }
}

/// A text for each language: `{ hi = "..", en = "..", "*" = ".." }`.
pub(super) fn by_language(value: &DeValue<'_>) -> Result<BTreeMap<String, String>, String> {
    const ADVICE: &str =
        "must name one for each language, as { hi = \"..\", en = \"..\" }, or { \"*\" = \"..\" } for all";
    let table = value.as_table().ok_or(ADVICE)?;
    let mut texts = BTreeMap::new();
    for (language, value) in table.iter() {
        let (language, value) = (language.get_ref().to_string(), line(value.get_ref())?);
        let is_tag = language == "*" || language.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !is_tag || language.is_empty() {
            return Err(ADVICE.to_owned());
        }
        texts.insert(language, value);
    }
    if texts.is_empty() { Err(ADVICE.to_owned()) } else { Ok(texts) }
}

/// Fields of a request as the vendor wants them.
pub(super) fn fields(value: &DeValue<'_>) -> Result<Map<String, Value>, String> {
    match json(value)? {
        Value::Object(fields) => Ok(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err("must be a table of further fields of the request, as { service_tier = \"auto\" }".to_owned())
        }
    }
}

fn json(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(claim) => Value::Bool(*claim),
        DeValue::Integer(digits) => {
            let number = i64::from_str_radix(digits.as_str(), digits.radix());
            Value::Number(number.map_err(|_| format!("{} is too large", digits.as_str()))?.into())
        }
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or_else(|| format!("{} is no number in JSON", float.as_str()))?)
        }
        DeValue::Datetime(_) => return Err("JSON has no dates; write a text in quotation marks".to_owned()),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| json(item.get_ref())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let field =
                |(key, value): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| {
                    Ok((key.get_ref().to_string(), json(value.get_ref())?))
                };
            Value::Object(table.iter().map(field).collect::<Result<_, String>>()?)
        }
    })
}

/// Of a WebSocket.
pub(super) const STREAMS: &[&str] = &["wss", "ws"];
/// Of requests.
pub(super) const REQUESTS: &[&str] = &["https", "http"];
/// Words to be expected, languages, and the like.
pub(super) const MAX_WORDS: usize = 200;

/// Shorter than any way to a server and back.
const MIN_WAIT_MS: u64 = 50;
/// Longer than any caller waits.
const MAX_WAIT_MS: u64 = 60_000;
/// Models, voices, addresses.
const MAX_LINE_BYTES: usize = 512;
/// A page.
const MAX_PROSE_BYTES: usize = 4_096;
