//! The caller's audio on its way from the shard to the mind: a ring that nobody waits at, and that wakes nobody. The mind's side takes what is
//! there every few frames.

use caly_rtp::frame::FRAME_SAMPLES;
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
pub struct CallerFeed(Frames);

/// A ring for each kind, of frames that are made as they come: most of the time no more than a few of them wait.
#[derive(Debug)]
enum Frames {
    Payload(Consumer<Box<Slot<u8>>>),
    Samples(Consumer<Box<Slot<i16>>>),
}

/// The shard's end.
#[derive(Debug)]
enum Listener {
    Payload(Producer<Box<Slot<u8>>>),
    Samples(Producer<Box<Slot<i16>>>),
}

#[derive(Debug)]
struct Slot<T> {
    audio: [T; FRAME_SAMPLES],
    is_speech: bool,
}

/// Both ends of a new feed.
pub fn caller_feed(kind: FeedKind) -> (Box<dyn CallerListener>, CallerFeed) {
    let (listener, frames) = match kind {
        FeedKind::Payload => {
            let (ring, frames) = RingBuffer::new(RING_FRAMES);
            (Listener::Payload(ring), Frames::Payload(frames))
        }
        FeedKind::Samples => {
            let (ring, frames) = RingBuffer::new(RING_FRAMES);
            (Listener::Samples(ring), Frames::Samples(frames))
        }
    };
    (Box::new(listener), CallerFeed(frames))
}

impl CallerFeed {
    /// All that is there.
    pub fn drain(&mut self) -> impl Iterator<Item = CallerFrame> {
        std::iter::from_fn(|| match &mut self.0 {
            Frames::Payload(ring) => ring.pop().ok().map(|slot| CallerFrame {
                audio: CallerAudio::Payload(slot.audio),
                is_speech: slot.is_speech,
            }),
            Frames::Samples(ring) => ring.pop().ok().map(|slot| CallerFrame {
                audio: CallerAudio::Samples(slot.audio),
                is_speech: slot.is_speech,
            }),
        })
    }
}

impl CallerListener for Listener {
    fn hears_samples(&self) -> bool {
        matches!(self, Self::Samples(_))
    }

    /// A mind that does not come for more than a second loses what is new: it is far behind anyway.
    fn listen(&mut self, heard: &Conditioned) {
        let is_speech = heard.is_speech;
        let _ = match self {
            Self::Payload(ring) => ring.push(Box::new(Slot { audio: heard.payload, is_speech })).is_ok(),
            Self::Samples(ring) => ring.push(Box::new(Slot { audio: heard.samples, is_speech })).is_ok(),
        };
    }
}

/// 1.28 s, at most 10 kB of payload or 20 of samples: a runtime that stands still for longer has lost the conversation.
const RING_FRAMES: usize = 64;
