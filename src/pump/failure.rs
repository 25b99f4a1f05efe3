//! What other crates' errors mean for a link.

use std::error::Error;
use std::io;

use caly_provider::link::{LinkFailure, MAX_MESSAGE_BYTES};
use tokio_tungstenite::tungstenite;
use tungstenite::error::{CapacityError, ProtocolError};

use super::pool::MAX_BUFFER_BYTES;
use super::tls;

/// An error of an HTTP connection.
pub(super) fn of_http(error: &hyper::Error) -> LinkFailure {
    if let Some(tls) = tls::cause(error) {
        return LinkFailure::Tls(tls.to_string());
    }
    if error.is_parse_too_large() {
        return LinkFailure::TooLong { limit_bytes: MAX_BUFFER_BYTES };
    }
    let why = with_causes(error);
    let is_nonsense = error.is_parse() || io_kind(error).is_some_and(is_of_bad_bytes);
    if is_nonsense { LinkFailure::Protocol(why) } else { LinkFailure::Broken(why) }
}

/// An error of a WebSocket after its handshake.
pub(super) fn of_websocket(error: &tungstenite::Error) -> LinkFailure {
    match error {
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            LinkFailure::TooLong { limit_bytes: MAX_MESSAGE_BYTES }
        }
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            LinkFailure::Broken("the peer hung up without closing the WebSocket".to_owned())
        }
        tungstenite::Error::Io(io_error) => match tls::cause(io_error) {
            Some(tls) => LinkFailure::Tls(tls.to_string()),
            None => LinkFailure::Broken(io_error.to_string()),
        },
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            LinkFailure::Broken("the WebSocket is closed".to_owned())
        }
        // Foreign: what is left is said about frames and their content.
        other => LinkFailure::Protocol(other.to_string()),
    }
}

fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

/// So a chunk's size is told that is no number.
fn is_of_bad_bytes(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
}

fn with_causes(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
