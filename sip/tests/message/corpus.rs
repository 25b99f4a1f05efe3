//! The messages that several tests read: `torture/` and `fixtures/`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use caly_sip::message::{Framed, FramingError, Malformed, Message, StreamFramer};

/// One message of the corpus.
pub(crate) struct Sample {
    /// The path below `tests/`.
    pub(crate) name: String,
    /// The bytes of the datagram.
    pub(crate) bytes: Vec<u8>,
}

/// All messages, in the order of their names.
pub(crate) fn samples() -> Vec<Sample> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut paths = Vec::new();
    for directory in ["torture", "torture/rfc5118", "fixtures"] {
        let entries = std::fs::read_dir(root.join(directory)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| is_message(path)));
    }
    paths.sort();
    let name = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| Sample { name: name(path), bytes: std::fs::read(path).unwrap() }).collect()
}

/// One message by its path below `tests/`.
pub(crate) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)).unwrap()
}

/// What a stream yields that carries these pieces.
pub(crate) fn frame<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Result<Framed, FramingError>> {
    let epoch = Instant::now();
    let mut framer = StreamFramer::new();
    let mut framed = Vec::new();
    for (at, piece) in (0..).zip(pieces) {
        framer.push(epoch + Duration::from_micros(at), piece);
        framed.extend(framer.by_ref());
    }
    framed
}

/// In few words: the method, the status code, what is answered and why, or that nothing is.
pub(crate) fn describe(outcome: &Result<Message, Malformed>) -> String {
    match outcome {
        Ok(Message::Request(request)) => request.method.to_string(),
        Ok(Message::Response(response)) => response.status.to_string(),
        Err(Malformed { error, reply: Some(reply) }) => format!("{}: {error}", reply.status),
        Err(Malformed { error, reply: None }) => format!("dropped: {error}"),
    }
}

/// The same for a stream, one after the other.
pub(crate) fn describe_stream(framed: &[Result<Framed, FramingError>]) -> String {
    let words = framed.iter().map(|framed| match framed {
        Ok(Framed::Message(message)) => describe(&Ok(message.clone())),
        Ok(Framed::Malformed(malformed)) => describe(&Err(malformed.clone())),
        Ok(Framed::Ping) => "ping".to_owned(),
        Err(error) => format!("closed: {error}"),
    });
    words.collect::<Vec<_>>().join("; ")
}

fn is_message(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "dat" || extension == "sip")
}
