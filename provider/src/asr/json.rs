//! What the vendors' JSON has in common: messages that are read and written, times that may be none, codes that are now a word and now a
//! number.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::link::Message;
use crate::policy::Fault;

/// Reads a message.
///
/// # Errors
/// When it is no text, no JSON, or not of this shape.
pub(super) fn read<T: DeserializeOwned>(message: &Message) -> Result<T, Fault> {
    match message {
        Message::Text(text) => serde_json::from_str(text).map_err(Fault::malformed),
        Message::Binary(_) => Err(Fault::malformed("a binary message where only JSON is due")),
    }
}

/// A message of this JSON.
pub(super) fn text(json: &Value) -> Message {
    Message::Text(json.to_string())
}

/// Audio inside of JSON: RFC 4648 section 4, with its padding.
pub(super) fn audio(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A time in seconds; `None` if it is no time.
pub(super) fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// A time in milliseconds; `None` if it is no time.
pub(super) fn millis(millis: f64) -> Option<Duration> {
    seconds(millis / 1_000.0)
}

/// A code or a text of which the vendor's own documents do not agree whether it is a word, a number or an object.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
            other.to_string()
        }
    }
}

/// What of a complaint is not empty.
pub(super) fn detail(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_time_is_none() {
        assert_eq!(millis(1_500.0), Some(Duration::from_millis(1_500)));
        assert_eq!((seconds(-1.0), seconds(f64::NAN), millis(1e300)), (None, None, None));
    }

    #[test]
    fn a_code_is_shown_whatever_it_is() {
        assert_eq!(shown(Some(&json!("quota"))), "quota");
        assert_eq!(shown(Some(&json!(3005))), "3005");
        assert_eq!(shown(Some(&json!(null))) + &shown(None), "");
        assert_eq!(detail(&["3005", "", "Server error"]), "3005: Server error");
    }
}
