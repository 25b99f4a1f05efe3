//! What vendors saw: arrivals, messages and complaints, for tests to look at.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::vendor::{Arrival, Frame};

/// What was seen; copies share it.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<Record>>);

/// The record.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Requests, in their order.
    pub arrivals: Vec<(Duration, Arrival)>,
    /// What clients sent after that.
    pub frames: Vec<SeenFrame>,
    /// What a real vendor would have refused, or would have answered with silence or a bill.
    pub complaints: Vec<String>,
    /// What found no room in the two lists above.
    pub dropped: usize,
}

/// A message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenFrame {
    /// When it came.
    pub at: Duration,
    /// Which of the arrivals it belongs to.
    pub arrival: usize,
    /// The message.
    pub frame: Frame,
}

impl Seen {
    /// A copy of the record.
    pub fn record(&self) -> Record {
        self.lock().clone()
    }

    /// The complaints.
    pub fn complaints(&self) -> Vec<String> {
        self.lock().complaints.clone()
    }

    /// How many requests came.
    pub fn arrivals(&self) -> usize {
        self.lock().arrivals.len()
    }

    /// The text messages that clients sent.
    pub fn texts(&self) -> Vec<String> {
        let text = |seen: &SeenFrame| match &seen.frame {
            Frame::Text(text) => Some(text.clone()),
            Frame::Binary(_) => None,
        };
        self.lock().frames.iter().filter_map(text).collect()
    }

    /// Writes down what a client did wrong.
    pub fn complain(&self, about: impl Display) {
        let mut record = self.lock();
        if record.complaints.len() < MAX_COMPLAINTS {
            record.complaints.push(about.to_string());
        } else {
            record.dropped += 1;
        }
    }

    /// Writes down an arrival. Returns its number.
    pub(crate) fn arrival(&self, now: Duration, arrival: &Arrival) -> usize {
        let mut record = self.lock();
        let number = record.arrivals.len();
        if number < MAX_ARRIVALS {
            record.arrivals.push((now, arrival.clone()));
        } else {
            record.dropped += 1;
        }
        number
    }

    pub(crate) fn frame(&self, at: Duration, arrival: usize, frame: &Frame) {
        let mut record = self.lock();
        if record.frames.len() < MAX_FRAMES {
            record.frames.push(SeenFrame { at, arrival, frame: frame.clone() });
        } else {
            record.dropped += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        // A list of what was seen is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More than any test asks.
const MAX_ARRIVALS: usize = 20_000;

/// An hour of frames of 20 ms.
const MAX_FRAMES: usize = 180_000;

/// The first few tell what is wrong.
const MAX_COMPLAINTS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_one_record_and_it_is_bounded() {
        let seen = Seen::default();
        let copy = seen.clone();
        for n in 0..=MAX_COMPLAINTS {
            copy.complain(format_args!("complaint {n}"));
        }
        let record = seen.record();
        assert_eq!((record.complaints.len(), record.dropped), (MAX_COMPLAINTS, 1));
        copy.frame(Duration::ZERO, 0, &Frame::Text("a".to_owned()));
        copy.frame(Duration::ZERO, 0, &Frame::Binary(vec![1]));
        assert_eq!(seen.texts(), ["a"]);
    }
}
