//! What voice and mind say to each other. Voice lives on the call's shard and is always on time; the mind thinks elsewhere
//! and may be late. Both directions are bounded queues.
//!
//! Speech flows by credit: voice says up to which sample, counted from the call's first, the mind may have sent
//! ([`VoiceEvent::Credit`]); what the mind has ready beyond that waits with the mind. Nothing that was granted is ever
//! dropped but by a flush, and samples of a flushed utterance that are still on their way count as used.

use std::time::{Duration, Instant};

pub use caly_rtp::codec::Codec;
pub use caly_rtp::dtmf::Digit;
pub use caly_rtp::frame::FRAME_SAMPLES;
pub use caly_rtp::playout::UtteranceId;

use crate::call::dialogue::Dialogue;

/// From voice to mind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceEvent {
    /// The call is answered; whoever wants to greet does it now.
    Answered,
    /// The call's codec, behind [`VoiceEvent::Answered`] and whenever it is another one.
    Media {
        /// That codec.
        codec: Codec,
    },
    /// The caller began to speak.
    SpeechStarted,
    /// The caller stopped speaking. More may follow at once: this is no end of a turn.
    SpeechEnded {
        /// How long it was.
        duration: Duration,
    },
    /// The caller's turn is probably over: a mind may begin to think, and must neither speak nor act. Followed by one of
    /// [`VoiceEvent::TurnResumed`], [`VoiceEvent::TurnCommitted`] and [`VoiceEvent::SpeechDismissed`].
    TurnLikely {
        /// Number of the turn within the call, from 0.
        turn: u32,
    },
    /// It was not over: what was thought since [`VoiceEvent::TurnLikely`] is to be forgotten.
    TurnResumed {
        /// The same number.
        turn: u32,
    },
    /// The caller's turn is over: the mind is to answer. The turn after it has the next number, and words of the caller that come
    /// to be known only now are its first: as long as nothing is heard of the answer they give the floor back to the caller, and a
    /// mind that gets another one of these before it has answered answers both.
    TurnCommitted {
        /// Number of the turn.
        turn: u32,
        /// Speech in the turn, pauses left out.
        speech: Duration,
    },
    /// What the caller said is no turn, and nobody has to answer it: a word or a cough over the agent, who goes on; an
    /// interruption that came to nothing, after which the floor is the caller's; or a turn that the mind itself took. The words
    /// heard since the last turn belong to it and need no answer; the turn after it has the next number.
    ///
    /// After [`VoiceEvent::Interrupted`] by speech there comes exactly one of this and [`VoiceEvent::TurnCommitted`].
    SpeechDismissed {
        /// Number of the turn that it would have been.
        turn: u32,
    },
    /// The caller pressed a key. What was being said is already flushed if keys may interrupt it.
    Digit(Digit),
    /// What was being said, or waited to be, is flushed: the caller took the floor.
    Interrupted {
        /// The utterance that was playing or would have been next.
        utterance: UtteranceId,
        /// How much of it was heard.
        heard: Duration,
        /// What interrupted it.
        by: Interruption,
    },
    /// An utterance was heard to its end.
    Played {
        /// Which.
        utterance: UtteranceId,
    },
    /// So many samples may have been sent since the call began. Never less than before.
    Credit {
        /// The limit.
        samples: u64,
    },
    /// Nobody has said or pressed anything for the re-prompt time: ask again. Comes again after as long.
    Idle {
        /// Silence of the caller so far.
        silence: Duration,
    },
    /// The caller has been silent for so long that the call should end.
    IdleTooLong,
}

/// What took the floor from the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interruption {
    /// Speech.
    Speech,
    /// A key.
    Digit,
}

/// From mind to voice.
#[derive(Clone, Debug, PartialEq)]
pub enum MindCommand {
    /// Samples of an utterance, at the codec's rate, within the credit. A new number ends the utterance before it; numbers
    /// only grow.
    Speak {
        /// Which utterance.
        utterance: UtteranceId,
        /// What may stop it. The first of its samples decide.
        yields_to: YieldsTo,
        /// The samples.
        samples: Vec<i16>,
    },
    /// No more samples of this utterance will come.
    Finish {
        /// Which.
        utterance: UtteranceId,
    },
    /// Drop what is being said and what waits.
    Stop,
    /// The turn is taken and an answer is in the making.
    Think,
    /// Nothing to say: the floor is the caller's.
    Listen,
    /// Send keys (RFC 4733).
    SendDigits(Vec<Digit>),
    /// End the call once everything said before is heard.
    HangUp,
    /// Whether a recognizer is at work from now on. Without one, which is how a call begins, silence alone ends turns.
    ExpectWords(bool),
    /// The words of the caller's present turn are others than they were. The text itself stays with the mind.
    Transcript(Transcript),
    /// What the speech provider believes about the caller's turn. Optional.
    ProviderTurn {
        /// The turn, numbered as in [`Transcript::turn`]. What is said of a turn that is over is ignored and counted.
        turn: u32,
        /// What it believes.
        opinion: ProviderTurn,
    },
    /// Enter this in the call's log.
    Note(Dialogue),
    /// The same with the time at which it happened, which the tick that takes it need not be.
    NoteAt(Instant, Dialogue),
}

/// What of the caller's stops an utterance. One that does not yield to speech is not even turned down by it. While it waits close
/// behind another one, that yields no more than it does: what must be heard is not flushed with what need not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YieldsTo {
    /// Speech.
    pub speech: bool,
    /// A key.
    pub digits: bool,
}

impl YieldsTo {
    /// Whatever the caller does.
    pub const ANYTHING: Self = Self { speech: true, digits: true };
    /// It is heard to its end.
    pub const NOTHING: Self = Self { speech: false, digits: false };

    /// Both of them yield to it.
    pub fn and(self, other: Self) -> Self {
        Self { speech: self.speech && other.speech, digits: self.digits && other.digits }
    }
}

/// What is known of the caller's words so far in a turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transcript {
    /// The turn that they belong to: 0 until a turn has ended, then one more than the last [`VoiceEvent::TurnCommitted`] or
    /// [`VoiceEvent::SpeechDismissed`] said. Words of a turn that is over are ignored and counted.
    pub turn: u32,
    /// How many there are, not only the new ones.
    pub words: u16,
    /// Another number whenever the words are others than before, be there as many of them or not: the caller may still be at it.
    /// Another spelling of the same words is no news.
    pub revision: u32,
    /// All of them do no more than tell the agent to go on: "haan", "hmm", "okay".
    pub is_backchannel: bool,
    /// How much this looks like something that is said to its end: 0 clearly not, 1 clearly so. What is no number counts as 0.5.
    pub completeness: f32,
}

/// A speech provider's opinion on the caller's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderTurn {
    /// It is probably over.
    Likely,
    /// It is over.
    Ended,
    /// It is not over, whatever was said before.
    Resumed,
}
