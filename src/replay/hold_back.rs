//! Requests that must not come before our answer. The caller of then sent its ACK when the answer of then arrived; the
//! answer of now may come later, and a capture may have its packets in a wrong order. So an ACK waits for the final
//! response to its INVITE (RFC 3261 13.2.2.4), a BYE for the answer that made the dialog (RFC 3261 15), and what the caller
//! sent after a message that waits, waits behind it.

use std::collections::{HashSet, VecDeque};

use super::plan::{Input, What};

/// One INVITE: the Call-ID and the CSeq number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct InviteId {
    pub(super) call_id: String,
    pub(super) cseq: u32,
}

/// Messages that wait, and the answers that they wait for.
#[derive(Debug, Default)]
pub(super) struct HoldBack {
    answered: HashSet<InviteId>,
    waiting: VecDeque<Input>,
    /// Messages that were not fed because too many waited.
    dropped: u64,
}

impl HoldBack {
    /// Gives the input back if nothing stands against it; else it is kept until [`release`](Self::release).
    pub(super) fn admit(&mut self, input: Input) -> Option<Input> {
        if !self.must_wait(&input, self.waiting.len()) {
            return Some(input);
        }
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(input);
        } else {
            self.dropped += 1;
        }
        None
    }

    /// We have sent a final response to this INVITE.
    pub(super) fn note_answered(&mut self, invite: InviteId) {
        self.answered.insert(invite);
    }

    /// The next input that has waited long enough.
    pub(super) fn release(&mut self) -> Option<Input> {
        let place = (0..self.waiting.len()).find(|&place| !self.must_wait(&self.waiting[place], place))?;
        self.waiting.remove(place)
    }

    /// Whether something waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Messages that were never fed.
    pub(super) fn withheld(&self) -> u64 {
        self.dropped + self.waiting.len() as u64
    }

    /// `before`: how many of those that wait came before it.
    fn must_wait(&self, input: &Input, before: usize) -> bool {
        let is_unanswered = |invite: &InviteId| !self.answered.contains(invite);
        match &input.what {
            What::Sip(sip) => {
                // What makes a dialog, or gives one up, never waits: others wait for it.
                sip.waits_for.as_ref().is_some_and(|invite| {
                    is_unanswered(invite)
                        || self.waiting.iter().take(before).any(|held| same_call(held, invite))
                })
            }
            What::Closed => self.waiting.iter().take(before).any(|held| held.from == input.from),
            What::Media(..) => false,
        }
    }
}

fn same_call(held: &Input, invite: &InviteId) -> bool {
    match &held.what {
        What::Sip(sip) => sip.waits_for.as_ref().is_some_and(|held| held.call_id == invite.call_id),
        What::Closed | What::Media(..) => false,
    }
}

/// Messages of a whole trunk's capture that wait at one time; the calls of each are answered within seconds or never.
const MAX_WAITING: usize = 4096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use caly_sip::message::Message;
    use caly_sip::transport::Transport;

    use super::super::plan::Sip;
    use super::*;

    fn invite(cseq: u32) -> InviteId {
        InviteId { call_id: "a".to_owned(), cseq }
    }

    /// A message from a port that names it in this test.
    fn message(port: u16, waits_for: Option<InviteId>) -> Input {
        let framed = Box::new(Message::parse_datagram(b"none"));
        let sip = Sip { transport: Transport::Tcp, framed, tag: None, waits_for };
        input(port, What::Sip(sip))
    }

    fn input(port: u16, what: What) -> Input {
        Input { at: Duration::ZERO, from: ([192, 0, 2, 1], port).into(), what }
    }

    fn released(hold: &mut HoldBack) -> Vec<u16> {
        std::iter::from_fn(|| hold.release()).map(|input| input.from.port()).collect()
    }

    #[test]
    fn an_ack_and_all_behind_it_wait_for_the_answer() {
        let mut hold = HoldBack::default();
        assert!(hold.admit(message(1, Some(invite(1)))).is_none());
        assert!(hold.admit(message(2, Some(invite(2)))).is_none());
        assert!(hold.admit(message(3, Some(invite(1)))).is_none());
        assert!(hold.admit(message(4, None)).is_some(), "an INVITE or a CANCEL waits for nothing");
        assert!(hold.admit(message(5, Some(InviteId { call_id: "b".to_owned(), cseq: 1 }))).is_none());
        assert!(hold.release().is_none());
        hold.note_answered(invite(1));
        assert_eq!(released(&mut hold), [1], "the third waits behind the second, which has no answer yet");
        hold.note_answered(invite(2));
        assert_eq!(released(&mut hold), [2, 3]);
        assert_eq!(hold.withheld(), 1);
        assert!(hold.admit(message(6, Some(invite(1)))).is_some());
    }

    #[test]
    fn the_end_of_a_connection_waits_for_what_came_over_it() {
        let mut hold = HoldBack::default();
        assert!(hold.admit(message(1, Some(invite(1)))).is_none());
        assert!(hold.admit(input(1, What::Closed)).is_none());
        assert!(hold.admit(input(2, What::Closed)).is_some());
        hold.note_answered(invite(1));
        assert_eq!(released(&mut hold), [1, 1]);
        assert!(hold.is_empty());
    }

    #[test]
    fn what_waits_is_bounded_and_counted() {
        let mut hold = HoldBack::default();
        for _ in 0..=MAX_WAITING {
            assert!(hold.admit(message(1, Some(invite(1)))).is_none());
        }
        assert_eq!((hold.waiting.len(), hold.withheld()), (MAX_WAITING, MAX_WAITING as u64 + 1));
    }
}
