//! Phone numbers as they may stand in a log.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// A party (a number, a SIP or tel URI, a `From` value) as it may stand in a log: of every phone number in it only
/// the last three digits, unless the log was set up with [`PhoneNumbers::Shown`](super::PhoneNumbers::Shown).
#[derive(Clone, Copy)]
pub struct Redacted<'a>(pub &'a str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if SHOW_NUMBERS.load(Ordering::Relaxed) { f.write_str(self.0) } else { write_masked(self.0, f) }
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Masks the numbers of one party; what follows an `@` is a host and stays.
fn write_masked(party: &str, out: &mut impl fmt::Write) -> fmt::Result {
    let (mut rest, host) = match party.rsplit_once('@') {
        Some((user, _)) => (user, &party[user.len()..]),
        None => (party, ""),
    };
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from_digit) = rest.split_at(start);
        let end = from_digit.find(|c| !is_part_of_number(c)).unwrap_or(from_digit.len());
        let (number, after) = from_digit.split_at(end);
        out.write_str(before)?;
        write_number(number, out)?;
        rest = after;
    }
    out.write_str(rest)?;
    out.write_str(host)
}

fn write_number(number: &str, out: &mut impl fmt::Write) -> fmt::Result {
    let digits = number.chars().filter(char::is_ascii_digit).count();
    if digits < PHONE_NUMBER_DIGITS {
        return out.write_str(number);
    }
    out.write_char('…')?;
    number
        .chars()
        .filter(char::is_ascii_digit)
        .skip(digits - SHOWN_DIGITS)
        .try_for_each(|digit| out.write_char(digit))
}

/// Digits and the visual separators of RFC 3966 section 3.
fn is_part_of_number(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '-' | '.' | '(' | ')' | ' ')
}

/// Whether numbers are shown in full from now on.
pub(super) fn show_numbers(is_shown: bool) {
    SHOW_NUMBERS.store(is_shown, Ordering::Relaxed);
}

/// Numbers shorter than this name no one: extensions, ports, service numbers such as 112 or 1800.
const PHONE_NUMBER_DIGITS: usize = 5;

/// Enough to tell two calls in a log apart, too few to call anyone.
const SHOWN_DIGITS: usize = 3;

/// Set once by [`init`](super::init); log lines are formatted on many threads.
static SHOW_NUMBERS: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_phone_number_the_last_three_digits_are_left() {
        for (party, logged) in [
            ("+919812345678", "+…678"),
            ("sip:+919812345678@203.0.113.9:5060", "sip:+…678@203.0.113.9:5060"),
            ("tel:+1-(415)-555-0100", "tel:+…100"),
            ("tel:+1.415.555.0100;phone-context=+44", "tel:+…100;phone-context=+44"),
            ("\"Asha 98765 43210\" <sip:asha@example.com>", "\"Asha …210\" <sip:asha@example.com>"),
            ("98765 43210", "…210"),
        ] {
            assert_eq!(Redacted(party).to_string(), logged);
            assert_eq!(format!("{:?}", Redacted(party)), logged);
        }
    }

    #[test]
    fn what_is_no_phone_number_stays() {
        for party in ["sip:echo@127.0.0.1", "echo", "112", "sip:1004@10.20.30.40", "", "@", "नमस्ते"]
        {
            assert_eq!(Redacted(party).to_string(), party);
        }
    }
}
