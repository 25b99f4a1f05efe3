//! E-mail addresses that are read out: "rahul dot sharma at gmail dot com". Where it is not clear with which word an address begins there is none:
//! a wrong one is worse.

use super::digit_words::{Spoken, spoken};

/// The addresses in a text, in small letters.
pub(super) fn emails(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split_whitespace()
        .map(|word| word.trim_end_matches(ENDS))
        .filter(|word| !word.is_empty())
        .collect();
    (0..words.len()).filter_map(|at| written(words[at]).or_else(|| spelled(&words, at))).collect()
}

/// An address that the recognizer has written as one.
fn written(word: &str) -> Option<String> {
    let (local, domain) = word.split_once('@')?;
    (is_local(local) && is_domain(domain)).then(|| word.to_owned())
}

/// An address around the "at" in this place.
fn spelled(words: &[&str], at: usize) -> Option<String> {
    if !AT.contains(&words[at]) {
        return None;
    }
    let rest = &words[at + 1..];
    let rest = rest.strip_prefix(&["the", "rate"]).unwrap_or(rest);
    let rest = rest.strip_prefix(&["of"]).unwrap_or(rest);
    let ((local, is_sure), domain) = (local(&words[..at])?, domain(rest)?);
    let is_sure = is_sure || HOUSES.contains(&domain.split('.').next()?);
    (is_sure && is_local(&local) && is_domain(&domain)).then(|| format!("{local}@{domain}"))
}

/// What stands before the "at": words that signs join, letters one by one, and digits behind a word. Whether it can hardly be anything else: one
/// word at the beginning of a sentence may be "look".
fn local(before: &[&str]) -> Option<(String, bool)> {
    let mut parts: Vec<String> = Vec::new();
    let mut at = before.len();
    loop {
        while let Some(digits) = at.checked_sub(1).and_then(|at| digit(before[at])) {
            parts.push(digits);
            at -= 1;
        }
        let is_letter = |at: usize| before[at].len() == 1 && before[at].is_ascii();
        if at > 0 && is_letter(at - 1) {
            while at > 0 && is_letter(at - 1) {
                at -= 1;
                parts.push(before[at].to_owned());
            }
        } else if at > 0 && !is_beginning(before[at - 1]) {
            at -= 1;
            parts.push(before[at].to_owned());
        }
        let Some(sign) = at.checked_sub(1).and_then(|at| sign(before[at])) else { break };
        parts.push(sign.to_owned());
        at -= 1;
    }
    let is_clear = at == 0 || is_beginning(before[at - 1]);
    let is_sure = at > 0 || parts.len() > 1;
    is_clear.then(|| (parts.into_iter().rev().collect(), is_sure))
}

/// What stands behind it: words with a "dot" between them.
fn domain(behind: &[&str]) -> Option<String> {
    let (name, mut rest) = match behind {
        [first @ ("g" | "hot"), "mail", rest @ ..] => (format!("{first}mail"), rest),
        [name, rest @ ..] => (latin(name).to_owned(), rest),
        [] => return None,
    };
    let mut domain = name;
    while let [dot, word, more @ ..] = rest {
        if sign(dot) != Some(".") {
            break;
        }
        domain.push('.');
        domain.push_str(latin(word));
        rest = more;
    }
    Some(domain)
}

fn digit(word: &str) -> Option<String> {
    match spoken(word)? {
        Spoken::Digits(digits) => Some(digits),
        Spoken::Tens(_) | Spoken::Times(_) | Spoken::Plus => None,
    }
}

fn sign(word: &str) -> Option<&'static str> {
    match word {
        "dot" | "point" | "." | "डॉट" | "डाट" => Some("."),
        "underscore" | "_" | "अंडरस्कोर" => Some("_"),
        "dash" | "hyphen" | "minus" | "-" | "डैश" => Some("-"),
        _ => None,
    }
}

fn latin(word: &str) -> &str {
    match word {
        "जीमेल" | "जी-मेल" => "gmail",
        "याहू" => "yahoo",
        "हॉटमेल" => "hotmail",
        "आउटलुक" => "outlook",
        "कॉम" | "काम" => "com",
        "इन" => "in",
        "को" => "co",
        other => other,
    }
}

fn is_beginning(word: &str) -> bool {
    BEGINNINGS.contains(&word)
}

fn is_local(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-+".contains(letter);
    let has_ends = text.starts_with(char::is_alphanumeric) && text.ends_with(char::is_alphanumeric);
    text.len() <= MAX_LOCAL && has_ends && text.chars().all(is_plain) && !text.contains("..")
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_top = (2..=8).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_lowercase());
    text.contains('.') && text.len() <= MAX_DOMAIN && text.split('.').all(is_label) && is_top
}

const AT: &[&str] = &["at", "@", "ऐट", "एट", "ऍट"];
/// Where most people have theirs.
const HOUSES: &[&str] = &["gmail", "yahoo", "hotmail", "outlook", "rediffmail", "icloud", "live"];
/// Words behind which an address may begin.
const BEGINNINGS: &[&str] = &[
    "is",
    "it's",
    "its",
    "email",
    "e-mail",
    "mail",
    "id",
    "address",
    "to",
    "on",
    "hai",
    "he",
    "yes",
    "haan",
    "ji",
    "है",
    "ईमेल",
    "मेल",
    "आईडी",
    "एड्रेस",
    "हां",
    "हाँ",
    "जी",
];
/// What sentences end with.
const ENDS: &[char] = &[',', '.', '?', '!', ';', ':', '।'];
/// RFC 5321, section 4.5.3.1.
const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 255;
