//! Whom to call: the URI of the command line, refused before any packet is sent if no call can come of it.

use caly_sip::message::{Scheme, Uri};

use crate::cli::Failure;
use crate::cli::secret;

/// Reads the URI of the command line.
///
/// # Errors
/// Exit code 2, and no password in the message.
pub(super) fn parse(text: &str) -> Result<Uri, Failure> {
    let shown = secret::without_passwords(text);
    let uri: Uri =
        text.parse().map_err(|error| Failure::refused(format!("{shown}: {error}")).advise(EXAMPLE))?;
    match uri.scheme {
        Scheme::Sip => {}
        Scheme::Sips => return Err(no_tls(&shown)),
        Scheme::Tel | Scheme::Other(_) => {
            return Err(Failure::refused(format!("{shown} is not a SIP URI")).advise(EXAMPLE));
        }
    }
    if uri.password.is_some() {
        return Err(Failure::refused(format!(
            "{shown} holds a password, which everybody on this machine can read in the list of processes"
        ))
        .advise("leave it out: this caller cannot log in yet"));
    }
    match uri.params.value("transport").map(str::to_ascii_lowercase).as_deref() {
        None | Some("udp" | "tcp") => Ok(uri),
        Some("tls") => Err(no_tls(&shown)),
        Some(other) => Err(Failure::refused(format!("{shown}: the transport {other} is not supported"))
            .advise("write ;transport=tcp, or leave it out for UDP")),
    }
}

fn no_tls(shown: &str) -> Failure {
    Failure::refused(format!("{shown}: TLS is not supported yet"))
        .advise("call a sip: URI over UDP or with ;transport=tcp")
}

const EXAMPLE: &str = "write it like sip:echo@127.0.0.1:5060";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_called_is_read() {
        for text in [
            "sip:echo@127.0.0.1",
            "sip:echo@[::1]:5070",
            "SIP:192.0.2.7;transport=TCP",
            "sip:+91221234567@example.net;user=phone;transport=udp",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_called_is_refused_with_the_reason() {
        for (text, told) in [
            ("echo", "bad URI scheme"),
            ("echo@127.0.0.1", "bad URI scheme"),
            ("mailto:a@b", "not a SIP URI"),
            ("tel:+15550100", "not a SIP URI"),
            ("sips:echo@127.0.0.1", "TLS is not supported yet"),
            ("sip:echo@127.0.0.1;transport=TLS", "TLS is not supported yet"),
            ("sip:echo@127.0.0.1;transport=ws", "the transport ws is not supported"),
            ("sip:echo@127.0.0.1:0", "bad port"),
            ("sip:echo@127.0.0.1:99999", "bad port"),
            ("sip:echo:secret@127.0.0.1", "holds a password"),
        ] {
            let failure = parse(text).map(|uri| uri.to_string()).unwrap_err();
            assert!(failure.to_string().contains(told), "{text}: {failure}");
            assert_eq!(failure.exit_code(), 2);
        }
    }

    #[test]
    fn no_message_repeats_a_password() {
        for text in [
            "sip:echo:s3cret@127.0.0.1",
            "sips:echo:s3cret@127.0.0.1",
            "sip:echo:s3cret@127.0.0.1:99999",
            "sip:echo:s3@cret@127.0.0.1",
            "echo:s3cret@127.0.0.1",
            "sip:echo:s3cret@127.0.0.1;transport=ws",
            "sip:echo:s3cret@",
        ] {
            let mut printed = Vec::new();
            parse(text).unwrap_err().print(&mut printed, crate::cli::Format::Text).unwrap();
            let printed = String::from_utf8(printed).unwrap();
            assert!(!printed.contains("s3") && !printed.contains("cret"), "{text}: {printed}");
        }
    }
}
