//! The caller's audio on its way from the shard to the mind: a ring that nobody waits at, and that wakes nobody. The mind's side takes what is
//! there every few frames.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::mind::{CallerAudio, CallerFrame};
use crate::voice::{CallerListener, Conditioned};

/// What a mind wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedKind {
    /// The call's G.711 as it came.
    Payload,
    /// Samples without echo, at one level.
    Samples,
}

/// The mind's end.
#[derive(Debug)]
pub struct CallerFeed(Consumer<CallerFrame>);

/// The shard's end.
#[derive(Debug)]
struct Listener {
    ring: Producer<CallerFrame>,
    kind: FeedKind,
}

/// Both ends of a new feed.
pub fn caller_feed(kind: FeedKind) -> (Box<dyn CallerListener>, CallerFeed) {
    let (ring, frames) = RingBuffer::new(RING_FRAMES);
    (Box::new(Listener { ring, kind }), CallerFeed(frames))
}

impl CallerFeed {
    /// All that is there.
    pub fn drain(&mut self) -> impl Iterator<Item = CallerFrame> {
        std::iter::from_fn(|| self.0.pop().ok())
    }
}

impl CallerListener for Listener {
    /// A mind that does not come for more than a second loses what is new: it is far behind anyway.
    fn listen(&mut self, heard: &Conditioned) {
        let audio = match self.kind {
            FeedKind::Payload => CallerAudio::Payload(heard.payload),
            FeedKind::Samples => CallerAudio::Samples(heard.samples),
        };
        let _ = self.ring.push(CallerFrame { audio, is_speech: heard.is_speech });
    }
}

/// 1.28 s, 20 kB: a runtime that stands still for longer has lost the conversation.
const RING_FRAMES: usize = 64;
