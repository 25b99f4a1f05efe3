//! What strict vendors check in the same way: queries, fields of JSON, keys.

use serde_json::Value;

use crate::audio::{Coding, Format};
use crate::vendor::Arrival;

/// The one key that simulated vendors take; any other is answered as they answer a wrong one.
pub const KEY: &str = "test-key";

/// A query held against what its vendor knows.
pub struct Query<'a>(&'a Arrival);

impl<'a> Query<'a> {
    /// The query of an arrival, if it has no parameter beyond these.
    ///
    /// # Errors
    ///
    /// Names the parameter that is unknown, or that stands twice and is not in `repeatable`.
    pub fn checked(arrival: &'a Arrival, known: &[&str], repeatable: &[&str]) -> Result<Self, String> {
        for (number, (name, _)) in arrival.query.iter().enumerate() {
            let may_repeat = repeatable.contains(&name.as_str());
            if !may_repeat && !known.contains(&name.as_str()) {
                return Err(format!("unknown query parameter `{name}`"));
            }
            let is_twice = arrival.query[..number].iter().any(|(before, _)| before == name);
            if is_twice && !may_repeat {
                return Err(format!("query parameter `{name}` stands twice"));
            }
        }
        Ok(Self(arrival))
    }

    /// A parameter that has to be there.
    ///
    /// # Errors
    ///
    /// If it is missing or empty.
    pub fn required(&self, name: &str) -> Result<&'a str, String> {
        let value = self.0.parameter(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("query parameter `{name}` is missing"))
    }

    /// A parameter, if it is there.
    pub fn optional(&self, name: &str) -> Option<&'a str> {
        self.0.parameter(name)
    }

    /// A number from `least` to `most`, or what is taken without it.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn number(&self, name: &str, least: f64, most: f64) -> Result<Option<f64>, String> {
        let Some(text) = self.0.parameter(name) else { return Ok(None) };
        let number = text.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
        number.map(Some).ok_or_else(|| format!("`{name}={text}`: expected a number from {least} to {most}"))
    }

    /// `true` or `false`; false without it.
    ///
    /// # Errors
    ///
    /// If it is another word.
    pub fn flag(&self, name: &str) -> Result<bool, String> {
        match self.0.parameter(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(format!("`{name}={other}`: expected true or false")),
        }
    }

    /// One of these words, if it is there.
    ///
    /// # Errors
    ///
    /// If it is another.
    pub fn one_of(&self, name: &str, words: &[&str]) -> Result<Option<&'a str>, String> {
        match self.0.parameter(name) {
            Some(word) if !words.contains(&word) => {
                Err(format!("`{name}={word}`: expected one of {}", words.join(", ")))
            }
            word => Ok(word),
        }
    }

    /// Encoding and sample rate by the names that most vendors have.
    ///
    /// # Errors
    ///
    /// If one of them is missing or unknown.
    pub fn raw_audio(&self, encoding: &str, rate: &str, rates: &[u32]) -> Result<Format, String> {
        let coding = coding(self.required(encoding)?)?;
        let text = self.required(rate)?;
        let rate_hz = text.parse().ok().filter(|rate| rates.contains(rate));
        let rate_hz = rate_hz.ok_or_else(|| format!("`{rate}={text}`: expected one of {rates:?}"))?;
        Ok(Format::new(coding, rate_hz))
    }
}

/// An encoding by the name that most vendors have for it.
///
/// # Errors
///
/// If it has another.
pub fn coding(name: &str) -> Result<Coding, String> {
    match name {
        "mulaw" | "pcm_mulaw" => Ok(Coding::Mulaw),
        "alaw" | "pcm_alaw" => Ok(Coding::Alaw),
        "linear16" | "pcm_s16le" => Ok(Coding::Linear16),
        other => Err(format!("unknown encoding `{other}`")),
    }
}

/// An object that has no field beyond these.
///
/// # Errors
///
/// Names the field.
pub fn only(object: &Value, known: &[&str]) -> Result<(), String> {
    let Some(fields) = object.as_object() else { return Err("expected an object".to_owned()) };
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("unknown field `{name}`")),
        None => Ok(()),
    }
}

/// A string that has to be there.
///
/// # Errors
///
/// If it is missing or no string.
pub fn text<'a>(object: &'a Value, name: &str) -> Result<&'a str, String> {
    object[name].as_str().ok_or_else(|| format!("field `{name}` is missing or no string"))
}

/// A number within bounds, if it is there.
///
/// # Errors
///
/// If it is no number or beyond them.
pub fn number(object: &Value, name: &str, least: f64, most: f64) -> Result<Option<f64>, String> {
    match &object[name] {
        Value::Null => Ok(None),
        value => {
            value.as_f64().filter(|number| (least..=most).contains(number)).map(Some).ok_or_else(|| {
                format!("field `{name}`: expected a number from {least} to {most}, not {value}")
            })
        }
    }
}

/// JSON of a text message.
///
/// # Errors
///
/// If it is none.
pub fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

/// Whether the request has `Authorization: <scheme> <key>`.
pub fn has_key(arrival: &Arrival, scheme: &str) -> bool {
    let value = arrival.header("authorization").and_then(|value| value.strip_prefix(scheme));
    value.and_then(|rest| rest.strip_prefix(' ')) == Some(KEY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn queries_are_held_against_what_is_known() {
        let arrival = Arrival::new("GET", "/x?a=1&b=true&k=1&k=2&a2=9");
        assert!(Query::checked(&arrival, &["a", "b", "a2"], &["k"]).is_ok());
        assert!(Query::checked(&arrival, &["a", "b"], &["k"]).is_err_and(|error| error.contains("`a2`")));
        assert!(
            Query::checked(&arrival, &["a", "b", "a2", "k"], &[]).is_err_and(|error| error.contains("twice"))
        );
        let query = Query(&arrival);
        assert!(query.required("c").is_err() && query.flag("a").is_err() && query.flag("b") == Ok(true));
        assert!(query.number("a2", 0.0, 5.0).is_err() && query.number("a", 0.0, 5.0) == Ok(Some(1.0)));
    }

    #[test]
    fn fields_and_keys_are_checked() {
        assert!(only(&json!({"a": 1}), &["a"]).is_ok() && only(&json!({"b": 1}), &["a"]).is_err());
        assert!(only(&json!([]), &[]).is_err() && text(&json!({"a": 1}), "a").is_err());
        let arrival = Arrival::default().with_header("Authorization", "Token test-key");
        assert!(has_key(&arrival, "Token") && !has_key(&arrival, "Bearer"));
    }
}
