//! Passwords that somebody wrote into a URI: no message repeats them.

/// The text with `***` in the place of everything between the user and the host of a URI: `sip:user:***@host`. Every
/// word for itself, whether it is a whole URI or not.
pub(super) fn without_passwords(text: &str) -> String {
    let words: Vec<String> = text.split(' ').map(without_password).collect();
    words.join(" ")
}

fn without_password(word: &str) -> String {
    // A password may hold an '@' where it should not; what is hidden then is more than the password.
    let Some((before, host)) = word.rsplit_once('@') else { return word.to_owned() };
    let lower = before.to_ascii_lowercase();
    let scheme = ["sip:", "sips:"].iter().find_map(|scheme| Some(lower.rfind(scheme)? + scheme.len()));
    let user = scheme.unwrap_or(0);
    match before[user..].find(':') {
        Some(colon) => format!("{}:***@{host}", &before[..user + colon]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_is_hidden() {
        for (text, shown) in [
            ("sip:echo@127.0.0.1:5060", "sip:echo@127.0.0.1:5060"),
            ("sip:127.0.0.1:5060", "sip:127.0.0.1:5060"),
            ("sip:a:b@c:5060;transport=tcp", "sip:a:***@c:5060;transport=tcp"),
            ("SIPS:a:b@c", "SIPS:a:***@c"),
            ("a:b@c", "a:***@c"),
            ("sip:a:b@c@d", "sip:a:***@d"),
            ("unexpected argument 'sip:a:b@c' found", "unexpected argument 'sip:a:***@c' found"),
            ("", ""),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}
