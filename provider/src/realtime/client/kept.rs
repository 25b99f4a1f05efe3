//! The caller's sound that waits for a connection, or that would be lost with this one: said to it and not yet part of the conversation.

use std::collections::VecDeque;
use std::time::Duration;

use crate::audio::AudioFormat;

/// The sound.
#[derive(Debug)]
pub(super) struct Kept {
    format: AudioFormat,
    bytes: VecDeque<u8>,
    /// How many of them were sent: the first ones.
    sent: usize,
    /// The caller has spoken, and that is no part of the conversation yet. Not all vendors say so before they answer.
    pub(super) has_speech: bool,
    lost_bytes: u64,
}

impl Kept {
    pub(super) fn new(format: AudioFormat) -> Self {
        Self { format, bytes: VecDeque::new(), sent: 0, has_speech: false, lost_bytes: 0 }
    }

    /// More sound. Much is kept while somebody speaks, or waits; of silence only as much as a word may begin in.
    pub(super) fn push(&mut self, audio: &[u8], is_waiting: bool) {
        self.bytes.extend(audio);
        let is_waiting = is_waiting || self.has_speech;
        let most = self.format.bytes(if is_waiting { MOST_WAITING } else { MOST_SILENT }).max(audio.len());
        let over = self.bytes.len().saturating_sub(most);
        self.bytes.drain(..over);
        self.lost_bytes += over.saturating_sub(self.sent) as u64;
        self.sent = self.sent.saturating_sub(over);
    }

    /// The next piece to send.
    pub(super) fn next_piece(&mut self) -> Option<Vec<u8>> {
        let piece: Vec<u8> =
            self.bytes.iter().skip(self.sent).take(self.format.bytes(PIECE).max(1)).copied().collect();
        self.sent += piece.len();
        (!piece.is_empty()).then_some(piece)
    }

    /// What was sent is part of the conversation.
    pub(super) fn confirm(&mut self) {
        self.bytes.drain(..self.sent);
        self.sent = 0;
        self.has_speech = false;
    }

    /// What is no part of the conversation yet; nothing if it is but the silence that is always kept.
    pub(super) fn unconfirmed(&self) -> Vec<u8> {
        let is_silence = self.bytes.len() <= self.format.bytes(MOST_SILENT);
        if is_silence { Vec::new() } else { self.bytes.iter().copied().collect() }
    }

    /// What was sent was sent to nobody.
    pub(super) fn say_again(&mut self) {
        self.sent = 0;
    }

    pub(super) fn lost_bytes(&self) -> u64 {
        self.lost_bytes
    }
}

/// A turn is seldom longer.
const MOST_WAITING: Duration = Duration::from_secs(15);
const MOST_SILENT: Duration = Duration::from_secs(1);
/// What vendors advise for a piece.
const PIECE: Duration = Duration::from_millis(100);
