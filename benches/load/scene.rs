//! What is measured: whom the callers reach, and what they do.

use caly_rtp::codec::Codec;
use caly_rtp::frame::FRAME_SAMPLES;
use caly_vendors::voice::Voice;

use super::level::Timing;
use super::vendors::{SAID, Vendors, Wire};
use crate::common::rtp_callers::Habit;

/// A destination and its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// A destination that there is without configuration, and callers who hum.
    Plain(&'static str),
    /// The demo agent, whose callers press keys.
    Demo,
    /// An agent that thinks by providers and waits for callers who say nothing.
    Hold(Wire),
    /// The same with callers who speak, listen to the answer and speak again.
    Talk,
}

impl Scene {
    /// All of them, with the levels at which they are measured if nobody asks for others.
    pub(crate) const ALL: [(Self, &'static [usize]); 7] = [
        (Self::Plain("echo"), &[100, 200, 400]),
        (Self::Plain("tone"), &[100, 200, 400]),
        (Self::Plain("record"), &[100, 200, 400]),
        (Self::Demo, &[100]),
        (Self::Hold(Wire::Tls), &[20, 100]),
        (Self::Hold(Wire::Plain), &[20, 100]),
        (Self::Talk, &[20, 100]),
    ];

    /// By which it is asked for.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain(destination) => destination,
            Self::Demo => "demo",
            Self::Hold(Wire::Tls) => "hold",
            Self::Hold(Wire::Plain) => "hold-plain",
            Self::Talk => "talk",
        }
    }

    /// The number that is called.
    pub(crate) fn number(self) -> &'static str {
        match self {
            Self::Plain(destination) => destination,
            Self::Demo => "demo",
            Self::Hold(_) | Self::Talk => "asha",
        }
    }

    pub(crate) fn vendors(self) -> Option<Vendors> {
        match self {
            Self::Plain(_) | Self::Demo => None,
            Self::Hold(wire) => Some(Vendors::start(wire)),
            Self::Talk => Some(Vendors::start(Wire::Tls)),
        }
    }

    pub(crate) fn habit(self) -> Habit {
        match self {
            Self::Plain(_) => Habit::Hum,
            Self::Demo => Habit::PressKeys,
            Self::Hold(_) => Habit::Wait,
            Self::Talk => Habit::Say(monologue()),
        }
    }

    /// A conversation is to lie in the window as a whole, and a greeting before it.
    pub(crate) fn timing(self, timing: Timing) -> Timing {
        match self {
            Self::Plain(_) => timing,
            Self::Demo => timing.of_conversations(),
            Self::Hold(_) | Self::Talk => timing.behind_a_greeting(),
        }
    }
}

/// What a caller says over and over, with room for the answer.
fn monologue() -> &'static [[u8; FRAME_SAMPLES]] {
    let mut samples = Voice { seed: 5, ..Voice::default() }.speak(SAID, 8_000).samples;
    samples.extend(std::iter::repeat_n(0, LISTENING_SAMPLES));
    let frames = samples.chunks_exact(FRAME_SAMPLES).map(|samples| {
        let mut frame = [0; FRAME_SAMPLES];
        Codec::Pcmu.encode(samples, &mut frame);
        frame
    });
    // For as long as the program runs, and it is a few seconds of sound.
    frames.collect::<Vec<_>>().leak()
}

/// 11 s: the silence that ends the turn, two requests to the model and 7 s of answer.
const LISTENING_SAMPLES: usize = 88_000;
