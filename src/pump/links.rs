//! The links of one call: orders go in without waiting, events come out one by one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use caly_provider::link::{
    LinkDeed, LinkEnd, LinkEvent, LinkFailure, LinkId, LinkOrder, MAX_MESSAGE_BYTES, Message, Request,
};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::link::{self, Outbox, Teller, Told};
use super::{Pump, count};

/// What one call has open. Dropping it ends every link at once, with its task and its socket; [`Links::finish`] lets them say goodbye.
#[derive(Debug)]
pub struct Links {
    pump: Pump,
    live: BTreeMap<LinkId, Live>,
    tasks: JoinSet<()>,
    events: mpsc::Receiver<Told>,
    to_events: mpsc::Sender<Told>,
    /// Ends that no task tells: of links that were refused, cut off, or whose task panicked.
    ended_here: VecDeque<(LinkId, LinkFailure)>,
    opened: u64,
}

/// A link that is open or about to be. Its task sees that it was closed when this is dropped.
#[derive(Debug)]
struct Live {
    /// Tells the events of this link from those of an earlier one of the same name.
    serial: u64,
    commands: mpsc::Sender<Message>,
    queued_bytes: Arc<AtomicUsize>,
    task: AbortHandle,
    _open: oneshot::Sender<()>,
}

impl Links {
    /// None so far.
    pub fn new(pump: Pump) -> Self {
        let (to_events, events) = mpsc::channel(MAX_EVENTS);
        let (live, ended_here) = (BTreeMap::new(), VecDeque::new());
        Self { pump, live, tasks: JoinSet::new(), events, to_events, ended_here, opened: 0 }
    }

    /// Does what is ordered as soon as it can be done; never waits. What is sent to a link that is over is dropped: its end is on the
    /// way to who ordered it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn order(&mut self, order: LinkOrder) {
        match order.deed {
            LinkDeed::Open(request) => self.open(order.link, request),
            LinkDeed::Send(message) => self.send(order.link, message),
            LinkDeed::Close => {
                self.live.remove(&order.link);
            }
        }
    }

    /// What happens next; waits for ever if nothing is open. Nothing is lost if the future is dropped before it is ready.
    pub async fn next(&mut self) -> (LinkId, LinkEvent) {
        loop {
            if let Some((link, failure)) = self.ended_here.pop_front() {
                return (link, LinkEvent::Ended(LinkEnd::Failed(failure)));
            }
            tokio::select! {
                biased;
                Some(told) = self.events.recv() => {
                    if self.is_wanted(&told) {
                        return (told.link, told.event);
                    }
                }
                Some(ended) = self.tasks.join_next_with_id() => self.note_end(ended),
            }
        }
    }

    /// Closes all that is open and waits until what was ordered is sent and the peers have said goodbye: a second at most.
    pub async fn finish(mut self) {
        self.live.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Tasks that have not ended, those of closed links that still say goodbye among them.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    fn open(&mut self, link: LinkId, request: Request) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.note_end(ended);
        }
        count(&self.pump.shared.counters.links);
        if self.live.contains_key(&link) {
            tracing::warn!(
                link = link.0,
                "a link was opened twice: the first one stays, which is a fault of Caly's"
            );
            return;
        }
        if self.live.len() >= MAX_LINKS || self.tasks.len() >= MAX_TASKS {
            count(&self.pump.shared.counters.too_many);
            let why = format!("this call has {} links already", self.live.len());
            return self.end_here(link, LinkFailure::Connect(why));
        }
        self.opened += 1;
        let (commands, orders) = mpsc::channel(MAX_QUEUED);
        let (open, closing) = oneshot::channel();
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let outbox = Outbox { orders, queued_bytes: Arc::clone(&queued_bytes) };
        let teller = Teller { link, serial: self.opened, events: self.to_events.clone() };
        let task = self.tasks.spawn(link::run(self.pump.clone(), request, outbox, teller, closing));
        self.live.insert(link, Live { serial: self.opened, commands, queued_bytes, task, _open: open });
    }

    fn send(&mut self, link: LinkId, message: Message) {
        let Some(live) = self.live.get(&link) else { return };
        let bytes = link::length(&message);
        if bytes > MAX_MESSAGE_BYTES {
            return self.cut(link, LinkFailure::TooLong { limit_bytes: MAX_MESSAGE_BYTES });
        }
        let queued_bytes = live.queued_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let is_full = queued_bytes > MAX_QUEUED_BYTES
            || matches!(live.commands.try_send(message), Err(TrySendError::Full(_)));
        if is_full {
            count(&self.pump.shared.counters.not_reading);
            let why = "the peer does not read: what is to be sent piles up";
            self.cut(link, LinkFailure::Broken(why.to_owned()));
        }
    }

    /// Ends a link without its task.
    fn cut(&mut self, link: LinkId, failure: LinkFailure) {
        if let Some(live) = self.live.remove(&link) {
            live.task.abort();
            self.end_here(link, failure);
        }
    }

    fn end_here(&mut self, link: LinkId, failure: LinkFailure) {
        if self.ended_here.len() < MAX_TASKS {
            self.ended_here.push_back((link, failure));
        } else {
            count(&self.pump.shared.counters.untold);
        }
    }

    /// Events of a link that its owner has closed are not told any more.
    fn is_wanted(&mut self, told: &Told) -> bool {
        let is_live = self.live.get(&told.link).is_some_and(|live| live.serial == told.serial);
        if is_live && matches!(told.event, LinkEvent::Ended(_)) {
            self.live.remove(&told.link);
        }
        is_live
    }

    /// A task that ended by itself has told so; one that panicked has not.
    fn note_end(&mut self, ended: Result<(Id, ()), JoinError>) {
        let Err(error) = ended else { return };
        let of_task = |(_, live): &(&LinkId, &Live)| live.task.id() == error.id();
        let link = self.live.iter().find(of_task).map(|(link, _)| *link);
        if let Some(link) = link {
            self.live.remove(&link);
            let why = "Caly's own part of it panicked; the server's log tells where";
            self.end_here(link, LinkFailure::Broken(why.to_owned()));
        }
    }
}

/// Links of a call at a time: hearing, thinking and speaking, with a second of each while one takes over, and tools.
const MAX_LINKS: usize = 32;

/// Tasks of a call: its links, and closed ones that still say goodbye.
const MAX_TASKS: usize = 2 * MAX_LINKS;

/// Events that wait for the call. It thinks for a few milliseconds at a time; beyond this the peer is not read, so that TCP holds it.
const MAX_EVENTS: usize = 32;

/// Messages that wait for a peer: five seconds of audio in frames of 20 ms, which is how long a client may wait for its connection.
const MAX_QUEUED: usize = 256;

/// Their bytes: what one message may have.
const MAX_QUEUED_BYTES: usize = MAX_MESSAGE_BYTES;
