//! The lexical rules that many header fields share (RFC 3261 25.1): tokens, quoted strings, lists, escapes.

use std::borrow::Cow;
use std::str::FromStr;

/// Whether the text is a token.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Whether the byte may stand in a token.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Cuts white space off both ends. Folding is gone by the time that values are read, so it is SP and HTAB only.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Splits a list at its commas (RFC 3261 7.3.1), but not inside quoted strings and angle brackets.
pub(super) fn split_list(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let comma = unquoted_position(text, b',');
        rest = comma.and_then(|at| text.get(at + 1..));
        Some(trim(comma.and_then(|at| text.get(..at)).unwrap_or(text)))
    })
}

/// Where the byte first stands outside of quoted strings and angle brackets. An unterminated string or bracket hides
/// all that follows it.
pub(super) fn unquoted_position(text: &str, wanted: u8) -> Option<usize> {
    let (mut is_quoted, mut is_escaped, mut is_bracketed) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' if !is_bracketed => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'>' if is_bracketed => is_bracketed = false,
            _ if is_bracketed => {}
            _ if byte == wanted => return Some(at),
            b'<' => is_bracketed = true,
            _ => {}
        }
    }
    None
}

/// Splits a quoted string off the front: the text between the quotes, escapes still in it, and what follows the
/// closing quote. `None` if the text does not start with a quote or the quote is never closed.
pub(super) fn split_quoted(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut is_escaped = false;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some((inner.get(..at)?, inner.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

/// Takes the escapes out of the inside of a quoted string.
pub(super) fn unescape(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    Cow::Owned(text)
}

/// Puts text into quotes, with the escapes that it needs.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Reads digits and nothing else. Numbers that the type cannot hold are `None` too.
pub(super) fn digits<T: FromStr>(text: &str) -> Option<T> {
    if is_digits(text) { text.parse().ok() } else { None }
}

/// Reads digits; what exceeds 32 bits becomes the largest number (RFC 3261 20.19 allows it for times).
pub(super) fn saturating_digits(text: &str) -> Option<u32> {
    is_digits(text).then(|| text.parse().unwrap_or(u32::MAX))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Decodes `%HH` (RFC 3986 2.1). What is not an escape stays as it is, bytes that are not UTF-8 become U+FFFD.
pub(super) fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, tail @ ..] => hex_byte(*high, *low).map(|byte| (byte, tail)),
            _ => None,
        };
        let (byte, tail) = escaped.unwrap_or((*byte, tail));
        decoded.push(byte);
        rest = tail;
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// Escapes every byte that the predicate does not allow.
pub(super) fn percent_encode(text: &str, is_allowed: fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_allowed(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_outside_of_quotes_and_brackets() {
        let split = |text| split_list(text).collect::<Vec<_>>();
        assert_eq!(split("a,b , c"), ["a", "b", "c"]);
        assert_eq!(split("\"a,\\\",b\" <sip:c,d>, <e>"), ["\"a,\\\",b\" <sip:c,d>", "<e>"]);
        assert_eq!(split(""), [""]);
        assert_eq!(split(",,"), ["", "", ""]);
        assert_eq!(split("\"open, a"), ["\"open, a"]);
        assert_eq!(split("<sip:a\">, <sip:b>"), ["<sip:a\">", "<sip:b>"]);
    }

    #[test]
    fn quoted_strings() {
        assert_eq!(split_quoted(r#""a\"b" c"#), Some((r#"a\"b"#, " c")));
        assert_eq!(split_quoted(r#""a\""#), None);
        assert_eq!(split_quoted("a"), None);
        assert_eq!(unescape(r"a\\\"), r"a\");
        assert_eq!(unescape(r#"\"\ü"#), "\"ü");
        assert_eq!(quote(r#"a"\b"#), r#""a\"\\b""#);
    }

    #[test]
    fn numbers_do_not_wrap() {
        assert_eq!(digits::<u16>("0009"), Some(9));
        assert_eq!(digits::<u16>("65536"), None);
        assert_eq!(digits::<u16>("+1"), None);
        assert_eq!(digits::<u16>(""), None);
        assert_eq!(saturating_digits("4294967296"), Some(u32::MAX));
        assert_eq!(saturating_digits("99999999999999999999999999"), Some(u32::MAX));
        assert_eq!(saturating_digits("-1"), None);
    }

    #[test]
    fn percent_escapes() {
        assert_eq!(percent_decode("sips%3Auser%40example.com"), "sips:user@example.com");
        assert_eq!(percent_decode("nul%00nul"), "nul\0nul");
        assert_eq!(percent_decode("%Zz%4%"), "%Zz%4%");
        assert_eq!(percent_decode("%C3%BC%ff"), "ü\u{fffd}");
        assert_eq!(percent_encode("a@ü", |byte| byte.is_ascii_alphanumeric()), "a%40%C3%BC");
    }
}
