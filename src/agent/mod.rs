//! An agent in a call: the destination that joins a voice, on the call's shard, with a mind that thinks elsewhere. What lies
//! between the two is a [`MindLine`]: a pair of bounded queues in the server, a function call in virtual time.

mod feed;
mod inline;
mod line;
mod pace;

use std::time::Instant;

use caly_rtp::codec::Codec;
use caly_rtp::dtmf::Digit;
use caly_rtp::frame::{FRAME_SAMPLES, Frame};

pub use feed::{CallerFeed, FeedKind, caller_feed};
pub use inline::{AnswerTool, InlineMind, LinkDriver, NoLinks};
pub use line::{MindGone, MindLine, NotSent};
pub use pace::ListenPace;

use crate::call::destination::{Begin, Destination, Wish};
use crate::call::dialogue::Noted;
use crate::voice::exchange::VoiceEvent;
use crate::voice::session::{Voice, VoiceConfig, VoiceWish};

/// One call's agent.
#[derive(Debug)]
pub struct Agent {
    line: Box<dyn MindLine>,
    voice: Ears,
    /// What the line did not take yet.
    unsent: Option<VoiceEvent>,
    /// Nobody thinks any more.
    is_deserted: bool,
}

/// The voice begins with the first tick of an answered call.
#[derive(Debug)]
enum Ears {
    Waiting(Option<VoiceConfig>, Option<Codec>),
    Open(Box<Voice>),
}

impl Agent {
    /// An agent whose mind is at the other end of the line.
    pub fn new(line: Box<dyn MindLine>, voice: VoiceConfig) -> Self {
        Self { line, voice: Ears::Waiting(Some(voice), None), unsent: None, is_deserted: false }
    }

    /// What the mind wants; bounded, so that no mind holds up a tick.
    fn take_commands(&mut self, now: Instant) {
        let Ears::Open(voice) = &mut self.voice else { return };
        for _ in 0..MAX_COMMANDS_PER_TICK {
            match self.line.receive(now) {
                Ok(Some(command)) => voice.handle_command(now, command),
                Ok(None) => return,
                Err(MindGone) => {
                    self.is_deserted = true;
                    return;
                }
            }
        }
    }

    /// Tells the mind what happened; what the line does not take waits in the voice.
    fn tell_mind(&mut self, now: Instant) {
        let Ears::Open(voice) = &mut self.voice else { return };
        while let Some(event) = self.unsent.take().or_else(|| voice.poll_event()) {
            match self.line.send(now, event) {
                Ok(()) => {}
                Err(NotSent::Full(event)) => {
                    self.unsent = Some(event);
                    return;
                }
                Err(NotSent::Gone) => {
                    self.is_deserted = true;
                    return;
                }
            }
        }
    }
}

impl Ears {
    fn open(&mut self, now: Instant) -> Option<&mut Voice> {
        if let Self::Waiting(config, codec) = self
            && let Some(config) = config.take()
        {
            let mut voice = Box::new(Voice::new(config, now));
            codec.iter().for_each(|codec| voice.handle_media(*codec));
            *self = Self::Open(voice);
        }
        match self {
            Self::Open(voice) => Some(voice),
            Self::Waiting(..) => None,
        }
    }
}

impl Destination for Agent {
    fn begin(&self) -> Begin {
        Begin::Answer
    }

    fn handle_media(&mut self, codec: Codec) {
        match &mut self.voice {
            Ears::Open(voice) => voice.handle_media(codec),
            Ears::Waiting(_, known) => *known = Some(codec),
        }
    }

    fn hear(&mut self, now: Instant, frame: &Frame) {
        if let Some(voice) = self.voice.open(now) {
            voice.hear(now, frame);
        }
    }

    fn speak(&mut self, now: Instant, samples: &mut [i16; FRAME_SAMPLES]) {
        self.voice.open(now);
        self.take_commands(now);
        if let Ears::Open(voice) = &mut self.voice {
            voice.speak(now, samples);
        }
        self.tell_mind(now);
    }

    fn handle_digit(&mut self, now: Instant, digit: Digit) {
        if let Some(voice) = self.voice.open(now) {
            voice.handle_digit(now, digit);
        }
    }

    fn handle_missed(&mut self, _now: Instant, ticks: u32) {
        if let Ears::Open(voice) = &mut self.voice {
            voice.handle_missed(ticks);
        }
    }

    fn poll_wish(&mut self, now: Instant) -> Option<Wish> {
        if let Ears::Open(voice) = &mut self.voice
            && let Some(wish) = voice.poll_wish(now)
        {
            return Some(match wish {
                VoiceWish::SendDigits(digits) => Wish::SendDigits(digits),
                VoiceWish::HangUp => Wish::HangUp,
            });
        }
        self.is_deserted.then_some(Wish::Fail)
    }

    fn poll_event(&mut self) -> Option<Noted> {
        match &mut self.voice {
            Ears::Open(voice) => voice.poll_note(),
            Ears::Waiting(..) => None,
        }
    }

    fn finish(&mut self, now: Instant) {
        // What the mind did in the last moment, a tool's answer perhaps, still belongs to the call's log.
        self.take_commands(now);
        if let Ears::Open(voice) = &mut self.voice {
            voice.handle_end();
        }
    }
}

/// Speech comes in pieces of 100 ms and notes one by one: a mind that sends more waits for the next tick.
const MAX_COMMANDS_PER_TICK: usize = 64;

#[cfg(test)]
mod tests;
